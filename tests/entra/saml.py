"""SAML responses as Entra writes them, byte for byte, and every way to bend one.

Pure: the clock and the identifiers come in. A `ResponseRecipe` says everything a response holds; `respond` turns it
into bytes. Tests forge with `msgspec.structs.replace(recipe, audience=…)`.

Shape: no XML declaration, no white space, attributes first and `xmlns` last, three digits of milliseconds.
"""

import uuid
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from tests.entra.certificates import one_line, private_key, signing_certificate
from tests.entra.claims import Claim, claims_for
from tests.entra.people import EMAIL_ADDRESS_FORMAT, Certificate, EnterpriseApp, Person
from tests.entra.signing import Algorithm, signature
from tests.entra.tenant import Tenant

ASSERTION_NS = "urn:oasis:names:tc:SAML:2.0:assertion"
PROTOCOL_NS = "urn:oasis:names:tc:SAML:2.0:protocol"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
STATUS = "urn:oasis:names:tc:SAML:2.0:status:"
PERSISTENT_FORMAT = "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent"
PASSWORD_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:Password"
BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
PORTAL_TEST_REQUEST_ID = "F84D888AA3B44C1B844375A4E8210D9E"
"""The portal's "Test single sign-on" always sends this id, and is answered without InResponseTo."""

Edit = Callable[[str], str]


class ResponseRecipe(msgspec.Struct, frozen=True, kw_only=True):
    """Everything in a response. None leaves an attribute or element out.

    `drop` and `repeat` hold element names (`Conditions`, `Subject`, `NameID`, `Status`, `Assertion`, …; the issuer of
    the response is `ResponseIssuer`); `edit_*` change the text before it is signed, so that the signature holds.
    """

    issuer: str
    assertion_issuer: str | None = None
    """None: the same as `issuer`."""
    audience: str | None
    recipient: str | None
    destination: str | None
    in_response_to: str | None
    confirmation_in_response_to: str | msgspec.UnsetType | None = msgspec.UNSET
    """UNSET: the same as `in_response_to`."""
    issued_at: datetime
    responded_at: datetime
    not_before: datetime | None
    not_on_or_after: datetime | None
    confirmation_not_before: datetime | None = None
    confirmation_not_on_or_after: datetime | None
    authenticated_at: datetime
    response_id: str
    assertion_id: str
    session_index: str | None
    name_id: str | None
    name_id_format: str | None = EMAIL_ADDRESS_FORMAT
    sp_name_qualifier: str | None = None
    claims: tuple[Claim, ...] = ()
    status: str = SUCCESS
    confirmation_method: str = BEARER
    context_class: str = PASSWORD_CLASS
    version: str = "2.0"
    sign_assertion: bool = True
    sign_response: bool = False
    algorithm: Algorithm = "sha256"
    key: rsa.RSAPrivateKey
    certificate: str | None
    """Base64 DER for KeyInfo; None: no KeyInfo."""
    drop: frozenset[str] = frozenset()
    repeat: frozenset[str] = frozenset()
    edit_assertion: Edit | None = None
    edit_response: Edit | None = None

    def signed_with(self, certificate: Certificate) -> "ResponseRecipe":
        return msgspec.structs.replace(self, key=private_key(certificate), certificate=one_line(certificate))


def _guid() -> str:
    return str(uuid.uuid4())


def recipe_for(
    tenant: Tenant,
    app: EnterpriseApp,
    person: Person,
    *,
    now: datetime,
    in_response_to: str | None = None,
    new_guid: Callable[[], str] = _guid,
) -> ResponseRecipe:
    """What Entra answers for this person and app at `now`. Without `in_response_to` it is IdP-initiated."""
    issued_at = now
    window = (issued_at + timedelta(milliseconds=-300_000 - 120), issued_at + timedelta(milliseconds=3_600_000 - 120))
    certificate = signing_certificate(app.certificates, now)
    assertion_id = f"_{new_guid()[:-2]}00"
    return ResponseRecipe(
        issuer=tenant.issuer,
        audience=app.identifier,
        recipient=app.reply_url,
        destination=app.reply_url,
        in_response_to=None if in_response_to == PORTAL_TEST_REQUEST_ID else in_response_to,
        issued_at=issued_at,
        responded_at=issued_at + timedelta(milliseconds=6),
        not_before=window[0],
        not_on_or_after=window[1],
        confirmation_not_on_or_after=window[1],
        authenticated_at=now - timedelta(seconds=2),
        response_id=f"_{new_guid()}",
        assertion_id=assertion_id,
        session_index=assertion_id,
        name_id=person.attribute(app.name_id_source) or pairwise_id(app, person),
        name_id_format=app.name_id_format if person.attribute(app.name_id_source) else PERSISTENT_FORMAT,
        claims=claims_for(tenant, app, person),
        sign_assertion=app.sign in ("assertion", "both"),
        sign_response=app.sign in ("response", "both"),
        algorithm=app.signature_algorithm,
        key=private_key(certificate),
        certificate=one_line(certificate),
    )


