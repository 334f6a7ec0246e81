"""Whose allowance a login spends, how much is remembered of whom, and what the defaults let through."""

import random

import aiohttp
import msgspec
import pytest
from starlette.requests import Request

from sso_gateway.app import create_service
from sso_gateway.limits import MAX_ADDRESSES, MAX_COMPANIES, MAX_FAMILIAR, MAX_INVENTED, Limits, TooManyRequests
from sso_gateway.network import network_of
from sso_gateway.settings import Settings
from tests.unit.sso_gateway.conftest import settings
from tests.unit.sso_gateway.fake_directory import FakeDirectory

DEFAULTS = {field.name: field.default for field in msgspec.structs.fields(Settings)}


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    """A burst of 20 for a company and of 10 for an address."""
    return Limits(per_company=2, per_address=1, clock=clock)


def by(host: str = "192.0.2.1") -> Request:
    return Request({"type": "http", "client": (host, 4711), "headers": []})


def of_address(limits: Limits, times: int, host: str = "192.0.2.1") -> int:
    """How many of so many at once are admitted."""
    return sum(_admitted(lambda: limits.admit_address("login", by(host))) for _ in range(times))


def of_company(limits: Limits, times: int, company: str = "firma", host: str = "192.0.2.1", exists: bool = True) -> int:
    return sum(_admitted(lambda: limits.admit_company("login", company, by(host), exists=exists)) for _ in range(times))


def _admitted(admit: object) -> bool:
    try:
        admit()  # type: ignore[operator]
    except TooManyRequests:
        return False
    return True


def test_ten_seconds_worth_pass_at_once_and_then_the_rate(limits: Limits, clock: Clock) -> None:
    assert of_address(limits, 100) == 10
    clock.now += 3.5
    assert of_address(limits, 100) == 3
    with pytest.raises(TooManyRequests) as refused:
        limits.admit_address("login", by())
    assert (refused.value.surface, refused.value.scope) == ("login", "address")


def test_starting_and_answering_are_counted_apart(limits: Limits) -> None:
    assert of_address(limits, 100) == 10
    assert of_company(limits, 100) == 20
    limits.admit_address("acs", by())
    limits.admit_company("acs", "firma", by(), exists=True)


def test_one_company_spends_nothing_of_another(limits: Limits) -> None:
    assert of_company(limits, 100, "loud") == 20
    assert of_company(limits, 20, "quiet") == 20


def test_where_people_of_the_company_sign_in_strangers_spend_nothing(limits: Limits) -> None:
    limits.signed_in("firma", by("192.0.2.80"))
    for number in range(100):
        of_company(limits, 1, host=f"198.51.100.{number}")
    assert of_company(limits, 1, host="203.0.113.5") == 0, "a stranger, like those before him"
    assert of_company(limits, 20, host="192.0.2.80") == 20
    assert of_company(limits, 1, host="192.0.2.80") == 0, "a rate of its own, and no more"
    assert of_company(limits, 1, "other", host="192.0.2.80") == 1
    for _ in range(30):
        of_company(limits, 1, "other", host="203.0.113.9")
    assert of_company(limits, 1, "other", host="192.0.2.80") == 0, "the office of one company is nobody to another"


def test_a_flood_of_addresses_takes_no_memory_and_no_company_s_place(limits: Limits) -> None:
    of_company(limits, 100)
    for number in range(3 * MAX_ADDRESSES):
        of_address(limits, 1, f"2001:db8:{number // 65536:x}:{number % 65536:x}::1")
        of_company(limits, 1, host=f"2001:db8:{number // 65536:x}:{number % 65536:x}::1")
    assert limits.size() <= MAX_ADDRESSES + 1
    assert of_company(limits, 1) == 0, "what the company has spent is still known"


def test_invented_companies_push_out_one_another_and_none_that_exists(limits: Limits) -> None:
    of_company(limits, 100)
    for number in range(2 * MAX_INVENTED):
        of_company(limits, 1, f"invented-{number}", exists=False)
    assert limits.size() <= MAX_INVENTED + 1
    assert of_company(limits, 1) == 0


def test_everything_that_is_remembered_has_a_bound(limits: Limits) -> None:
    for number in range(MAX_COMPANIES + 100):
        limits.signed_in(f"c{number}", by())
        of_company(limits, 1, f"c{number}")
    assert limits.size() == MAX_COMPANIES + MAX_FAMILIAR


def test_whoever_has_earned_everything_back_is_forgotten(limits: Limits, clock: Clock) -> None:
    for number in range(2000):
        of_address(limits, 1, f"192.0.{number // 256}.{number % 256}")
        clock.now += 0.1
    assert limits.size() < 30


