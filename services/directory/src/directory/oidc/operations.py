"""The operations of the OpenID Provider: a code is issued and redeemed, tokens are refreshed, read and given back.

Each is one transaction. What hangs on a session goes with it (migration 0031), so nothing here knows of suspensions.
"""

import secrets
from collections.abc import Awaitable, Callable
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg

from directory import metrics
from directory.access import scope_for_session, sha256_from_text
from directory.database import Actor, CompanyScope, CompanyTx, Database
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.logins.ending import Why, end_some
from directory.logins.store import lock_person
from directory.oidc import store
from directory.oidc.decision import (
    Refused,
    Wanted,
    code_not_redeemed,
    code_refusal,
    token_not_next,
)
from directory.repeating import done_again
from directory.traces.operations import redeemed as trace_redeemed
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text, session_text
from shared.schemas import oidc
from shared.telemetry.logs import EventLog

log = EventLog("directory")

OFFLINE = "offline_access"
MAX_HELD = 50
"""Grants that one app may hold on behalf of one person; the oldest goes first. Nobody has as many phones and browsers."""


async def issue_code(database: Database, request: oidc.IssueCode) -> oidc.IssuedCode:
    wanted = Wanted(request.company, request.employee_id, request.signed_in_after)
    try:
        async with scope_for_session(database, request.session, keeps_plans=True).transaction() as tx:
            session = await store.hold_session(tx, sha256_from_text(request.session.session_sha256))
            if session is None:
                return oidc.IssuedCode(reason="no_session")
            person = employee_text(session["employee_id"])
            refusal = code_refusal(
                wanted, company=tx.company.name, employee_id=person, authenticated_at=session["authenticated_at"]
            )
            if refusal is not None:
                return oidc.IssuedCode(reason=refusal)
            await store.insert(
                tx,
                uuid4(),
                session,
                request,
                code_sha256=sha256_from_text(request.code_sha256),
                code_challenge=sha256_from_text(request.code_challenge),
                expires_at=tx.now + timedelta(seconds=request.ttl_s),
            )
            return oidc.IssuedCode(company=tx.company.name, employee_id=person)
    except DomainError as error:
        if error.code in {ErrorCode.not_found, ErrorCode.unauthorized}:
            return oidc.IssuedCode(reason="no_session")
        raise


async def redeem_code(database: Database, request: oidc.RedeemCode) -> oidc.Granted:
    async def attempt() -> oidc.Granted:
        async with _scope(database, request.company_id).transaction() as tx:
            return await _redeem(tx, request)

    return await _answered(attempt)


async def _redeem(tx: CompanyTx, request: oidc.RedeemCode) -> oidc.Granted:
    code = sha256_from_text(request.code_sha256)
    owner = await store.owner_of_code(tx, code)
    # The person is locked first, in the order of a suspension, so that no session of an app is opened behind it.
    if owner is None or await lock_person(tx, owner) != "active":
        return oidc.Granted(reason="unknown")
    redeemed = await store.redeem(
        tx,
        code,
        client_id=request.client_id,
        redirect_uri=request.redirect_uri,
        code_challenge=sha256_from_text(request.code_challenge),
        family_sha256=sha256_from_text(request.family_sha256) if request.family_sha256 else None,
        refresh_sha256=sha256_from_text(request.refresh_sha256) if request.refresh_sha256 else None,
    )
    if redeemed is None:
        return await _not_redeemed(tx, request.client_id, code)
    # Before the grant may hang on a session of the app's own.
    await trace_redeemed(tx, redeemed["grant_id"], request.client_id)
    if OFFLINE in redeemed["scopes"]:
        expires_at = tx.now + timedelta(seconds=request.session_ttl_s)
        await store.open_own_session(tx, redeemed["grant_id"], secrets.token_bytes(32), expires_at)
    row = await store.read(tx, redeemed["grant_id"])
    if row is None:
        return oidc.Granted(reason="ended")
    _redeemed(tx, owner, row)
    for one in await store.find_crowded_out(tx, owner, request.client_id, MAX_HELD):
        await _end(tx, one, Why.crowded_out)
    return oidc.Granted(grant=_grant(tx, row))


def _redeemed(tx: CompanyTx, owner: EmployeeId, row: asyncpg.Record) -> None:
    """An app has come in on somebody's behalf: the last step of a login that an app began."""
    tx.actor = Actor("person", employee_text(owner))
    record(tx, EventKind.app_granted, employee_id=owner, changes=_told(row))
    log.info("app_granted", employee=employee_text(owner), client=row["client_id"])


async def _not_redeemed(tx: CompanyTx, client_id: str, code: bytes) -> oidc.Granted:
    found = await store.find_code(tx, code)
    refused = code_not_redeemed(found[1] if found else None, client_id, tx.now)
    if refused.ends and found is not None:
        await _end_misused(tx, found[0], refused)
    return oidc.Granted(reason=refused.reason)


async def refresh_grant(database: Database, request: oidc.RefreshGrant) -> oidc.Granted:
    if not request.successors:
        raise DomainError(ErrorCode.invalid_request, "There must be a successor.", field="successors")

    async def attempt() -> oidc.Granted:
        async with _scope(database, request.company_id).transaction() as tx:
            return await _refresh(tx, request)

    return await _answered(attempt)