def pairwise_id(app: EnterpriseApp, person: Person) -> str:
    """What Entra silently sends when the chosen NameID source is empty: 43 characters, other for each app."""
    seed = uuid.uuid5(uuid.UUID(app.app_id), person.object_id).bytes * 2
    return b64encode(seed, altchars=b"-_").decode().rstrip("=")


def respond(recipe: ResponseRecipe) -> bytes:
    assertion = "" if "Assertion" in recipe.drop else _signed_assertion(recipe)
    if "Assertion" in recipe.repeat:
        assertion += assertion
    attributes = attributes_text(
        ("ID", recipe.response_id),
        ("Version", recipe.version),
        ("IssueInstant", timestamp(recipe.responded_at)),
        ("Destination", recipe.destination),
        ("InResponseTo", recipe.in_response_to),
    )
    issuer = issuer_element(recipe.issuer)
    head = f'<samlp:Response{attributes} xmlns:samlp="{PROTOCOL_NS}">{_part(recipe, "ResponseIssuer", issuer)}'
    status = f'<samlp:Status><samlp:StatusCode Value="{attribute(recipe.status)}"/></samlp:Status>'
    response = f"{head}{_part(recipe, 'Status', status)}{assertion}</samlp:Response>"
    if recipe.edit_response:
        response = recipe.edit_response(response)
    if recipe.sign_response:
        response = _with_signature(response, recipe, recipe.response_id, prefixed=True)
    return response.encode()


def _signed_assertion(recipe: ResponseRecipe) -> str:
    assertion = _assertion(recipe)
    if recipe.edit_assertion:
        assertion = recipe.edit_assertion(assertion)
    if recipe.sign_assertion:
        assertion = _with_signature(assertion, recipe, recipe.assertion_id, prefixed=False)
    return assertion


def _with_signature(element: str, recipe: ResponseRecipe, reference_id: str, *, prefixed: bool) -> str:
    """Puts the signature after the element's own Issuer, or first where there is none."""
    made = signature(
        element, reference_id, recipe.key, recipe.certificate, algorithm=recipe.algorithm, prefixed_key_info=prefixed
    )
    place = element.index(">") + 1
    if element.startswith("<Issuer", place):
        place = element.index("</Issuer>", place) + len("</Issuer>")
    return element[:place] + made + element[place:]


def _assertion(recipe: ResponseRecipe) -> str:
    attributes = attributes_text(
        ("ID", recipe.assertion_id), ("IssueInstant", timestamp(recipe.issued_at)), ("Version", recipe.version)
    )
    issuer = f"<Issuer>{text(recipe.issuer if recipe.assertion_issuer is None else recipe.assertion_issuer)}</Issuer>"
    return (
        f'<Assertion{attributes} xmlns="{ASSERTION_NS}">'
        + _part(recipe, "Issuer", issuer)
        + _part(recipe, "Subject", _subject(recipe))
        + _part(recipe, "Conditions", _conditions(recipe))
        + _part(recipe, "AttributeStatement", _attribute_statement(recipe))
        + _part(recipe, "AuthnStatement", _authn_statement(recipe))
        + "</Assertion>"
    )


