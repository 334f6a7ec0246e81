"""Secrets that we issue: 256 random bits, shown once, stored as SHA-256 only (decision D13).

SHA-256 without salt suffices because nobody can guess 256 random bits. A session or ticket carries the company's id in front
of the random part, so that its row is found inside the company's own scope; the hash covers the whole text.
"""

import base64
import binascii
import hashlib
import secrets
import uuid

from shared.ids import CompanyId

_COMPANY_TOKEN_LENGTH = 64


def sha256(text: str) -> bytes:
    """The form in which a secret is stored. Never raises: a text with lone surrogates is nobody's secret."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def new_scim_token() -> str:
    return f"idgw_{secrets.token_urlsafe(32)}"


def new_application_credential() -> str:
    return f"idgwapp_{secrets.token_urlsafe(32)}"


def new_client_secret() -> str:
    """For OAuth 2.0 client credentials; nothing in it changes by the form-encoding that RFC 6749 section 2.3.1 asks for."""
    return f"idgwsec_{secrets.token_urlsafe(32)}"


def new_access_token() -> str:
    return f"idgwat_{secrets.token_urlsafe(32)}"


def new_browser_secret() -> str:
    return secrets.token_urlsafe(32)


def new_company_token(company_id: CompanyId) -> str:
    """An opaque text of 64 characters for a session or a ticket of that company."""
    return base64.urlsafe_b64encode(company_id.bytes + secrets.token_bytes(32)).decode("ascii")


def company_of_token(text: str) -> CompanyId | None:
    """The company in which to look for the token; no proof of anything. None where the text cannot be one of ours."""
    if len(text) != _COMPANY_TOKEN_LENGTH or not text.isascii():
        return None
    try:
        return CompanyId(uuid.UUID(bytes=base64.urlsafe_b64decode(text)[:16]))
    except (binascii.Error, ValueError):
        return None
