"""The journal over sockets: what was sent and what became of it arrives there, and nothing secret does."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import aiohttp
import asyncpg
import pytest

from directory.cli.environment import owner_database
from directory.database import Actor
from directory.oauth.setting_up import issue_secret
from tests.entra.scim_client import ScimClient
from tests.support.company import Company, create_body
from tests.support.journal import entries, newest, page, whole
from tests.support.stack import second_scim, with_database
from tests.support.traces import places_of

ACTIVITY = "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"


@pytest.fixture
async def superuser(postgres_url: str) -> Any:
    connection = await asyncpg.connect(with_database(postgres_url, "directory"))
    yield connection
    await connection.close()


async def send(
    http: aiohttp.ClientSession, company: Company, method: str, path: str, body: object = None, **headers: str
) -> int:
    """As raw as the test wants it."""
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    all_headers = {
        "Authorization": f"Bearer {company.token}",
        "Content-Type": "application/scim+json",
        "ADSCIMVersion": f"Date:2026-11-26, ActivityId:{ACTIVITY.upper()}",
        **headers,
    }
    async with http.request(method, company.scim_url + path, data=data, headers=all_headers) as answer:
        await answer.read()
        return answer.status


async def test_a_create_is_there_with_everything_that_was_done_with_it(
    company: Company, http: aiohttp.ClientSession
) -> None:
    anna = company.hire("anna")
    body = create_body(anna, nickName="Ann", active="True")
    assert await send(http, company, "POST", "/Users?aadOptscim062020", body) == 201
    entry = await newest(company)
    assert (entry.method, entry.path, entry.query) == ("POST", "/Users", "aadOptscim062020")
    assert (entry.status, entry.result, entry.activity_id) == (201, "created", ACTIVITY)
    assert entry.ignored == ["nickName"]
    assert {"boolean_as_text", "flags_in_the_query", "members_that_we_own"} <= set(entry.coerced)
    assert {"userName", "name.givenName", "active"} <= set(entry.attributes)
    assert entry.replayable
    seen = await whole(company, entry)
    assert json.loads(seen.body or "") == body, "as it came: what is not stored is here"
    assert seen.body_bytes == len(json.dumps(body))
    assert [one.kind for one in seen.written] == ["employee.created"]
    assert seen.written[0].changes["login_name"]["after"] == anna.user_principal_name
    assert entry.about == [seen.written[0].employee_id]


async def test_a_change_a_change_of_nothing_a_read_and_a_removal_are_there(company: Company) -> None:
    employee_id = await company.provision(company.hire("anna"))
    title = {"op": "Replace", "path": "Title", "value": "Kok"}
    await company.patch(employee_id, title)
    await company.patch(employee_id, title)
    await company.scim.get(f"/Users/{employee_id}")
    await company.scim.find("userName", "nobody@example.com")
    await company.scim.delete(f"/Users/{employee_id}")
    found = list(reversed(await entries(company, 6)))
    assert [one.result for one in found] == ["created", "updated", "unchanged", "read", "read", "deleted"]
    assert [one.replayable for one in found] == [True, True, True, False, False, True]
    assert found[1].coerced == ["operation_in_capitals", "names_without_case"]
    changed = await whole(company, found[1])
    assert [one.changes["title"] for one in changed.written] == [{"before": None, "after": "Kok"}]
    assert (await whole(company, found[2])).written == []
    assert "nobody" in found[4].query
    assert all(one.about == [employee_id] for index, one in enumerate(found) if index != 4)


async def test_a_refusal_says_why(company: Company, http: aiohttp.ClientSession) -> None:
    await company.provision(company.hire("anna"))
    taken = [{"type": "work", "value": f"anna@{company.name}.example"}]
    assert await send(http, company, "POST", "/Users", create_body(company.hire("bo"), emails=taken)) == 409
    conflict = await newest(company, 1)
    assert (conflict.status, conflict.result, conflict.scim_type) == (409, "conflict", "uniqueness")
    assert "belongs to another" in (conflict.detail or "")
    assert conflict.replayable
    assert await send(http, company, "POST", "/Users", b'{"userName": "x@firma.dk"') == 400
    unreadable = await newest(company, 2)
    assert (unreadable.scim_type, unreadable.replayable) == ("invalidSyntax", False)
    assert (await whole(company, unreadable)).body is None
    assert unreadable.id in [one.id for one in await page(company, person="x@firma.dk")]
    assert await send(http, company, "POST", "/Users", {"userName": "y@firma.dk"}) == 400
    assert "Mandatory and missing" in ((await newest(company, 3)).detail or "")
    assert [one.id for one in await page(company, refused=True, person="y@firma.dk")] == [(await newest(company)).id]
    assert len(await page(company, refused=True)) == 3


async def test_what_is_refused_before_anybody_is_asked_is_found_by_whom_it_is_about(company: Company) -> None:
    employee_id = await company.provision(company.hire("anna"))
    assert (await company.patch(employee_id, {"op": "replace", "path": "title", "value": {"a": 1}})).status == 400
    assert (await company.scim.find("manager", employee_id)).status == 200
    await entries(company, 3)
    [refused, created] = await page(company, person=employee_id)
    assert (refused.result, created.result) == ("invalid", "created")
    assert refused.detail == "title must be a string; an object came."


async def test_a_deactivation_that_the_brake_holds_is_there_as_held(company: Company) -> None:
    await company.apply(brake={"people": 1, "percent": 1})
    first, second = [await company.provision(company.hire(name)) for name in ("anna", "bo")]
    await company.suspend(first)
    assert (await company.suspend(second)).status == 503
    entry = await newest(company, 3)
    assert (entry.status, entry.result, entry.about) == (503, "held", [second])
    assert [one.kind for one in (await whole(company, entry)).written] == ["employee.deactivation_held"]


async def test_what_was_left_out_beside_a_deactivation_is_told(company: Company) -> None:
    employee_id = await company.provision(company.hire("anna"))
    await company.patch(
        employee_id,
        {"op": "replace", "path": "active", "value": False},
        {"op": "replace", "path": "title", "value": {"a": 1}},
        {"op": "replace", "path": "userName", "value": ""},
    )
    entry = await newest(company, 1)
    assert (entry.status, entry.result) == (200, "deactivated")
    assert [sentence.split(" ")[0] for sentence in entry.left_out] == ["title", "userName"]
    assert [one.id for one in await page(company, refused=True)] == [entry.id]


async def test_it_is_searched_by_person_now_and_then_by_activity_and_page_by_page(
    company: Company, http: aiohttp.ClientSession
) -> None:
    anna = company.hire("anna")
    old, new = anna.user_principal_name, f"anne@{company.name}.example"
    await company.scim.find("userName", old)
    anna_id = await company.provision(anna)
    bo_id = await company.provision(company.hire("bo"))
    await company.patch(anna_id, {"op": "replace", "path": "userName", "value": new})
    await company.patch(bo_id, {"op": "replace", "path": "title", "value": "Kok"})
    await send(http, company, "GET", f"/Users/{anna_id}")
    found = await entries(company, 6)
    hers = [found[0].id, found[2].id, found[4].id, found[5].id]
    for person in (anna_id, old, new, old.upper()):
        assert [one.id for one in await page(company, person=person)] == hers, person
    assert [one.id for one in await page(company, person="nobody@firma.dk")] == []
    assert [one.id for one in await page(company, activity_id=ACTIVITY.upper())] == [found[0].id]
    paged, before = [], ""
    while True:
        some = await page(company, person=anna_id, limit=3, before=before)
        paged += some
        if len(some) < 3:
            break
        before = some[-1].id
    assert [one.id for one in paged] == hers


async def test_nothing_secret_is_kept_anywhere(
    company: Company, http: aiohttp.ClientSession, superuser: asyncpg.Connection
) -> None:
    secrets = [f"Hemmeligt-{number}-{company.name}" for number in range(6)]
    body = create_body(company.hire("anna"), password=secrets[0], title=f"x {company.token} y")
    body["urn:x:User:clientSecret"] = {"value": secrets[1]}
    await send(http, company, "POST", "/Users", body)
    anna_id = (await newest(company)).about[0]
    operations = [
        {"op": "add", "path": "password", "value": secrets[2]},
        {"op": "add", "value": {"urn:ietf:params:scim:schemas:core:2.0:User:password": secrets[3]}},
    ]
    await send(http, company, "PATCH", f"/Users/{anna_id}", {"Operations": operations})
    await send(http, company, "POST", "/Users", f'{{"password": "{secrets[4]}"'.encode())
    await send(http, company, "GET", f"/Users?filter=password+eq+%22{secrets[5]}%22")
    found = await entries(company, 4)
    cut = await whole(company, found[1])
    assert (cut.body, cut.body_bytes) == (None, len(secrets[4]) + 15), "unreadable, and it may be a secret"
    places = await places_of(superuser, [*secrets, company.token])
    # The title is what Entra sent for a title: the company's own value, as it stands in the employee's row.
    assert "public.exchanges" not in places, places
    assert "public.exchange_people" not in places
    assert "[redacted]" in ((await whole(company, found[3])).body or "")


async def test_an_exchange_with_a_wrong_token_belongs_to_no_company(
    company: Company, neighbour: Company, http: aiohttp.ClientSession
) -> None:
    assert await send(http, company, "GET", "/Users", Authorization="Bearer idgw_wrong") == 401
    assert await send(http, company, "GET", "/Users", Authorization=f"Bearer {neighbour.token}") == 401
    # Refused before anybody could say whose the token is: directory says it when the note is handed over.
    for token in ("idgw_wrong", neighbour.token):
        assert await send(http, company, "POST", "/Users", b"{", Authorization=f"Bearer {token}") == 400
    await send(http, company, "POST", "/Users", b"{")
    await entries(company, 1)
    await asyncio.sleep(0.2)
    assert len(await page(company)) == 1
    assert await page(neighbour) == []


async def test_no_company_sees_another_s(company: Company, neighbour: Company) -> None:
    for one in (company, neighbour):
        await one.provision(one.hire("anna"))
    [mine], [theirs] = await entries(company, 1), await entries(neighbour, 1)
    assert mine.id != theirs.id
    assert await page(company, person=theirs.about[0]) == []
    from shared.errors import DomainError

    with pytest.raises(DomainError, match="has no entry"):
        await whole(company, theirs)


async def test_a_body_is_kept_up_to_a_bound_and_what_a_replay_needs_beside_it(
    company: Company, http: aiohttp.ClientSession
) -> None:
    body = create_body(company.hire("anna"), nickName="n" * 200_000)
    assert await send(http, company, "POST", "/Users", body) == 201
    entry = await newest(company)
    seen = await whole(company, entry)
    assert len(seen.body or "") == 32 * 1024
    assert seen.body_bytes > 200_000
    assert seen.asked is not None
    assert entry.replayable


async def test_a_group_is_there_with_whom_it_names_and_what_was_not_kept(company: Company) -> None:
    employee_id = await company.provision(company.hire("anna"))
    await company.scim.delete(f"/Users/{employee_id}")
    body = {"displayName": "Alle", "members": [{"value": employee_id}], "nickName": "A"}
    assert (await company.scim.post("/Groups", body)).status == 201
    entry = await newest(company, 2)
    assert (entry.path, entry.result, entry.replayable) == ("/Groups", "created", True)
    assert entry.attributes == ["displayName", "members"]
    assert [one.kind for one in (await whole(company, entry)).written] == ["group.created"]
    assert set(entry.ignored) == {"nickName", f"members: {employee_id}"}
    assert entry.coerced == ["schemas_missing"]


async def test_what_came_with_an_access_token_names_the_secret_that_it_was_issued_for(
    company: Company, http: aiohttp.ClientSession
) -> None:
    async with (
        owner_database(company.stack.operator) as owner,
        owner.scope_for_name(company.name).transaction(Actor("operator", "test")) as tx,
    ):
        issued = await issue_secret(tx, timedelta(days=1))
    form = {"grant_type": "client_credentials", "client_id": company.name, "client_secret": issued.secret}
    async with http.post(f"{company.scim_url}/oauth2/token", data=form) as answer:
        token = (await answer.json())["access_token"]
    assert await send(http, company, "GET", "/Users?count=0", Authorization=f"Bearer {token}") == 200
    entry = await newest(company)
    assert (await whole(company, entry)).credential == issued.secret_id
    assert len(await page(company)) == 1, "the request for the token is none of the journal's"


async def test_what_was_noted_last_is_handed_over_when_the_service_stops(company: Company) -> None:
    async with second_scim(company.stack, journal_every_s=60) as edge:
        async with ScimClient(f"{edge}/scim/v2/{company.name}", company.token) as client:
            for _ in range(3):
                await client.find("userName", "anna@firma.dk")
        assert await page(company) == []
    assert len(await page(company)) == 3


async def test_thousands_of_exchanges(company: Company, http: aiohttp.ClientSession) -> None:
    async with second_scim(company.stack, scim_rate_per_company=0, journal_every_s=0.2) as edge:
        url = f"{edge}/scim/v2/{company.name}/Users?count=0"
        headers = {"Authorization": f"Bearer {company.token}"}

        async def some() -> None:
            for _ in range(125):
                async with http.get(url, headers=headers) as answer:
                    assert answer.status == 200

        await asyncio.gather(*(some() for _ in range(16)))
    seen, before = set(), ""
    while True:
        found = await page(company, limit=200, before=before)
        seen |= {one.id for one in found}
        if len(found) < 200:
            break
        before = found[-1].id
    assert len(seen) == 16 * 125