def _subject(recipe: ResponseRecipe) -> str:
    name_id = ""
    if recipe.name_id is not None:
        attributes = attributes_text(("Format", recipe.name_id_format), ("SPNameQualifier", recipe.sp_name_qualifier))
        name_id = f"<NameID{attributes}>{text(recipe.name_id)}</NameID>"
    in_response_to = recipe.confirmation_in_response_to
    if in_response_to is msgspec.UNSET:
        in_response_to = recipe.in_response_to
    data = attributes_text(
        ("InResponseTo", in_response_to),
        ("NotBefore", timestamp(recipe.confirmation_not_before)),
        ("NotOnOrAfter", timestamp(recipe.confirmation_not_on_or_after)),
        ("Recipient", recipe.recipient),
    )
    confirmation_data = _part(recipe, "SubjectConfirmationData", f"<SubjectConfirmationData{data}/>")
    method = attribute(recipe.confirmation_method)
    confirmation = f'<SubjectConfirmation Method="{method}">{confirmation_data}</SubjectConfirmation>'
    inner = _part(recipe, "NameID", name_id) + _part(recipe, "SubjectConfirmation", confirmation)
    return f"<Subject>{inner}</Subject>"


def _conditions(recipe: ResponseRecipe) -> str:
    attributes = attributes_text(
        ("NotBefore", timestamp(recipe.not_before)), ("NotOnOrAfter", timestamp(recipe.not_on_or_after))
    )
    audience = "" if recipe.audience is None else f"<Audience>{text(recipe.audience)}</Audience>"
    restriction = f"<AudienceRestriction>{_part(recipe, 'Audience', audience)}</AudienceRestriction>"
    return f"<Conditions{attributes}>{_part(recipe, 'AudienceRestriction', restriction)}</Conditions>"


def _attribute_statement(recipe: ResponseRecipe) -> str:
    attributes = "".join(
        f'<Attribute Name="{attribute(name)}">'
        + "".join(f"<AttributeValue>{text(value)}</AttributeValue>" for value in values)
        + "</Attribute>"
        for name, values in recipe.claims
    )
    return f"<AttributeStatement>{attributes}</AttributeStatement>"


def _authn_statement(recipe: ResponseRecipe) -> str:
    attributes = attributes_text(
        ("AuthnInstant", timestamp(recipe.authenticated_at)), ("SessionIndex", recipe.session_index)
    )
    context = f"<AuthnContextClassRef>{text(recipe.context_class)}</AuthnContextClassRef>"
    return f"<AuthnStatement{attributes}><AuthnContext>{context}</AuthnContext></AuthnStatement>"


def failure_response(
    tenant: Tenant,
    *,
    destination: str | None,
    in_response_to: str,
    now: datetime,
    code: str = "Requester",
    subcode: str = "RequestUnsupported",
    message: str = "",
) -> bytes:
    """A failure as it reaches the reply URL: unsigned, no assertion."""
    head = attributes_text(
        ("ID", f"_{_guid()}"),
        ("Version", "2.0"),
        ("IssueInstant", timestamp(now)),
        ("Destination", destination),
        ("InResponseTo", in_response_to),
    )
    trace = f"{message}\nTrace ID: {_guid()}\nTimestamp: {now.astimezone(UTC):%Y-%m-%d %H:%M:%SZ}"
    return (
        f'<samlp:Response{head} xmlns:samlp="{PROTOCOL_NS}">{issuer_element(tenant.issuer)}'
        f'<samlp:Status><samlp:StatusCode Value="{STATUS}{code}"><samlp:StatusCode Value="{STATUS}{subcode}"/>'
        f"</samlp:StatusCode><samlp:StatusMessage>{text(trace)}</samlp:StatusMessage></samlp:Status></samlp:Response>"
    ).encode()


def issuer_element(issuer: str) -> str:
    return f'<Issuer xmlns="{ASSERTION_NS}">{text(issuer)}</Issuer>'


def timestamp(moment: datetime | None) -> str | None:
    """yyyy-MM-ddTHH:mm:ss.fffZ."""
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def text(value: str) -> str:
    """Escaped for element content as .NET's XmlWriter does it; a carriage return would not survive parsing bare."""
    return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#xD;")


def attribute(value: str) -> str:
    return text(value).replace('"', "&quot;").replace("\n", "&#xA;").replace("\t", "&#x9;")


def attributes_text(*pairs: tuple[str, str | None]) -> str:
    return "".join(f' {name}="{attribute(value)}"' for name, value in pairs if value is not None)


def _part(recipe: ResponseRecipe, name: str, xml: str) -> str:
    if name in recipe.drop:
        return ""
    return xml + xml if name in recipe.repeat else xml
