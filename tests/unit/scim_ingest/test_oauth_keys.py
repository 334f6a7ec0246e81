"""The key ring: when keys are fetched, when not, and that nobody waits for anybody else's."""

import asyncio
import json

import pytest
from starlette.responses import RedirectResponse, Response

from scim_ingest.oauth.fetching import KeyFetcher
from scim_ingest.oauth.keys import FRESH_S, PAUSE_S, STALE_S, KeyRing, KeysUnavailable, KeyUnknown
from shared.entra_issuer import EntraIssuer, entra_issuer
from shared.http.fetching import FetchFailed, allowed_hosts
from shared.settings import SettingsError
from shared.telemetry.logs import EventLog
from tests.entra.key_server import KeyServer
from tests.entra.workload import Workload

TENANT = "11111111-1111-4111-8111-111111111111"
OTHER = "22222222-2222-4222-8222-222222222222"
LOG = EventLog("test")


def issuer(workload: Workload) -> EntraIssuer:
    found = entra_issuer(workload.issuer)
    assert found is not None
    return found


class Published:
    """Entra's side: answers at once, fails, or waits until it may."""

    def __init__(self, *workloads: Workload) -> None:
        self.workloads = {one.issuer: one for one in workloads}
        self.fetched: list[str] = []
        self.fails = False
        self.gates: dict[str, asyncio.Event] = {}

    async def fetch(self, asked: EntraIssuer) -> bytes:
        self.fetched.append(asked.tenant_id)
        if (gate := self.gates.get(asked.tenant_id)) is not None:
            await gate.wait()
        if self.fails:
            raise FetchFailed("timeout")
        return json.dumps(self.workloads[asked.text].key_set()).encode()


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def entra() -> Workload:
    return Workload(TENANT)


@pytest.fixture
def published(entra: Workload) -> Published:
    return Published(entra)


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def ring(published: Published, time: Time) -> KeyRing:
    return KeyRing(published.fetch, LOG, clock=time)


async def test_a_known_key_is_not_fetched_again(ring: KeyRing, entra: Workload, published: Published) -> None:
    for _ in range(3):
        key = await ring.key(issuer(entra), entra.keys[0].kid)
        assert key.public_numbers() == entra.keys[0].private.public_key().public_numbers()
    assert published.fetched == [TENANT]


async def test_an_unknown_key_is_fetched_but_not_more_often_than_the_pause(
    ring: KeyRing, entra: Workload, published: Published, time: Time
) -> None:
    await ring.key(issuer(entra), entra.keys[0].kid)
    new = entra.rotate()
    with pytest.raises(KeyUnknown):
        await ring.key(issuer(entra), new.kid)
    time.now += PAUSE_S
    await ring.key(issuer(entra), new.kid)
    for _ in range(10):
        with pytest.raises(KeyUnknown):
            await ring.key(issuer(entra), "invented")
    assert len(published.fetched) == 2


async def test_a_key_that_is_published_no_more_is_forgotten_within_the_hour(
    ring: KeyRing, entra: Workload, time: Time
) -> None:
    old = entra.keys[0]
    await ring.key(issuer(entra), old.kid)
    entra.rotate(keep=False)
    time.now += FRESH_S
    with pytest.raises(KeyUnknown):
        await ring.key(issuer(entra), old.kid)


async def test_known_keys_stay_in_use_while_fetching_fails_for_a_day(
    ring: KeyRing, entra: Workload, published: Published, time: Time
) -> None:
    await ring.key(issuer(entra), entra.keys[0].kid)
    published.fails = True
    for _ in range(3):
        time.now += FRESH_S
        await ring.key(issuer(entra), entra.keys[0].kid)
        await ring.key(issuer(entra), entra.keys[0].kid)
    assert len(published.fetched) == 4
    with pytest.raises(KeysUnavailable):
        await ring.key(issuer(entra), "a new one, perhaps")
    time.now += STALE_S
    with pytest.raises(KeysUnavailable):
        await ring.key(issuer(entra), entra.keys[0].kid)


async def test_without_any_keys_nobody_can_say(
    ring: KeyRing, entra: Workload, published: Published, time: Time
) -> None:
    published.fails = True
    for _ in range(5):
        with pytest.raises(KeysUnavailable):
            await ring.key(issuer(entra), entra.keys[0].kid)
    assert len(published.fetched) == 1
    published.fails = False
    time.now += PAUSE_S
    await ring.key(issuer(entra), entra.keys[0].kid)


async def test_nonsense_in_place_of_keys_leaves_the_known_ones(
    ring: KeyRing, entra: Workload, published: Published, time: Time
) -> None:
    known = entra.keys[0].kid
    await ring.key(issuer(entra), known)
    entra.keys = []
    time.now += FRESH_S
    await ring.key(issuer(entra), known)


