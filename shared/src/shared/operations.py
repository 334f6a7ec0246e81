"""Every internal operation of directory, declared once.

The declaration decodes the request in directory, types the coroutine in `DirectoryClient` and generates
`docs/openapi.json`. Each is `POST {path}` with one JSON body and one JSON answer, problem+json when refused.
"""

from collections.abc import Iterator
from typing import Generic, Literal, TypeVar

from shared.errors import ErrorCode
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

Caller = Literal["scim-ingest", "sso-gateway"]
RequestT = TypeVar("RequestT", bound=Schema)
AnswerT = TypeVar("AnswerT", bound=Schema)

_REGISTRY: "list[Operation[Schema, Schema]]" = []


class Operation(Generic[RequestT, AnswerT]):
    """One verb of directory: who may call it, what goes in, what comes out, which refusals are expected."""

    def __init__(
        self,
        path: str,
        request: type[RequestT],
        answer: type[AnswerT],
        *,
        caller: Caller,
        summary: str,
        refusals: tuple[ErrorCode, ...] = (),
        waits: bool = False,
    ) -> None:
        self.path = path
        self.request = request
        self.answer = answer
        self.caller = caller
        self.summary = summary
        self.refusals = refusals
        self.waits = waits
        """It is answered when something happens, and has a connection of its own."""
        self.name = path.rsplit("/", 1)[-1]
        _REGISTRY.append(self)  # type: ignore[arg-type]


def operations() -> "Iterator[Operation[Schema, Schema]]":
    return iter(_REGISTRY)


_TOKEN_REFUSALS = (ErrorCode.unauthorized, ErrorCode.not_allowed)
_TAKEN = (ErrorCode.login_taken, ErrorCode.email_taken, ErrorCode.external_id_taken)
_GROUP_REFUSALS = (
    ErrorCode.already_exists,
    ErrorCode.external_id_taken,
    ErrorCode.invalid_value,
    ErrorCode.not_conformant,
)

CHECK_CREDENTIAL = Operation(
    "/provisioning/check_credential",
    employee.CheckCredential,
    employee.CompanyProvisioning,
    caller="scim-ingest",
    summary="Whether a SCIM token belongs to the company in the path",
    refusals=_TOKEN_REFUSALS,
)
PROVISION_EMPLOYEE = Operation(
    "/provisioning/provision_employee",
    employee.ProvisionEmployee,
    employee.Provisioned,
    caller="scim-ingest",
    summary="Create, adopt or reactivate an employee (decision D1)",
    refusals=(
        *_TOKEN_REFUSALS,
        *_TAKEN,
        ErrorCode.invalid_value,
        ErrorCode.needs_confirmation,
        ErrorCode.held,
        ErrorCode.not_conformant,
    ),
)
NOTE_MAPPING = Operation(
    "/provisioning/note_mapping",
    employee.NoteMapping,
    employee.NotedMapping,
    caller="scim-ingest",
    summary="Entra's request lacked mandatory attributes: a finding for the company (S24)",
    refusals=_TOKEN_REFUSALS,
)
GET_EMPLOYEE = Operation(
    "/provisioning/get_employee",
    employee.GetEmployee,
    employee.Employee,
    caller="scim-ingest",
    summary="One employee who has not departed",
    refusals=(*_TOKEN_REFUSALS, ErrorCode.not_found),
)
FIND_EMPLOYEES = Operation(
    "/provisioning/find_employees",
    employee.FindEmployees,
    employee.EmployeePage,
    caller="scim-ingest",
    summary="Employees that meet a condition, sorted, a page of them",
    refusals=_TOKEN_REFUSALS,
)
CHANGE_EMPLOYEE = Operation(
    "/provisioning/change_employee",
    employee.ChangeEmployee,
    employee.Changed,
    caller="scim-ingest",
    summary="Change, suspend or resume an employee, all or nothing",
    refusals=(
        *_TOKEN_REFUSALS,
        *_TAKEN,
        ErrorCode.invalid_value,
        ErrorCode.not_found,
        ErrorCode.version_differs,
        ErrorCode.held,
        ErrorCode.not_conformant,
    ),
)
REMOVE_EMPLOYEE = Operation(
    "/provisioning/remove_employee",
    employee.RemoveEmployee,
    employee.Removed,
    caller="scim-ingest",
    summary="Hard delete: end of employment today, login name and e-mail released",
    refusals=(*_TOKEN_REFUSALS, ErrorCode.not_found, ErrorCode.version_differs, ErrorCode.held),
)

