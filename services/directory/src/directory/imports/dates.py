"""Reading the dates that people type, without guessing. Pure.

    2024-03-31                           ISO 8601
    31-03-2024, 31/03/2024, 31.03.2024   day first, as in Denmark; month first is refused where it shows

Excel's midnight behind a date is left out; a two-digit year and Excel's bare day numbers are refused.
"""

import re
from datetime import date
from functools import lru_cache

EARLIEST = date(1900, 1, 1)
YEARS_AHEAD = 2

_MIDNIGHT = r"(?:[T ]0?0[:.]00(?:[:.]00)?)?\Z"
_ISO = re.compile(r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})" + _MIDNIGHT)
_DAY_FIRST = re.compile(r"(?P<day>[0-9]{1,2})(?P<by>[-/.])(?P<month>[0-9]{1,2})(?P=by)(?P<year>[0-9]{4})" + _MIDNIGHT)
_TWO_DIGIT_YEAR = re.compile(r"[0-9]{1,2}[-/.][0-9]{1,2}[-/.][0-9]{2}\Z")
_DAY_NUMBER = re.compile(r"[0-9]{4,6}(?:[.,][0-9]+)?\Z")


class NoDateError(Exception):
    """`str()` says what is wrong, to follow upon the value."""


@lru_cache(maxsize=1024)
def read_date(text: str, today: date) -> date:
    """Raises NoDateError."""
    found = _ISO.match(text) or _DAY_FIRST.match(text)
    if found is None:
        raise NoDateError(_no_date(text))
    year, month, day = int(found["year"]), int(found["month"]), int(found["day"])
    try:
        read = date(year, month, day)
    except ValueError:
        if month > 12 >= day and not text.startswith(found["year"]):
            raise NoDateError("has month first; write the day first (31-12-2024) or 2024-12-31") from None
        raise NoDateError("is no day of the calendar") from None
    if not EARLIEST <= read <= _latest(today):
        raise NoDateError(f"is out of range: not before 1900, and at most {YEARS_AHEAD} years ahead")
    return read


def _latest(today: date) -> date:
    # 29 February has no anniversary in a common year.
    day = 28 if (today.month, today.day) == (2, 29) else today.day
    return date(today.year + YEARS_AHEAD, today.month, day)


def _no_date(text: str) -> str:
    if _TWO_DIGIT_YEAR.match(text):
        return "has a year of two digits; write all four"
    if _DAY_NUMBER.match(text):
        return "is a number, as Excel stores a date; format the cells as dates and save again"
    return "is no date; write 2024-12-31 or 31-12-2024"
