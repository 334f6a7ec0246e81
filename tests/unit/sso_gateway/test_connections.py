"""What is remembered of companies' connections: not too long, not too much, and never a storm."""

import asyncio

import msgspec
import pytest

from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Connection, GetConnection
from sso_gateway.saml.connection import REFETCH_INTERVAL_S, Connections
from tests.support.saml_responses import ACS, signing_key
from tests.unit.sso_gateway.fake_directory import FakeDirectory, certificate, connection


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SlowDirectory(FakeDirectory):
    async def get_connection(self, request: GetConnection) -> Connection:
        await asyncio.sleep(0.01)
        return await super().get_connection(request)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def connections(directory: FakeDirectory, clock: Clock) -> Connections:
    return Connections(directory, "http://127.0.0.1:8080/", 30, now=clock)


def renew(directory: FakeDirectory, *names: str) -> None:
    known = directory.memory.companies["contoso"]
    certificates = [certificate(signing_key(name)) for name in names]
    directory.memory.companies["contoso"] = msgspec.structs.replace(known, certificates=certificates)


async def test_a_connection_is_fetched_once_in_thirty_seconds(
    connections: Connections, directory: FakeDirectory, clock: Clock
) -> None:
    first = await connections.trusted("contoso")
    clock.now += 29
    assert await connections.trusted("contoso") is first
    assert directory.memory.calls["get_connection"] == 1
    clock.now += 1
    again = await connections.trusted("contoso")
    assert directory.memory.calls["get_connection"] == 2
    assert again.keys is first.keys, "an unchanged certificate is not parsed again"


async def test_our_addresses_follow_from_the_public_one(connections: Connections) -> None:
    trusted = await connections.trusted("contoso")
    assert trusted.expected.acs_url == ACS
    assert trusted.logout_url == "http://127.0.0.1:8080/saml/contoso/logout"


async def test_everybody_who_waits_shares_one_question(clock: Clock) -> None:
    directory = SlowDirectory()
    connections = Connections(directory, "http://127.0.0.1:8080", 30, now=clock)
    found = await asyncio.gather(*(connections.trusted("contoso") for _ in range(50)))
    assert len(set(map(id, found))) == 1
    assert directory.memory.calls["get_connection"] == 1


async def test_that_one_goes_away_does_not_fail_the_others(clock: Clock) -> None:
    connections = Connections(SlowDirectory(), "http://127.0.0.1:8080", 30, now=clock)
    first = asyncio.create_task(connections.trusted("contoso"))
    second = asyncio.create_task(connections.trusted("contoso"))
    await asyncio.sleep(0)
    first.cancel()
    assert (await second).connection.company == "contoso"


async def test_unknown_companies_are_not_remembered(connections: Connections, directory: FakeDirectory) -> None:
    for _ in range(2):
        with pytest.raises(DomainError):
            await connections.trusted("fabrikam")
    assert directory.memory.calls["get_connection"] == 2
    assert len(connections) == 0


@pytest.mark.parametrize("name", ["", "ab", "UPPER", "a" * 64, "-abc", "abc-", "a/b", "a\n", "æøå"])
async def test_what_cannot_be_a_company_is_not_even_asked_for(
    connections: Connections, directory: FakeDirectory, name: str
) -> None:
    with pytest.raises(DomainError):
        await connections.trusted(name)
    assert directory.memory.calls["get_connection"] == 0


async def test_a_company_that_is_gone_is_forgotten(
    connections: Connections, directory: FakeDirectory, clock: Clock
) -> None:
    await connections.trusted("contoso")
    directory.memory.companies.clear()
    clock.now += 31
    with pytest.raises(DomainError):
        await connections.trusted("contoso")
    assert len(connections) == 0


async def test_a_company_is_known_once_directory_has_confirmed_it_also_while_directory_is_away(
    connections: Connections, directory: FakeDirectory, clock: Clock
) -> None:
    assert "contoso" not in connections
    await connections.trusted("contoso")
    clock.now += 31
    directory.memory.fail = ErrorCode.unavailable
    with pytest.raises(DomainError, match="unavailable"):
        await connections.trusted("contoso")
    assert "contoso" in connections


