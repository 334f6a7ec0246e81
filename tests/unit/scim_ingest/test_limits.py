"""Whose allowance a request spends, and how much is remembered of whom."""

import pytest

from scim_ingest.limits import MAX_STRANGERS, Limits
from scim_ingest.protocol.errors import ScimError
from shared.schemas.employee import ScimCredential


class Clock:
    """Time passes only while somebody waits, or by hand."""

    def __init__(self) -> None:
        self.now = 100.0
        self.waited: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.waited.append(seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def limits(clock: Clock) -> Limits:
    return Limits(64, clock=clock, sleep=clock.sleep)


def of(token: str, company: str = "firma") -> ScimCredential:
    return ScimCredential(token_sha256=token, company=company)


async def admitted(limits: Limits, credential: ScimCredential, times: int) -> int:
    """How many of so many at once."""
    passed = 0
    for _ in range(times):
        try:
            await limits.admit(credential)
            passed += 1
        except ScimError as error:
            if error.status != 429 or int(error.headers["Retry-After"]) < 1:
                raise
    return passed


async def test_all_tokens_of_a_company_share_its_allowance(limits: Limits) -> None:
    limits.accepted(of("old"))
    limits.accepted(of("new"))
    assert await admitted(limits, of("old"), 200) == 144
    assert await admitted(limits, of("new"), 200) == 0


async def test_what_a_token_spent_before_it_was_known_is_spent(limits: Limits) -> None:
    assert await admitted(limits, of("new"), 100) == 100
    limits.accepted(of("new"))
    assert await admitted(limits, of("new"), 100) == 44


async def test_a_stranger_spends_nothing_of_the_company_he_names(limits: Limits) -> None:
    limits.accepted(of("right"))
    for number in range(50):
        await admitted(limits, of(f"invented-{number}"), 300)
        limits.rejected(of(f"invented-{number}"))
    await admitted(limits, of("right", company="other"), 300)
    limits.rejected(of("right", company="other"))
    assert await admitted(limits, of("right"), 200) == 144


async def test_one_company_spends_nothing_of_another(limits: Limits, clock: Clock) -> None:
    limits.accepted(of("a", "a"))
    limits.accepted(of("b", "b"))
    assert await admitted(limits, of("a", "a"), 1000) == 144
    clock.waited.clear()
    assert await admitted(limits, of("b", "b"), 16) == 16
    assert clock.waited == []


async def test_a_token_that_is_refused_from_now_on_no_longer_spends_the_company_s(limits: Limits) -> None:
    limits.accepted(of("revoked"))
    limits.accepted(of("live"))
    await limits.admit(of("revoked"))
    limits.rejected(of("revoked"))
    await admitted(limits, of("revoked"), 1000)
    assert await admitted(limits, of("live"), 200) == 143


async def test_a_flood_of_invented_tokens_takes_no_memory_and_no_company_s_place(limits: Limits) -> None:
    limits.accepted(of("right"))
    await admitted(limits, of("right"), 144)
    for number in range(4 * MAX_STRANGERS):
        await limits.admit(of(f"invented-{number}"))
        limits.rejected(of(f"invented-{number}"))
    assert limits.size() <= MAX_STRANGERS + 2
    assert await admitted(limits, of("right"), 10) == 0


async def test_whoever_is_even_again_is_forgotten(limits: Limits, clock: Clock) -> None:
    for number in range(10_000):
        one = of(f"token-{number}", f"company-{number}")
        await limits.admit(one)
        limits.accepted(one)
        clock.now += 0.001
    assert limits.size() < 10_000 + 50, "the tokens of 10,000 companies, and what the last few have spent"


async def test_zero_limits_nobody(clock: Clock) -> None:
    limits = Limits(0, clock=clock, sleep=clock.sleep)
    limits.accepted(of("right"))
    assert await admitted(limits, of("right"), 10_000) == 10_000
    assert (limits.size(), clock.waited) == (1, []), "whose the token is"
