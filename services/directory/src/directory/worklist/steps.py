"""What HR has left to do for somebody who came or went (S10, B10, B12). Pure.

Nothing is kept of an item but what HR alone can say: the rest is read off the employee, so that an item closes itself the moment
its last step is done, wherever that was.
"""

from datetime import date, datetime

from directory.retention.due import erased_on
from shared.schemas.people import WorkStep


def joiner_steps(*, policy: str | None, hired_on: date | None, employee_number: str | None) -> list[WorkStep]:
    """Entra has no name for them; without them nobody can be paid or have an absence approved."""
    return [
        WorkStep(step="policy", done=policy is not None, about=policy),
        WorkStep(step="date_of_employment", done=hired_on is not None, about=_text(hired_on)),
        WorkStep(step="payroll_number", done=employee_number is not None, about=employee_number),
    ]


def leaver_steps(
    *,
    reports: int,
    done_at: datetime | None,
    ended_at: datetime | None,
    termination_date: date | None,
    suspended_on: date | None,
    erase_after_months: int | None,
) -> list[WorkStep]:
    """`reports`: active people whose manager he still is."""
    erased = (
        erased_on(termination_date, erase_after_months, suspended_on)
        if termination_date and erase_after_months
        else None
    )
    return [
        WorkStep(step="approvals_of_reports", done=reports == 0, about=str(reports)),
        WorkStep(step="future_registrations", done=done_at is not None, about=_text(done_at)),
        WorkStep(step="access_ended", done=True, about=_text(ended_at)),
        WorkStep(step="erasure_date", done=True, about=_text(erased)),
    ]


def _text(moment: date | datetime | None) -> str | None:
    return moment.isoformat() if moment is not None else None