async def test_many_who_want_a_tenant_s_keys_at_once_share_one_fetch(
    ring: KeyRing, entra: Workload, published: Published
) -> None:
    published.gates[TENANT] = asyncio.Event()
    asking = [asyncio.create_task(ring.key(issuer(entra), entra.keys[0].kid)) for _ in range(50)]
    await asyncio.sleep(0)
    asking[0].cancel()
    await asyncio.sleep(0)
    published.gates[TENANT].set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert sum(isinstance(one, BaseException) for one in found) == 1
    assert len(published.fetched) == 1


async def test_a_slow_tenant_holds_up_nobody_else(published: Published, entra: Workload, time: Time) -> None:
    other = Workload(OTHER)
    published.workloads[other.issuer] = other
    published.gates[TENANT] = asyncio.Event()
    ring = KeyRing(published.fetch, LOG, clock=time)
    slow = asyncio.create_task(ring.key(issuer(entra), entra.keys[0].kid))
    await asyncio.sleep(0)
    async with asyncio.timeout(1):
        await ring.key(issuer(other), other.keys[0].kid)
    assert not slow.done()
    published.gates[TENANT].set()
    await slow


async def test_memory_is_bounded_by_a_number_of_tenants_whatever_comes(published: Published, entra: Workload) -> None:
    ring = KeyRing(published.fetch, LOG, max_tenants=3)
    published.fails = True
    for number in range(10):
        unknown = Workload.__new__(Workload)
        unknown.tenant_id, unknown.origin = f"{number:08d}-1111-4111-8111-111111111111", entra.origin
        with pytest.raises(KeysUnavailable):
            await ring.key(issuer(unknown), "x")
    assert len(ring._tenants) == 3


# Fetching, over a socket


async def test_keys_come_over_the_wire_and_a_rotation_is_noticed() -> None:
    async with KeyServer() as server, KeyFetcher(allowed_hosts("http://127.0.0.1", "FEDERATION_HOSTS")) as fetcher:
        entra = server.workload(TENANT)
        time = Time()
        ring = KeyRing(fetcher.fetch, LOG, clock=time)
        await ring.key(issuer(entra), entra.keys[0].kid)
        time.now += PAUSE_S
        await ring.key(issuer(entra), entra.rotate().kid)
        assert server.fetches[TENANT] == 2


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Response(status_code=500), "status_500"),
        (Response(status_code=404), "status_404"),
        (RedirectResponse("/elsewhere"), "status_307"),
        (Response(b"x" * 300_000), "too_large"),
    ],
)
async def test_what_is_no_plain_answer_is_a_failure(answer: Response, reason: str) -> None:
    async with KeyServer() as server, KeyFetcher(allowed_hosts("http://127.0.0.1", "FEDERATION_HOSTS")) as fetcher:
        entra = server.workload(TENANT)
        server.spoiled[TENANT] = answer
        with pytest.raises(FetchFailed, match=reason):
            await fetcher.fetch(issuer(entra))


async def test_a_slow_answer_is_given_up() -> None:
    async with (
        KeyServer() as server,
        KeyFetcher(allowed_hosts("http://127.0.0.1", "FEDERATION_HOSTS"), timeout_s=0.1) as fetcher,
    ):
        entra = server.workload(TENANT)
        server.slow_s[TENANT] = 0.5
        with pytest.raises(FetchFailed, match="timeout"):
            await fetcher.fetch(issuer(entra))


async def test_nobody_listens() -> None:
    async with KeyFetcher(allowed_hosts("http://127.0.0.1", "FEDERATION_HOSTS"), timeout_s=0.5) as fetcher:
        nowhere = entra_issuer(f"http://127.0.0.1:1/{TENANT}/v2.0")
        assert nowhere
        with pytest.raises(FetchFailed):
            await fetcher.fetch(nowhere)


async def test_hosts_that_are_not_allowed_are_not_asked() -> None:
    async with (
        KeyServer() as server,
        KeyFetcher(allowed_hosts("login.microsoftonline.com", "FEDERATION_HOSTS")) as fetcher,
    ):
        entra = server.workload(TENANT)
        assert not fetcher.allows(issuer(entra))
        with pytest.raises(FetchFailed, match="host_not_allowed"):
            await fetcher.fetch(issuer(entra))
        assert server.fetches.total() == 0
        assert fetcher.allows(issuer(Workload(TENANT)))


def test_allowed_hosts_are_a_list_of_hosts() -> None:
    assert allowed_hosts("", "FEDERATION_HOSTS") == frozenset()
    assert allowed_hosts("login.microsoftonline.com, login.microsoftonline.us", "FEDERATION_HOSTS") == {
        ("https", "login.microsoftonline.com"),
        ("https", "login.microsoftonline.us"),
    }
    assert allowed_hosts("http://localhost", "FEDERATION_HOSTS") == {("http", "localhost")}


@pytest.mark.parametrize(
    "setting",
    ["http://login.microsoftonline.com", "https://127.0.0.1", "127.0.0.1", "a/b", "a:443", "*", "ftp://a", "http://"],
)
def test_what_is_no_host_is_refused_at_the_start(setting: str) -> None:
    with pytest.raises(SettingsError, match="FEDERATION_HOSTS"):
        allowed_hosts(setting, "FEDERATION_HOSTS")
