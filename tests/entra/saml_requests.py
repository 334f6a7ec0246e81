"""What arrives at the SAML endpoint: AuthnRequest and LogoutRequest, read with limits, judged as Entra judges them.

Refusals carry Entra's AADSTS codes; most of them end on Entra's own page, never at the service provider.

Source: entra-docs single-sign-on-saml-protocol.md, single-sign-out-saml-protocol.md, reference-error-codes.md.
"""

import zlib
from base64 import b64decode, b64encode
from datetime import datetime
from urllib.parse import quote_plus

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree

from tests.entra.people import EnterpriseApp
from tests.entra.saml import (
    ASSERTION_NS,
    PASSWORD_CLASS,
    PROTOCOL_NS,
    STATUS,
    attributes_text,
    issuer_element,
    text,
    timestamp,
)
from tests.entra.signing import SIGNATURE_URIS, sign_bytes

MAX_MESSAGE_BYTES = 64 * 1024
PASSWORD_CLASSES = (PASSWORD_CLASS, "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport")
UNSPECIFIED_CLASS = "urn:oasis:names:tc:SAML:2.0:ac:classes:unspecified"
NAME_ID_FORMATS = (
    "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress",
    "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified",
    "urn:oasis:names:tc:SAML:2.0:nameid-format:transient",
)
_NS = {"p": PROTOCOL_NS, "a": ASSERTION_NS}