async def test_a_company_that_is_asked_about_again_is_not_the_longest_unused(
    directory: FakeDirectory, clock: Clock
) -> None:
    connections = Connections(directory, "http://127.0.0.1:8080", 30, now=clock, max_companies=2)
    for name in ("aaa", "bbb", "ccc"):
        directory.memory.companies[name] = connection(name)
    await connections.trusted("aaa")
    await connections.trusted("bbb")
    clock.now += 31
    await connections.trusted("aaa")
    await connections.trusted("ccc")
    assert [name in connections for name in ("aaa", "bbb", "ccc")] == [True, False, True]


async def test_what_was_taken_in_meanwhile_counts_where_its_keys_are_others(
    connections: Connections, directory: FakeDirectory
) -> None:
    known = await connections.trusted("contoso")
    assert connections.other_than(known) is None
    renew(directory, "next")
    renewed = connections.remember(directory.memory.companies["contoso"])
    assert connections.other_than(known) is renewed
    directory.memory.companies.clear()
    with pytest.raises(DomainError, match="not_found"):
        await connections._fetch("contoso")
    assert connections.other_than(known) is None, "nothing is remembered"


async def test_the_longest_unused_company_goes_first(directory: FakeDirectory, clock: Clock) -> None:
    connections = Connections(directory, "http://127.0.0.1:8080", 30, now=clock, max_companies=2)
    for name in ("aaa", "bbb", "ccc"):
        directory.memory.companies[name] = connection(name)
    for name in ("aaa", "bbb", "aaa", "ccc"):
        await connections.trusted(name)
    assert len(connections) == 2
    await connections.trusted("aaa")
    assert directory.memory.calls["get_connection"] == 3


async def test_a_new_certificate_is_found_at_once(connections: Connections, directory: FakeDirectory) -> None:
    known = await connections.trusted("contoso")
    renew(directory, "contoso", "next")
    fresh = await connections.refetched(known)
    assert fresh is not None
    assert [key.fingerprint for key in fresh.keys] == [signing_key().fingerprint, signing_key("next").fingerprint]


async def test_garbage_makes_no_storm(connections: Connections, directory: FakeDirectory, clock: Clock) -> None:
    known = await connections.trusted("contoso")
    for _ in range(1000):
        assert await connections.refetched(known) is None
    assert directory.memory.calls["get_connection"] == 2
    clock.now += REFETCH_INTERVAL_S
    renew(directory, "next")
    assert await connections.refetched(known) is not None
    assert directory.memory.calls["get_connection"] == 3


async def test_a_late_response_gets_what_somebody_else_has_fetched(
    connections: Connections, directory: FakeDirectory
) -> None:
    known = await connections.trusted("contoso")
    renew(directory, "next")
    fresh = await connections.refetched(known)
    assert await connections.refetched(known) is fresh
    assert directory.memory.calls["get_connection"] == 2


async def test_an_unusable_certificate_does_not_take_the_others_with_it(
    connections: Connections, directory: FakeDirectory
) -> None:
    renew(directory, "contoso", "next")
    good = directory.memory.companies["contoso"]
    bad = msgspec.structs.replace(good.certificates[0], der_base64="AAAA")
    directory.memory.companies["contoso"] = msgspec.structs.replace(good, certificates=[bad, good.certificates[1]])
    trusted = await connections.trusted("contoso")
    assert [key.fingerprint for key in trusted.keys] == [signing_key("next").fingerprint]


async def test_an_answer_that_was_asked_for_before_a_newer_one_came_takes_nothing_back(
    connections: Connections, directory: FakeDirectory, clock: Clock
) -> None:
    """A certificate adopted meanwhile is not forgotten because somebody's question was slower."""
    old = (await connections.trusted("contoso")).connection
    asked_at = connections.now()
    clock.now += 1
    renew(directory, "entra", "next")
    newer = connections.remember(directory.memory.companies["contoso"])
    assert connections.remember(old, asked_at=asked_at) is newer
    assert await connections.trusted("contoso") is newer
    clock.now += 1
    assert connections.remember(old, asked_at=connections.now()).connection is old