CREATE_GROUP = Operation(
    "/provisioning/create_group",
    group.CreateGroup,
    group.GroupWritten,
    caller="scim-ingest",
    summary="Create a group, with members or without",
    refusals=(*_TOKEN_REFUSALS, *_GROUP_REFUSALS),
)
GET_GROUP = Operation(
    "/provisioning/get_group",
    group.GetGroup,
    group.Group,
    caller="scim-ingest",
    summary="One group; its members only where they are asked for",
    refusals=(*_TOKEN_REFUSALS, ErrorCode.not_found),
)
FIND_GROUPS = Operation(
    "/provisioning/find_groups",
    group.FindGroups,
    group.GroupPage,
    caller="scim-ingest",
    summary="Groups that meet a condition, sorted, a page of them",
    refusals=_TOKEN_REFUSALS,
)
CHANGE_GROUP = Operation(
    "/provisioning/change_group",
    group.ChangeGroup,
    group.GroupWritten,
    caller="scim-ingest",
    summary="Rename a group, add and take out members, all or nothing",
    refusals=(*_TOKEN_REFUSALS, *_GROUP_REFUSALS, ErrorCode.not_found, ErrorCode.version_differs),
)
REMOVE_GROUP = Operation(
    "/provisioning/remove_group",
    group.RemoveGroup,
    group.GroupRemoved,
    caller="scim-ingest",
    summary="Delete a group; its members stay who they are",
    refusals=(*_TOKEN_REFUSALS, ErrorCode.not_found, ErrorCode.version_differs),
)

REDEEM_SECRET = Operation(
    "/provisioning/redeem_secret",
    oauth.RedeemSecret,
    oauth.AccessTokenIssued,
    caller="scim-ingest",
    summary="An access token for a secret of the company's OAuth client",
    refusals=(ErrorCode.unauthorized,),
)
FIND_FEDERATION = Operation(
    "/provisioning/find_federation",
    oauth.FindFederation,
    oauth.FoundFederation,
    caller="scim-ingest",
    summary="Whether the company trusts an issuer, audience and subject, whose assertion is still to be proven",
    refusals=(ErrorCode.unauthorized,),
)
REDEEM_ASSERTION = Operation(
    "/provisioning/redeem_assertion",
    oauth.RedeemAssertion,
    oauth.AccessTokenIssued,
    caller="scim-ingest",
    summary="An access token for a proven assertion of a federation that the company trusts",
    refusals=(ErrorCode.unauthorized,),
)

NOTE_EXCHANGES = Operation(
    "/provisioning/note_exchanges",
    journal.NoteExchanges,
    journal.NotedExchanges,
    caller="scim-ingest",
    summary="What was answered lately, into the journals of the companies whose tokens came with it",
)

GET_CONNECTION = Operation(
    "/logins/get_connection",
    login.GetConnection,
    login.Connection,
    caller="sso-gateway",
    summary="How a company signs on",
    refusals=(ErrorCode.not_found,),
)
FIND_COMPANIES = Operation(
    "/logins/find_companies",
    login.FindCompanies,
    login.CompaniesFound,
    caller="sso-gateway",
    summary="The companies that claim an address' domain",
)
BEGIN_LOGIN = Operation(
    "/logins/begin_login",
    login.BeginLogin,
    login.BegunLogin,
    caller="sso-gateway",
    summary="Remember that a browser was sent to Entra",
    refusals=(ErrorCode.not_found, ErrorCode.not_allowed),
)
COMPLETE_LOGIN = Operation(
    "/logins/complete_login",
    login.LoginAttempt,
    login.LoginOutcome,
    caller="sso-gateway",
    summary="Decide on a verified assertion; accepted ones leave a ticket",
    refusals=(ErrorCode.not_found,),
)
NOTE_REFUSALS = Operation(
    "/logins/note_refusals",
    traces.NoteRefusals,
    traces.NotedRefusals,
    caller="sso-gateway",
    summary="Answers that the gateway refused by itself lately, into the traces of the companies they were for",
)
OPEN_SESSION = Operation(
    "/logins/open_session",
    login.OpenSession,
    login.OpenedSession,
    caller="sso-gateway",
    summary="Redeem a ticket once, for a session in the browser that began the login",
)
DROP_TICKET = Operation(
    "/logins/drop_ticket",
    login.DropTicket,
    login.DroppedTicket,
    caller="sso-gateway",
    summary="Whoever proved somebody else's identity goes on as who he is",
)
READ_SESSION = Operation(
    "/logins/read_session",
    login.ReadSession,
    login.SignedIn,
    caller="sso-gateway",
    summary="Whose session it is",
    refusals=(ErrorCode.unauthorized,),
)
WATCH_ENDINGS = Operation(
    "/logins/watch_endings",
    login.WatchEndings,
    login.Endings,
    caller="sso-gateway",
    summary="Wait until sessions end, of whatever company, and hear whose",
    waits=True,
)
END_SESSION = Operation(
    "/logins/end_session",
    login.EndSession,
    login.EndedSession,
    caller="sso-gateway",
    summary="End one session",
)
LIST_OWN_SESSIONS = Operation(
    "/logins/list_own_sessions",
    sessions.ListOwnSessions,
    sessions.OwnSessions,
    caller="sso-gateway",
    summary="Where else whoever asks is signed in: in browsers, and apps by themselves",
    refusals=(ErrorCode.unauthorized,),
)
END_OWN_SESSIONS = Operation(
    "/logins/end_own_sessions",
    sessions.EndOwnSessions,
    sessions.EndedOwnSessions,
    caller="sso-gateway",
    summary="End one of one's own sessions, or all but the one that asks",
    refusals=(ErrorCode.unauthorized, ErrorCode.unavailable),
)
END_IDP_SESSION = Operation(
    "/logins/end_idp_session",
    login.EndIdpSession,
    login.EndedIdpSession,
    caller="sso-gateway",
    summary="Somebody signed out at the identity provider: end the sessions that came of it",
    refusals=(ErrorCode.not_found, ErrorCode.unavailable),
)

