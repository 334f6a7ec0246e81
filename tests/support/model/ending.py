"""The end of a company (docs/operations.md): closed, open again within the grace, gone."""

from datetime import datetime, timedelta

from tests.support.model.company import Company
from tests.support.model.people import Refused, Turn, plain


def close(company: Company, turn: Turn, grace: timedelta) -> datetime:
    """When it will be deleted; who closes it again learns when, and changes nothing."""
    if company.ends_at is None:
        company.ends_at = turn.now + grace
        _tell(company, turn, "company.closed", None, company.ends_at)
        company.end_sessions(turn, company.people, "company_closed")
    return company.ends_at


def restore(company: Company, turn: Turn) -> None:
    if company.ends_at is None:
        raise Refused("not_allowed")
    _tell(company, turn, "company.restored", company.ends_at, None)
    company.ends_at = None


def is_over(company: Company, now: datetime) -> bool:
    return company.ends_at is not None and company.ends_at <= now


def check_provisioning(company: Company) -> None:
    if company.ends_at is not None:
        raise Refused("not_allowed")


def _tell(company: Company, turn: Turn, kind: str, before: datetime | None, after: datetime | None) -> None:
    is_open, was_open = after is None, before is None
    switch = {"before": was_open, "after": is_open}
    ends = {"before": plain("ends_at", before), "after": plain("ends_at", after)}
    company.tell(turn, kind, None, {"ends_at": ends, "sso.enabled": switch, "provisioning.enabled": switch})