def test_zero_limits_nobody_and_remembers_nothing(clock: Clock) -> None:
    limits = Limits(per_company=0, per_address=0, clock=clock)
    assert (of_address(limits, 5000), of_company(limits, 5000)) == (5000, 5000)
    assert limits.size() == 0


def test_one_at_least_passes_however_low_the_rate(clock: Clock) -> None:
    limits = Limits(per_company=0.001, per_address=0.01, clock=clock)
    assert (of_address(limits, 9), of_company(limits, 9)) == (1, 1)
    clock.now += 101
    assert (of_address(limits, 9), of_company(limits, 9)) == (1, 0)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "64:ff9b::192.0.2.1", True),
        ("64:ff9b::192.0.2.1", "64:ff9b::192.0.2.2", False),
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("unknown", "", True),
        ("unknown", "_hidden-" + "x" * 100_000, True),
        ("unknown", "192.0.2.1", False),
    ],
)
def test_an_address_counts_as_its_network(one: str, other: str, same: bool) -> None:
    assert (network_of(one) == network_of(other)) is same


def test_no_address_is_kept_as_it_is(limits: Limits) -> None:
    of_address(limits, 1, "192.0.2.77")
    limits.signed_in("firma", by("192.0.2.77"))
    kept = b"".join(key[1] for key in limits._addresses._spent) + b"".join(limits._familiar)  # type: ignore[index]
    assert kept
    assert network_of("192.0.2.77") not in kept
    again = Limits(per_company=1, per_address=1)
    again.signed_in("firma", by("192.0.2.77"))
    assert set(again._familiar).isdisjoint(limits._familiar), "the key is of this process"


def test_behind_https_addresses_count_only_where_the_ingress_is_believed() -> None:
    assert settings().knows_addresses
    assert not settings(public_url="https://login.example").knows_addresses
    assert settings(public_url="https://login.example", forwarded_allow_ips="10.0.0.0/8").knows_addresses


async def test_whoever_cannot_tell_addresses_apart_says_so_and_limits_by_company_alone(
    caplog: pytest.LogCaptureFixture, http: aiohttp.ClientSession
) -> None:
    """Behind an ingress that is not believed everybody comes from one address; that must lock nobody out."""
    rates = {"login_rate_per_address": 0.01, "login_rate_per_company": 0.3}
    service = create_service(settings(public_url="https://login.example", **rates), client=FakeDirectory())
    await service.start()
    try:
        url = f"http://127.0.0.1:{service.port}/login/contoso"
        statuses = [(await http.get(url, allow_redirects=False)).status for _ in range(3)]
        first_of_company = [(await http.get(url, allow_redirects=False)).status for _ in range(9)]
    finally:
        await service.stop()
    assert statuses == [302, 302, 302]
    assert 429 in first_of_company
    assert "client_addresses_unknown" in caplog.messages


# What nobody may ever meet.


def monday(seed: int) -> list[tuple[float, str]]:
    """2,000 people of one company behind one address within a quarter of an hour, three bursts of 50 within a second among them.

    Each asks by e-mail (the form, its answer, the company's start) and answers once; every fifth browser restores eight tabs,
    which all start a login and answer it.
    """
    chance = random.Random(seed)
    bursts = [chance.uniform(0, 890) for _ in range(3)]
    came: list[tuple[float, str]] = []
    for person in range(2000):
        at = bursts[person % 3] + chance.random() if person < 150 else chance.uniform(0, 900)
        tabs = 8 if person % 5 == 0 else 1
        came += [(at, "email")] + [(at + chance.uniform(0, 2), "start") for _ in range(tabs)]
        came += [(at + chance.uniform(3, 30), "acs") for _ in range(tabs)]
    return sorted(came)


@pytest.mark.parametrize("seed", range(5))
def test_a_monday_morning_behind_one_address_never_meets_the_defaults(clock: Clock, seed: int) -> None:
    limits = Limits(
        per_company=DEFAULTS["login_rate_per_company"],
        per_address=DEFAULTS["login_rate_per_address"],
        clock=clock,
    )
    for at, what in monday(seed):
        clock.now = 100 + at
        limits.admit_address("acs" if what == "acs" else "login", by())
        if what != "email":
            limits.admit_company("acs" if what == "acs" else "login", "firma", by(), exists=True)


def test_four_hundred_starts_in_one_moment_behind_one_address_pass() -> None:
    """Fifty people whose browsers restore eight tabs each."""
    limits = Limits(
        per_company=DEFAULTS["login_rate_per_company"],
        per_address=DEFAULTS["login_rate_per_address"],
        clock=Clock(),
    )
    assert (of_address(limits, 400), of_company(limits, 400)) == (400, 400)
