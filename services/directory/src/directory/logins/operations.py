"""The operations of a login: begin, complete, open; read and end a session. Each is one transaction.

A refusal of `complete_login` commits what must stay even then: the flow is used up, the assertion is remembered, the trace
is written.
"""

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from directory import metrics
from directory.access import scope_for_login, scope_for_session, sha256_from_text
from directory.companies import signing
from directory.companies.domains import domain_of
from directory.companies.store import read_connection
from directory.database import Actor, CompanyScope, CompanyTx, Database
from directory.employees.keys import search_key
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.logins import ending, store
from directory.logins.decision import Accepted, Decision, Flow, LoginPolicy, Person, Refused, decide
from directory.logins.ending import Why
from directory.logins.names import names_of
from directory.logins.session_limits import note_seen
from directory.logins.telling import tell
from directory.logins.trial import tried
from directory.oidc.store import carry_over
from directory.repeating import done_again
from directory.traces import steps
from directory.traces import store as traces
from shared.attempts import attempt_from_text, attempt_of_flow, new_attempt_id
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text, session_text
from shared.schemas import login, metadata
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import name_attempt

log = EventLog("directory")

CHOICE_TTL_S = 300
"""So long somebody may choose who he is in a browser; a person reads slower than a redirect."""

MAX_CHOICES = 50
"""Companies that one domain is asked for: as many as somebody reads through."""


async def get_connection(database: Database, request: login.GetConnection) -> login.Connection:
    async with scope_for_login(database, request.company, keeps_plans=True).transaction() as tx:
        return await read_connection(tx)


async def offer_certificates(database: Database, request: metadata.OfferCertificates) -> metadata.OfferedCertificates:
    """Raises DomainError `invalid_value` for what is not the company's metadata."""
    async with scope_for_login(database, request.company).transaction() as tx:
        adopted, offered = await signing.offered(tx, request.metadata)
        return metadata.OfferedCertificates(adopted=adopted, offered=offered, connection=await read_connection(tx))


async def find_companies(database: Database, request: login.FindCompanies) -> login.CompaniesFound:
    """By the domain alone: nothing of the answer, and nothing that is done for it, depends on whether the person exists."""
    domain = domain_of(request.email)
    found = await database.companies_for_domain(domain, MAX_CHOICES + 1) if domain else []
    choices = [login.CompanyChoice(company=company, company_name=name) for company, name in found[:MAX_CHOICES]]
    in_order = sorted(choices, key=lambda one: (one.company_name.casefold(), one.company))
    return login.CompaniesFound(companies=in_order, more=len(found) > MAX_CHOICES)


async def begin_login(database: Database, request: login.BeginLogin) -> login.BegunLogin:
    """Raises DomainError `not_allowed` where the company has SSO switched off; a test is let begin all the same, if it can be."""
    flow_id = f"_{secrets.token_hex(16)}"
    async with scope_for_login(database, request.company, keeps_plans=True).transaction() as tx:
        connection = await store.begin_flow(
            tx,
            flow_id,
            browser_sha256=sha256_from_text(request.browser_sha256),
            return_to=request.return_to,
            expires_at=tx.now + timedelta(seconds=request.ttl_s),
            origin=request.origin,
            is_test=request.test,
        )
        if not connection.sso_enabled and not (request.test and await _can_be_tried(tx, connection)):
            # And the flow goes with the transaction.
            raise DomainError(ErrorCode.not_allowed, "Single sign-on is switched off for this company.")
    return login.BegunLogin(flow_id=flow_id, connection=connection)


async def _can_be_tried(tx: CompanyTx, connection: login.Connection) -> bool:
    """While SSO is off: it is set up so far that Entra can answer, and the company is not closed."""
    set_up = connection.login_url and connection.issuer and connection.certificates
    return bool(set_up) and not await store.is_closed(tx)


