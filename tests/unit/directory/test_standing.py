"""What a company's traffic says about its provisioning job."""

from datetime import UTC, datetime, timedelta

import pytest

from directory.cycles.standing import rhythm, standing
from shared.schemas.provisioning_report import Cycle

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def cycles(*minutes_ago: float, lasting: float = 1) -> list[Cycle]:
    """By their beginnings, the newest first."""
    return [
        Cycle(started_at=NOW - ago * MINUTE, last_request_at=NOW - (ago - lasting) * MINUTE, requests=5)
        for ago in minutes_ago
    ]


@pytest.mark.parametrize(
    ("seen", "stands"),
    [
        ([], "never"),
        (cycles(5), "running"),
        (cycles(500, lasting=495), "running"),
        (cycles(20), "resting"),
        (cycles(179), "resting"),
        (cycles(182), "silent"),
        (cycles(20, 60, 100, 140), "resting"),
        (cycles(150, 190, 230), "resting"),
        (cycles(182, 222, 262), "silent"),
        # Whoever comes every two hours is not silent after three.
        (cycles(300, 420, 540), "resting"),
        (cycles(490, 610, 730), "silent"),
        # One long pause is no other rhythm.
        (cycles(20, 60, 100, 3000, 3040), "resting"),
        (cycles(20, 20 + 1440, 20 + 2880), "slowed"),
        (cycles(1400, 1400 + 1440, 1400 + 2880), "slowed"),
        (cycles(6000, 6000 + 1440, 6000 + 2880), "silent"),
    ],
)
def test_how_it_stands(seen: list[Cycle], stands: str) -> None:
    assert standing(seen, NOW) == stands


def test_a_rhythm_takes_three_cycles_and_is_the_usual_one() -> None:
    assert rhythm(cycles(5, 45)) is None
    assert rhythm(cycles(5, 45, 85, 900)) == timedelta(minutes=40)
