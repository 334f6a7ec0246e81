"""What a case is, and the tools to make one: the company, its keys, its genuine response, and edits before or after signing."""

import functools
from base64 import b64encode
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from lxml import etree

from shared.schemas.login import SignedMode
from tests.entra import saml
from tests.entra.certificates import private_key
from tests.entra.claims import Claim
from tests.entra.people import Certificate, EnterpriseApp
from tests.entra.saml import ResponseRecipe
from tests.entra.signing import DSIG, Algorithm, exclusive_c14n, sign_bytes
from tests.entra.tenant import Tenant
from tests.support.saml_responses import ACS, ENTITY_ID, FLOW, NOW, OBJECT_ID, TENANT

FOLDER = Path(__file__).parents[2] / "data" / "saml"
VICTIM = "00000000-dead-4eef-8000-000000000000"
"""The object id that forgeries carry."""
GROUP = "77777777-aaaa-4aaa-8aaa-000000000001"
RESPONSE_ID = "_6f1b8a0e-59b1-4d0c-9a3e-0d6b7f1f2a11"
ASSERTION_ID = "_a2b3c4d5-0000-4000-8000-111122223300"

Edit = Callable[[str], str]
Respond = Callable[[], bytes]


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """Refused for `reason` and nothing else: the twin without the defect is accepted."""

    reason: str
    name: str
    attack: str
    """The line of the table in docs/login.md."""
    refused: bytes
    accepted: bytes
    signed: SignedMode = "assertion"
    trusted: tuple[str, ...] = ("contoso",)
    wanted: str = ""
    """How the refusal's `wanted` begins: the one rule of several that give this reason."""


def keys() -> list[str]:
    return sorted(file.stem for file in (FOLDER / "keys").glob("*.pem"))


@functools.cache
def key(name: str = "contoso") -> Certificate:
    """A key made for this corpus and for nothing else, as the simulator holds them."""
    pem = (FOLDER / "keys" / f"{name}.pem").read_text()
    certificate = x509.load_pem_x509_certificate(pem.encode())
    return Certificate(
        thumbprint=certificate.fingerprint(hashes.SHA1()).hex().upper(),  # noqa: S303  what the portal shows
        pem=pem[pem.index("-----BEGIN CERTIFICATE-----") :],
        key_pem=pem,
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        active=True,
    )


def genuine(signed: SignedMode = "assertion", *, groups: int = 1, in_response_to: str | None = FLOW) -> ResponseRecipe:
    """What Entra answers for Anna at Contoso's app, two seconds before `NOW`."""
    tenant = Tenant(TENANT, "Contoso", "contoso.com", clock=lambda: NOW)
    anna = tenant.add_person(
        "anna@contoso.com",
        "Anna Ærø",
        object_id=OBJECT_ID,
        given_name="Anna",
        surname="Ærø",
        mail="anna@contoso.com",
    )
    app = EnterpriseApp(
        app_id="33333333-3333-4333-8333-333333333333",
        service_principal_id="44444444-4444-4444-8444-444444444444",
        name="BitaBIZ",
        company="Contoso A/S",
        group_id="",
        identifier=ENTITY_ID,
        reply_url=ACS,
        sign=signed,
        groups_claim=groups > 0,
        certificates=(key(),),
    )
    for number in range(1, groups + 1):
        tenant.add_group(f"Group {number}", f"{GROUP[:-4]}{number:04d}")
        tenant.set_members(f"{GROUP[:-4]}{number:04d}", [anna.object_id])
    recipe = saml.recipe_for(
        tenant,
        app,
        anna,
        now=NOW - timedelta(seconds=2),
        in_response_to=in_response_to,
        new_guid=lambda: RESPONSE_ID[1:],
    )
    return msgspec.structs.replace(recipe, assertion_id=ASSERTION_ID, session_index=ASSERTION_ID)


def respond(signed: SignedMode = "assertion", signer: str = "contoso", **changes: object) -> bytes:
    """The genuine response with other values, signed after the change: what an identity provider gone wrong would sign."""
    return saml.respond(changed(genuine(signed), signer, **changes))


def changed(recipe: ResponseRecipe, signer: str = "contoso", **changes: object) -> ResponseRecipe:
    return msgspec.structs.replace(recipe.signed_with(key(signer)), **changes)


def replacing(old: str, new: str) -> Edit:
    """An edit that must find what it changes."""

    def edit(text: str) -> str:
        assert old in text, old
        return text.replace(old, new, 1)

    return edit


def edited(old: str, new: str, document: bytes | None = None) -> bytes:
    """The genuine response, changed after signing."""
    return replacing(old, new)((document or respond()).decode()).encode()


def moved(change: Callable[[etree._Element], etree._Element | None], document: bytes | None = None) -> bytes:
    """The genuine response as a tree, changed after signing; the change may return another root."""
    root = etree.fromstring(document or respond())
    other = change(root)
    return etree.tostring(root if other is None else other, encoding="utf-8")


def resigned(old: str, new: str, document: bytes | None = None, algorithm: Algorithm = "sha256") -> bytes:
    """SignedInfo changed and signed again with the company's own key: only the profile of signatures is left to refuse it."""
    text = edited(old, new, document).decode()
    start, end = text.index("<SignedInfo"), text.index("</SignedInfo>") + len("</SignedInfo>")
    octets = exclusive_c14n(f'<Signature xmlns="{DSIG}">{text[start:end]}</Signature>')
    inner = octets[octets.index(b">") + 1 : -len(b"</Signature>")].replace(
        b"<SignedInfo", f'<SignedInfo xmlns="{DSIG}"'.encode(), 1
    )
    return with_value(
        text, "SignatureValue", b64encode(sign_bytes(inner, private_key(key()), algorithm)).decode()
    ).encode()


def with_value(text: str, element: str, value: str) -> str:
    start, end = text.index(f"<{element}>"), text.index(f"</{element}>")
    return text[:start] + f"<{element}>{value}" + text[end:]


def with_claim(name: str, *values: str, recipe: ResponseRecipe | None = None) -> tuple[Claim, ...]:
    """The genuine claims, one of them with other values; without values it is left out."""
    claims = (recipe or genuine()).claims
    assert any(known == name for known, _ in claims), name
    return tuple((known, values if known == name else old) for known, old in claims if known != name or values)


def with_another(*claims: Claim) -> tuple[Claim, ...]:
    return (*genuine().claims, *claims)