ISSUE_CODE = Operation(
    "/logins/issue_code",
    oidc.IssueCode,
    oidc.IssuedCode,
    caller="sso-gateway",
    summary="An authorization code for an app, on behalf of whoever is signed in in this browser",
)
REDEEM_CODE = Operation(
    "/logins/redeem_code",
    oidc.RedeemCode,
    oidc.Granted,
    caller="sso-gateway",
    summary="A code for what it stands for, once; a second time ends what the first was given",
    refusals=(ErrorCode.unavailable,),
)
REFRESH_GRANT = Operation(
    "/logins/refresh_grant",
    oidc.RefreshGrant,
    oidc.Granted,
    caller="sso-gateway",
    summary="A refresh token for the next one; one that was used before ends all that came of it",
    refusals=(ErrorCode.unavailable,),
)
READ_GRANT = Operation(
    "/logins/read_grant",
    oidc.ReadGrant,
    oidc.Grant,
    caller="sso-gateway",
    summary="Whether what an app holds is still good, and on whose behalf",
    refusals=(ErrorCode.unauthorized,),
)
END_GRANT = Operation(
    "/logins/end_grant",
    oidc.EndGrant,
    oidc.EndedGrant,
    caller="sso-gateway",
    summary="An app gives back what it holds",
    refusals=(ErrorCode.unavailable,),
)

_SETUP_REFUSALS = (ErrorCode.unauthorized, ErrorCode.not_allowed)

