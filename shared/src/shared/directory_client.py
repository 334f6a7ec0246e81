"""The one client of directory's internal API: a typed coroutine per operation.

Refusals come back as the `DomainError` that directory raised. When directory cannot be reached or answers nonsense, that is
`DomainError(unavailable)`: the edges answer 503 and nothing is half done, for each operation is one transaction over there.
"""

from types import TracebackType
from typing import Self, TypeVar

import aiohttp
import msgspec

from shared.errors import DomainError, ErrorCode
from shared.http.problem import read_problem
from shared.operations import (
    ADD_CERTIFICATES,
    BEGIN_LOGIN,
    BLOCK_ACCESS,
    CHANGE_EMPLOYEE,
    CHANGE_GROUP,
    CHECK_CREDENTIAL,
    CLAIM_METADATA_LOOKS,
    COMPLETE_LOGIN,
    CONFIRM_ADOPTION,
    CONFIRM_CLEARED,
    CREATE_EMPLOYEE,
    CREATE_GROUP,
    DECIDE_REHIRE,
    DROP_TICKET,
    EDIT_EMPLOYEE,
    END_EMPLOYMENT,
    END_GRANT,
    END_IDP_SESSION,
    END_OWN_SESSIONS,
    END_SESSION,
    END_SESSIONS,
    EXPLAIN_APPROVERS,
    FIND_COMPANIES,
    FIND_EMPLOYEES,
    FIND_FEDERATION,
    FIND_GROUPS,
    FINISH_WORK,
    GET_CONNECTION,
    GET_EMPLOYEE,
    GET_EMPLOYEE_AS_OF,
    GET_EXCHANGE,
    GET_GROUP,
    GET_LOGIN,
    GRANT_ROLE,
    ISSUE_CODE,
    LIST_APPROVAL_PROBLEMS,
    LIST_CERTIFICATES,
    LIST_EXCHANGES,
    LIST_FINDINGS,
    LIST_HELD_CHANGES,
    LIST_LOGINS,
    LIST_OWN_SESSIONS,
    LIST_SESSIONS,
    LIST_UNASKED,
    NOTE_EXCHANGES,
    NOTE_FAILED_LOOK,
    NOTE_MAPPING,
    NOTE_REFUSALS,
    OFFER_CERTIFICATES,
    OPEN_SESSION,
    PREVIEW_FOLLOWING,
    PROVISION_EMPLOYEE,
    READ_EMPLOYEE_HISTORY,
    READ_GRANT,
    READ_PROVISIONING,
    READ_SESSION,
    REDEEM_ASSERTION,
    REDEEM_CODE,
    REDEEM_SECRET,
    REFRESH_GRANT,
    REFUSE_HELD_CHANGES,
    RELEASE_ATTRIBUTE,
    RELEASE_HELD_CHANGES,
    REMOVE_CERTIFICATE,
    REMOVE_EMPLOYEE,
    REMOVE_GROUP,
    REPLAY_EXCHANGE,
    REVOKE_ROLE,
    SET_ONLY_DIRECT_APPROVER,
    WATCH_ENDINGS,
    WORK_LIST,
    Operation,
)
from shared.schemas import (
    Schema,
    approvers,
    brake,
    employee,
    group,
    history,
    journal,
    login,
    metadata,
    oauth,
    oidc,
    people,
    provisioning_report,
    sessions,
    signing,
    traces,
)
from shared.telemetry import metrics
from shared.telemetry.tracing import client_span

RequestT = TypeVar("RequestT", bound=Schema)
AnswerT = TypeVar("AnswerT", bound=Schema)

_encoder = msgspec.json.Encoder()


def _as_seen_here(error: DomainError) -> DomainError:
    # Our own credential is wrong: nobody outside can mend that. A 401 would make Entra give a whole company up.
    if error.code is ErrorCode.wrong_caller:
        return DomainError(ErrorCode.unavailable, "The directory does not accept this service; its operator must look.")
    return error