async def complete_login(database: Database, attempt: login.LoginAttempt) -> login.LoginOutcome:
    """Decide on a proven assertion, and leave a ticket if the person may come in."""
    # The object id that a first login brings may be given to somebody by provisioning at the same moment.
    completed = await repeated(lambda: _complete(database, attempt))
    decision, attempt_id, tested = completed.decision, completed.attempt_id, completed.tested
    name_attempt(attempt_id)
    if tested is not None:
        log.info("login_tested", outcome=tested.reason or "accepted", employee=_text(decision.employee_id))
        return login.LoginOutcome(accepted=False, reason=tested.reason, attempt_id=attempt_id, tried=tested)
    metrics.LOGIN_DECISIONS.labels(decision.reason if isinstance(decision, Refused) else "accepted").inc()
    if isinstance(decision, Refused):
        log.info("login_refused", reason=decision.reason, employee=_text(decision.employee_id))
        return login.LoginOutcome(accepted=False, reason=decision.reason, attempt_id=attempt_id)
    log.info("login_accepted", employee=employee_text(decision.employee_id), linked=decision.link)
    if completed.first_use:
        metrics.CERTIFICATES_FIRST_USED.inc()
        log.warning("certificate_first_used", fingerprint=attempt.signer_fingerprint, attempt=attempt_id)
    return login.LoginOutcome(
        accepted=True,
        employee_id=employee_text(decision.employee_id),
        return_to=completed.return_to,
        linked=decision.link,
        attempt_id=attempt_id,
    )


@dataclass(frozen=True, slots=True)
class _Completed:
    decision: Decision
    return_to: str
    attempt_id: str
    tested: login.TriedLogin | None = None
    first_use: bool = False
    """The certificate that signed has never signed before."""


async def _complete(database: Database, attempt: login.LoginAttempt) -> _Completed:
    async with scope_for_login(database, attempt.company, keeps_plans=True).transaction() as tx:
        assertion_sha256 = hashlib.sha256(attempt.assertion_id.encode()).digest()
        flow, first_time = await store.use_up(tx, attempt.in_response_to, assertion_sha256, attempt.expires_at)
        live = flow if flow is not None and flow.expires_at > tx.now else None
        is_test = flow is not None and flow.is_test
        decision, people, policy = await _decided(tx, attempt, live, first_time=first_time, is_test=is_test)
        return_to = live.return_to if live else attempt.relay_path or "/"
        attempt_id = await _traced(tx, attempt, flow, decision, people)
        if is_test:
            # Used up and remembered like any other; but nothing is linked, no certificate has signed, nobody gets a ticket.
            return _Completed(decision, return_to, attempt_id, tried(attempt, decision, policy, people))
        first_use = False
        if isinstance(decision, Accepted):
            first_use = not policy.signer_noted and await _signed(tx, attempt.signer_fingerprint)
            await _let_in(tx, attempt, decision, live, return_to, attempt_id)
        await tell(tx, decision, policy.open_findings)
    return _Completed(decision, return_to, attempt_id, first_use=first_use)


async def _signed(tx: CompanyTx, fingerprint: str) -> bool:
    """Whether it is the certificate's first time, of which its company is told: a key that nobody expects may be a stolen one."""
    first_use = await store.certificate_signed(tx, fingerprint)
    if first_use:
        changes = {"fingerprint": {"before": None, "after": fingerprint}}
        record(tx, EventKind.certificate_first_used, changes=changes)
    return first_use


async def _traced(
    tx: CompanyTx, attempt: login.LoginAttempt, flow: Flow | None, decision: Decision, people: Sequence[Person]
) -> str:
    """Under which id it was written down: that of its flow, or of another attempt where that one is over already."""
    flow_id = attempt.in_response_to
    attempt_id = attempt_of_flow(flow_id) if flow_id else attempt_from_text(attempt.attempt_id) or new_attempt_id()
    came = attempt.answered_at or tx.now
    told = traces.Decided(
        flow_id=flow_id,
        is_test=flow is not None and flow.is_test,
        outcome="accepted" if isinstance(decision, Accepted) else decision.reason,
        employee_id=decision.employee_id,
        signer_fingerprint=attempt.signer_fingerprint,
        name_key=search_key(attempt.name_id),
        beginning=steps.started(flow, came, unsolicited=flow_id is None),
        steps=steps.of_answer(attempt, flow, decision, people, tx.now),
    )
    while not await traces.insert(tx, attempt_id, told):
        attempt_id = new_attempt_id()
    return attempt_id