LIST_LOGINS = Operation(
    "/setup/list_logins",
    traces.ListLogins,
    traces.LoginPage,
    caller="sso-gateway",
    summary="Attempts to sign in, newest first, of everybody or of one person",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_request),
)
GET_LOGIN = Operation(
    "/setup/get_login",
    traces.GetLogin,
    traces.LoginTrace,
    caller="sso-gateway",
    summary="One attempt to sign in as a timeline, with its cause and remedy",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
_PERSON_REFUSALS = (*_SETUP_REFUSALS, ErrorCode.not_found, ErrorCode.unavailable)

CREATE_EMPLOYEE = Operation(
    "/setup/create_employee",
    people.CreatePerson,
    people.PersonView,
    caller="sso-gateway",
    summary="HR creates somebody by hand, whom Entra does not know",
    refusals=(*_SETUP_REFUSALS, ErrorCode.unavailable, *_TAKEN, ErrorCode.invalid_value),
)
EDIT_EMPLOYEE = Operation(
    "/setup/edit_employee",
    people.EditEmployee,
    people.PersonView,
    caller="sso-gateway",
    summary="HR changes what is HR's, or what Entra no longer sends",
    refusals=(*_PERSON_REFUSALS, *_TAKEN, ErrorCode.invalid_value),
)
END_EMPLOYMENT = Operation(
    "/setup/end_employment",
    people.EndEmployment,
    people.PersonView,
    caller="sso-gateway",
    summary="End of employment by hand: as a hard delete, with a termination date of HR's choice",
    refusals=(*_PERSON_REFUSALS, ErrorCode.invalid_value),
)
BLOCK_ACCESS = Operation(
    "/setup/block_access",
    people.BlockAccess,
    people.PersonView,
    caller="sso-gateway",
    summary="Take somebody's access away, or give it back, whatever Entra says",
    refusals=_PERSON_REFUSALS,
)
DECIDE_REHIRE = Operation(
    "/setup/decide_rehire",
    people.DecideRehire,
    people.PersonView,
    caller="sso-gateway",
    summary="Somebody returned after a long absence: he continues, or begins a new employment",
    refusals=_PERSON_REFUSALS,
)
CONFIRM_ADOPTION = Operation(
    "/setup/confirm_adoption",
    people.ConfirmAdoption,
    people.PersonView,
    caller="sso-gateway",
    summary="Let Entra take over the account of a Setup admin",
    refusals=_PERSON_REFUSALS,
)
CONFIRM_CLEARED = Operation(
    "/setup/confirm_cleared",
    people.ConfirmCleared,
    people.PersonView,
    caller="sso-gateway",
    summary="Entra seems to have cleared somebody's manager: it has, or the manager stays",
    refusals=_PERSON_REFUSALS,
)
RELEASE_ATTRIBUTE = Operation(
    "/setup/release_attribute",
    people.ReleaseAttribute,
    people.ReleasedAttribute,
    caller="sso-gateway",
    summary="An attribute is no longer mapped in Entra: it is HR's from now on",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_value),
)
LIST_FINDINGS = Operation(
    "/setup/list_findings",
    people.ListFindings,
    people.FindingList,
    caller="sso-gateway",
    summary="What somebody in the company ought to look at",
    refusals=_SETUP_REFUSALS,
)
READ_PROVISIONING = Operation(
    "/setup/read_provisioning",
    provisioning_report.ReadProvisioning,
    provisioning_report.ProvisioningReport,
    caller="sso-gateway",
    summary="How the company's provisioning stands, by its traffic",
    refusals=_SETUP_REFUSALS,
)
LIST_UNASKED = Operation(
    "/setup/list_unasked",
    provisioning_report.ListUnasked,
    provisioning_report.UnaskedPeople,
    caller="sso-gateway",
    summary="Active people whom the last full cycle did not ask about",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_request),
)
WORK_LIST = Operation(
    "/setup/work_list",
    people.WorkList,
    people.WorkItems,
    caller="sso-gateway",
    summary="Who came or went, and what HR has left to do",
    refusals=_SETUP_REFUSALS,
)
FINISH_WORK = Operation(
    "/setup/finish_work",
    people.FinishWork,
    people.PersonView,
    caller="sso-gateway",
    summary="HR has dealt with a leaver's future registrations",
    refusals=_PERSON_REFUSALS,
)
GET_EMPLOYEE_AS_OF = Operation(
    "/setup/get_employee_as_of",
    history.EmployeeAsOf,
    history.EmployeeView,
    caller="sso-gateway",
    summary="An employee as he is, or was at a moment; departed ones too",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
READ_EMPLOYEE_HISTORY = Operation(
    "/setup/read_employee_history",
    history.EmployeeHistory,
    history.HistoryPage,
    caller="sso-gateway",
    summary="What happened to an employee, with who did it and in which request",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
OFFER_CERTIFICATES = Operation(
    "/logins/offer_certificates",
    metadata.OfferCertificates,
    metadata.OfferedCertificates,
    caller="sso-gateway",
    summary="What a company's federation metadata says: new certificates are adopted or told, as the company chose",
    refusals=(ErrorCode.not_found, ErrorCode.invalid_value, ErrorCode.not_allowed, ErrorCode.unavailable),
)
CLAIM_METADATA_LOOKS = Operation(
    "/logins/claim_metadata_looks",
    metadata.ClaimMetadataLooks,
    metadata.ClaimedMetadataLooks,
    caller="sso-gateway",
    summary="Some of the companies whose federation metadata is due, which nobody else is given until they are due again",
    refusals=(ErrorCode.unavailable,),
)
NOTE_FAILED_LOOK = Operation(
    "/logins/note_failed_look",
    metadata.NoteFailedLook,
    metadata.NotedLook,
    caller="sso-gateway",
    summary="Why a company's federation metadata could not be read",
    refusals=(ErrorCode.not_found, ErrorCode.unavailable),
)
LIST_CERTIFICATES = Operation(
    "/setup/list_certificates",
    signing.ListCertificates,
    signing.CertificateList,
    caller="sso-gateway",
    summary="The certificates that sign-on is verified by: staged, in use, retiring",
    refusals=_SETUP_REFUSALS,
)
ADD_CERTIFICATES = Operation(
    "/setup/add_certificates",
    signing.AddCertificates,
    signing.CertificatesAdded,
    caller="sso-gateway",
    summary="Trust what was pasted, beside what is trusted; at once",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_value),
)
REMOVE_CERTIFICATE = Operation(
    "/setup/remove_certificate",
    signing.RemoveCertificate,
    signing.CertificateRemoved,
    caller="sso-gateway",
    summary="Trust a certificate no more; as compromised, with all sessions",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
LIST_SESSIONS = Operation(
    "/setup/list_sessions",
    sessions.ListSessions,
    sessions.SessionList,
    caller="sso-gateway",
    summary="Who is signed in, newest first; everybody or one person",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
END_SESSIONS = Operation(
    "/setup/end_sessions",
    sessions.EndSessions,
    sessions.EndedSessions,
    caller="sso-gateway",
    summary="End one session, or all of a person",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found, ErrorCode.invalid_request, ErrorCode.unavailable),
)
LIST_HELD_CHANGES = Operation(
    "/setup/list_held_changes",
    brake.ListHeldChanges,
    brake.HeldChanges,
    caller="sso-gateway",
    summary="The mass-change brake, and the deactivations that it holds",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_request),
)
RELEASE_HELD_CHANGES = Operation(
    "/setup/release_held_changes",
    brake.ReleaseHeldChanges,
    brake.ReleasedHeldChanges,
    caller="sso-gateway",
    summary="Do what is held, and hold nothing for an hour",
    refusals=_SETUP_REFUSALS,
)
REFUSE_HELD_CHANGES = Operation(
    "/setup/refuse_held_changes",
    brake.RefuseHeldChanges,
    brake.RefusedHeldChanges,
    caller="sso-gateway",
    summary="Do not do what is held, however often Entra asks",
    refusals=_SETUP_REFUSALS,
)

EXPLAIN_APPROVERS = Operation(
    "/setup/explain_approvers",
    approvers.ExplainApprovers,
    approvers.ExplainedApprovers,
    caller="sso-gateway",
    summary="Who approves for an employee and why, and what is wrong with it",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
LIST_APPROVAL_PROBLEMS = Operation(
    "/setup/list_approval_problems",
    approvers.ListApprovalProblems,
    approvers.ApprovalProblems,
    caller="sso-gateway",
    summary="What is wrong with the company's approval, with everybody whom it affects",
    refusals=_SETUP_REFUSALS,
)
PREVIEW_FOLLOWING = Operation(
    "/setup/preview_following",
    approvers.PreviewFollowing,
    approvers.FollowingPreview,
    caller="sso-gateway",
    summary="For whom others would approve if Entra's managers were followed, or no more; changes nothing",
    refusals=_SETUP_REFUSALS,
)
GRANT_ROLE = Operation(
    "/setup/grant_role",
    approvers.ChangeRole,
    approvers.Roles,
    caller="sso-gateway",
    summary="Grant a role; with departments, make somebody approver of these",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found, ErrorCode.invalid_value),
)
REVOKE_ROLE = Operation(
    "/setup/revoke_role",
    approvers.ChangeRole,
    approvers.Roles,
    caller="sso-gateway",
    summary="Take a role away; with departments, these alone",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found, ErrorCode.invalid_value),
)
SET_ONLY_DIRECT_APPROVER = Operation(
    "/setup/set_only_direct_approver",
    approvers.SetOnlyDirectApprover,
    approvers.Roles,
    caller="sso-gateway",
    summary="Whether the direct approver alone approves for an employee",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
LIST_EXCHANGES = Operation(
    "/setup/list_exchanges",
    journal.ListExchanges,
    journal.JournalPage,
    caller="sso-gateway",
    summary="The journal of provisioning, newest first",
    refusals=(*_SETUP_REFUSALS, ErrorCode.invalid_request),
)
GET_EXCHANGE = Operation(
    "/setup/get_exchange",
    journal.GetExchange,
    journal.WholeExchange,
    caller="sso-gateway",
    summary="One exchange with its body and what it changed",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found),
)
REPLAY_EXCHANGE = Operation(
    "/setup/replay_exchange",
    journal.ReplayExchange,
    journal.Replayed,
    caller="sso-gateway",
    summary="What a request would do now, or do it again",
    refusals=(*_SETUP_REFUSALS, ErrorCode.not_found, ErrorCode.invalid_value, ErrorCode.unavailable),
)
