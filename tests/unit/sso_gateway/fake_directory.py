"""Directory, as far as the gateway can see it: the client's coroutines over a few dictionaries.

For the gateway's own tests alone; the journeys run against the real one.
"""

import asyncio
import base64
import secrets
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import (
    BeginLogin,
    BegunLogin,
    CompaniesFound,
    CompanyChoice,
    Connection,
    DroppedTicket,
    DropTicket,
    EndedIdpSession,
    EndedSession,
    EndIdpSession,
    Ending,
    Endings,
    EndSession,
    FindCompanies,
    GetConnection,
    IdpInitiated,
    IdpSession,
    LoginAttempt,
    LoginOutcome,
    OpenedSession,
    OpenSession,
    ReadSession,
    SignedIn,
    SignedMode,
    TriedLogin,
    TrustedCertificate,
    WatchEndings,
)
from shared.schemas.metadata import (
    ClaimedMetadataLooks,
    ClaimMetadataLooks,
    DueLook,
    NotedLook,
    NoteFailedLook,
    OfferCertificates,
    OfferedCertificates,
)
from shared.schemas.oidc import (
    AppUser,
    EndedGrant,
    EndGrant,
    Grant,
    Granted,
    IssueCode,
    IssuedCode,
    ReadGrant,
    RedeemCode,
    RefreshGrant,
)
from shared.schemas.sessions import EndedOwnSessions, EndOwnSessions, ListedSession, ListOwnSessions, OwnSessions
from shared.schemas.traces import NotedRefusals, NoteRefusals, RefusedOfCompany
from tests.support.saml_responses import ENTITY_ID, ISSUER, NOW, TENANT, SigningKey, signing_key

COMPANY_ID = "0198c0de-0000-7000-8000-000000000001"
EMPLOYEE = "emp_0198c0de000070008000000000000002"


def certificate(key: SigningKey) -> TrustedCertificate:
    der_base64 = base64.b64encode(key.der).decode()
    return TrustedCertificate(fingerprint=key.fingerprint, der_base64=der_base64, not_after=NOW + timedelta(days=1000))


def connection(
    company: str = "contoso", *, signed: SignedMode = "assertion", idp_initiated: IdpInitiated = "true"
) -> Connection:
    return Connection(
        company=company,
        company_id=COMPANY_ID,
        company_name=f"{company.capitalize()} A/S",
        language="da",
        entity_id=ENTITY_ID.replace("contoso", company),
        tenant_id=TENANT,
        app_id="22222222-2222-4222-8222-222222222222",
        sso_enabled=True,
        login_url=f"https://login.microsoftonline.com/{TENANT}/saml2",
        issuer=ISSUER,
        signed=signed,
        idp_initiated=idp_initiated,
        certificates=[certificate(signing_key())],
        version=1,
    )


@dataclass
class _Ticket:
    browser_sha256: str | None
    return_to: str


@dataclass
class Memory:
    """What a test may look at and change."""

    companies: dict[str, Connection] = field(default_factory=lambda: {"contoso": connection()})
    domains: dict[str, list[str]] = field(default_factory=lambda: {"contoso.com": ["contoso"]})
    flows: dict[str, BeginLogin] = field(default_factory=dict)
    attempts: list[LoginAttempt] = field(default_factory=list)
    tickets: dict[str, _Ticket] = field(default_factory=dict)
    browsers: list[str] = field(default_factory=list)
    """Hashes of the secrets that came with the last ticket."""
    sessions: set[str] = field(default_factory=set)
    ended: list[str | None] = field(default_factory=list)
    """From the list of one's own: an id, or None for all the others."""
    refuse_login: str | None = None
    refuse_session: str | None = None
    logouts: list[EndIdpSession] = field(default_factory=list)
    refuse_logout: str | None = None
    refusals: list[RefusedOfCompany] = field(default_factory=list)
    due: list[DueLook] = field(default_factory=list)
    """Whose metadata is to be looked at."""
    offered: list[OfferCertificates] = field(default_factory=list)
    refuse_metadata: set[str] = field(default_factory=set)
    failed_looks: list[tuple[str, str]] = field(default_factory=list)
    codes: dict[str, IssueCode] = field(default_factory=dict)
    grants: dict[str, Grant] = field(default_factory=dict)
    """By the hash of their refresh token."""
    endings: "asyncio.Queue[list[Ending]]" = field(default_factory=asyncio.Queue)
    """What its watchers hear."""
    watch_fails: bool = False
    fail: ErrorCode | None = None
    calls: Counter[str] = field(default_factory=Counter)


