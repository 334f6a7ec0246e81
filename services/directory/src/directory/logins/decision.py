"""May this person sign in; if not, why.

Pure: the proven assertion, the flow it answers, the company's policy and the people it could mean go in; a decision comes
out. Who is it (decision D10): the employee with this Entra object id; failing that, for the first login only, the one who is
linked to nobody yet and whose login name or e-mail the assertion names. Never one of two, never somebody linked to another
object id. A login never creates an employee.

An administrator who has never signed in is not taken over by an e-mail address (A24): his first login must bring his login name
as principal name, or he is confirmed first. → docs/adr/0017-the-first-login-of-an-administrator.md
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from directory.groups.record import CompanyGroup
from directory.logins.names import Difference, Names, differences, names_of
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
    guarded: bool = False
    """An administrator who is linked to no object, whom nobody has confirmed, and whom no move has released (A24)."""


@dataclass(frozen=True, slots=True)
class Membership:
    """A provisioned group that somebody is in."""

    employee_id: EmployeeId
    object_id: UUID | None
    name_key: str


@dataclass(frozen=True, slots=True)
class OpenFinding:
    """Something the company has been told."""

    kind: str
    employee_id: EmployeeId | None
    """By whose login it was opened."""
    last_seen_at: datetime


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
    signer_noted: bool = True
    """That it signs stands there, to the minute."""
    memberships: tuple[Membership, ...] = ()
    """Groups, as provisioned, of the people in question."""
    open_findings: tuple[OpenFinding, ...] = ()
    """What the company has been told of its claims, and is not over."""


MatchedBy = Literal["object_id", "name_id", "name_claim", "email_claim"]
GroupSource = Literal["not_asked", "not_sent", "claim", "provisioned"]
"""What said that he is in the company's group, or why nothing needed to: nobody asks, or the claim was not sent."""


@dataclass(frozen=True, slots=True)
class Accepted:
    employee_id: EmployeeId
    link: bool
    """The object id is to be tied to the employee: his first login."""
    matched_by: MatchedBy = "object_id"
    differences: tuple[Difference, ...] = ()
    group_source: GroupSource = "not_sent"
    guarded: bool = False
    """He is an administrator who was linked to nobody until now."""


@dataclass(frozen=True, slots=True)
class Refused:
    reason: str
    """One of the interfaces' list."""
    employee_id: EmployeeId | None = None
    details: tuple[tuple[str, str], ...] = ()
    """What was wanted and what came, for the trace; shown to nobody outside the company."""
    matched_by: MatchedBy | None = None
    """How he was found who is refused."""


Decision = Accepted | Refused


def decide(
    attempt: LoginAttempt,
    flow: Flow | None,
    *,
    first_time: bool,
    policy: LoginPolicy,
    people: Sequence[Person],
    now: datetime,
) -> Decision:
    """Decide on one attempt.

    `first_time`: the assertion had not been seen before. `people`: everybody whom one of its names, or the object id, could
    mean.
    """
    refusal = _circumstances(attempt, flow, first_time=first_time, policy=policy, now=now)
    if refusal is not None:
        return refusal
    names = names_of(attempt)
    found = _who(attempt, people, names)
    if isinstance(found, Refused):
        return found
    person, by = found
    if person.awaits_rehire:
        return Refused("suspended", person.employee_id, (("waits_for", "HR's choice after his return"),), by)
    if person.state != "active":
        return Refused(person.state, person.employee_id, matched_by=by)
    if person.blocked:
        return Refused("suspended", person.employee_id, (("blocked_by", "HR"),), by)
    source = _group(attempt, policy, person)
    if source == "not_in_company_group" or source == "groups_overage":
        return Refused(source, person.employee_id, matched_by=by)
    if by != "object_id" and person.guarded and person.login_key != names.principal:
        return Refused("needs_confirmation", person.employee_id, (("asks", attempt.object_id),), by)
    told = differences(names, person.login_key, person.email_key)
    return Accepted(person.employee_id, by != "object_id", by, told, source, person.guarded)


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


def _who(attempt: LoginAttempt, people: Sequence[Person], names: Names) -> tuple[Person, MatchedBy] | Refused:
    object_id = UUID(attempt.object_id)
    linked = [person for person in people if person.object_id == object_id]
    present = [person for person in linked if person.state != "departed"]
    if present:
        return present[0], "object_id"
    named = [person for person in people if _named_by(person, names)]
    if not named:
        if linked:
            return Refused("departed", linked[-1].employee_id, matched_by="object_id")
        if names.is_pairwise:
            return Refused("name_id_pairwise", details=(("looked_for", "login name or e-mail of the assertion"),))
        return Refused("no_such_employee", details=(("looked_for", "login name or e-mail of the assertion"),))
    if len(named) > 1:
        # The NameID is one person's login name and the e-mail is another's: neither may win (S89).
        return Refused("matches_username_not_email", details=(("employees", str(len(named))),))
    person, by = named[0], _named_by(named[0], names)
    if person.object_id is not None or by is None:
        return Refused("no_such_employee", details=(("linked_to", "another Entra object id"),))
    return person, by


def _named_by(person: Person, names: Names) -> MatchedBy | None:
    """The first of the assertion's names that is his login name or e-mail."""
    own = {person.login_key, person.email_key} - {None}
    said: tuple[tuple[MatchedBy, str | None], ...] = (
        ("name_id", names.name_id),
        ("name_claim", names.name_claim),
        ("email_claim", names.email_claim),
    )
    return next((by for by, name in said if name in own), None)


def _group(
    attempt: LoginAttempt, policy: LoginPolicy, person: Person
) -> GroupSource | Literal["not_in_company_group", "groups_overage"]:
    """What says that he is in the company's group, or the reason why he is not let in.

    Two sources can say that he is: the assertion's claim, and the group as it was provisioned (decision D12). One yes is
    enough: the claim is left out above 150 groups and may be filtered, and provisioning may be behind by a cycle.
    """
    if policy.group_check == "off":
        return "not_asked"
    if _is_provisioned_member(policy, person):
        return "provisioned"
    if attempt.groups is None:
        if attempt.groups_overage:
            return "groups_overage"
        return "not_sent" if policy.group_check == "when_sent" else "not_in_company_group"
    own = CompanyGroup(policy.group_id, policy.group_name)
    return "claim" if own.is_claimed(attempt.groups) else "not_in_company_group"


def _is_provisioned_member(policy: LoginPolicy, person: Person) -> bool:
    own = CompanyGroup(policy.group_id, policy.group_name)
    return any(
        own.is_it(one.object_id, one.name_key) for one in policy.memberships if one.employee_id == person.employee_id
    )
