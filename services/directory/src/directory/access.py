"""Who may do what: from a caller's credential to the scope of one company, or a refusal.

Three groups of routes, by who may call and with what: `/provisioning` (scim-ingest, the hash of a SCIM token), `/logins`
(sso-gateway, names the company while a login is under way, afterwards the session is the credential).
"""

import binascii
import hmac
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from directory.database import CompanyScope, CompanyTx, Database
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import ScimCredential
from shared.schemas.login import SessionCredential


@asynccontextmanager
async def provisioning(database: Database, credential: ScimCredential) -> AsyncIterator[CompanyTx]:
    """A transaction in the company whose token it is.

    Raises:
        DomainError: `unauthorized` for a token that is unknown, revoked, expired, or of another company than the path names:
            all the same answer. `not_allowed` when the company has provisioning switched off.
    """
    token = sha256_from_text(credential.token_sha256)
    async with database.scope_for_scim_token(token).transaction() as tx:
        if not hmac.compare_digest(tx.company.name.encode(), credential.company.encode("utf-8", "surrogatepass")):
            raise DomainError(ErrorCode.unauthorized, "The token is not valid for this company.")
        if not tx.company.provisioning_enabled:
            raise DomainError(
                ErrorCode.not_allowed, "Provisioning is switched off for this company; a Setup admin can switch it on."
            )
        yield tx


def scope_for_login(database: Database, company: str) -> CompanyScope:
    """The scope of a login under way; the gateway names the company."""
    return database.scope_for_name(company)


def scope_for_session(database: Database, session: SessionCredential) -> CompanyScope:
    """Where to look for the session; the session's hash must then be found there."""
    try:
        company_id = uuid.UUID(session.company_id)
    except ValueError:
        raise DomainError(ErrorCode.unauthorized, "There is no such session.") from None
    return database.scope_for_id(company_id)


def sha256_from_text(text: str) -> bytes:
    """Raises DomainError `invalid_request` unless it is 64 hexadecimal digits."""
    try:
        found = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 32:
        raise DomainError(ErrorCode.invalid_request, "A hash must be 64 hexadecimal digits.")
    return found
