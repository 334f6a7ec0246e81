"""What the BitaBIZ application reads: people of one company by its credential, as they are and as they were."""

import asyncio
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import msgspec
import pytest

from directory.api import credentials
from directory.database import Actor
from shared.errors import DomainError, ErrorCode
from shared.ids import employee_text, new_employee_id
from shared.schemas.employee import ProvisionEmployee
from tests.support.application import Application, credential_for
from tests.support.clock import SettableClock
from tests.support.firm import Firm
from tests.support.firm import anna as anna_of_firm
from tests.support.stack import SCIM_SECRET

PATHS = ("/employees", "/employees/emp_" + "0" * 32, "/employees/emp_" + "0" * 32 + "/history", "/events")
OPERATOR = Actor("operator", "test")


async def test_the_people_of_the_company_are_read_with_all_they_have(application: Application, firm: Firm) -> None:
    boss = await firm.create(login="boss@firma.dk")
    anna = await firm.create(
        manager_ref=boss.id, department="Køkken", title="Kok", country="DK", employee_number="007", external_id="x-1"
    )
    answer = await application.get(f"/employees/{anna.id}")
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    shown = {name: value for name, value in answer.body.items() if value not in (None, [], {})}
    assert shown == {
        "id": anna.id, "state": "active", "source": "entra", "login_name": "anna@firma.dk", "email": "anna@firma.dk",
        "given_name": "Anna", "family_name": "Holm", "external_id": "x-1", "title": "Kok", "department": "Køkken",
        "employee_number": "007", "country": "DK", "calendar_group": "DK", "manager_ref": boss.id, "manager_id": boss.id,
        "only_direct_approver": False, "owners": answer.body["owners"], "created_at": answer.body["created_at"],
        "updated_at": answer.body["updated_at"], "version": 1,
    }  # fmt: skip
    assert set(answer.body["owners"].values()) == {"entra"}
    assert [one["id"] for one in await application.employees()] == [boss.id, anna.id]


async def test_conditions_choose_and_are_joined_by_and(
    application: Application, firm: Firm, firm_clock: SettableClock
) -> None:
    boss = await firm.create(login="boss@firma.dk", department="Salg")
    anna = await firm.create(department="SALG ", manager_ref=boss.id, employee_number="12")
    bent = await firm.create(login="Bent@Firma.dk", department="salg", employee_number="112", manager_ref=boss.id)
    gone = await firm.create(login="gone@firma.dk", department="Salg")
    await firm.change(bent, active=False)
    await firm.remove(gone)

    async def ids(**conditions: Any) -> list[str]:
        return [one["id"] for one in await application.employees(**conditions)]

    assert await ids() == [boss.id, anna.id, bent.id]
    assert await ids(state="active") == [boss.id, anna.id]
    assert await ids(state="suspended") == [bent.id]
    assert await ids(state="departed") == [gone.id]
    assert await ids(department="sALG") == [boss.id, bent.id]
    assert await ids(login_name="BENT@firma.dk") == [bent.id]
    assert await ids(email="bent@FIRMA.dk") == [bent.id]
    assert await ids(employee_number="12") == [anna.id]
    assert await ids(manager_id=boss.id) == [anna.id, bent.id]
    assert await ids(manager_id=boss.id, state="suspended", department="salg") == [bent.id]
    assert await ids(login_name="nobody") == []
    assert await ids(login_name="a\0b") == [], "what cannot be stored is nobody's"
    try:
        firm_clock.set(datetime.now(UTC) + timedelta(days=1))
        moment = firm_clock().isoformat()
        await firm.change(anna, title="Kok")
    finally:
        firm_clock.set(None)
    assert await ids(changed_since=moment) == [anna.id]


async def test_departed_people_come_only_when_asked_for_and_without_what_they_released(
    application: Application, firm: Firm
) -> None:
    anna = await firm.create(external_id="x-1")
    await firm.remove(anna)
    assert await application.employees() == []
    (shown,) = await application.employees(state="departed")
    assert shown == (await application.get(f"/employees/{anna.id}")).body
    assert (shown["state"], shown["login_name"], shown["email"], shown["external_id"]) == ("departed", None, None, None)
    assert (shown["given_name"], shown["version"]) == ("Anna", 2)


