"""The leave date that a company may map in Entra, and when it becomes the termination date (decision A4). Pure.

It stands as it was sent; beside it the day that it means, where it can be read. A wrong one must not erase anybody early or keep
him for ever, so it counts only where it is believable; otherwise the day of the deactivation does.
"""

import re
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

EARLIER_DAYS = 92
"""A leave date further back than a quarter is a typing error, or of an employment that was forgotten in the HR system."""
LATER_DAYS = 366
"""As far ahead as HR may set a termination date."""

_COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(?:(\d\d)(\d\d)(\d\d)(?:[.,]\d+)?Z)?\Z", re.ASCII)
_ISO = re.compile(r"\d{4}-\d\d-\d\d(?:[Tt ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?: ?(?:[Zz]|[+-]\d\d:?\d\d))?)?\Z", re.ASCII)
"""Day before month, or month before day? `03/04/2026` is not guessed."""


def read_leave_date(text: str, time_zone: str) -> date | None:
    """The company's day: of `2026-12-31`, ISO 8601 date and time, `20261231` and LDAP generalized time (RFC 4517 section 3.3.13).

    Midnight is how systems write a day that has no time, wherever they stand: that is the day as written. Any other
    moment is converted to the company's time zone. None: it is none of these.
    """
    text = text.strip()
    if compact := _COMPACT.match(text):
        year, month, day, *clock = compact.groups()
        text = f"{year}-{month}-{day}" + (f"T{':'.join(clock)}+00:00" if clock[0] else "")
    elif not _ISO.match(text):
        return None
    try:
        moment = datetime.fromisoformat(text.upper().replace(" ", "T", 1).replace(" ", "").replace(",", "."))
        if moment.tzinfo is None or moment.time() == time():
            return moment.date()
        return moment.astimezone(ZoneInfo(time_zone)).date()
    except (ValueError, OverflowError):
        return None


def believable(leaves_on: date, ended_on: date, hired_on: date | None) -> bool:
    """Whether it can be the end of this employment: near the day of the deactivation, and not before it began."""
    if hired_on is not None and leaves_on < hired_on:
        return False
    return ended_on - timedelta(days=EARLIER_DAYS) <= leaves_on <= ended_on + timedelta(days=LATER_DAYS)