async def _refresh(tx: CompanyTx, request: oidc.RefreshGrant) -> oidc.Granted:
    family, presented = sha256_from_text(request.family_sha256), sha256_from_text(request.refresh_sha256)
    successors = [sha256_from_text(one) for one in request.successors]
    successor = 0
    grant_id = await store.rotate(tx, family, presented, successors[0], request.client_id)
    if grant_id is None:
        found = await store.find_family(tx, family)
        outcome = token_not_next(found[1] if found else None, request.client_id, presented, successors, tx.now)
        if isinstance(outcome, Refused):
            if outcome.ends and found is not None:
                await _end_misused(tx, found[0], outcome)
            return oidc.Granted(reason=outcome.reason)
        assert found is not None  # noqa: S101  what is repeated was found
        grant_id, successor = found[0], outcome.successor
    row = await store.read(tx, grant_id)
    if row is None:
        return oidc.Granted(reason="ended")
    return oidc.Granted(grant=_grant(tx, row), successor=successor)


async def read_grant(database: Database, request: oidc.ReadGrant) -> oidc.Grant:
    """Raises DomainError `unauthorized` for what is not, or not any more; a refresh token that was used is such."""
    gone = DomainError(ErrorCode.unauthorized, "There is no such grant.")
    credential = request.credential
    try:
        async with _scope(database, credential.company_id).transaction() as tx:
            if credential.grant_id is not None:
                row = await store.read(tx, _uuid(credential.grant_id))
            else:
                row = await store.read_by_token(tx, *_family(credential))
            if row is not None:
                return _grant(tx, row)
    except DomainError as error:
        raise gone if error.code is ErrorCode.not_found else error from None
    raise gone


async def end_grant(database: Database, request: oidc.EndGrant) -> oidc.EndedGrant:
    async def attempt() -> oidc.EndedGrant:
        async with _scope(database, request.credential.company_id).transaction() as tx:
            return oidc.EndedGrant(ended=await _given_back(tx, request))

    try:
        return await done_again(attempt)
    except DomainError as error:
        if error.code is ErrorCode.not_found:
            return oidc.EndedGrant(ended=False)
        raise


async def _given_back(tx: CompanyTx, request: oidc.EndGrant) -> bool:
    credential = request.credential
    if credential.grant_id is not None:
        found = await store.find_to_end(tx, grant_id=_uuid(credential.grant_id))
    else:
        found = await store.find_to_end(tx, family=_family(credential)[0])
    if not found or found[0]["client_id"] != request.client_id:
        return False
    owner = EmployeeId(found[0]["employee_id"])
    tx.actor = Actor("person", employee_text(owner))
    if not await _end(tx, found[0], Why.given_back):
        return False
    record(tx, EventKind.app_grant_ended, employee_id=owner, changes=_told(found[0], ended=True))
    log.info("app_grant_ended", employee=employee_text(owner), client=request.client_id)
    return True


async def _end_misused(tx: CompanyTx, grant_id: UUID, refused: Refused) -> None:
    """Something that counts once came twice, or with a wrong proof: somebody else may have it."""
    for one in await store.find_to_end(tx, grant_id=grant_id):
        if await _end(tx, one, Why.app_misused):
            owner = EmployeeId(one["employee_id"])
            record(tx, EventKind.app_grant_misused, employee_id=owner, changes=_told(one, ended=True))
            log.warning(
                "app_grant_misused", employee=employee_text(owner), client=one["client_id"], reason=refused.reason
            )
            metrics.APP_GRANTS_MISUSED.labels(refused.reason).inc()


async def _end(tx: CompanyTx, found: asyncpg.Record, why: Why) -> bool:
    """With the app's own session, where it has one. False: it has ended already."""
    if found["own_session"]:
        return await end_some(tx, EmployeeId(found["employee_id"]), [found["session_id"]], why) > 0
    return await store.end(tx, found)


def _told(grant: asyncpg.Record, *, ended: bool = False) -> dict[str, dict[str, object]]:
    """Which app, and on which session it hangs."""
    client_id = grant["client_id"]
    before, after = (client_id, None) if ended else (None, client_id)
    return {"client_id": {"before": before, "after": after}, "session": {"id": session_text(grant["session_id"])}}


def _grant(tx: CompanyTx, row: asyncpg.Record) -> oidc.Grant:
    user = oidc.AppUser(
        company=tx.company.name,
        employee_id=employee_text(row["employee_id"]),
        login_name=row["login_name"],
        email=row["email"],
        given_name=row["given_name"],
        family_name=row["family_name"],
        roles=sorted({*row["roles"], *(("approver",) if row["has_reports"] else ())}),
    )
    return oidc.Grant(
        grant_id=row["grant_id"].hex,
        session_id=row["session_id"].hex,
        client_id=row["client_id"],
        scopes=row["scopes"],
        nonce=row["nonce"],
        authenticated_at=row["authenticated_at"],
        expires_at=row["expires_at"],
        user=user,
    )


async def _answered(attempt: Callable[[], Awaitable[oidc.Granted]]) -> oidc.Granted:
    try:
        return await done_again(attempt)
    except DomainError as error:
        if error.code is ErrorCode.not_found:
            return oidc.Granted(reason="unknown")
        raise


def _scope(database: Database, company_id: str) -> CompanyScope:
    return database.scope_for_id(_uuid(company_id), keeps_plans=True)


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise DomainError(ErrorCode.invalid_request, "An id must be a UUID.") from None


def _family(credential: oidc.GrantCredential) -> tuple[bytes, bytes]:
    return sha256_from_text(credential.family_sha256 or ""), sha256_from_text(credential.refresh_sha256 or "")
