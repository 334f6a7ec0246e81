"""Responses as Entra writes them, byte for byte: attributes first and `xmlns` last, no whitespace, `<x/>` without a space.

A recipe says what the document states; `edit` hooks let a test break it before signing. Keys are made once per run.
"""

import base64
import functools
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Literal
from xml.sax.saxutils import escape

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from lxml import etree

TENANT = "11111111-1111-4111-8111-111111111111"
OBJECT_ID = "9f0e1d2c-3b4a-4958-8776-655443322110"
ISSUER = f"https://sts.windows.net/{TENANT}/"
ENTITY_ID = "https://www.bitabiz.com/contoso"
ACS = "http://127.0.0.1:8080/saml/contoso/acs"
NOW = datetime(2026, 11, 24, 8, 0, 0, tzinfo=UTC)
FLOW = "_0123456789abcdef0123456789abcdef"

MICROSOFT = "http://schemas.microsoft.com"
XMLSOAP = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
GROUPS = f"{MICROSOFT}/ws/2008/06/identity/claims/groups"
EXCLUSIVE = "http://www.w3.org/2001/10/xml-exc-c14n#"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"
DIGESTS = {
    SHA256: "sha256",
    "http://www.w3.org/2001/04/xmlenc#sha512": "sha512",
    "http://www.w3.org/2000/09/xmldsig#sha1": "sha1",
}
METHODS: dict[str, hashes.HashAlgorithm] = {
    RSA_SHA256: hashes.SHA256(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha384": hashes.SHA384(),
    "http://www.w3.org/2001/04/xmldsig-more#rsa-sha512": hashes.SHA512(),
    "http://www.w3.org/2000/09/xmldsig#rsa-sha1": hashes.SHA1(),  # noqa: S303  what an attacker would like us to take
}
SAML = "{urn:oasis:names:tc:SAML:2.0:assertion}"
SAMLP = "{urn:oasis:names:tc:SAML:2.0:protocol}"
DS = "{http://www.w3.org/2000/09/xmldsig#}"

Signed = Literal["assertion", "response", "both", "none"]


@dataclass(frozen=True)
class SigningKey:
    private: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.der).hexdigest()


def signing_key(name: str = "contoso", bits: int = 2048) -> SigningKey:
    """Self-signed like Entra's; one per name and run."""
    return _made_key(name, bits)


@functools.cache
def _made_key(name: str, bits: int) -> SigningKey:
    private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Microsoft Azure Federated SSO Certificate")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=30))
        .not_valid_after(NOW + timedelta(days=1065))
        .sign(private, hashes.SHA256())
    )
    return SigningKey(private, certificate)


@dataclass(frozen=True)
class Recipe:
    response_id: str = "_6f1b8a0e-59b1-4d0c-9a3e-0d6b7f1f2a11"
    assertion_id: str = "_a2b3c4d5-0000-4000-8000-111122223300"
    issuer: str = ISSUER
    response_issuer: str | None = None
    destination: str | None = ACS
    in_response_to: str | None = FLOW
    confirmation_in_response_to: str | None = "as the response"
    recipient: str | None = ACS
    audiences: tuple[tuple[str, ...], ...] = ((ENTITY_ID,),)
    issued_at: datetime = NOW - timedelta(seconds=2)
    authenticated_at: datetime | None = None
    """None: at that moment."""
    not_before: datetime = NOW - timedelta(minutes=5)
    not_on_or_after: datetime = NOW + timedelta(minutes=60)
    confirmation_not_on_or_after: datetime | None = None
    name_id: str = "anna@contoso.com"
    name_id_format: str = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
    claims: tuple[tuple[str, tuple[str, ...]], ...] = (
        (f"{MICROSOFT}/identity/claims/tenantid", (TENANT,)),
        (f"{MICROSOFT}/identity/claims/objectidentifier", (OBJECT_ID,)),
        (f"{MICROSOFT}/identity/claims/displayname", ("Anna Ærø",)),
        (f"{MICROSOFT}/identity/claims/identityprovider", (ISSUER,)),
        (f"{MICROSOFT}/claims/authnmethodsreferences", (f"{MICROSOFT}/claims/multipleauthn",)),
        (f"{XMLSOAP}/givenname", ("Anna",)),
        (f"{XMLSOAP}/surname", ("Ærø",)),
        (f"{XMLSOAP}/emailaddress", ("anna@contoso.com",)),
        (f"{XMLSOAP}/name", ("anna@contoso.com",)),
    )
    groups: tuple[str, ...] = ()
    status: tuple[str, ...] = ("urn:oasis:names:tc:SAML:2.0:status:Success",)
    status_message: str = ""
    signed: Signed = "assertion"
    signature_method: str = RSA_SHA256
    digest_method: str = SHA256
    edit: Callable[[str], str] = field(default=lambda document: document)
    """Applied to the document before it is signed: what a faulty but genuine identity provider would sign."""


