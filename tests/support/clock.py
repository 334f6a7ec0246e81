"""A clock that a test sets; it stands on the machine's until then."""

from datetime import UTC, datetime


class SettableClock:
    def __init__(self) -> None:
        self._moment: datetime | None = None

    def __call__(self) -> datetime:
        return self._moment or datetime.now(UTC)

    def set(self, moment: datetime | None) -> None:
        """None: the machine's time again."""
        self._moment = moment