class SignInRefused(Exception):
    """Ends on Entra's error page."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message


class AuthnRequest(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    issuer: str
    reply_url: str | None
    force_authn: bool
    is_passive: bool
    name_id_format: str | None
    sp_name_qualifier: str | None
    context_classes: tuple[str, ...]
    context_comparison: str
    has_subject: bool


class LogoutRequest(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    issuer: str
    name_id: str
    session_index: str | None


def decode_redirect(message: str) -> bytes:
    """Base64, then raw DEFLATE; what inflates to more than MAX_MESSAGE_BYTES is refused unread."""
    try:
        inflater = zlib.decompressobj(-15)
        xml = inflater.decompress(b64decode(message, validate=True), MAX_MESSAGE_BYTES)
    except (ValueError, zlib.error) as error:
        raise SignInRefused("AADSTS75005", f"The request is not a valid Saml2 protocol message. {error}") from None
    if inflater.unconsumed_tail or not inflater.eof:
        raise SignInRefused("AADSTS90015", "Requested query string is too long.")
    return xml


def decode_post(message: str) -> bytes:
    try:
        xml = b64decode("".join(message.split()), validate=True)
    except ValueError as error:
        raise SignInRefused("AADSTS75005", f"The request is not a valid Saml2 protocol message. {error}") from None
    if len(xml) > MAX_MESSAGE_BYTES:
        raise SignInRefused("AADSTS90015", "Requested query string is too long.")
    return xml


def parse_request(xml: bytes) -> AuthnRequest | LogoutRequest:
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
        root = etree.fromstring(xml, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        raise SignInRefused("AADSTS75005", f"The request is not a valid Saml2 protocol message. {error}") from None
    identifier, version = root.get("ID", ""), root.get("Version")
    if not identifier or identifier[0].isdigit() or version != "2.0":
        raise SignInRefused("AADSTS7500525", "There was an XML error in the SAML message: ID or Version is invalid.")
    if root.tag == f"{{{PROTOCOL_NS}}}AuthnRequest":
        return _authn_request(root, identifier)
    if root.tag == f"{{{PROTOCOL_NS}}}LogoutRequest":
        return _logout_request(root, identifier)
    raise SignInRefused("AADSTS75005", "The request is not a valid Saml2 protocol message.")


def _text_of(root: etree._Element, path: str) -> str:
    found = root.find(path, _NS)
    return "" if found is None else str(found.xpath("string()")).strip()


def _authn_request(root: etree._Element, identifier: str) -> AuthnRequest:
    policy, context = root.find("p:NameIDPolicy", _NS), root.find("p:RequestedAuthnContext", _NS)
    classes = () if context is None else context.findall("a:AuthnContextClassRef", _NS)
    return AuthnRequest(
        id=identifier,
        issuer=_text_of(root, "a:Issuer"),
        reply_url=root.get("AssertionConsumerServiceURL"),
        force_authn=root.get("ForceAuthn") in ("true", "1"),
        is_passive=root.get("IsPassive") in ("true", "1"),
        name_id_format=None if policy is None else policy.get("Format"),
        sp_name_qualifier=None if policy is None else policy.get("SPNameQualifier"),
        context_classes=tuple((c.text or "").strip() for c in classes),
        context_comparison="exact" if context is None else context.get("Comparison", "exact"),
        has_subject=root.find("a:Subject", _NS) is not None,
    )


def _logout_request(root: etree._Element, identifier: str) -> LogoutRequest:
    name_id = _text_of(root, "a:NameID")
    if not name_id:
        raise SignInRefused("AADSTS7500530", "SAML NameId cannot be null.")
    return LogoutRequest(
        id=identifier,
        issuer=_text_of(root, "a:Issuer"),
        name_id=name_id,
        session_index=_text_of(root, "p:SessionIndex") or None,
    )


def check_authn_request(request: AuthnRequest, app: EnterpriseApp) -> None:
    """The rules that need the app's settings.

    Raises:
        SignInRefused: with the code Entra shows.
    """
    if request.issuer != app.identifier:
        raise unknown_application(request.issuer)
    if request.reply_url is not None and request.reply_url != app.reply_url:
        raise SignInRefused(
            "AADSTS50011",
            f"The reply URL '{request.reply_url}' specified in the request does not match the reply URLs configured "
            f"for the application '{app.identifier}'.",
        )
    if request.has_subject:
        raise SignInRefused("AADSTS75022", "Subject is not supported in a SAML authentication request.")
    if request.name_id_format is not None and request.name_id_format not in NAME_ID_FORMATS:
        raise SignInRefused(
            "AADSTS75016",
            f"SAML authentication request's NameIDPolicy format is not supported: {request.name_id_format}",
        )
    _check_context(request)


def _check_context(request: AuthnRequest) -> None:
    if not request.context_classes:
        return
    if request.context_comparison != "exact":
        raise SignInRefused(
            "AADSTS75003", "The request's RequestedAuthnContext asks for a comparison other than 'exact'."
        )
    if not {*PASSWORD_CLASSES, UNSPECIFIED_CLASS} & set(request.context_classes):
        wanted = ", ".join(c.rsplit(":", 1)[-1] for c in request.context_classes)
        raise SignInRefused(
            "AADSTS75011",
            "Authentication method 'Password' by which the user authenticated with the service doesn't match requested "
            f"authentication method '{wanted}'.",
        )


def unknown_application(identifier: str) -> SignInRefused:
    return SignInRefused(
        "AADSTS700016", f"Application with identifier '{identifier}' was not found in the directory of this tenant."
    )


def logout_response(issuer: str, destination: str, in_response_to: str, response_id: str, now: datetime) -> str:
    head = attributes_text(
        ("ID", response_id),
        ("Version", "2.0"),
        ("IssueInstant", timestamp(now)),
        ("Destination", destination),
        ("InResponseTo", in_response_to),
    )
    return (
        f'<samlp:LogoutResponse{head} xmlns:samlp="{PROTOCOL_NS}">{issuer_element(issuer)}'
        f'<samlp:Status><samlp:StatusCode Value="{STATUS}Success"/></samlp:Status></samlp:LogoutResponse>'
    )


def logout_request(
    issuer: str,
    name_id: str,
    session_index: str | None,
    request_id: str,
    now: datetime,
    *,
    name_id_format: str | None = None,
) -> str:
    """The broadcast: NameID without Format and, as observed, often a pairwise value rather than the configured one."""
    head = attributes_text(("ID", request_id), ("Version", "2.0"), ("IssueInstant", timestamp(now)))
    index = "" if session_index is None else f"<samlp:SessionIndex>{text(session_index)}</samlp:SessionIndex>"
    return (
        f'<samlp:LogoutRequest{head} xmlns:samlp="{PROTOCOL_NS}">{issuer_element(issuer)}'
        f'<NameID{attributes_text(("Format", name_id_format))} xmlns="{ASSERTION_NS}">{text(name_id)}</NameID>{index}'
        "</samlp:LogoutRequest>"
    )


def signed_redirect(url: str, parameter: str, xml: str, key: rsa.RSAPrivateKey, relay_state: str | None = None) -> str:
    """A signed HTTP-Redirect message. Entra percent-encodes in lower case and signs what it wrote."""
    deflater = zlib.compressobj(wbits=-15)
    packed = b64encode(deflater.compress(xml.encode()) + deflater.flush()).decode()
    query = f"{parameter}={lower_percent(packed)}"
    if relay_state is not None:
        query += f"&RelayState={lower_percent(relay_state)}"
    query += f"&SigAlg={lower_percent(SIGNATURE_URIS['sha256'])}"
    made = b64encode(sign_bytes(query.encode(), key)).decode()
    return f"{url}{'&' if '?' in url else '?'}{query}&Signature={lower_percent(made)}"


def lower_percent(value: str) -> str:
    """.NET's UrlEncode: %2b, not %2B."""
    parts = quote_plus(value).split("%")
    return parts[0] + "".join(f"%{part[:2].lower()}{part[2:]}" for part in parts[1:])
