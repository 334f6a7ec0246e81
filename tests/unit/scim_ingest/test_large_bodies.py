"""What is large holds nobody up: a stranger's is not read, and a company's is understood beside the event loop, a few at once."""

import asyncio
import json
import time
from collections.abc import AsyncIterator

import httpx2
import pytest

from scim_ingest.large_bodies import LARGE_BYTES, place
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.json_body import MAX_MEMBERS
from scim_ingest.protocol.paths import MAX_LENGTH, path_quirks, read_path
from scim_ingest.protocol.versions import wanted_versions
from shared.http.places import Places
from tests.unit.scim_ingest.conftest import ANNA
from tests.unit.scim_ingest.directory_double import DirectoryDouble
from tests.unit.scim_ingest.test_users_http import assert_refused, create

MANY = {f"x{number}": 1 for number in range(MAX_MEMBERS + 1)}
STRANGER = {"Authorization": "Bearer nobody's"}
SCIM = {"Content-Type": "application/scim+json"}


def large(**members: object) -> bytes:
    return json.dumps({**ANNA, "x": "x" * LARGE_BYTES, **members}).encode()


async def test_a_stranger_s_large_body_is_not_understood(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    for method, path in (("POST", "/Users"), ("PUT", "/Users/emp_1"), ("PATCH", "/Groups/grp_1"), ("POST", "/.search")):
        for body in (b'{"a":' + b"[" * LARGE_BYTES, large()):
            answer = await http.request(method, path, content=body, headers={**SCIM, **STRANGER})
            assert_refused(answer, 401)
    assert set(directory.calls) == {"check_credential"}


async def test_of_a_token_that_is_known_a_large_body_is_one_call_as_any_other(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    await create(http)
    directory.calls.clear()
    answer = await http.post(
        "/Users", content=large(userName="bo", emails=[{"type": "work", "value": "bo"}]), headers=SCIM
    )
    assert answer.status_code == 201, answer.text
    assert directory.calls == ["provision_employee"]


async def test_what_announces_no_length_counts_as_large(http: httpx2.AsyncClient, directory: DirectoryDouble) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield json.dumps(ANNA).encode()

    assert_refused(await http.post("/Users", content=pieces(), headers={**SCIM, **STRANGER}), 401)
    assert directory.calls == ["check_credential"]
    assert (await http.post("/Users", content=pieces(), headers=SCIM)).status_code == 201


async def test_so_many_at_once_of_a_company_and_no_more() -> None:
    places, ended = Places(at_once=2, patience_s=0.05), asyncio.Event()

    async def holds(company: str) -> None:
        async with place(places, company):
            await ended.wait()

    holding = [asyncio.create_task(holds("firma")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(ScimError) as refused:
        async with place(places, "firma"):
            pass
    assert (refused.value.status, refused.value.headers["Retry-After"]) == (429, "5")
    async with place(places, "other"):
        pass
    ended.set()
    await asyncio.gather(*holding)
    async with place(places, "firma"):
        pass
    assert len(places) == 0


async def test_while_one_is_understood_others_are_answered(
    http: httpx2.AsyncClient, directory: DirectoryDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    user = await create(http)

    def slowly(raw: bytes) -> tuple[object, list[object], list[ScimError]]:
        time.sleep(1)
        return {}, [], []

    monkeypatch.setattr("scim_ingest.users.read_patch", slowly)
    body = b'{"Operations": [' + b" " * LARGE_BYTES + b"]}"
    sending = asyncio.create_task(http.patch(f"/Users/{user['id']}", content=body, headers=SCIM))
    await asyncio.sleep(0.1)
    began = time.monotonic()
    assert (await http.get(f"/Users/{user['id']}")).status_code == 200
    assert time.monotonic() - began < 0.5
    assert (await sending).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/Users", {**ANNA, **MANY}),
        ("POST", "/Users", {**ANNA, "emails": [{}] * 101}),
        ("PATCH", "/Users/emp_1", {"Operations": [{"op": "add", "value": MANY}]}),
    ],
)
async def test_more_names_than_anybody_needs_are_refused(
    http: httpx2.AsyncClient, directory: DirectoryDouble, method: str, path: str, body: object
) -> None:
    answer = await http.request(method, path, json=body)
    assert answer.status_code == 400
    assert "more than 1,000 members" in answer.text or "may have 100 elements" in answer.text


async def test_attributes_of_one_patch_are_counted_however_they_are_spread(
    http: httpx2.AsyncClient, directory: DirectoryDouble
) -> None:
    user = await create(http)
    spread = [{"op": "add", "value": {f"x{number}": 1 for number in range(90)}}] * 12
    refused = await http.patch(f"/Users/{user['id']}", json={"Operations": spread})
    assert "A PATCH may set 1000 attributes; 1080 came." in assert_refused(refused, 413)
    off = await http.patch(
        f"/Users/{user['id']}", json={"Operations": [{"op": "add", "value": {"title": "x", "active": False}}, *spread]}
    )
    assert (off.json()["active"], "title" in off.json()) == (False, False)


def test_what_is_remembered_of_paths_has_a_bound() -> None:
    read_path.cache_clear()
    for number in range(50):
        assert path_quirks(f"{number}" + "x" * MAX_LENGTH, as_key=True) == ()
    assert read_path.cache_info().currsize == 0


def test_a_condition_of_blanks_takes_no_time() -> None:
    began = time.perf_counter()
    for _ in range(100):
        assert wanted_versions("x" + " " * 4090 + "x") == []
        assert wanted_versions(", ".join(['W/"3"'] * 600)) == [3] * 64
    assert time.perf_counter() - began < 0.5
