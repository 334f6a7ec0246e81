"""From the Authorization header to what directory is asked with: the hash of the token, and the company of the path.

The token itself goes nowhere; the exchange's slip has it, so that it can be taken out of whatever is kept. Whether it is that
company's, directory says (capability, not identifier).
"""

import re

from starlette.requests import Request

from scim_ingest.protocol.errors import no_token, token_refused
from scim_ingest.recorder import current
from shared.schemas.employee import ScimCredential
from shared.tokens import sha256

_BEARER = re.compile(r"Bearer +([\x21-\x7e]{1,4096})\Z", re.IGNORECASE)
_COMPANY = re.compile(r"[A-Za-z0-9._~-]{1,100}\Z")


def credential_of(request: Request) -> ScimCredential:
    """Raises ScimError 401 without asking directory, where there is no bearer token or no possible company."""
    headers = request.headers.getlist("authorization")
    if not headers:
        raise no_token()
    found = _BEARER.match(headers[0].strip()) if len(headers) == 1 else None
    if found is None:
        raise no_token()
    company = company_of(request)
    if company is None:
        raise token_refused()
    recorder = current()
    recorder.token = found[1]
    recorder.credential = ScimCredential(token_sha256=sha256(found[1]).hex(), company=company)
    return recorder.credential


def company_of(request: Request) -> str | None:
    """The company in the path; None for a text that names none, for it is unknown without asking."""
    company = str(request.path_params["company"])
    return company if _COMPANY.match(company) else None
