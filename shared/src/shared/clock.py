"""The time, as a value that is passed in: no module asks the machine for it behind a test's back."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the present moment as an aware UTC datetime."""


def system_clock() -> datetime:
    return datetime.now(UTC)