async def _decided(
    tx: CompanyTx, attempt: login.LoginAttempt, flow: Flow | None, *, first_time: bool, is_test: bool
) -> tuple[Decision, Sequence[Person], LoginPolicy]:
    keys = names_of(attempt).keys
    object_id = _object_id(attempt)
    people = await store.find_for_login(tx, object_id, keys)
    if people and all(one.state == "departed" for one in people):
        # Whoever began a new employment while this waited for his lock is seen by a second look only.
        people = await store.find_for_login(tx, object_id, keys)
    policy = await store.login_policy(tx, attempt.signer_fingerprint, people)
    decision = decide(
        attempt,
        flow,
        first_time=first_time,
        policy=replace(policy, sso_enabled=True) if is_test else policy,
        people=people,
        now=tx.now,
    )
    return decision, people, policy


def _object_id(attempt: login.LoginAttempt) -> UUID:
    try:
        return UUID(attempt.object_id)
    except ValueError:
        raise DomainError(ErrorCode.invalid_request, "object_id must be a GUID.", field="object_id") from None


async def _let_in(
    tx: CompanyTx, attempt: login.LoginAttempt, decision: Accepted, flow: Flow | None, return_to: str, attempt_id: str
) -> None:
    if decision.link:
        await store.link_object_id(tx, decision.employee_id, _object_id(attempt))
        changes = {"entra_object_id": {"before": None, "after": str(_object_id(attempt))}}
        record(tx, EventKind.employee_linked, employee_id=decision.employee_id, changes=changes)
    await store.insert_ticket(
        tx,
        attempt,
        decision.employee_id,
        ticket_sha256=sha256_from_text(attempt.ticket_sha256),
        browser_sha256=flow.browser_sha256 if flow else None,
        return_to=return_to,
        expires_at=tx.now + timedelta(seconds=attempt.ticket_ttl_s),
        attempt_id=attempt_id,
    )


@dataclass(frozen=True, slots=True)
class _Holder:
    """Who is signed in in a browser."""

    company_id: UUID
    employee_id: EmployeeId
    session_id: UUID
    name: login.Named


async def open_session(database: Database, request: login.OpenSession) -> login.OpenedSession:
    """Redeem a ticket, once, in the browser that began the login.

    A browser that holds another person's live session keeps it, and the ticket stays good until he has chosen: one browser, one
    person (S88). `instead_of` says that he has, and names the session that ends. The same person's former session ends: session
    ids change with every login.
    """
    holder = await _holder_of(database, request.current_session)
    switches = holder is not None and request.instead_of == session_text(holder.session_id)
    if holder is not None and switches and str(holder.company_id) != request.company_id:
        # Two companies are two scopes. The other's session goes first, once it is sure that the ticket will do: whatever fails
        # behind that leaves nobody signed in, and at no moment are there two.
        async with _scope_of(database, request.company_id).transaction() as tx:
            _, refused = await _ticket(tx, request)
        if refused is None:
            assert request.current_session is not None  # noqa: S101  of whom else would there be a holder
            async with scope_for_session(database, request.current_session).transaction() as tx:
                # Nobody of this company: who took the browser is the other's to know.
                session_sha256 = sha256_from_text(request.current_session.session_sha256)
                await ending.end_session(tx, session_sha256, Why.switched, by=Actor("system", "directory"))
            holder = None

    async def attempt() -> login.OpenedSession:
        async with _scope_of(database, request.company_id).transaction() as tx:
            outcome = await _redeem(tx, request, holder, switches=switches)
            await _traced_session(tx, outcome)
            return outcome

    return await done_again(attempt)


async def drop_ticket(database: Database, request: login.DropTicket) -> login.DroppedTicket:
    async with _scope_of(database, request.company_id).transaction() as tx:
        browsers = [sha256_from_text(one) for one in request.browsers_sha256]
        return login.DroppedTicket(
            dropped=await store.drop_ticket(tx, sha256_from_text(request.ticket_sha256), browsers)
        )


