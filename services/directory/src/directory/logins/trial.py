"""What a sign-in in test mode tells: how it would have been decided, and by what. Pure; nobody is let in by it.

It tells whoever proved himself about himself: of another person, whom a name in his answer may mean as well, it tells nothing.
"""

from collections.abc import Sequence

from directory.logins.decision import Accepted, Decision, LoginPolicy, Person
from directory.logins.names import differences, names_of
from directory.traces.steps import by_what
from shared.ids import employee_text
from shared.schemas.login import LoginAttempt, TriedGroup, TriedLogin

_OUTSIDE: dict[str, TriedGroup] = {"not_in_company_group": "not_in_it", "groups_overage": "too_many"}


def tried(attempt: LoginAttempt, decision: Decision, policy: LoginPolicy, people: Sequence[Person]) -> TriedLogin:
    """`policy`: the company's as it is, though a test is decided as if SSO were on."""
    accepted = isinstance(decision, Accepted)
    reason = None if isinstance(decision, Accepted) else decision.reason
    person = next((one for one in people if one.employee_id == decision.employee_id), None)
    if person is None:
        return TriedLogin(accepted=accepted, reason=reason, sso_enabled=policy.sso_enabled)
    found = by_what(attempt, person)
    return TriedLogin(
        accepted=accepted,
        reason=reason,
        sso_enabled=policy.sso_enabled,
        employee_id=employee_text(person.employee_id),
        login_name=person.login_key,
        email=person.email_key,
        by=found["by"],
        claim=found.get("claim"),
        would_link=isinstance(decision, Accepted) and decision.link,
        differs=[one.value for one in differences(names_of(attempt), person.login_key, person.email_key)],
        group=decision.group_source if isinstance(decision, Accepted) else _OUTSIDE.get(decision.reason),
    )
