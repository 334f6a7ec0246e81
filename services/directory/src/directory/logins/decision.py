"""May this person sign in; if not, why.

Pure: the proven assertion, the flow it answers, the company's policy and the people it could mean go in; a decision comes
out. Who is it (decision D10): the employee with this Entra object id; failing that, for the first login only, the one who is
linked to nobody yet and whose login name or e-mail the assertion names. Never one of two, never somebody linked to another
object id. A login never creates an employee.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from directory.groups.record import CompanyGroup
from shared.ids import EmployeeId
from shared.schemas.login import LoginAttempt


@dataclass(frozen=True, slots=True)
class Flow:
    """A login that we started and that has not been answered yet."""

    browser_sha256: bytes
    return_to: str
    expires_at: datetime
    created_at: datetime | None = None
    origin: str = "page"
    """What the person was at when it began: a page, an app, or a tile whose answer only started a login of ours."""
    is_test: bool = False
    """It shows the decision and lets nobody in."""


@dataclass(frozen=True, slots=True)
class Person:
    """What a login needs to know of an employee."""

    employee_id: EmployeeId
    state: str
    login_key: str | None
    email_key: str | None
    object_id: UUID | None
    blocked: bool = False
    """HR took his access away (A5)."""
    awaits_rehire: bool = False
    """He came back, and HR has not chosen yet what that means (A11)."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A provisioned group that somebody is in."""

    employee_id: EmployeeId
    object_id: UUID | None
    name_key: str


@dataclass(frozen=True, slots=True)
class LoginPolicy:
    """What the company demands of a login."""

    sso_enabled: bool
    idp_initiated: str
    group_check: str
    group_id: UUID | None
    group_name: str | None
    tenant_id: UUID
    signer_trusted: bool
    """The certificate that signed is trusted now; the gateway may have remembered it from before its removal."""
    memberships: tuple[Membership, ...] = ()
    """Groups, as provisioned, of the people in question."""


@dataclass(frozen=True, slots=True)
class Accepted:
    employee_id: EmployeeId
    link: bool
    """The object id is to be tied to the employee: his first login."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str
    """One of the interfaces' list."""
    employee_id: EmployeeId | None = None
    details: tuple[tuple[str, str], ...] = ()
    """What was wanted and what came, for the trace; shown to nobody outside the company."""


Decision = Accepted | Refused


def decide(
    attempt: LoginAttempt,
    flow: Flow | None,
    *,
    first_time: bool,
    policy: LoginPolicy,
    people: Sequence[Person],
    name_keys: frozenset[str],
    mail_keys: frozenset[str],
    now: datetime,
) -> Decision:
    """Decide on one attempt.

    `first_time`: the assertion had not been seen before. `name_keys`: normalised NameID and name claim; `mail_keys`: that
    of the e-mail claim. `people`: everybody whom one of these, or the object id, could mean.
    """
    refusal = _circumstances(attempt, flow, first_time=first_time, policy=policy, now=now)
    if refusal is not None:
        return refusal
    found = _who(attempt, people, name_keys, mail_keys)
    if isinstance(found, Refused):
        return found
    person, link = found
    if person.awaits_rehire:
        return Refused("suspended", person.employee_id, (("waits_for", "HR's choice after his return"),))
    if person.state != "active":
        return Refused(person.state, person.employee_id)
    if person.blocked:
        return Refused("suspended", person.employee_id, (("blocked_by", "HR"),))
    group = _group(attempt, policy, person)
    if group is not None:
        return Refused(group, person.employee_id)
    return Accepted(person.employee_id, link)


def _circumstances(
    attempt: LoginAttempt, flow: Flow | None, *, first_time: bool, policy: LoginPolicy, now: datetime
) -> Refused | None:
    if not policy.sso_enabled:
        return Refused("sso_off")
    if not policy.signer_trusted:
        return Refused("unknown_signer")
    if attempt.expires_at <= now:
        return Refused("expired")
    if attempt.tenant_id != str(policy.tenant_id):
        return Refused("wrong_tenant")
    if not first_time:
        return Refused("replayed")
    if attempt.in_response_to is None:
        # "bounce" never comes this far: the gateway starts a login of our own instead.
        return None if policy.idp_initiated == "true" else Refused("idp_initiated_off")
    return None if flow is not None else Refused("unknown_request")


def _who(
    attempt: LoginAttempt, people: Sequence[Person], name_keys: frozenset[str], mail_keys: frozenset[str]
) -> tuple[Person, bool] | Refused:
    object_id = UUID(attempt.object_id)
    linked = [person for person in people if person.object_id == object_id]
    present = [person for person in linked if person.state != "departed"]
    if present:
        return present[0], False
    keys = name_keys | mail_keys
    named = [person for person in people if person.login_key in keys or person.email_key in keys]
    if not named:
        if linked:
            return Refused("departed", linked[-1].employee_id)
        return Refused("no_such_employee", details=(("looked_for", "login name or e-mail of the assertion"),))
    if len(named) > 1:
        # The NameID is one person's login name and the e-mail is another's: neither may win (S89).
        return Refused("matches_username_not_email", details=(("employees", str(len(named))),))
    person = named[0]
    if person.object_id is not None:
        return Refused("no_such_employee", details=(("linked_to", "another Entra object id"),))
    return person, True


def _group(attempt: LoginAttempt, policy: LoginPolicy, person: Person) -> str | None:
    """Why he is not let in for not being in the company's group; None where he is, or where nobody asks.

    Two sources can say that he is: the assertion's claim, and the group as it was provisioned (decision D12). One yes is
    enough: the claim is left out above 150 groups and may be filtered, and provisioning may be behind by a cycle.
    """
    if policy.group_check == "off" or _is_provisioned_member(policy, person):
        return None
    if attempt.groups is None:
        if attempt.groups_overage:
            return "groups_overage"
        return None if policy.group_check == "when_sent" else "not_in_company_group"
    wanted = {str(policy.group_id) if policy.group_id else "", (policy.group_name or "").casefold()} - {""}
    sent = {group.casefold() for group in attempt.groups}
    return None if wanted & sent else "not_in_company_group"


def _is_provisioned_member(policy: LoginPolicy, person: Person) -> bool:
    own = CompanyGroup(policy.group_id, policy.group_name)
    return any(
        own.is_it(one.object_id, one.name_key) for one in policy.memberships if one.employee_id == person.employee_id
    )
