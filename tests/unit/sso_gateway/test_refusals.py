"""Refused answers on their way into the traces: bounded, whoever sends how many."""

from collections import Counter
from datetime import timedelta

import pytest

from shared.errors import ErrorCode
from shared.schemas.traces import RefusedAnswer
from sso_gateway.saml.refusals import A_MINUTE, Refusals
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.fake_directory import FakeDirectory


class Stopwatch:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def answer(reason: str = "malformed_response", number: int = 0) -> RefusedAnswer:
    return RefusedAnswer(
        attempt_id=f"K7QM-{number:04d}", at=NOW + timedelta(seconds=number), trace_id="", reason=reason
    )


@pytest.fixture
def directory() -> FakeDirectory:
    return FakeDirectory()


@pytest.fixture
def watch() -> Stopwatch:
    return Stopwatch()


def refusals(directory: FakeDirectory, watch: Stopwatch, **more: int) -> Refusals:
    return Refusals(directory, lambda: NOW, now=watch, **more)


def told(directory: FakeDirectory) -> dict[str, Counter[str]]:
    """Company -> how many of each reason directory was told."""
    found: dict[str, Counter[str]] = {}
    for one in directory.memory.refusals:
        for refused in one.answers:
            found.setdefault(one.company, Counter())[refused.reason] += refused.times
    return found


async def test_ten_a_minute_are_told_one_by_one_and_the_rest_as_a_count(
    directory: FakeDirectory, watch: Stopwatch
) -> None:
    kept = refusals(directory, watch)
    for number in range(1000):
        kept.keep("contoso", answer("bad_signature" if number % 2 else "malformed_response", number))
    assert len(kept) == A_MINUTE
    await kept.hand_over()
    assert sum(told(directory)["contoso"].values()) == A_MINUTE
    await kept.hand_over()
    assert len(directory.memory.refusals) == 1, "what is still being counted waits for the minute to end"
    watch.seconds = 60.0
    await kept.hand_over()
    assert told(directory)["contoso"] == {"bad_signature": 500, "malformed_response": 500}
    counts = [one for one in directory.memory.refusals[-1].answers if one.times > 1]
    assert [one.attempt_id for one in counts] == ["", ""]
    assert len(kept) == 0


async def test_a_flood_of_one_company_leaves_the_others_their_ten(directory: FakeDirectory, watch: Stopwatch) -> None:
    kept = refusals(directory, watch)
    for number in range(5000):
        kept.keep("contoso", answer(number=number))
    kept.keep("fabrikam", answer())
    await kept.hand_over()
    assert told(directory)["fabrikam"] == {"malformed_response": 1}


async def test_so_many_companies_wait_and_no_more(directory: FakeDirectory, watch: Stopwatch) -> None:
    kept = refusals(directory, watch, max_companies=3)
    for number in range(10):
        kept.keep(f"company-{number}", answer())
    assert len(kept) == 3
    await kept.hand_over()
    watch.seconds = 120.0
    await kept.hand_over()
    kept.keep("company-9", answer())
    assert len(kept) == 1, "there is room again"


async def test_what_directory_cannot_take_now_is_given_again_and_stays_bounded(
    directory: FakeDirectory, watch: Stopwatch
) -> None:
    kept = refusals(directory, watch)
    directory.memory.fail = ErrorCode.unavailable
    for minute in range(30):
        watch.seconds = 60.0 * minute
        for number in range(50):
            kept.keep("contoso", answer(number=number))
        assert not await kept.hand_over()
    assert len(kept) == 10 * A_MINUTE
    directory.memory.fail = None
    assert await kept.hand_over()
    assert len(kept) == 0


async def test_what_is_left_goes_when_the_service_stops(directory: FakeDirectory, watch: Stopwatch) -> None:
    kept = Refusals(directory, lambda: NOW, every_s=3600, now=watch)
    async with kept.running():
        for number in range(15):
            kept.keep("contoso", answer(number=number))
    assert told(directory)["contoso"] == {"malformed_response": 15}