class DirectoryClient:
    """Opened once per process (`async with`), used by every request.

    `timeout_s` bounds each call as a whole. Nothing is retried here: Entra and browsers retry, and know when.
    """

    def __init__(self, url: str, secret: str, *, timeout_s: float = 15.0, connections: int = 100) -> None:
        self._url = url.rstrip("/")
        self._headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, connect=3.0)
        self._connections = connections
        self._decoders: dict[str, msgspec.json.Decoder[Schema]] = {}
        self._session: aiohttp.ClientSession | None = None
        self._listening: aiohttp.ClientSession | None = None
        """One connection and so, of several processes of directory, one: a cursor means something to that one alone."""

    async def __aenter__(self) -> Self:
        self._session = self._new_session(self._connections)
        self._listening = self._new_session(1)
        return self

    def _new_session(self, connections: int) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(limit=connections, keepalive_timeout=60.0)
        return aiohttp.ClientSession(
            connector=connector, timeout=self._timeout, cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self._session, self._listening):
            if session is not None:
                await session.close()

    async def is_ready(self) -> bool:
        """Whether directory can serve, and accepts this service's credential; for the edges' readiness."""
        assert self._session is not None  # noqa: S101
        try:
            async with self._session.get(
                f"{self._url}/ready", headers=self._headers, timeout=aiohttp.ClientTimeout(total=2.0)
            ) as answer:
                return answer.status == 200
        except (aiohttp.ClientError, TimeoutError):
            return False

    async def _call(self, operation: Operation[RequestT, AnswerT], request: RequestT) -> AnswerT:
        session = self._listening if operation.waits else self._session
        assert session is not None, "open the client with `async with`"  # noqa: S101
        with client_span(f"directory {operation.name}") as headers, metrics.http_client_call(operation.name) as call:
            try:
                async with session.post(
                    self._url + operation.path, data=_encoder.encode(request), headers={**self._headers, **headers}
                ) as answer:
                    body = await answer.read()
                    call.status = answer.status
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                raise DomainError(ErrorCode.unavailable, "The directory cannot be reached; try again.") from error
            if answer.status != 200:
                raise _as_seen_here(read_problem(answer.status, body))
            return self._decode(operation, body)

    def _decode(self, operation: Operation[RequestT, AnswerT], body: bytes) -> AnswerT:
        decoder = self._decoders.get(operation.path)
        if decoder is None:
            decoder = self._decoders[operation.path] = msgspec.json.Decoder(operation.answer)
        try:
            return decoder.decode(body)  # type: ignore[return-value]
        except msgspec.DecodeError as error:
            raise DomainError(ErrorCode.unavailable, "The directory gave an answer that does not fit.") from error

    # Provisioning: called by scim-ingest with the hash of the token it was given.

    async def check_credential(self, request: employee.CheckCredential) -> employee.CompanyProvisioning:
        return await self._call(CHECK_CREDENTIAL, request)

    async def provision_employee(self, request: employee.ProvisionEmployee) -> employee.Provisioned:
        return await self._call(PROVISION_EMPLOYEE, request)

    async def note_mapping(self, request: employee.NoteMapping) -> employee.NotedMapping:
        return await self._call(NOTE_MAPPING, request)

    async def get_employee(self, request: employee.GetEmployee) -> employee.Employee:
        return await self._call(GET_EMPLOYEE, request)

    async def find_employees(self, request: employee.FindEmployees) -> employee.EmployeePage:
        return await self._call(FIND_EMPLOYEES, request)

    async def change_employee(self, request: employee.ChangeEmployee) -> employee.Changed:
        return await self._call(CHANGE_EMPLOYEE, request)

    async def remove_employee(self, request: employee.RemoveEmployee) -> employee.Removed:
        return await self._call(REMOVE_EMPLOYEE, request)

    async def create_group(self, request: group.CreateGroup) -> group.GroupWritten:
        return await self._call(CREATE_GROUP, request)

    async def get_group(self, request: group.GetGroup) -> group.Group:
        return await self._call(GET_GROUP, request)

    async def find_groups(self, request: group.FindGroups) -> group.GroupPage:
        return await self._call(FIND_GROUPS, request)

    async def change_group(self, request: group.ChangeGroup) -> group.GroupWritten:
        return await self._call(CHANGE_GROUP, request)

    async def remove_group(self, request: group.RemoveGroup) -> group.GroupRemoved:
        return await self._call(REMOVE_GROUP, request)

    async def note_exchanges(self, request: journal.NoteExchanges) -> journal.NotedExchanges:
        return await self._call(NOTE_EXCHANGES, request)

    # Access tokens: called by scim-ingest's token endpoint.

    async def redeem_secret(self, request: oauth.RedeemSecret) -> oauth.AccessTokenIssued:
        return await self._call(REDEEM_SECRET, request)

    async def find_federation(self, request: oauth.FindFederation) -> oauth.FoundFederation:
        return await self._call(FIND_FEDERATION, request)

    async def redeem_assertion(self, request: oauth.RedeemAssertion) -> oauth.AccessTokenIssued:
        return await self._call(REDEEM_ASSERTION, request)

    # Logins: called by sso-gateway.

    async def get_connection(self, request: login.GetConnection) -> login.Connection:
        return await self._call(GET_CONNECTION, request)

    async def offer_certificates(self, request: metadata.OfferCertificates) -> metadata.OfferedCertificates:
        return await self._call(OFFER_CERTIFICATES, request)

    async def claim_metadata_looks(self, request: metadata.ClaimMetadataLooks) -> metadata.ClaimedMetadataLooks:
        return await self._call(CLAIM_METADATA_LOOKS, request)

    async def note_failed_look(self, request: metadata.NoteFailedLook) -> metadata.NotedLook:
        return await self._call(NOTE_FAILED_LOOK, request)

    async def find_companies(self, request: login.FindCompanies) -> login.CompaniesFound:
        return await self._call(FIND_COMPANIES, request)

    async def begin_login(self, request: login.BeginLogin) -> login.BegunLogin:
        return await self._call(BEGIN_LOGIN, request)

    async def complete_login(self, request: login.LoginAttempt) -> login.LoginOutcome:
        return await self._call(COMPLETE_LOGIN, request)

    async def note_refusals(self, request: traces.NoteRefusals) -> traces.NotedRefusals:
        return await self._call(NOTE_REFUSALS, request)

    async def open_session(self, request: login.OpenSession) -> login.OpenedSession:
        return await self._call(OPEN_SESSION, request)

    async def drop_ticket(self, request: login.DropTicket) -> login.DroppedTicket:
        return await self._call(DROP_TICKET, request)

    async def read_session(self, request: login.ReadSession) -> login.SignedIn:
        return await self._call(READ_SESSION, request)

    async def watch_endings(self, request: login.WatchEndings) -> login.Endings:
        return await self._call(WATCH_ENDINGS, request)

    async def end_session(self, request: login.EndSession) -> login.EndedSession:
        return await self._call(END_SESSION, request)

    async def list_own_sessions(self, request: sessions.ListOwnSessions) -> sessions.OwnSessions:
        return await self._call(LIST_OWN_SESSIONS, request)

    async def end_own_sessions(self, request: sessions.EndOwnSessions) -> sessions.EndedOwnSessions:
        return await self._call(END_OWN_SESSIONS, request)

    async def end_idp_session(self, request: login.EndIdpSession) -> login.EndedIdpSession:
        return await self._call(END_IDP_SESSION, request)

    # Apps of the OpenID Provider.

    async def issue_code(self, request: oidc.IssueCode) -> oidc.IssuedCode:
        return await self._call(ISSUE_CODE, request)

    async def redeem_code(self, request: oidc.RedeemCode) -> oidc.Granted:
        return await self._call(REDEEM_CODE, request)

    async def refresh_grant(self, request: oidc.RefreshGrant) -> oidc.Granted:
        return await self._call(REFRESH_GRANT, request)

    async def read_grant(self, request: oidc.ReadGrant) -> oidc.Grant:
        return await self._call(READ_GRANT, request)

    async def end_grant(self, request: oidc.EndGrant) -> oidc.EndedGrant:
        return await self._call(END_GRANT, request)

    # Setup admin: called by sso-gateway with the admin's session.

    async def list_sessions(self, request: sessions.ListSessions) -> sessions.SessionList:
        return await self._call(LIST_SESSIONS, request)

    async def end_sessions(self, request: sessions.EndSessions) -> sessions.EndedSessions:
        return await self._call(END_SESSIONS, request)

    async def list_certificates(self, request: signing.ListCertificates) -> signing.CertificateList:
        return await self._call(LIST_CERTIFICATES, request)

    async def add_certificates(self, request: signing.AddCertificates) -> signing.CertificatesAdded:
        return await self._call(ADD_CERTIFICATES, request)

    async def remove_certificate(self, request: signing.RemoveCertificate) -> signing.CertificateRemoved:
        return await self._call(REMOVE_CERTIFICATE, request)

    async def list_held_changes(self, request: brake.ListHeldChanges) -> brake.HeldChanges:
        return await self._call(LIST_HELD_CHANGES, request)

    async def release_held_changes(self, request: brake.ReleaseHeldChanges) -> brake.ReleasedHeldChanges:
        return await self._call(RELEASE_HELD_CHANGES, request)

    async def refuse_held_changes(self, request: brake.RefuseHeldChanges) -> brake.RefusedHeldChanges:
        return await self._call(REFUSE_HELD_CHANGES, request)

    async def create_employee(self, request: people.CreatePerson) -> people.PersonView:
        return await self._call(CREATE_EMPLOYEE, request)

    async def edit_employee(self, request: people.EditEmployee) -> people.PersonView:
        return await self._call(EDIT_EMPLOYEE, request)

    async def end_employment(self, request: people.EndEmployment) -> people.PersonView:
        return await self._call(END_EMPLOYMENT, request)

    async def block_access(self, request: people.BlockAccess) -> people.PersonView:
        return await self._call(BLOCK_ACCESS, request)

    async def decide_rehire(self, request: people.DecideRehire) -> people.PersonView:
        return await self._call(DECIDE_REHIRE, request)

    async def confirm_adoption(self, request: people.ConfirmAdoption) -> people.PersonView:
        return await self._call(CONFIRM_ADOPTION, request)

    async def confirm_cleared(self, request: people.ConfirmCleared) -> people.PersonView:
        return await self._call(CONFIRM_CLEARED, request)

    async def release_attribute(self, request: people.ReleaseAttribute) -> people.ReleasedAttribute:
        return await self._call(RELEASE_ATTRIBUTE, request)

    async def list_findings(self, request: people.ListFindings) -> people.FindingList:
        return await self._call(LIST_FINDINGS, request)

    async def work_list(self, request: people.WorkList) -> people.WorkItems:
        return await self._call(WORK_LIST, request)

    async def finish_work(self, request: people.FinishWork) -> people.PersonView:
        return await self._call(FINISH_WORK, request)

    async def read_provisioning(
        self, request: provisioning_report.ReadProvisioning
    ) -> provisioning_report.ProvisioningReport:
        return await self._call(READ_PROVISIONING, request)

    async def list_unasked(self, request: provisioning_report.ListUnasked) -> provisioning_report.UnaskedPeople:
        return await self._call(LIST_UNASKED, request)

    # The history, for a Setup admin: called by sso-gateway with his session.

    async def get_employee_as_of(self, request: history.EmployeeAsOf) -> history.EmployeeView:
        return await self._call(GET_EMPLOYEE_AS_OF, request)

    async def read_employee_history(self, request: history.EmployeeHistory) -> history.HistoryPage:
        return await self._call(READ_EMPLOYEE_HISTORY, request)

    async def explain_approvers(self, request: approvers.ExplainApprovers) -> approvers.ExplainedApprovers:
        return await self._call(EXPLAIN_APPROVERS, request)

    async def list_approval_problems(self, request: approvers.ListApprovalProblems) -> approvers.ApprovalProblems:
        return await self._call(LIST_APPROVAL_PROBLEMS, request)

    async def preview_following(self, request: approvers.PreviewFollowing) -> approvers.FollowingPreview:
        return await self._call(PREVIEW_FOLLOWING, request)

    async def grant_role(self, request: approvers.ChangeRole) -> approvers.Roles:
        return await self._call(GRANT_ROLE, request)

    async def revoke_role(self, request: approvers.ChangeRole) -> approvers.Roles:
        return await self._call(REVOKE_ROLE, request)

    async def set_only_direct_approver(self, request: approvers.SetOnlyDirectApprover) -> approvers.Roles:
        return await self._call(SET_ONLY_DIRECT_APPROVER, request)

    async def list_logins(self, request: traces.ListLogins) -> traces.LoginPage:
        return await self._call(LIST_LOGINS, request)

    async def get_login(self, request: traces.GetLogin) -> traces.LoginTrace:
        return await self._call(GET_LOGIN, request)

    async def list_exchanges(self, request: journal.ListExchanges) -> journal.JournalPage:
        return await self._call(LIST_EXCHANGES, request)

    async def get_exchange(self, request: journal.GetExchange) -> journal.WholeExchange:
        return await self._call(GET_EXCHANGE, request)

    async def replay_exchange(self, request: journal.ReplayExchange) -> journal.Replayed:
        return await self._call(REPLAY_EXCHANGE, request)