async def test_a_list_is_paged_by_a_cursor_that_people_who_come_and_go_do_not_disturb(
    application: Application, firm: Firm
) -> None:
    people = [await firm.create(login=f"p{number}@firma.dk") for number in range(7)]
    first = (await application.get("/employees", limit=3)).body
    await firm.remove(people[0])
    late = await firm.create(login="late@firma.dk")
    second = (await application.get("/employees", limit=3, after=first["next"])).body
    third = (await application.get("/employees", limit=3, after=second["next"])).body
    assert [one["id"] for page in (first, second, third) for one in page["employees"]] == [
        *(one.id for one in people),
        late.id,
    ]
    assert third["next"] is None
    assert first["sequence"] == 8, "issued, and seven created"
    assert third["sequence"] == 10


async def test_an_unknown_parameter_or_value_is_refused_by_name(application: Application, firm: Firm) -> None:
    anna = await firm.create()
    for path, query, field in (
        ("/employees", {"sate": "active"}, "sate"),
        ("/employees", {"limit": 1000}, "limit"),
        ("/employees", {"manager_id": "emp_1"}, "manager_id"),
        ("/employees", {"after": "3"}, "after"),
        ("/employees", {"changed_since": "0001-01-01T00:00:00+14:00"}, "changed_since"),
        (f"/employees/{anna.id}", {"when": "now"}, "when"),
        (f"/employees/{anna.id}", {"at": "9999-12-31T23:59:59-14:00"}, "at"),
        (f"/employees/{anna.id}/history", {"order": "random"}, "order"),
        ("/events", {"kinds": "employee.created,employee.vanished"}, "kinds"),
        ("/events", {"wait": 61}, "wait"),
    ):
        answer = await application.get(path, **query)
        assert answer.refusal == (400, "invalid_request", field), answer.body


async def test_an_employee_of_another_company_is_exactly_one_that_does_not_exist(
    application: Application, firm: Firm, other_firm: Firm
) -> None:
    stranger = await other_firm.create()
    for path in ("", "/history"):
        answers = [
            await application.get(f"/employees/{one}{path}")
            for one in (stranger.id, employee_text(new_employee_id()), "emp_x", "me")
        ]
        bodies = [{name: value for name, value in one.body.items() if name != "request_id"} for one in answers]
        assert bodies == [bodies[0]] * 4
        assert answers[0].refusal[:2] == (404, "not_found")
    past = await application.get(f"/employees/{stranger.id}", at="2030-01-01T00:00:00Z")
    assert past.refusal[:2] == (404, "not_found")
    assert (await application.get("/employees", manager_id=stranger.id)).body["employees"] == []


@pytest.mark.parametrize("path", PATHS)
async def test_a_wrong_credential_and_one_of_another_company_are_answered_alike(
    application: Application, firm: Firm, other_firm: Firm, path: str
) -> None:
    foreign = await credential_for(other_firm)
    revoked = await credential_for(firm)
    async with firm.database.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        await credentials.revoke(tx, revoked.credential_id)
        expired = await credentials.issue(tx, credentials.SCOPES, tx.now)
    answers = [
        await application.get(path, credential=wrong, no_such_parameter="x")
        for wrong in ("", "x", foreign.credential, revoked.credential, expired.credential, firm.credential.token_sha256)
    ]
    answers.append(await application.get(path, company="no-such-company"))
    answers.append(await application.get(path, company=other_firm.name))
    for answer in answers:
        assert answer.refusal[:2] == (401, "unauthorized")
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert {name: value for name, value in answer.body.items() if name != "request_id"} == {
            name: value for name, value in answers[0].body.items() if name != "request_id"
        }


