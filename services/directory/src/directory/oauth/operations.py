"""Access tokens for provisioning: what a secret or a proven assertion is given, in one transaction each.

A token lives an hour and belongs to what it was issued for: revoked, expired or retired with it (migration 0021).
"""

import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from directory import metrics
from directory.access import sha256_from_text
from directory.database import CompanyTx, Database
from directory.oauth import store
from shared.entra_issuer import audience_key
from shared.errors import DomainError, ErrorCode
from shared.ids import federation_from_text, federation_text, secret_from_text
from shared.schemas.oauth import AccessTokenIssued, FindFederation, FoundFederation, RedeemAssertion, RedeemSecret
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ACCESS_TOKEN_TTL_S = 3600


def client_id_of(company: str) -> str:
    """One client a company, whose id is the company's name: RFC 6749 section 2.2 wants it unique and no secret."""
    return company


async def redeem_secret(database: Database, request: RedeemSecret) -> AccessTokenIssued:
    """Raises DomainError `unauthorized`: unknown, revoked, expired, of another company or client, retired; all alike."""
    token = sha256_from_text(request.token_sha256)
    scope = database.scope_for_oauth_secret(sha256_from_text(request.secret_sha256))
    async with scope.transaction() as tx:
        own = client_id_of(tx.company.name)
        if not _same(own, request.client_id) or not _same(tx.company.name, request.company):
            raise _refused()
        retired = tx.company.connection == "retired"
        if not retired:
            return await _issue(tx, token, tx.company.credential)
    # Behind the commit: when the secret was last used is known all the same.
    raise _retired(tx.company.credential)


async def find_federation(database: Database, request: FindFederation) -> FoundFederation:
    """Raises DomainError `unauthorized` where the company does not exist or does not trust these: the same answer."""
    async with _company(database, request.company) as tx:
        if request.client_id is not None and not _same(client_id_of(tx.company.name), request.client_id):
            raise _refused()
        found = await store.find_federation(tx, request.issuer, audience_key(request.audience), request.subject)
    if found is None:
        raise _refused()
    federation = federation_text(found["federation_id"])
    if found["connection"] == "retired":
        raise _retired(federation)
    return FoundFederation(federation_id=federation)


async def redeem_assertion(database: Database, request: RedeemAssertion) -> AccessTokenIssued:
    """Raises DomainError `unauthorized` where the federation is trusted no more."""
    token = sha256_from_text(request.token_sha256)
    federation_id = federation_from_text(request.federation_id)
    async with _company(database, request.company) as tx:
        if federation_id is None or not await store.use_federation(tx, federation_id):
            raise _refused()
        return await _issue(tx, token, request.federation_id)


@asynccontextmanager
async def _company(database: Database, name: str) -> AsyncIterator[CompanyTx]:
    try:
        async with database.scope_for_name(name).transaction() as tx:
            yield tx
    except DomainError as error:
        raise _refused() if error.code is ErrorCode.not_found else error from None


async def _issue(tx: CompanyTx, token_sha256: bytes, issued_for: str) -> AccessTokenIssued:
    expires_at = tx.now + timedelta(seconds=ACCESS_TOKEN_TTL_S)
    secret_id, federation_id = secret_from_text(issued_for), federation_from_text(issued_for)
    await store.insert_access_token(tx, token_sha256, expires_at, secret_id=secret_id, federation_id=federation_id)
    return AccessTokenIssued(issued_for=issued_for, expires_in_s=ACCESS_TOKEN_TTL_S)


def _same(ours: str, given: str) -> bool:
    return hmac.compare_digest(ours.encode(), given.encode("utf-8", "surrogatepass"))


def _retired(credential: str) -> DomainError:
    metrics.RETIRED_SOURCE_CALLS.inc()
    log.info("retired_source", token=credential)
    return _refused()


def _refused() -> DomainError:
    return DomainError(ErrorCode.unauthorized, "The client is not known here, or what it proves itself by is wrong.")
