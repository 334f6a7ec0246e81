"""May this person sign in; if not, why."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from directory.employees.keys import search_key
from directory.logins.decision import Accepted, Decision, Flow, LoginPolicy, Membership, Person, Refused, decide
from shared.ids import new_employee_id
from shared.schemas.login import LoginAttempt

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
TENANT = UUID("11111111-1111-4111-8111-111111111111")
GROUP = UUID("33333333-3333-4333-8333-333333333333")
ANNA = UUID("0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef")

POLICY = LoginPolicy(
    sso_enabled=True,
    idp_initiated="true",
    group_check="when_sent",
    group_id=GROUP,
    group_name="BitaBIZ Contoso",
    tenant_id=TENANT,
    signer_trusted=True,
)
FLOW = Flow(browser_sha256=b"b" * 32, return_to="/", expires_at=NOW + timedelta(minutes=5))
ATTEMPT = LoginAttempt(
    company="contoso",
    ticket_sha256="0" * 64,
    ticket_ttl_s=60,
    in_response_to="_flow",
    assertion_id="_assertion",
    expires_at=NOW + timedelta(hours=1),
    tenant_id=str(TENANT),
    object_id=str(ANNA),
    name_id="anna@contoso.com",
    signer_fingerprint="f" * 64,
)


def person(
    *, login: str = "anna@contoso.com", email: str | None = None, object_id: UUID | None = ANNA, state: str = "active"
) -> Person:
    gone = state == "departed"
    login_key = None if gone else search_key(login)
    email_key = None if gone else search_key(email or login)
    return Person(new_employee_id(), state, login_key, email_key, object_id)


def decided(
    *people: Person,
    attempt: LoginAttempt = ATTEMPT,
    flow: Flow | None = FLOW,
    policy: LoginPolicy = POLICY,
    first_time: bool = True,
) -> Decision:
    return decide(
        attempt,
        flow,
        first_time=first_time,
        policy=policy,
        people=people,
        name_keys=frozenset({search_key(attempt.name_id)}),
        mail_keys=frozenset({search_key(attempt.email_claim)} if attempt.email_claim else ()),
        now=NOW,
    )


def attempt(**changes: object) -> LoginAttempt:
    return msgspec.structs.replace(ATTEMPT, **changes)


def policy(**changes: Any) -> LoginPolicy:
    return replace(POLICY, **changes)


def reason(decision: Decision) -> str:
    assert isinstance(decision, Refused)
    return decision.reason


def test_a_linked_person_is_known_by_the_object_id_whatever_the_name_id_says() -> None:
    """D10: a changed e-mail never breaks a linked login."""
    anna = person(login="renamed@contoso.com")
    assert decided(anna) == Accepted(anna.employee_id, link=False)


def test_the_first_login_links_by_login_name() -> None:
    anna = person(object_id=None)
    assert decided(anna) == Accepted(anna.employee_id, link=True)


def test_the_first_login_links_by_e_mail_without_case() -> None:
    anna = person(login="upn@contoso.com", email="Anna@Contoso.com", object_id=None)
    assert decided(anna, attempt=attempt(name_id="ANNA@contoso.com")) == Accepted(anna.employee_id, link=True)


def test_a_name_never_links_to_somebody_with_another_object_id() -> None:
    other = person(object_id=uuid4())
    assert reason(decided(other)) == "no_such_employee"


def test_two_people_are_never_one() -> None:
    """The NameID is one person's login name, the e-mail claim is another's."""
    one = person(login="anna@contoso.com", email="a.holm@contoso.com", object_id=None)
    two = person(login="two@contoso.com", email="shared@contoso.com", object_id=None)
    mixed = attempt(email_claim="shared@contoso.com")
    assert reason(decided(one, two, attempt=mixed)) == "matches_username_not_email"


def test_the_object_id_wins_over_a_name_that_points_elsewhere() -> None:
    anna = person(login="anna@contoso.com")
    other = person(login="other@contoso.com", object_id=None)
    assert decided(anna, other, attempt=attempt(name_id="other@contoso.com")) == Accepted(anna.employee_id, link=False)


def test_nobody_is_created_by_a_login() -> None:
    assert reason(decided()) == "no_such_employee"


@pytest.mark.parametrize("state", ["suspended", "departed"])
def test_who_is_not_active_stays_out(state: str) -> None:
    assert reason(decided(person(state=state))) == state


def test_a_new_person_with_a_departed_ones_object_id_is_the_new_person() -> None:
    departed, present = person(state="departed"), person()
    assert decided(departed, present) == Accepted(present.employee_id, link=False)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"policy": policy(sso_enabled=False)}, "sso_off"),
        ({"policy": policy(signer_trusted=False)}, "unknown_signer"),
        ({"first_time": False}, "replayed"),
        ({"flow": None}, "unknown_request"),
        ({"attempt": attempt(tenant_id=str(uuid4()))}, "wrong_tenant"),
        ({"attempt": attempt(expires_at=NOW)}, "expired"),
        (
            {"attempt": attempt(in_response_to=None), "flow": None, "policy": policy(idp_initiated="false")},
            "idp_initiated_off",
        ),
        (
            {"attempt": attempt(in_response_to=None), "flow": None, "policy": policy(idp_initiated="bounce")},
            "idp_initiated_off",
        ),
    ],
)
def test_circumstances_come_before_the_person(changes: dict[str, object], expected: str) -> None:
    assert reason(decided(person(), **changes)) == expected  # type: ignore[arg-type]


def test_an_idp_initiated_login_needs_no_flow() -> None:
    anna = person()
    assert isinstance(decided(anna, attempt=attempt(in_response_to=None), flow=None), Accepted)


GROUPS: list[tuple[str, list[str] | None, bool, str | None]] = [
    ("off", None, False, None),
    ("off", ["other"], False, None),
    ("when_sent", None, False, None),
    ("when_sent", [str(GROUP)], False, None),
    ("when_sent", [str(GROUP).upper()], False, None),
    ("when_sent", ["bitabiz contoso"], False, None),
    ("when_sent", ["BitaBIZ Fabrikam", str(uuid4())], False, "not_in_company_group"),
    ("when_sent", [], False, "not_in_company_group"),
    ("when_sent", None, True, "groups_overage"),
    ("required", None, False, "not_in_company_group"),
    ("required", None, True, "groups_overage"),
    ("required", [str(GROUP)], False, None),
]


@pytest.mark.parametrize(("check", "groups", "overage", "expected"), GROUPS)
def test_the_company_group(check: str, groups: list[str] | None, overage: bool, expected: str | None) -> None:
    decision = decided(
        person(), attempt=attempt(groups=groups, groups_overage=overage), policy=policy(group_check=check)
    )
    assert (decision.reason if isinstance(decision, Refused) else None) == expected


OWN = (GROUP, "whatever it is called")
BY_NAME = (None, "bitabiz contoso")
OTHER = (uuid4(), "bitabiz contoso")


@pytest.mark.parametrize(
    ("check", "groups", "overage", "provisioned", "expected"),
    [
        ("required", None, False, OWN, None),
        ("required", None, False, BY_NAME, None),
        ("required", None, False, OTHER, "not_in_company_group"),
        ("required", None, True, OWN, None),
        ("required", None, True, OTHER, "groups_overage"),
        ("required", ["another"], False, OWN, None),
        ("when_sent", None, True, OWN, None),
        ("when_sent", ["another"], False, OWN, None),
        ("when_sent", ["another"], False, OTHER, "not_in_company_group"),
        ("when_sent", None, False, OTHER, None),
        ("off", ["another"], False, OTHER, None),
    ],
)
def test_a_member_of_the_provisioned_group_is_one_whatever_the_claim(
    check: str,
    groups: list[str] | None,
    overage: bool,
    provisioned: tuple[UUID | None, str],
    expected: str | None,
) -> None:
    """D12; also where the claim is missing, filtered, or too long to be sent."""
    anna = person()
    memberships = (Membership(anna.employee_id, *provisioned),)
    decision = decided(
        anna,
        attempt=attempt(groups=groups, groups_overage=overage),
        policy=policy(group_check=check, memberships=memberships),
    )
    assert (decision.reason if isinstance(decision, Refused) else None) == expected


def test_somebody_else_s_membership_opens_nothing() -> None:
    anna, bo = person(), person(login="bo@contoso.com", object_id=None)
    theirs = policy(group_check="required", memberships=(Membership(bo.employee_id, *OWN),))
    assert reason(decided(anna, bo, policy=theirs)) == "not_in_company_group"


def test_no_group_of_the_company_means_nobody_passes_a_required_check() -> None:
    """An empty group claim value must not equal an absent group."""
    nothing = policy(group_check="required", group_id=None, group_name=None)
    assert reason(decided(person(), attempt=attempt(groups=[""]), policy=nothing)) == "not_in_company_group"