@pytest.mark.parametrize(
    ("scope", "forbidden"), [("employees:read", {"/history", "/events"}), ("events:read", {"/employees", "0" * 32})]
)
async def test_a_credential_reads_what_its_scopes_say(
    application: Application, firm: Firm, scope: str, forbidden: set[str]
) -> None:
    narrow = await credential_for(firm, scope)
    for path in PATHS:
        answer = await application.get(path, credential=narrow.credential)
        if any(path.endswith(one) for one in forbidden):
            assert answer.refusal[:2] == (403, "not_allowed")
            assert scope not in answer.body["detail"]
        else:
            assert answer.status in {200, 404}


async def test_only_get_is_answered(application: Application, http: aiohttp.ClientSession) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        headers = {"Authorization": f"Bearer {application.credential}"}
        url = f"{application.url}/v1/companies/{application.company}/employees"
        async with http.request(method, url, headers=headers) as answer:
            assert answer.status == 405


async def test_a_credential_is_shown_once_kept_as_a_hash_and_its_last_use_is_known_to_the_minute(
    application: Application, firm: Firm, firm_clock: SettableClock
) -> None:
    async def row() -> Any:
        return (await firm.as_owner("select * from api_credentials"))[0]

    assert application.credential not in str(await row())
    assert (await row())["last_used_at"] is None
    used = []
    try:
        for seconds in (0, 30, 59, 61):
            firm_clock.set(datetime(2030, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds))
            await application.employees()
            used.append((await row())["last_used_at"].second)
    finally:
        firm_clock.set(None)
    assert used == [0, 0, 0, 1]


async def test_issue_and_revocation_stand_in_the_history(firm: Firm) -> None:
    issued = await credential_for(firm, "events:read")
    async with firm.database.scope_for_name(firm.name).transaction(OPERATOR) as tx:
        await credentials.revoke(tx, issued.credential_id)
        with pytest.raises(DomainError) as again:
            await credentials.revoke(tx, issued.credential_id)
        assert again.value.code is ErrorCode.not_found
        with pytest.raises(DomainError) as scopeless:
            await credentials.issue(tx, ["employees:write"], None)
        assert (scopeless.value.code, scopeless.value.field) == (ErrorCode.invalid_value, "scopes")
    told = await firm.as_owner("select kind, actor_kind, changes::text as changes from events order by sequence")
    assert [(one["kind"], one["actor_kind"]) for one in told] == [
        ("app_credential.issued", "operator"),
        ("app_credential.revoked", "operator"),
    ]
    assert all(issued.credential_id in one["changes"] and "events:read" in one["changes"] for one in told)
    assert not any(issued.credential in one["changes"] for one in told)


# As of a moment


async def test_an_employee_is_shown_as_he_was_at_any_moment(
    application: Application, firm: Firm, firm_clock: SettableClock
) -> None:
    start = datetime(2030, 5, 1, 12, tzinfo=UTC)
    try:
        firm_clock.set(start)
        boss = await firm.create(login="boss@firma.dk")
        anna = await firm.create(title="Elev", manager_ref="late@firma.dk")
        seen = [(await application.get(f"/employees/{anna.id}")).body]
        steps: list[Any] = [
            lambda: firm.change(anna, title="Kok", login_name="ah@firma.dk", email="ah@firma.dk"),
            lambda: firm.change(anna, active=False),
            lambda: firm.create(login="late@firma.dk"),
            lambda: firm.change(anna, active=True, title=None),
            lambda: firm.change(anna, manager_ref=boss.id),
            lambda: firm.sign_in(anna),
        ]
        for number, step in enumerate(steps, start=1):
            firm_clock.set(start + timedelta(hours=number))
            await step()
            seen.append((await application.get(f"/employees/{anna.id}")).body)
    finally:
        firm_clock.set(None)
    for number, expected in enumerate(seen):
        for minutes in (0, 59):
            at = (start + timedelta(hours=number, minutes=minutes)).isoformat()
            assert (await application.get(f"/employees/{anna.id}", at=at)).body == expected, number
    before = await application.get(f"/employees/{anna.id}", at=(start - timedelta(microseconds=1)).isoformat())
    assert before.refusal[:2] == (404, "not_found")
    assert [one["version"] for one in seen] == [1, 2, 3, 4, 5, 6, 6]


