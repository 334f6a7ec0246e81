"""From the Authorization header to what directory is asked with: the hash of the token, and the company of the path.

The token itself goes nowhere. Whether it is that company's, directory says (capability, not identifier).
"""

import base64
import binascii
import re

import msgspec
from starlette.requests import Request

from scim_ingest.protocol.errors import entra_token_refused, no_token, token_refused
from shared.schemas.employee import ScimCredential
from shared.tokens import sha256

_BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,4096})\Z", re.IGNORECASE)
_ENTRA = ("https://sts.windows.net/", "https://login.microsoftonline.com/")
_COMPANY = re.compile(r"[A-Za-z0-9._~-]{1,100}\Z")


class _Claims(msgspec.Struct, frozen=True):
    iss: str


_decoder = msgspec.json.Decoder(_Claims)


def credential_of(request: Request) -> ScimCredential:
    """Raises ScimError 401 without asking directory, where there is no bearer token, Entra's own, or no possible company."""
    headers = request.headers.getlist("authorization")
    if not headers:
        raise no_token()
    found = _BEARER.match(headers[0].strip()) if len(headers) == 1 else None
    if found is None:
        raise no_token()
    if _is_entra_issued(found[1]):
        raise entra_token_refused()
    company = company_of(request)
    if company is None:
        raise token_refused()
    return ScimCredential(token_sha256=sha256(found[1]).hex(), company=company)


def _is_entra_issued(token: str) -> bool:
    """Whether it says so; it is refused in any case, and need not be proven to be told what to change."""
    parts = token.split(".")
    if len(parts) != 3:
        return False
    try:
        claims = _decoder.decode(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, msgspec.DecodeError, RecursionError):
        return False
    return claims.iss.startswith(_ENTRA)


def company_of(request: Request) -> str | None:
    """The company in the path; None for a text that names none, for it is unknown without asking."""
    company = str(request.path_params["company"])
    return company if _COMPANY.match(company) else None