async def _traced_session(tx: CompanyTx, outcome: login.OpenedSession) -> None:
    if outcome.attempt_id:
        name_attempt(outcome.attempt_id)
        told = "accepted" if outcome.opened else outcome.reason or "other"
        await traces.add_session(tx, outcome.attempt_id, told, steps.session(outcome.opened, outcome.reason, tx.now))


async def _ticket(tx: CompanyTx, request: login.OpenSession) -> tuple[asyncpg.Record | None, str | None]:
    """The ticket, held with its owner until the transaction ends, and why it does not do; None: it does."""
    ticket = await store.hold_ticket(tx, sha256_from_text(request.ticket_sha256))
    if ticket is None or ticket["expires_at"] <= tx.now:
        return ticket, "expired"
    if not _is_of_browser(ticket, request.browsers_sha256):
        return ticket, "other_browser"
    return ticket, None if ticket["state"] == "active" else ticket["state"]


async def _redeem(
    tx: CompanyTx, request: login.OpenSession, holder: _Holder | None, *, switches: bool
) -> login.OpenedSession:
    ticket_sha256 = sha256_from_text(request.ticket_sha256)
    ticket, refused = await _ticket(tx, request)
    if ticket is None:
        return _gone()
    attempt_id = ticket["attempt_id"] or ""
    if refused is not None:
        if not await store.discard_ticket(tx, ticket_sha256):
            return _gone()
        return login.OpenedSession(opened=False, reason=refused, attempt_id=attempt_id)
    if holder is not None and not switches and _is_other(tx, holder, ticket):
        return await _asked(tx, ticket_sha256, ticket, holder)
    employee_id, session = EmployeeId(ticket["employee_id"]), sha256_from_text(request.session_sha256)
    opened = await store.open_session(tx, ticket_sha256, session, tx.now + timedelta(seconds=request.session_ttl_s))
    if opened is None:
        return _gone()
    session_id = opened["session_id"]
    if request.current_session is not None and holder is not None:
        await _take_its_place(
            tx, sha256_from_text(request.current_session.session_sha256), session, holder, employee_id
        )
    tx.actor = Actor("person", employee_text(employee_id))
    record(tx, EventKind.session_opened, employee_id=employee_id, changes={"session": {"id": session_text(session_id)}})
    log.info("session_opened", employee=employee_text(employee_id), attempt=attempt_id)
    return login.OpenedSession(
        opened=True,
        return_to=ticket["return_to"],
        expires_at=opened["expires_at"],
        started_by_us=ticket["browser_sha256"] is not None,
        company=tx.company.name,
        company_name=opened["company_name"],
        attempt_id=attempt_id,
        person=_signed_in(tx, ticket, signed_in_at=tx.now, expires_at=opened["expires_at"]),
    )


def _gone() -> login.OpenedSession:
    """Never there; or used, or gone with its owner's sessions, while this waited for him: its trace is another request's."""
    return login.OpenedSession(opened=False, reason="expired")


def _signed_in(
    tx: CompanyTx, person: asyncpg.Record, *, signed_in_at: datetime, expires_at: datetime
) -> login.SignedIn:
    return login.SignedIn(
        company=tx.company.name,
        employee_id=employee_text(person["employee_id"]),
        login_name=person["login_name"],
        email=person["email"],
        given_name=person["given_name"],
        family_name=person["family_name"],
        roles=sorted({*person["roles"], *(("approver",) if person["has_reports"] else ())}),
        signed_in_at=signed_in_at,
        expires_at=expires_at,
    )


def _is_other(tx: CompanyTx, holder: _Holder, ticket: asyncpg.Record) -> bool:
    return (holder.company_id, holder.employee_id) != (tx.company_id, ticket["employee_id"])


async def _take_its_place(
    tx: CompanyTx, former: bytes, session: bytes, holder: _Holder, employee_id: EmployeeId
) -> None:
    """The session that this browser had ends; what apps hold by it goes on for the same person only."""
    if holder.employee_id != employee_id:
        await ending.end_session(tx, former, Why.switched, by=Actor("person", employee_text(employee_id)))
        return
    await carry_over(tx, former, session)
    await ending.end_session(tx, former, Why.signed_in_again)


