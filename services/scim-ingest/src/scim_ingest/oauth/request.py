"""What a token request says, from its form and its Authorization header. Pure.

A client proves itself by one of two things: its secret (in a Basic header, in the form, or in both, which Entra lets the
administrator choose), or an assertion. Source: RFC 6749 sections 2.3.1, 4.4; RFC 7521 section 4.2; RFC 7523 section 2.2.
"""

import base64
import binascii
import hmac
import re
from urllib.parse import parse_qsl, unquote_plus

import msgspec

from scim_ingest.oauth.refusals import OAuthRefusal, invalid_client, invalid_request

CONTENT_TYPE = "application/x-www-form-urlencoded"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
SCOPE = "scim"
MAX_FIELDS = 20

_BAD_PERCENT = re.compile(rb"%(?![0-9a-fA-F]{2})")
_WORD = re.compile(r"[\x21-\x7e]{1,256}\Z")


class BySecret(msgspec.Struct, frozen=True):
    client_id: str
    secret: str


class ByAssertion(msgspec.Struct, frozen=True):
    client_id: str | None
    unverified_assertion: str


def check_content_type(content_type: str) -> None:
    """Raises OAuthRefusal."""
    media_type, _, rest = content_type.partition(";")
    charset = re.search(r"charset\s*=\s*\"?([^\s;\"]+)", rest, re.IGNORECASE)
    if media_type.strip().lower() != CONTENT_TYPE or (charset and charset[1].lower() not in ("utf-8", "utf8")):
        raise invalid_request(f"Send the token request as {CONTENT_TYPE}, in UTF-8.")


def read_token_request(body: bytes, authorization: list[str]) -> BySecret | ByAssertion:
    """Raises OAuthRefusal for whatever is not a request for the scope `scim` by client credentials."""
    form = _form(body)
    match form.get("grant_type"):
        case None:
            raise invalid_request("The request has no grant_type; it must be client_credentials.")
        case "client_credentials":
            pass
        case _:
            raise OAuthRefusal("unsupported_grant_type", "The grant_type must be client_credentials.")
    proof = _proof(form, _basic(authorization))
    if set(form.get("scope", SCOPE).split(" ")) != {SCOPE}:
        raise OAuthRefusal("invalid_scope", f"The only scope is {SCOPE}; it may be left out.")
    return proof


def _form(body: bytes) -> dict[str, str]:
    """A parameter without a value counts as absent, one that comes twice is refused (RFC 6749 section 3.2)."""
    if _BAD_PERCENT.search(body):
        raise invalid_request("The form is not percent-encoded: % must be followed by two hexadecimal digits.")
    try:
        fields = parse_qsl(
            body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS, separator="&"
        )
    except ValueError:
        raise invalid_request(f"The form is not UTF-8, or has more than {MAX_FIELDS} parameters.") from None
    form = dict(fields)
    if len(form) != len(fields):
        raise invalid_request("The form has a parameter twice.")
    return {name: value for name, value in form.items() if value}


def _basic(authorization: list[str]) -> tuple[str, str] | None:
    """Client id and secret; both are form-encoded inside (RFC 6749 section 2.3.1). None without a header."""
    if not authorization:
        return None
    scheme, _, encoded = authorization[0].strip().partition(" ")
    if len(authorization) > 1 or scheme.lower() != "basic":
        raise invalid_client("not_basic")
    try:
        client_id, colon, secret = base64.b64decode(encoded.strip(), validate=True).decode("ascii").partition(":")
    except (binascii.Error, ValueError):
        raise invalid_client("bad_basic") from None
    if not colon:
        raise invalid_client("bad_basic")
    return unquote_plus(client_id), unquote_plus(secret)


def _proof(form: dict[str, str], basic: tuple[str, str] | None) -> BySecret | ByAssertion:
    client_id, secret = form.get("client_id"), form.get("client_secret")
    assertion_type, assertion = form.get("client_assertion_type"), form.get("client_assertion")
    if assertion_type is not None or assertion is not None:
        if basic is not None or secret is not None:
            raise invalid_request("Prove the client by a secret or by an assertion, not by both.")
        if assertion_type is None or assertion is None:
            raise invalid_request("client_assertion and client_assertion_type go together.")
        if assertion_type != ASSERTION_TYPE:
            raise invalid_client("assertion_type")
        return ByAssertion(client_id, assertion)
    if basic is not None:
        if not _agree(client_id, basic[0]) or not _agree(secret, basic[1]):
            raise invalid_request("Client and secret in the Authorization header and in the form are not the same.")
        client_id, secret = basic
    if client_id is None or secret is None:
        raise invalid_client("no_proof")
    if not _WORD.match(client_id) or not _WORD.match(secret):
        raise invalid_client("impossible")
    return BySecret(client_id, secret)


def _agree(in_form: str | None, in_header: str) -> bool:
    return in_form is None or hmac.compare_digest(
        in_form.encode("utf-8", "surrogatepass"), in_header.encode("utf-8", "surrogatepass")
    )
