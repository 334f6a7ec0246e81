"""Who may do what: from a caller's credential to the scope of one company, or a refusal.

Three groups of internal routes, by who may call and with what: `/provisioning` (scim-ingest, the hash of a SCIM token), `/logins`
(sso-gateway, names the company while a login is under way, afterwards the session is the credential), `/setup` (sso-gateway,
the session of a Setup admin). Beside them stands `/v1`, which the BitaBIZ application reads with a credential of the company.
"""

import binascii
import hmac
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from directory import metrics
from directory.database import Actor, Company, CompanyScope, CompanyTx, Database
from directory.events.catalogue import EventKind
from directory.events.store import record, told_since
from directory.logins.store import hold_company, read_session
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text
from shared.schemas.employee import ScimCredential
from shared.schemas.login import SessionCredential
from shared.telemetry.logs import EventLog
from shared.tokens import sha256

log = EventLog("directory")

SETUP_ADMIN = "setup_admin"

PREPARED_ONLY = (
    "This token is of a connection that is being prepared: it answers, and changes nothing until the cut-over."
)
PROVISIONING_OFF = "Provisioning is switched off for this company; a Setup admin can switch it on."


@asynccontextmanager
async def provisioning(
    database: Database, credential: ScimCredential, *, reading: bool = False, quirk: str | None = None
) -> AsyncIterator[CompanyTx]:
    """A transaction in the company whose token it is; `reading`: it changes nothing; `quirk`: where the request leaves the
    standards.

    Raises:
        DomainError: `unauthorized` for a token that is unknown, revoked, expired, of another company than the path names, or of
            a tenant that the company has left: all the same answer. `not_allowed` when the company has provisioning switched
            off, or when a connection that is only prepared wants to change something. `not_conformant` for a quirk in a company
            that is in strict mode.
    """
    token = sha256_from_text(credential.token_sha256)
    async with database.scope_for_scim_token(token).transaction() as tx:
        if not hmac.compare_digest(tx.company.name.encode(), credential.company.encode("utf-8", "surrogatepass")):
            raise _wrong_token()
        refusal = _refusal(tx.company, reading)
        if refusal is None:
            database.notes.heard(tx)
            if quirk is None or not tx.company.provisioning_strict:
                yield tx
                return
            log.info("strict_refused", quirk=quirk)
            refusal = DomainError(ErrorCode.not_conformant, f"The company is in strict mode, which refuses {quirk}.")
    # Behind the commit: when the token was last used is known all the same.
    raise refusal


def _refusal(company: Company, reading: bool) -> DomainError | None:
    if company.connection == "retired":
        metrics.RETIRED_SOURCE_CALLS.inc()
        log.info("retired_source", token=company.credential)
        return _wrong_token()
    if company.connection == "next":
        return None if reading else DomainError(ErrorCode.not_allowed, PREPARED_ONLY)
    if not company.provisioning_enabled:
        return DomainError(ErrorCode.not_allowed, PROVISIONING_OFF)
    return None


def _wrong_token() -> DomainError:
    return DomainError(ErrorCode.unauthorized, "The token is not valid for this company.")


@asynccontextmanager
async def noting(database: Database, credential: ScimCredential) -> AsyncIterator[CompanyTx]:
    """A transaction in which the journal of the company is written whose token it is, whatever else that token may do.

    Raises:
        DomainError: `unauthorized` for a token that is unknown, revoked, expired or of another company than the path names.
    """
    async with database.scope_for_journal(sha256_from_text(credential.token_sha256)).transaction() as tx:
        if not hmac.compare_digest(tx.company.name.encode(), credential.company.encode("utf-8", "surrogatepass")):
            raise _wrong_token()
        yield tx


@asynccontextmanager
async def application(
    database: Database, authorization: str | None, company: str, scope: str
) -> AsyncIterator[CompanyTx]:
    """A transaction in which the BitaBIZ application reads the company whose credential it has.

    Raises:
        DomainError: `unauthorized` for a credential that is missing, unknown, revoked, expired, or of another company than the
            path names: all the same answer. `not_allowed` where it lacks the scope.
    """
    scheme, _, credential = (authorization or "").partition(" ")
    known = credential if scheme.lower() == "bearer" else ""
    async with database.scope_for_api_credential(sha256(known)).transaction() as tx:
        if not hmac.compare_digest(tx.company.name.encode(), company.encode("utf-8", "surrogatepass")):
            raise DomainError(ErrorCode.unauthorized, "The credential is not valid for this company.")
        if scope not in tx.company.scopes:
            raise DomainError(ErrorCode.not_allowed, f"The credential lacks the scope {scope}; issue one that has it.")
        yield tx


def scope_for_login(database: Database, company: str, *, keeps_plans: bool = False) -> CompanyScope:
    """The scope of a login under way; the gateway names the company."""
    return database.scope_for_name(company, keeps_plans=keeps_plans)


def scope_for_noting(database: Database, company: str) -> CompanyScope:
    """Where what the gateway refused is written down, behind the requests; the gateway names the company."""
    return database.scope_for_refusals(company)


def scope_for_session(database: Database, session: SessionCredential, *, keeps_plans: bool = False) -> CompanyScope:
    """Where to look for the session; the session's hash must then be found there."""
    try:
        company_id = uuid.UUID(session.company_id)
    except ValueError:
        raise DomainError(ErrorCode.unauthorized, "There is no such session.") from None
    return database.scope_for_id(company_id, keeps_plans=keeps_plans)


@asynccontextmanager
async def setup(database: Database, session: SessionCredential, *, reading: bool = False) -> AsyncIterator[CompanyTx]:
    """A transaction of a Setup admin, who is its actor; `reading`: it changes nothing.

    Raises:
        DomainError: `unauthorized` for a session that is not (any more), `not_allowed` for whoever is no Setup admin.
    """
    gone = DomainError(ErrorCode.unauthorized, "There is no such session.")
    session_sha256 = sha256_from_text(session.session_sha256)
    entered, refused = False, None
    try:
        async with scope_for_session(database, session).transaction() as tx:
            entered = True
            if not reading:
                await hold_company(tx)
            row = await read_session(tx, session_sha256)
            if row is None:
                raise gone
            if SETUP_ADMIN not in row["roles"]:
                log.info("setup_refused", employee=employee_text(row["employee_id"]))
                refused = EmployeeId(row["employee_id"])
                raise DomainError(ErrorCode.not_allowed, "Only a Setup admin of the company may do this.")
            tx.actor = Actor("person", employee_text(row["employee_id"]))
            yield tx
    except DomainError as error:
        if refused is not None:
            await _tell_refused(database, session, refused)
        raise gone if not entered and error.code is ErrorCode.not_found else error from None


async def _tell_refused(database: Database, session: SessionCredential, employee_id: EmployeeId) -> None:
    """In the history (S62), behind what was rolled back; once an hour, for it can be asked as often as somebody likes."""
    actor = Actor("person", employee_text(employee_id))
    async with scope_for_session(database, session).transaction(actor) as tx:
        if not await told_since(tx, employee_id, EventKind.setup_refused, tx.now - timedelta(hours=1)):
            record(tx, EventKind.setup_refused, employee_id=employee_id)


def sha256_from_text(text: str) -> bytes:
    """Raises DomainError `invalid_request` unless it is 64 hexadecimal digits."""
    try:
        found = binascii.unhexlify(text)
    except (binascii.Error, ValueError):
        found = b""
    if len(found) != 32:
        raise DomainError(ErrorCode.invalid_request, "A hash must be 64 hexadecimal digits.")
    return found