async def _asked(tx: CompanyTx, ticket_sha256: bytes, ticket: asyncpg.Record, holder: _Holder) -> login.OpenedSession:
    proven = await store.ask(tx, ticket_sha256, tx.now + timedelta(seconds=CHOICE_TTL_S))
    if proven is None:
        return _gone()
    choice = login.Choice(
        signed_in=holder.name,
        proven=_named(proven),
        session_id=session_text(holder.session_id),
        ttl_s=max(1, int((proven["expires_at"] - tx.now).total_seconds())),
    )
    return login.OpenedSession(
        opened=False,
        reason="other_person_signed_in",
        return_to=ticket["return_to"],
        attempt_id=ticket["attempt_id"] or "",
        choice=choice,
    )


def _named(row: asyncpg.Record) -> login.Named:
    return login.Named(
        login_name=row["login_name"] or "", given_name=row["given_name"] or "", family_name=row["family_name"] or ""
    )


def _is_of_browser(ticket: asyncpg.Record, browsers_sha256: Sequence[str]) -> bool:
    """A login that nobody asked for is bound to none."""
    expected = ticket["browser_sha256"]
    held = [sha256_from_text(one) for one in browsers_sha256]
    return expected is None or any(secrets.compare_digest(one, expected) for one in held)


async def _holder_of(database: Database, session: login.SessionCredential | None) -> _Holder | None:
    """Whose live session it is; None where there is none."""
    if session is None:
        return None
    try:
        async with scope_for_session(database, session, keeps_plans=True).transaction() as tx:
            row = await store.session_holder(tx, sha256_from_text(session.session_sha256))
            if row is None:
                return None
            return _Holder(tx.company_id, EmployeeId(row["employee_id"]), row["session_id"], _named(row))
    except DomainError as error:
        if error.code in {ErrorCode.not_found, ErrorCode.unauthorized}:
            return None
        raise


def _scope_of(database: Database, company_id: str) -> CompanyScope:
    try:
        return database.scope_for_id(UUID(company_id), keeps_plans=True)
    except ValueError:
        raise DomainError(ErrorCode.invalid_request, "company_id must be a UUID.", field="company_id") from None


async def read_session(database: Database, request: login.ReadSession) -> login.SignedIn:
    """Raises DomainError `unauthorized` for a session that is not (any more)."""
    gone = DomainError(ErrorCode.unauthorized, "There is no such session.")
    try:
        async with scope_for_session(database, request.session, keeps_plans=True).transaction() as tx:
            row = await store.read_session(tx, sha256_from_text(request.session.session_sha256))
            if row is not None and row["unseen"]:
                await note_seen(tx, row["session_id"])
    except DomainError as error:
        raise gone if error.code is ErrorCode.not_found else error from None
    if row is None:
        raise gone
    return _signed_in(tx, row, signed_in_at=row["signed_in_at"], expires_at=row["expires_at"])


async def end_session(database: Database, request: login.EndSession) -> login.EndedSession:
    idp_session = None
    try:
        async with scope_for_session(database, request.session).transaction() as tx:
            ended = await ending.end_session(tx, sha256_from_text(request.session.session_sha256), Why.signed_out)
            if ended is not None and request.at_idp:
                idp_session = await _idp_session(tx, ended)
    except DomainError as error:
        if error.code not in {ErrorCode.not_found, ErrorCode.unauthorized}:
            raise
        ended = None
    return login.EndedSession(ended=ended is not None, idp_session=idp_session)


async def _idp_session(tx: CompanyTx, ended: asyncpg.Record) -> login.IdpSession:
    return login.IdpSession(
        connection=await read_connection(tx),
        name_id=ended["name_id"],
        name_id_format=ended["name_id_format"],
        session_index=ended["session_index"],
    )


def _text(employee_id: EmployeeId | None) -> str | None:
    return employee_text(employee_id) if employee_id else None
