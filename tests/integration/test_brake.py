"""The mass-change brake: deactivations beyond the company's limit are held, and nothing is lost."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from directory.brake import holds, setup
from directory.brake.applying import apply
from directory.database import Actor, Database
from directory.findings.store import open_findings
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.clock import system_clock
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text
from shared.schemas.brake import ListHeldChanges, RefuseHeldChanges, ReleaseHeldChanges
from shared.schemas.employee import Changed, ChangeEmployee, Employee, EmployeeChanges
from shared.schemas.login import SessionCredential
from tests.support.clock import SettableClock
from tests.support.command import Command
from tests.support.firm import Firm, Urls

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock(firm_clock: SettableClock) -> Iterator[SettableClock]:
    firm_clock.set(NOON)
    yield firm_clock
    firm_clock.set(None)


@pytest.fixture
async def owner(firm_urls: Urls) -> AsyncIterator[Database]:
    async with Database(firm_urls.owner, clock=system_clock, min_size=1, max_size=4) as database:
        yield database


@pytest.fixture
def operator(firm_urls: Urls, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", firm_urls.owner)
    return Command(capsys)


async def staff(firm: Firm, many: int, *, people: int = 3, percent: int = 30) -> list[Employee]:
    """So many active people, and a limit."""
    await firm.as_owner("update companies set brake_people = $1, brake_percent = $2", people, percent)
    return [await firm.create(login=f"p{number}@firma.dk", title="Kok") for number in range(many)]


async def asked(firm: Firm, *people: Employee, remove: bool = False) -> list[str]:
    """What became of each deactivation, one after the other."""
    return [await outcome(firm.remove(one) if remove else firm.change(one, active=False)) for one in people]


async def outcome(attempt: Any) -> str:
    try:
        done = await attempt
    except DomainError as error:
        return error.code.value
    return "changed" if not isinstance(done, Changed) or done.changed else "unchanged"


async def states(firm: Firm) -> Counter[str]:
    rows = await firm.as_owner("select state from employees")
    return Counter(row["state"] for row in rows)


async def rows(firm: Firm) -> list[Any]:
    return await firm.as_owner("select * from held_changes order by asked_at, employee_id")


async def findings(firm: Firm) -> list[dict[str, Any]]:
    async with firm.operator() as tx:
        return [one.details for one in await open_findings(tx) if one.kind == "mass_deactivation_held"]


async def release(firm: Firm) -> tuple[int, int]:
    async with firm.operator() as tx:
        decided = await holds.release(tx)
    return decided, await apply(lambda: firm.database.scope_for_id(firm.company_id).transaction())


# Holding


async def test_beyond_the_number_and_the_share_deactivations_are_held_and_nothing_of_the_request_is_done(
    firm: Firm,
) -> None:
    people = await staff(firm, 10)
    assert await asked(firm, *people[:3]) == ["changed"] * 3
    with pytest.raises(DomainError) as held:
        await firm.change(people[3], active=False, title="Tjener")
    assert held.value.code is ErrorCode.held
    assert "more than 3 people and 30 %" in held.value.detail
    assert await firm.get(people[3]) == people[3]
    assert await firm.kinds(people[3]) == ["employee.created", "employee.deactivation_held"]
    (row,) = await rows(firm)
    assert (row["state"], row["step"], row["times"]) == ("held", "suspend", 1)
    assert row["asked_by"] == f"tok_{firm.token_id.hex}"
    assert await findings(firm) == [{"people": 1}]


async def test_a_hard_delete_is_held_like_a_soft_one(firm: Firm) -> None:
    people = await staff(firm, 10)
    assert await asked(firm, *people[:5], remove=True) == ["changed"] * 3 + ["held"] * 2
    assert {row["step"] for row in await rows(firm)} == {"remove"}
    assert (await firm.find()).total == 7


async def test_whoever_is_held_keeps_his_session(firm: Firm) -> None:
    people = await staff(firm, 10)
    await firm.sign_in(people[3])
    await asked(firm, *people[:4])
    assert await firm.signed_in(people[3]) == 2


@pytest.mark.parametrize(
    ("many", "people", "percent", "held"),
    [
        (100, 30, 30, 0),  # 30 of 100: not beyond either
        (40, 30, 90, 0),  # beyond the number, not beyond the share
        (8, 30, 30, 0),  # everybody of a small company: not beyond the number
        (12, 0, 0, 0),  # off
        (12, 4, 0, 8),
    ],
)
async def test_both_limits_must_be_exceeded(firm: Firm, many: int, people: int, percent: int, held: int) -> None:
    staffed = await staff(firm, many, people=people, percent=percent)
    answers = await asked(firm, *staffed[: min(many, 30)])
    assert answers.count("held") == held


async def test_simultaneous_deactivations_do_not_slip_through(firm: Firm) -> None:
    people = await staff(firm, 40, people=5, percent=10)
    attempts = [
        firm.remove(one) if number % 3 == 0 else firm.change(one, active=False) for number, one in enumerate(people)
    ]
    answers = Counter(await asyncio.gather(*(outcome(one) for one in attempts)))
    assert answers == {"changed": 5, "held": 35}
    assert len(await rows(firm)) == 35
    assert (await states(firm))["active"] == 35


async def test_the_same_person_asked_many_times_at_once_is_one_row_and_counts_once(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:3])
    answers = await asyncio.gather(*(outcome(firm.change(people[4], active=False)) for _ in range(8)))
    assert answers == ["held"] * 8
    (row,) = await rows(firm)
    assert row["times"] == 8
    assert (await firm.kinds(people[4])).count("employee.deactivation_held") == 1


async def test_suspending_a_suspended_one_and_deleting_him_is_no_deactivation(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:4])
    assert await asked(firm, *people[:3]) == ["unchanged"] * 3
    assert await asked(firm, *people[:3], remove=True) == ["changed"] * 3


async def test_an_import_that_entra_adopts_as_inactive_is_counted_too(firm: Firm) -> None:
    """A mapping that says inactive of everybody, in the first cycle after an import."""
    await firm.as_owner("update companies set brake_people = 2, brake_percent = 10")
    logins = [f"p{number}@firma.dk" for number in range(6)]
    for login in logins:
        await firm.imported(login)
    answers = [await outcome(firm.provision(login=login, active=False)) for login in logins]
    assert answers == ["changed"] * 2 + ["held"] * 4
    assert await outcome(firm.provision(login="new@firma.dk", active=False)) == "changed"


async def test_a_deactivation_with_something_wrong_beside_it_is_held_all_the_same(firm: Firm) -> None:
    from directory.employees.operations import change_employee

    people = await staff(firm, 10)
    await asked(firm, *people[:3])
    changes = EmployeeChanges(active=False, login_name=people[9].login_name)
    request = ChangeEmployee(
        credential=firm.credential, employee_id=people[4].id, changes=changes, deactivate_anyway=True
    )
    with pytest.raises(DomainError) as refused:
        await change_employee(firm.database, request)
    assert refused.value.code is ErrorCode.held


async def test_other_changes_of_a_held_person_and_of_all_others_go_on(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    assert (await firm.change(people[4], title="Chef")).changed
    assert (await firm.provision(login="new@firma.dk")).outcome == "created"


async def test_other_companies_have_brakes_of_their_own(firm: Firm, other_firm: Firm) -> None:
    here, there = await staff(firm, 10), await staff(other_firm, 10)
    assert (await asked(firm, *here[:6])).count("held") == 3
    assert await asked(other_firm, *there[:3]) == ["changed"] * 3


# Time


async def test_held_stays_held_however_late_it_is_asked_again_and_a_single_leaver_passes(
    firm: Firm, clock: SettableClock
) -> None:
    people = await staff(firm, 20)
    assert (await asked(firm, *people[:12])).count("held") == 6
    for hours in range(2, 30, 7):
        clock.set(NOON + timedelta(hours=hours))
        assert await asked(firm, *people[6:12]) == ["held"] * 6
        assert await asked(firm, people[12 + hours // 7]) == ["changed"]
    assert {row["times"] for row in await rows(firm)} == {5}
    assert (await states(firm))["active"] == 10


async def test_within_the_hour_the_base_is_who_was_active_before(firm: Firm, clock: SettableClock) -> None:
    """Not who is left: the share would shrink with every one who passes."""
    people = await staff(firm, 20, people=1, percent=50)
    assert await asked(firm, *people[:11]) == ["changed"] * 10 + ["held"]


async def test_what_entra_asks_for_no_more_lapses_after_two_days(firm: Firm, firm_urls: Urls) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    silent = "update held_changes set last_asked_at = now() - interval '49 hours'"
    one_of_them = "where employee_id = (select min(employee_id::text)::uuid from held_changes)"
    await firm.as_owner(f"{silent} {one_of_them}")

    assert (await sweep(DatabaseSettings(database_url=firm_urls.owner)))["held deactivations"] >= 1
    assert len(await rows(firm)) == 1
    assert len(await findings(firm)) == 1
    await firm.as_owner(silent)
    # Nor does a release do what nobody wants any more.
    assert await release(firm) == (0, 0)
    assert await findings(firm) == []
    assert (await states(firm))["active"] == 7
    assert [(await firm.kinds(one))[-1] for one in people[3:5]] == ["employee.deactivation_withdrawn"] * 2


async def test_a_wish_that_comes_again_after_two_days_is_a_new_one_and_the_old_one_was_withdrawn(
    firm: Firm, clock: SettableClock
) -> None:
    people = await staff(firm, 10)
    assert await asked(firm, *people[:5]) == ["changed"] * 3 + ["held"] * 2
    clock.set(NOON + timedelta(hours=49))
    assert await asked(firm, *people[3:6]) == ["changed"] * 3
    assert await asked(firm, people[4], people[6]) == ["unchanged", "held"]
    clock.set(NOON + timedelta(hours=99))
    assert await asked(firm, *people[6:7]) == ["changed"]
    kinds = [one.removeprefix("employee.") for one in await firm.kinds(people[6])]
    assert kinds[1:] == ["deactivation_held", "deactivation_withdrawn", "suspended"]


# Withdrawing, releasing, refusing


async def test_active_again_withdraws_what_was_held(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    for one in people[3:5]:
        assert not (await firm.change(one, active=True)).changed
    assert await rows(firm) == []
    assert await findings(firm) == []
    assert (await firm.kinds(people[4]))[-1] == "employee.deactivation_withdrawn"


async def test_a_create_that_adopts_somebody_as_active_withdraws_what_was_held(firm: Firm) -> None:
    people = await staff(firm, 9)
    await firm.imported("late@firma.dk")
    (late,) = (await firm.find(login_name="late@firma.dk")).employees
    assert await asked(firm, *people[:4], late) == ["changed"] * 3 + ["held"] * 2
    assert (await firm.provision(login="late@firma.dk")).outcome == "adopted"
    assert await release(firm) == (1, 1)
    assert (await firm.get(late)).state == "active"
    kinds = [one.removeprefix("employee.") for one in await firm.kinds(late)]
    assert kinds == ["deactivation_held", "deactivation_withdrawn", "adopted"]


async def test_a_release_does_what_was_held_in_the_name_of_whoever_released_it(firm: Firm) -> None:
    people = await staff(firm, 10)
    await firm.sign_in(people[4])
    await asked(firm, *people[:5])
    await asked(firm, people[5], people[6], remove=True)
    assert await release(firm) == (4, 4)
    assert await states(firm) == {"active": 3, "suspended": 5, "departed": 2}
    assert await rows(firm) == []
    assert await findings(firm) == []
    assert await firm.signed_in(people[4]) == 0
    told = await firm.history(people[4])
    assert [event["kind"] for event in told[1:]] == [
        "employee.deactivation_held",
        "employee.deactivation_released",
        "employee.suspended",
        "session.revoked",
    ]
    assert [event["actor_kind"] for event in told[1:]] == ["entra", "operator", "operator", "operator"]
    assert told[2]["changes"]["asked_by"]["after"] == f"tok_{firm.token_id.hex}"
    assert (await firm.kinds(people[5]))[-1] == "employee.departed"


async def test_a_released_deactivation_does_not_hand_over_a_setup_admin(firm: Firm) -> None:
    """A24: no deactivation of Entra's makes his account Entra's."""
    people = await staff(firm, 3, people=2, percent=1)
    await firm.imported(roles=["setup_admin"])
    admin = (await firm.find(login_name="anna@firma.dk")).employees[0]
    assert await asked(firm, *people[:2], admin) == ["changed", "changed", "held"]
    assert await release(firm) == (1, 1)
    row = await firm.row(admin)
    assert (row["state"], row["source"]) == ("suspended", "csv")
    assert await outcome(firm.change(admin, active=True, title="Kok")) == "needs_confirmation"


async def test_for_an_hour_after_a_release_nothing_is_held_and_then_counting_begins_anew(
    firm: Firm, clock: SettableClock
) -> None:
    people = await staff(firm, 30)
    await asked(firm, *people[:12])
    await release(firm)
    clock.set(NOON + timedelta(minutes=59))
    assert await asked(firm, *people[12:22]) == ["changed"] * 10
    clock.set(NOON + timedelta(minutes=61))
    assert await asked(firm, people[22]) == ["changed"]
    assert (await asked(firm, *people[23:28])).count("held") == 3


async def test_entra_that_asks_before_a_release_is_carried_out_does_it_itself(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    async with firm.operator() as tx:
        assert await holds.release(tx) == 2
    assert await asked(firm, people[3]) == ["changed"]
    assert (await firm.history(people[3]))[-1]["actor_kind"] == "entra"
    assert await apply(lambda: firm.database.scope_for_id(firm.company_id).transaction()) == 1
    assert (await states(firm))["active"] == 5


async def test_a_release_carried_out_several_times_at_once_does_each_once(firm: Firm) -> None:
    people = await staff(firm, 60, people=5, percent=5)
    await asked(firm, *people[:40])
    async with firm.operator() as tx:
        await holds.release(tx)
    scope = firm.database.scope_for_id(firm.company_id)
    done = await asyncio.gather(
        *(apply(lambda: scope.transaction()) for _ in range(3)),
        *(outcome(firm.change(one, active=False)) for one in people[10:20]),
    )
    assert (await states(firm)) == {"active": 20, "suspended": 40}
    assert sum(one for one in done if isinstance(one, int)) <= 35
    kinds = [await firm.kinds(one) for one in people[5:40]]
    assert all(one.count("employee.suspended") == 1 for one in kinds)


async def test_a_refusal_holds_for_as_long_as_entra_goes_on_asking(firm: Firm, clock: SettableClock) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    async with firm.operator() as tx:
        assert await holds.refuse(tx) == 2
    assert await findings(firm) == []
    for day in range(1, 29):
        clock.set(NOON + timedelta(days=day))
        with pytest.raises(DomainError, match="it was refused"):
            await firm.change(people[4], active=False)
    assert (await firm.kinds(people[4]))[-1] == "employee.deactivation_refused"
    # The other one Entra has left alone. Weeks later he really leaves: a refusal of long ago must not keep him in.
    assert await asked(firm, people[3]) == ["changed"]


async def test_what_was_refused_can_still_be_released(firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    async with firm.operator() as tx:
        await holds.refuse(tx)
    assert await release(firm) == (2, 2)
    assert (await states(firm))["active"] == 5


async def test_a_person_who_left_otherwise_is_passed_over(firm: Firm) -> None:
    from directory.employees import hr

    people = await staff(firm, 10)
    await asked(firm, *people[:5])
    async with firm.operator() as tx:
        await hr.end_employment(tx, people[4].id)
    async with firm.operator() as tx:
        assert (await setup.held_changes(tx)).held == 1
    assert await release(firm) == (1, 1)
    told = await firm.kinds(people[4])
    assert (told.count("employee.departed"), "employee.deactivation_released" in told) == (1, False)


# A Setup admin and an operator


async def test_a_setup_admin_sees_releases_and_refuses(firm: Firm) -> None:
    people = await staff(firm, 10)
    session = await firm.admin()
    await asked(firm, *people[:6])
    seen = await setup.list_held_changes(firm.database, ListHeldChanges(session=session, limit=2))
    assert (seen.held, seen.refused, seen.people, seen.percent, seen.passed_within_the_hour) == (3, 0, 3, 30, 3)
    assert [one.employee_id for one in seen.changes] == sorted(one.id for one in people[3:6])[:2]
    following = await setup.list_held_changes(
        firm.database, ListHeldChanges(session=session, limit=2, after=seen.next or "")
    )
    assert ([one.name for one in following.changes], following.next) == (["Anna Holm"], None)
    refused = await setup.refuse(firm.database, RefuseHeldChanges(session=session))
    assert refused.refused == 3
    released = await setup.release(firm.database, ReleaseHeldChanges(session=session))
    assert (released.released, released.done) == (3, 3)
    told = await firm.history(people[5])
    assert told[-1]["actor_kind"] == "person"
    open_until = (await setup.list_held_changes(firm.database, ListHeldChanges(session=session))).open_until
    assert open_until is not None


async def test_nobody_else_may(firm: Firm, other_firm: Firm) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:6])
    for session in (await firm.admin("approver"), await firm.admin("hr_statistics")):
        for attempt in (
            setup.list_held_changes(firm.database, ListHeldChanges(session=session)),
            setup.release(firm.database, ReleaseHeldChanges(session=session)),
            setup.refuse(firm.database, RefuseHeldChanges(session=session)),
        ):
            assert await outcome(attempt) == "not_allowed"
    stranger = await other_firm.admin()
    assert (await setup.release(firm.database, ReleaseHeldChanges(session=stranger))).released == 0
    claimed = SessionCredential(company_id=str(firm.company_id), session_sha256=stranger.session_sha256)
    assert await outcome(setup.refuse(firm.database, RefuseHeldChanges(session=claimed))) == "unauthorized"
    assert [row["state"] for row in await rows(firm)] == ["held"] * 3


async def test_a_setup_admin_may_release_his_own_deactivation(firm: Firm) -> None:
    """His session ends with the first batch; the rest is done all the same."""
    people = await staff(firm, 60, people=1, percent=1)
    session = await firm.admin()
    login = (await firm.as_owner("select login_name from employees where 'setup_admin' = any(roles)"))[0]["login_name"]
    await firm.as_owner("update employees set source = 'entra' where login_name = $1", login)
    admin = (await firm.find(login_name=login)).employees[0]
    await asked(firm, people[0], admin, *people[1:])
    released = await setup.release(firm.database, ReleaseHeldChanges(session=session))
    assert released.released == released.done == 60
    assert await states(firm) == {"suspended": 61}


@pytest.mark.parametrize(("after", "limit"), [("nonsense", 10), ("", 0), ("", 1001)])
async def test_a_wrong_page_is_refused(firm: Firm, after: str, limit: int) -> None:
    with pytest.raises(DomainError) as refused:
        await setup.list_held_changes(
            firm.database, ListHeldChanges(session=await firm.admin(), after=after, limit=limit)
        )
    assert refused.value.code is ErrorCode.invalid_request


async def test_the_operators_command(firm: Firm, operator: Command) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:6])
    told = await operator("company", "brake", firm.name)
    assert told.status == 0
    assert "holds more than 3 people and more than 30 %" in told.out
    assert "p4@firma.dk" in told.out
    told = await operator("company", "brake", firm.name, "--refuse")
    assert "Refused: 3." in told.out
    told = await operator("company", "brake", firm.name, "--release", "--json")
    assert (told.json["released_now"], told.json["done"], told.json["held"], told.json["refused"]) == (3, 3, 0, 0)
    assert (await operator("company", "brake", firm.name, "--release", "--refuse")).status == 2
    await firm.as_owner("update companies set brake_people = 0")
    assert "the brake is off" in (await operator("company", "brake", firm.name)).out
    assert (await operator("company", "brake", "no-such-company")).status == 1


async def test_sweep_does_what_was_released_and_not_reached(firm: Firm, firm_urls: Urls) -> None:
    people = await staff(firm, 10)
    await asked(firm, *people[:6])
    async with firm.database.scope_for_id(firm.company_id).transaction(
        Actor("person", employee_text(firm.token_id))
    ) as tx:
        await holds.release(tx)
    await sweep(DatabaseSettings(database_url=firm_urls.owner))
    assert (await states(firm))["active"] == 4
    assert (await firm.history(people[5]))[-1]["actor_kind"] == "person"
