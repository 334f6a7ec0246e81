"""Looking at companies' metadata by the hour: what is claimed is fetched, a few at a time, each for itself."""

import asyncio
from collections.abc import AsyncIterator, Callable

import msgspec
import pytest

from shared.errors import ErrorCode
from shared.http.fetching import Fetcher, FetchFailed, allowed_hosts
from shared.schemas.metadata import DueLook
from sso_gateway import metrics
from sso_gateway.saml.connection import Connections
from sso_gateway.saml.metadata_looks import AT_ONCE, look, looking
from sso_gateway.saml.metadata_refresh import UNKNOWN_EVERY_S, MetadataRefresh
from tests.support.clock import Seconds, until
from tests.unit.sso_gateway.fake_directory import FakeDirectory, connection

APP = "22222222-2222-4222-8222-222222222222"


class Microsoft(Fetcher):
    """Answers with the tenant of the address, or fails as the test wants it."""

    def __init__(self) -> None:
        super().__init__(allowed_hosts("login.microsoftonline.com", "METADATA_HOSTS"), accept="*/*")
        self.asked: list[str] = []
        self.failing: dict[str, Exception] = {}
        self.open = asyncio.Event()
        self.open.set()
        self.most_at_once = self._at_once = 0

    async def get(self, url: str, what: str) -> bytes:
        tenant = url.split("/")[3]
        self.asked.append(tenant)
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await self.open.wait()
        finally:
            self._at_once -= 1
        if tenant in self.failing:
            raise self.failing[tenant]
        return tenant.encode()


def due(company: str, *, host: str = "login.microsoftonline.com", failure: str | None = None) -> DueLook:
    """Its tenant is called as it is."""
    return DueLook(
        company=company,
        tenant_id=f"tenant-of-{company}",
        app_id=APP,
        login_url=f"https://{host}/tenant-of-{company}/saml2",
        failure=failure,
    )


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def microsoft() -> Microsoft:
    return Microsoft()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
async def refresh(directory: FakeDirectory, microsoft: Microsoft, seconds: Seconds) -> AsyncIterator[MetadataRefresh]:
    made = MetadataRefresh(microsoft, directory, Connections(directory, "https://login.example", 30), now=seconds)
    yield made
    await made.close()


def have_due(directory: FakeDirectory, *claimed: DueLook) -> None:
    directory.memory.companies |= {one.company: connection(one.company) for one in claimed}
    directory.memory.due += claimed


def counted(result: str) -> Callable[[], float]:
    before = metrics.METADATA_FETCHES.labels(result)._value.get()
    return lambda: metrics.METADATA_FETCHES.labels(result)._value.get() - before


async def test_what_is_due_is_fetched_and_offered(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft
) -> None:
    have_due(directory, due("contoso"), due("fabrikam"))
    assert await look(directory, refresh) == 2
    assert sorted((one.company, one.metadata) for one in directory.memory.offered) == [
        ("contoso", "tenant-of-contoso"),
        ("fabrikam", "tenant-of-fabrikam"),
    ]
    assert await look(directory, refresh) == 0
    assert len(microsoft.asked) == 2


async def test_one_that_fails_is_told_with_its_reason_and_no_matter_of_the_others(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft
) -> None:
    microsoft.failing = {
        "tenant-of-slow": FetchFailed("timeout"),
        "tenant-of-broken": RuntimeError("as nobody has thought of"),
    }
    directory.memory.refuse_metadata = {"tenant-of-foreign"}
    have_due(directory, due("slow"), due("broken"), due("foreign"), due("good"))
    assert await look(directory, refresh) == 4
    assert sorted(directory.memory.failed_looks) == [("foreign", "metadata: tenant-of-foreign"), ("slow", "timeout")]
    assert {one.company for one in directory.memory.offered} == {"foreign", "good"}


async def test_what_fails_as_before_is_not_told_again(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft
) -> None:
    microsoft.failing = {"tenant-of-contoso": FetchFailed("timeout")}
    have_due(directory, due("contoso", failure="timeout"))
    await look(directory, refresh)
    assert directory.memory.failed_looks == []
    have_due(directory, due("contoso", failure="status_404"))
    await look(directory, refresh)
    assert directory.memory.failed_looks == [("contoso", "timeout")]


@pytest.mark.parametrize(
    "host", ["evil.example", "login.microsoftonline.com.evil.example", "login.microsoftonline.com:8443", "127.0.0.1"]
)
async def test_a_host_that_is_not_allowed_is_asked_for_nothing(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft, host: str
) -> None:
    not_allowed = counted("not_allowed")
    have_due(directory, due("contoso", host=host))
    await look(directory, refresh)
    assert microsoft.asked == []
    assert directory.memory.failed_looks == [("contoso", "host_not_allowed")]
    assert not_allowed() == 1
    have_due(directory, due("contoso", host=host, failure="host_not_allowed"))
    await look(directory, refresh)
    assert directory.memory.calls == {"note_failed_look": 1}, "the second time nothing but the claim"


async def test_no_more_are_fetched_side_by_side_than_are_claimed_at_once(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft
) -> None:
    have_due(directory, *(due(f"company-{number}") for number in range(3 * AT_ONCE)))
    microsoft.open.clear()
    looked = asyncio.create_task(look(directory, refresh))
    await until(lambda: len(microsoft.asked) == AT_ONCE)
    microsoft.open.set()
    assert await looked == AT_ONCE
    assert (microsoft.most_at_once, len(directory.memory.due)) == (AT_ONCE, 2 * AT_ONCE)


async def test_an_unknown_signer_waits_for_a_look_that_is_under_way_and_has_one_of_his_own_afterwards(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft, seconds: Seconds
) -> None:
    have_due(directory, due("contoso"))
    directory.memory.companies["contoso"] = msgspec.structs.replace(connection(), metadata="propose")
    trusted = await Connections(directory, "https://login.example", 30).trusted("contoso")
    microsoft.open.clear()
    looked = asyncio.create_task(look(directory, refresh))
    await until(lambda: bool(microsoft.asked))
    waiting = asyncio.create_task(refresh.for_unknown_signer(trusted))
    await asyncio.sleep(0)
    microsoft.open.set()
    assert await looked == 1
    assert (await waiting or trusted).keys == trusted.keys, "there is nothing new"
    assert len(microsoft.asked) == 2, "the first may have been asked for before the certificate was there"
    for seconds.now, asked in ((0.0, 2), (1.0, 2), (UNKNOWN_EVERY_S - 0.1, 2), (UNKNOWN_EVERY_S, 3)):
        await refresh.for_unknown_signer(trusted)
        assert len(microsoft.asked) == asked, seconds.now


async def test_it_goes_on_when_directory_was_away_and_ends_with_the_service(
    directory: FakeDirectory, refresh: MetadataRefresh, microsoft: Microsoft
) -> None:
    have_due(directory, *(due(f"company-{number}") for number in range(2 * AT_ONCE + 1)))
    directory.memory.fail = ErrorCode.unavailable
    async with looking(directory, refresh, every_s=0.001):
        await asyncio.sleep(0.01)
        assert microsoft.asked == []
        directory.memory.fail = None
        await until(lambda: len(directory.memory.offered) == 2 * AT_ONCE + 1)
        microsoft.open.clear()
        have_due(directory, due("contoso"))
        await until(lambda: microsoft.asked[-1] == "tenant-of-contoso")
    assert len(directory.memory.offered) == 2 * AT_ONCE + 1