def instant(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def attribute(name: str, value: str | None) -> str:
    return "" if value is None else f' {name}="{_attribute_text(value)}"'


def _attribute_text(value: str) -> str:
    return escape(value, {'"': "&quot;", "\r": "&#xD;", "\n": "&#xA;", "\t": "&#x9;"})


def _text(value: str) -> str:
    return escape(value, {"\r": "&#xD;"})


def assertion_text(recipe: Recipe) -> str:
    echoed = recipe.confirmation_in_response_to
    echoed = recipe.in_response_to if echoed == "as the response" else echoed
    confirmation_end = recipe.confirmation_not_on_or_after or recipe.not_on_or_after
    claims = [*recipe.claims]
    if recipe.groups:
        claims.insert(3, (GROUPS, recipe.groups))
    statements = "".join(
        f'<Attribute Name="{_attribute_text(name)}">'
        + "".join(f"<AttributeValue>{_text(value)}</AttributeValue>" for value in values)
        + "</Attribute>"
        for name, values in claims
    )
    audiences = "".join(
        "<AudienceRestriction>"
        + "".join(f"<Audience>{_text(one)}</Audience>" for one in restriction)
        + "</AudienceRestriction>"
        for restriction in recipe.audiences
    )
    return (
        f'<Assertion ID="{recipe.assertion_id}" IssueInstant="{instant(recipe.issued_at)}" Version="2.0"'
        f' xmlns="urn:oasis:names:tc:SAML:2.0:assertion"><Issuer>{_text(recipe.issuer)}</Issuer>'
        f'<Subject><NameID Format="{recipe.name_id_format}">{_text(recipe.name_id)}</NameID>'
        '<SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer"><SubjectConfirmationData'
        f"{attribute('InResponseTo', echoed)}{attribute('NotOnOrAfter', instant(confirmation_end))}"
        f"{attribute('Recipient', recipe.recipient)}/>"
        "</SubjectConfirmation></Subject>"
        f'<Conditions NotBefore="{instant(recipe.not_before)}" NotOnOrAfter="{instant(recipe.not_on_or_after)}">'
        f"{audiences}</Conditions>"
        f"<AttributeStatement>{statements}</AttributeStatement>"
        f'<AuthnStatement AuthnInstant="{instant(recipe.authenticated_at or recipe.issued_at)}"'
        f' SessionIndex="{recipe.assertion_id}"><AuthnContext>'
        "<AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</AuthnContextClassRef></AuthnContext>"
        "</AuthnStatement></Assertion>"
    )


def document_text(recipe: Recipe) -> str:
    """The response without signatures."""
    success = recipe.status == ("urn:oasis:names:tc:SAML:2.0:status:Success",)
    codes = ""
    for code in reversed(recipe.status):
        codes = (
            f'<samlp:StatusCode Value="{code}">{codes}</samlp:StatusCode>'
            if codes
            else f'<samlp:StatusCode Value="{code}"/>'
        )
    message = (
        f"<samlp:StatusMessage>{_text(recipe.status_message)}</samlp:StatusMessage>" if recipe.status_message else ""
    )
    issuer = recipe.issuer if recipe.response_issuer is None else recipe.response_issuer
    return (
        f'<samlp:Response ID="{recipe.response_id}" Version="2.0" IssueInstant="{instant(recipe.issued_at)}"'
        f"{attribute('Destination', recipe.destination)}{attribute('InResponseTo', recipe.in_response_to)}"
        ' xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">'
        f'<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">{_text(issuer)}</Issuer>'
        f"<samlp:Status>{codes}{message}</samlp:Status>{assertion_text(recipe) if success else ''}</samlp:Response>"
    )


def respond(recipe: Recipe | None = None, key: SigningKey | None = None) -> bytes:
    """The document, signed as the recipe asks."""
    recipe = recipe or Recipe()
    key = key or signing_key()
    document = recipe.edit(document_text(recipe)).encode("utf-8")
    if recipe.signed in ("assertion", "both"):
        document = sign(document, recipe.assertion_id, key, recipe)
    if recipe.signed in ("response", "both"):
        document = sign(document, recipe.response_id, key, recipe)
    return document


def sign(document: bytes, element_id: str, key: SigningKey, recipe: Recipe | None = None) -> bytes:
    """Put a signature of Entra's shape behind the Issuer of the element with that ID."""
    recipe = recipe or Recipe()
    root = etree.fromstring(document)
    [target] = [element for element in root.iter() if element.get("ID") == element_id]
    octets = etree.tostring(target, method="c14n", exclusive=True, with_comments=False, with_tail=False)
    digest = hashlib.new(DIGESTS[recipe.digest_method], octets).digest()
    signed_info = signed_info_text(element_id, digest, recipe)
    in_context = f'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">{signed_info}</Signature>'
    canonical = etree.tostring(etree.fromstring(in_context)[0], method="c14n", exclusive=True)
    value = key.private.sign(canonical, padding.PKCS1v15(), METHODS[recipe.signature_method])
    signature = (
        f'<Signature xmlns="http://www.w3.org/2000/09/xmldsig#">{signed_info}'
        f"<SignatureValue>{base64.b64encode(value).decode()}</SignatureValue><KeyInfo><X509Data><X509Certificate>"
        f"{base64.b64encode(key.der).decode()}</X509Certificate></X509Data></KeyInfo></Signature>"
    ).encode()
    # Placed as text, so that the rest of the document stays exactly as it was written.
    start = document.index(f'ID="{element_id}"'.encode())
    behind_issuer = document.index(b"</Issuer>", start) + len(b"</Issuer>")
    return document[:behind_issuer] + signature + document[behind_issuer:]


def signed_info_text(element_id: str, digest: bytes, recipe: Recipe) -> str:
    return (
        f'<SignedInfo><CanonicalizationMethod Algorithm="{EXCLUSIVE}"/><SignatureMethod Algorithm="{recipe.signature_method}"/>'
        f'<Reference URI="#{element_id}"><Transforms><Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"/>'
        f'<Transform Algorithm="{EXCLUSIVE}"/></Transforms><DigestMethod Algorithm="{recipe.digest_method}"/>'
        f"<DigestValue>{base64.b64encode(digest).decode()}</DigestValue></Reference></SignedInfo>"
    )
