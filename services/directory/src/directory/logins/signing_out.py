"""Somebody signed out at Microsoft: the sessions that came of that sign-in end here, all at once, in one transaction.

Found by the SessionIndex, which is the assertion's id. Where that was not seen here lately, or is not said, by the NameID, which
Entra may send in another form than it signed the person in with (a pairwise one, without Format). Within the company only,
and by NameID of one person only: the last one who signed in by it.

Sources: SAML 2.0 Core section 3.7; MicrosoftDocs/azure-docs issues 29978 and 41409 (NameID of Entra's broadcasts).
"""

import hashlib
from collections.abc import Sequence
from datetime import timedelta

import asyncpg

from directory.access import scope_for_login
from directory.database import Actor, CompanyTx, Database
from directory.logins import signing_out_store as store
from directory.logins.ending import Why, receipts
from directory.logins.store import hold_company, remember_assertion
from directory.repeating import done_again
from shared.schemas.login import EndedIdpSession, EndIdpSession
from shared.telemetry.logs import EventLog

log = EventLog("directory")

ASSERTION_REMEMBERED = timedelta(minutes=15)
"""No assertion is accepted that was issued longer ago (10 minutes, and 2 of a clock that is ahead)."""


async def end_idp_session(database: Database, request: EndIdpSession) -> EndedIdpSession:
    """Harmless when repeated: what it means has ended, and what was opened after `until` is not meant.

    Raises:
        DomainError: not_found for a company that is not there; unavailable where it lost too often.
    """

    async def attempt() -> EndedIdpSession:
        async with scope_for_login(database, request.company).transaction() as tx:
            return await _end(tx, request)

    ended = await done_again(attempt)
    if ended.accepted:
        log.info("idp_session_ended", sessions=ended.sessions, found_by=ended.found_by)
    else:
        log.info("idp_logout_refused", reason=ended.reason)
    return ended


async def _end(tx: CompanyTx, request: EndIdpSession) -> EndedIdpSession:
    # The order in which a login and a suspension lock: company, assertions, people, then tickets and sessions.
    await hold_company(tx)
    if not await store.is_trusted(tx, request.signer_fingerprint):
        # The gateway may have remembered the certificate from before its removal.
        return EndedIdpSession(accepted=False, reason="unknown_signer")
    is_new = await _remember(tx, request.session_indexes)
    tx.actor = Actor("entra", request.signer_fingerprint)
    owners = await store.owners_by_index(tx, request.session_indexes)
    if owners:
        await store.lock_people(tx, owners)
        return _told(tx, await store.end_by_index(tx, owners, request.session_indexes), by_index=True)
    # A sign-in that was known here has ended already; his others are not meant.
    owner = await store.owner_by_name_id(tx, request.name_id, request.name_id_format, request.until) if is_new else None
    if owner is None:
        return EndedIdpSession(accepted=True)
    await store.lock_people(tx, [owner])
    ended = await store.end_by_name_id(tx, owner, request.name_id, request.name_id_format, request.until)
    return _told(tx, ended, by_index=False)


async def _remember(tx: CompanyTx, indexes: Sequence[str]) -> bool:
    """True where none of them was seen before, as an assertion or by a logout.

    From here on their assertions open nothing, should one still be on its way; and a login that is being decided at this
    moment is waited for.
    """
    expires_at = tx.now + ASSERTION_REMEMBERED
    new = [
        await remember_assertion(tx, hashlib.sha256(index.encode()).digest(), expires_at)
        for index in sorted(set(indexes))
    ]
    return all(new)


def _told(tx: CompanyTx, ended: list[asyncpg.Record], *, by_index: bool) -> EndedIdpSession:
    sessions = receipts(tx, ended, Why.signed_out_at_idp)
    if not sessions:
        return EndedIdpSession(accepted=True)
    return EndedIdpSession(accepted=True, sessions=sessions, found_by="session_index" if by_index else "name_id")
