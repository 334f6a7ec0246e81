"""When somebody who left is to be erased: so many months after his termination date, in the company's calendar. Pure.

A month later is the same day of the next month, or its last day where it has no such day: 31 January and one month is 28
February, and so is 28 January. 29 February and twelve months is 28 February.
"""

import calendar
from datetime import date, timedelta

MIN_DAYS = 31
"""Nobody is erased sooner after he was deactivated, whatever his termination date: Entra restores people for thirty days, and a
date that HR mistyped, or Entra's leave date, may lie far back."""


def erased_on(termination_date: date, months: int, suspended_on: date | None) -> date:
    """The first day on which he is to be erased; `suspended_on`: when he was deactivated, where that is known."""
    day = months_later(termination_date, months)
    return day if suspended_on is None else max(day, suspended_on + timedelta(days=MIN_DAYS))


def months_later(day: date, months: int) -> date:
    """Of a termination date: the first day on which he is to be erased."""
    year, month = _month(day, months)
    if year > date.max.year:
        return date.max
    return date(year, month, min(day.day, _days(year, month)))


def latest_due(today: date, months: int) -> date:
    """The latest termination date that is due today: `months_later(end, months) <= today` for just the dates up to it."""
    year, month = _month(today, -months)
    if year < date.min.year:
        return date.min
    days = _days(year, month)
    # The last day of a month stands for all the days that it does not have.
    is_last = today.day == _days(today.year, today.month)
    return date(year, month, days if is_last else min(today.day, days))


def _month(day: date, months: int) -> tuple[int, int]:
    years, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return years, month + 1


def _days(year: int, month: int) -> int:
    return calendar.monthrange(year, month)[1]
