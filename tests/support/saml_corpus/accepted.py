"""Responses that sign Anna in: every way in which Entra may write one, and what of a document decides nothing."""

from collections.abc import Iterator

import msgspec

from shared.schemas.login import SignedMode
from tests.entra import saml
from tests.entra.claims import GROUPS_LINK, IDENTITY_PROVIDER, METHODS, XMLSOAP
from tests.support.saml_corpus.case import (
    changed,
    edited,
    genuine,
    moved,
    replacing,
    resigned,
    respond,
    with_another,
    with_claim,
)
from tests.support.saml_responses import ENTITY_ID, OBJECT_ID, TENANT

PERSISTENT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"


class Accepted(msgspec.Struct, frozen=True):
    name: str
    document: bytes
    signed: SignedMode = "assertion"
    trusted: tuple[str, ...] = ("contoso",)


def cases() -> Iterator[Accepted]:
    for signed in ("assertion", "response", "both"):
        yield Accepted(f"signed_{signed}", respond(signed), signed)
        unasked = saml.respond(changed(genuine(signed, in_response_to=None)))
        yield Accepted(f"started_in_microsoft_365_{signed}", unasked, signed)
        many = saml.respond(changed(genuine(signed, groups=150)))
        yield Accepted(f"groups_150_{signed}", many, signed)
        yield Accepted(f"sha512_{signed}", respond(signed, algorithm="sha512"), signed)
    yield Accepted("sha384", resigned("#rsa-sha256", "#rsa-sha384", algorithm="sha384"))
    yield Accepted("more_signed_than_required", respond("both"))
    yield Accepted("by_the_next_certificate", respond(signer="next"), trusted=("contoso", "next"))
    yield Accepted("one_trusted_of_four", respond(), trusted=("stranger", "fabrikam", "next", "contoso"))
    yield from _claims()
    yield from _spellings()


def _claims() -> Iterator[Accepted]:
    yield Accepted("no_groups", saml.respond(changed(genuine(groups=0))))
    yield Accepted("groups_overage", saml.respond(changed(genuine(groups=151))))
    yield Accepted("only_the_name_claim", respond(claims=tuple(claim for claim in genuine().claims if _kept(claim[0]))))
    guest = with_claim(IDENTITY_PROVIDER, "live.com")
    yield Accepted("guest", respond(name_id="bo_gmail.com#EXT#@contoso.onmicrosoft.com", claims=guest))
    yield Accepted("persistent_name_id", respond(name_id="k" * 43, name_id_format=PERSISTENT))
    methods = with_claim(METHODS, "http://schemas.microsoft.com/claims/multipleauthn", "urn:x509")
    yield Accepted("several_methods", respond(claims=methods))
    yield Accepted("windows_sign_in", respond(context_class="urn:federation:authentication:windows"))
    danish = with_claim(f"{XMLSOAP}givenname", "Åse \N{LATIN SMALL LETTER SHARP S} 日本 😀")
    yield Accepted("letters_of_the_world", respond(name_id="åse.ærø@contoso.com", claims=danish))
    letters = with_another(("urn:x\n\t\"&<'", ("\r\n\t& <b> ]]\u003e \"'", "", " ")))
    yield Accepted("xml_letters", respond(name_id="o'brien&<co>\"@contoso.com", claims=letters))
    yield Accepted("long_display_name", respond(claims=with_another(("urn:long", ("x" * 16_384,)))))
    upper = with_claim("http://schemas.microsoft.com/identity/claims/objectidentifier", OBJECT_ID.upper())
    yield Accepted("object_id_in_upper_case", respond(claims=upper))
    look_alike = (
        "http://schemas.microsoft.com/identity/claims/ObjectIdentifier",
        ("00000000-dead-4eef-8000-000000000000",),
    )
    yield Accepted("look_alike_claim", respond(claims=with_another(look_alike)))


def _kept(name: str) -> bool:
    return name.endswith(("tenantid", "objectidentifier", "/name")) and name != GROUPS_LINK and TENANT not in name


def _spellings() -> Iterator[Accepted]:
    document = respond()
    yield Accepted("xml_declaration", b'<?xml version="1.0" encoding="UTF-8"?>' + document)
    yield Accepted("no_key_info", moved(lambda root: root[-1][1].remove(root[-1][1][2])))
    stranger = respond(signer="stranger").decode()
    start, end = stranger.index("<KeyInfo>"), stranger.index("</KeyInfo>")
    genuine_text = document.decode()
    own = genuine_text[genuine_text.index("<KeyInfo>") : genuine_text.index("</KeyInfo>")]
    yield Accepted("another_certificate_in_key_info", edited(own, stranger[start:end]))
    yield Accepted("no_certificate_sent", respond(certificate=None))
    value = genuine_text[genuine_text.index("<SignatureValue>") + 16 : genuine_text.index("</SignatureValue>")]
    lines = "\r\n".join(value[at : at + 64] for at in range(0, len(value), 64))
    yield Accepted("lines_in_signature_value", edited(value, lines))
    blank = replacing("><Subject>", ">\n  <Subject>")
    yield Accepted("white_space", respond(edit_assertion=blank))
    yield Accepted("white_space_outside", edited("<samlp:Status>", "\n  <samlp:Status>"))
    yield Accepted(
        "quotes", edited('<samlp:StatusCode Value="', '<samlp:StatusCode  Value = "').replace(b"</N", b"</N")
    )
    yield Accepted("empty_element_written_out", edited('Success"/>', 'Success"></samlp:StatusCode>'))
    yield Accepted("character_reference", edited(">anna@contoso.com</NameID>", ">&#x61;nna@contoso.com</NameID>"))
    used = replacing("</Conditions>", "<OneTimeUse/></Conditions>")
    yield Accepted("one_time_use", respond(edit_assertion=used))
    more = f"<Audience>https://other.example</Audience><Audience>{ENTITY_ID}"
    yield Accepted("several_audiences", respond(edit_assertion=replacing(f"<Audience>{ENTITY_ID}", more)))
    prefixed = respond("response").decode()
    assert 'xmlns:ds="' in prefixed
    yield Accepted("prefixes", _prefixed(), "response")
    consent = edited('Version="2.0" IssueInstant', 'Version="2.0" Consent="urn:x" IssueInstant')
    yield Accepted("consent_outside", consent)


def _prefixed() -> bytes:
    def edit(text: str) -> str:
        return text.replace("<samlp:", "<p:").replace("</samlp:", "</p:").replace("xmlns:samlp=", "xmlns:p=")

    recipe = changed(genuine("response"))
    document = saml.respond(msgspec.structs.replace(recipe, sign_response=False)).decode()
    return _sign_response(edit(document), recipe)


def _sign_response(document: str, recipe: saml.ResponseRecipe) -> bytes:
    signed = saml._with_signature(document, recipe, recipe.response_id, prefixed=True)
    return signed.encode()