async def test_what_a_departure_released_is_forgotten_in_the_past_as_well(
    application: Application, firm: Firm, firm_clock: SettableClock
) -> None:
    """S40."""
    try:
        firm_clock.set(datetime(2030, 5, 1, tzinfo=UTC))
        anna = await firm.create(external_id="x-1", title="Kok")
        firm_clock.set(datetime(2030, 6, 1, tzinfo=UTC))
        await firm.change(anna, login_name="ah@firma.dk")
        firm_clock.set(datetime(2030, 7, 1, tzinfo=UTC))
        await firm.remove(anna)
    finally:
        firm_clock.set(None)
    then = (await application.get(f"/employees/{anna.id}", at="2030-06-02T00:00:00Z")).body
    assert (then["state"], then["title"], then["version"]) == ("active", "Kok", 2)
    assert (then["login_name"], then["email"], then["external_id"]) == (None, None, None)
    now = (await application.get(f"/employees/{anna.id}")).body
    assert (await application.get(f"/employees/{anna.id}", at="2030-07-02T00:00:00Z")).body == now
    history = (await application.get(f"/employees/{anna.id}/history")).body["events"]
    assert [event["forgotten"] for event in history] == [True, True, False]
    assert "anna@firma.dk" not in str(history)
    assert "ah@firma.dk" not in str(history)


async def test_the_history_of_one_employee_is_paged_in_either_direction(application: Application, firm: Firm) -> None:
    anna, other = await firm.create(), await firm.create(login="other@firma.dk")
    for number in range(4):
        await firm.change(anna, title=f"t{number}")
        await firm.change(other, title=f"t{number}")
    path = f"/employees/{anna.id}/history"
    for order in ("oldest", "newest"):
        events: list[Any] = []
        after: dict[str, Any] = {}
        while True:
            page = (await application.get(path, order=order, limit=2, **after)).body
            events += page["events"]
            if page["next"] is None:
                break
            after = {"after": page["next"]}
        numbers = [event["sequence"] for event in events]
        assert numbers == sorted(numbers, reverse=order == "newest")
        assert len(numbers) == 5
        assert {event["employee_id"] for event in events} == {anna.id}
        titles = [event["changes"]["title"]["after"] for event in events if event["kind"] == "employee.changed"]
        assert titles == (["t0", "t1", "t2", "t3"] if order == "oldest" else ["t3", "t2", "t1", "t0"])
    first = events[-1]
    assert first["actor"] == {"kind": "entra", "id": f"tok_{firm.token_id.hex}"}
    assert first["kind"] == "employee.created"
    assert (await application.get(path, after=2**63 - 1)).body == {"events": [], "next": None}


async def test_a_change_carries_the_request_and_the_trace_it_came_with(
    application: Application, firm: Firm, http: aiohttp.ClientSession
) -> None:
    request_id, trace_id = secrets.token_hex(16), secrets.token_hex(16)
    body = msgspec.json.encode(ProvisionEmployee(credential=firm.credential, employee=anna_of_firm()))
    headers = {
        "Authorization": f"Bearer {SCIM_SECRET}",
        "X-Request-Id": request_id,
        "Traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
    }
    async with http.post(f"{application.url}/provisioning/provision_employee", data=body, headers=headers) as answer:
        created = await answer.json()
    history = (await application.get(f"/employees/{created['employee']['id']}/history")).body["events"]
    assert (history[0]["request_id"], history[0]["trace_id"]) == (request_id, trace_id)


async def test_reading_at_once_with_many_credentials_and_companies_mixes_nothing(
    application: Application, firm: Firm, other_firm: Firm, firm_service: str, http: aiohttp.ClientSession
) -> None:
    other = Application(http, firm_service, other_firm.name, (await credential_for(other_firm)).credential)
    mine, theirs = await firm.create(given_name="Mine"), await other_firm.create(given_name="Theirs")
    answers = await asyncio.gather(*(one.employees() for _ in range(10) for one in (application, other)))
    assert [[one["id"] for one in people] for people in answers] == [[mine.id], [theirs.id]] * 10