class FakeDirectory(DirectoryClient):
    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1", "not a secret")
        self.memory = Memory()

    def _called(self, name: str) -> None:
        self.memory.calls[name] += 1
        self._perhaps_failing()

    def _perhaps_failing(self) -> None:
        if self.memory.fail is not None:
            raise DomainError(self.memory.fail, "as the test wants it")

    def _connection(self, company: str) -> Connection:
        if company not in self.memory.companies:
            raise DomainError(ErrorCode.not_found, "There is no such company.")
        return self.memory.companies[company]

    async def is_ready(self) -> bool:
        return self.memory.fail is None

    async def get_connection(self, request: GetConnection) -> Connection:
        self._called("get_connection")
        return self._connection(request.company)

    async def find_companies(self, request: FindCompanies) -> CompaniesFound:
        self._called("find_companies")
        names = self.memory.domains.get(request.email.rpartition("@")[2].lower(), [])
        return CompaniesFound(
            companies=[CompanyChoice(company=name, company_name=f"{name.capitalize()} A/S") for name in names[:50]],
            more=len(names) > 50,
        )

    async def begin_login(self, request: BeginLogin) -> BegunLogin:
        self._called("begin_login")
        found = self._connection(request.company)
        if not found.sso_enabled:
            raise DomainError(ErrorCode.not_allowed, "Single sign-on is switched off.")
        flow_id = f"_{secrets.token_hex(16)}"
        self.memory.flows[flow_id] = request
        return BegunLogin(flow_id=flow_id, connection=found)

    async def complete_login(self, request: LoginAttempt) -> LoginOutcome:
        self._called("complete_login")
        self.memory.attempts.append(request)
        if self.memory.refuse_login:
            return LoginOutcome(accepted=False, reason=self.memory.refuse_login)
        flow = self.memory.flows.pop(request.in_response_to, None) if request.in_response_to else None
        if request.in_response_to and flow is None:
            return LoginOutcome(accepted=False, reason="unknown_request")
        if flow is not None and flow.test:
            return LoginOutcome(accepted=False, tried=TriedLogin(accepted=True, employee_id=EMPLOYEE, by="object_id"))
        return_to = flow.return_to if flow else request.relay_path or "/"
        self.memory.tickets[request.ticket_sha256] = _Ticket(flow.browser_sha256 if flow else None, return_to)
        return LoginOutcome(accepted=True, employee_id=EMPLOYEE, return_to=return_to)

    async def note_refusals(self, request: NoteRefusals) -> NotedRefusals:
        # Not counted: it comes behind the requests, be it those of the test before.
        self._perhaps_failing()
        self.memory.refusals += request.companies
        return NotedRefusals(outcomes=["written"] * len(request.companies))

    async def claim_metadata_looks(self, request: ClaimMetadataLooks) -> ClaimedMetadataLooks:
        self._perhaps_failing()
        given, self.memory.due = self.memory.due[: request.most], self.memory.due[request.most :]
        return ClaimedMetadataLooks(due=given)

    async def offer_certificates(self, request: OfferCertificates) -> OfferedCertificates:
        self._called("offer_certificates")
        self.memory.offered.append(request)
        if request.metadata in self.memory.refuse_metadata:
            raise DomainError(ErrorCode.invalid_value, f"metadata: {request.metadata}")
        return OfferedCertificates(adopted=0, offered=0, connection=self._connection(request.company))

    async def note_failed_look(self, request: NoteFailedLook) -> NotedLook:
        self._called("note_failed_look")
        self.memory.failed_looks.append((request.company, request.reason))
        return NotedLook()

    async def open_session(self, request: OpenSession) -> OpenedSession:
        self._called("open_session")
        self.memory.browsers = list(request.browsers_sha256)
        if self.memory.refuse_session:
            return OpenedSession(opened=False, reason=self.memory.refuse_session)
        ticket = self.memory.tickets.pop(request.ticket_sha256, None)
        if ticket is None:
            return OpenedSession(opened=False, reason="expired")
        if ticket.browser_sha256 is not None and ticket.browser_sha256 not in request.browsers_sha256:
            return OpenedSession(opened=False, reason="other_browser")
        self.memory.sessions.add(request.session_sha256)
        return OpenedSession(
            opened=True,
            return_to=ticket.return_to,
            expires_at=NOW + timedelta(days=1),
            company="contoso",
            company_name="Contoso A/S",
            started_by_us=ticket.browser_sha256 is not None,
        )

    async def drop_ticket(self, request: DropTicket) -> DroppedTicket:
        self._called("drop_ticket")
        return DroppedTicket(dropped=self.memory.tickets.pop(request.ticket_sha256, None) is not None)

    async def read_session(self, request: ReadSession) -> SignedIn:
        self._called("read_session")
        if request.session.session_sha256 not in self.memory.sessions:
            raise DomainError(ErrorCode.unauthorized, "There is no such session.")
        return SignedIn(
            company="contoso",
            employee_id=EMPLOYEE,
            login_name="anna@contoso.com",
            email="anna@contoso.com",
            given_name="Anna <b>",
            family_name="Ærø",
            roles=["approver"],
            signed_in_at=NOW,
            expires_at=NOW + timedelta(days=1),
        )

    async def watch_endings(self, request: WatchEndings) -> Endings:
        self.memory.calls["watch_endings"] += 1
        if not request.cursor:
            return Endings(cursor="1", missed=True, listening=True)
        if self.memory.watch_fails:
            await asyncio.sleep(0)
            raise DomainError(ErrorCode.unavailable, "as the test wants it")
        return Endings(cursor="1", listening=True, endings=await self.memory.endings.get())

    async def end_session(self, request: EndSession) -> EndedSession:
        self._called("end_session")
        ended = request.session.session_sha256 in self.memory.sessions
        self.memory.sessions.discard(request.session.session_sha256)
        if not (ended and request.at_idp):
            return EndedSession(ended=ended)
        attempt = self.memory.attempts[-1]
        idp_session = IdpSession(
            connection=self._connection("contoso"),
            name_id=attempt.name_id,
            name_id_format=attempt.name_id_format,
            session_index=attempt.session_index,
        )
        return EndedSession(ended=True, idp_session=idp_session)

    async def list_own_sessions(self, request: ListOwnSessions) -> OwnSessions:
        self._called("list_own_sessions")
        if request.session.session_sha256 not in self.memory.sessions:
            raise DomainError(ErrorCode.unauthorized, "There is no such session.")
        listed = [
            a_session("a" * 32, current=True),
            a_session("b" * 32),
            a_session("c" * 32, "mobile-app"),
            a_session("d" * 32, "<i>"),
        ]
        return OwnSessions(company="contoso", sessions=listed, more=False)

    async def end_own_sessions(self, request: EndOwnSessions) -> EndedOwnSessions:
        """The one that asks is `ses_aaa…`."""
        self._called("end_own_sessions")
        if request.session.session_sha256 not in self.memory.sessions:
            raise DomainError(ErrorCode.unauthorized, "There is no such session.")
        self.memory.ended.append(request.session_id)
        current = request.session_id == "ses_" + "a" * 32
        if current:
            self.memory.sessions.discard(request.session.session_sha256)
        return EndedOwnSessions(company="contoso", ended=3 if request.session_id is None else 1, current=current)

    async def end_idp_session(self, request: EndIdpSession) -> EndedIdpSession:
        """All sessions are those of the one person it knows."""
        self._called("end_idp_session")
        if self.memory.refuse_logout:
            return EndedIdpSession(accepted=False, reason=self.memory.refuse_logout)
        self.memory.logouts.append(request)
        ended = len(self.memory.sessions)
        self.memory.sessions.clear()
        return EndedIdpSession(accepted=True, sessions=ended, found_by="session_index" if ended else "nothing")

    # What apps hold: enough of it to be asked; whether it ends is directory's own tests' matter.

    async def issue_code(self, request: IssueCode) -> IssuedCode:
        self._called("issue_code")
        if request.session.session_sha256 not in self.memory.sessions:
            return IssuedCode(reason="no_session")
        self.memory.codes[request.code_sha256] = request
        return IssuedCode(company="contoso", employee_id=EMPLOYEE)

    async def redeem_code(self, request: RedeemCode) -> Granted:
        self._called("redeem_code")
        asked = self.memory.codes.pop(request.code_sha256, None)
        if asked is None or asked.code_challenge != request.code_challenge:
            return Granted(reason="unknown")
        grant = a_grant(asked.client_id, asked.scopes, asked.nonce)
        self.memory.grants[request.refresh_sha256 or ""] = grant
        return Granted(grant=grant)

    async def refresh_grant(self, request: RefreshGrant) -> Granted:
        self._called("refresh_grant")
        grant = self.memory.grants.pop(request.refresh_sha256, None)
        if grant is None:
            return Granted(reason="reused")
        self.memory.grants[request.successors[0]] = grant
        return Granted(grant=grant)

    async def read_grant(self, request: ReadGrant) -> Grant:
        self._called("read_grant")
        for refresh_sha256, grant in self.memory.grants.items():
            if request.credential.grant_id or request.credential.refresh_sha256 == refresh_sha256:
                return grant
        raise DomainError(ErrorCode.unauthorized, "There is no such grant.")

    async def end_grant(self, request: EndGrant) -> EndedGrant:
        self._called("end_grant")
        ended = bool(self.memory.grants)
        self.memory.grants.clear()
        return EndedGrant(ended=ended)


def a_session(session_id: str, client_id: str | None = None, *, current: bool = False) -> ListedSession:
    return ListedSession(
        session_id=f"ses_{session_id}",
        client_id=client_id,
        signed_in_at=NOW,
        seen_at=NOW + timedelta(minutes=5) if client_id else None,
        expires_at=NOW + timedelta(days=1),
        current=current,
    )


def a_grant(client_id: str = "mobile-app", scopes: list[str] | None = None, nonce: str | None = None) -> Grant:
    return Grant(
        grant_id="a" * 32,
        session_id="b" * 32,
        client_id=client_id,
        scopes=scopes or ["openid"],
        nonce=nonce,
        authenticated_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(days=1),
        user=AppUser(
            company="contoso",
            employee_id=EMPLOYEE,
            login_name="anna@contoso.com",
            email="anna@contoso.com",
            given_name="Anna <b>",
            family_name="Ærø",
            roles=["approver"],
        ),
    )
