"""What the traffic of a company's provisioning tells, for whoever looks after it."""

from datetime import datetime
from typing import Literal

from shared.schemas import Schema
from shared.schemas.login import SessionCredential

Standing = Literal["never", "running", "resting", "slowed", "silent"]
Verdict = Literal["partial", "full", "without_checks", "has_gaps"]


class Cycle(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A run of requests without a pause of ten minutes."""

    started_at: datetime
    last_request_at: datetime
    requests: int
    verdict: Verdict | None = None
    """None until a sweep has looked at it: partial is an incremental cycle, full an initial one or a restart."""


class ReadProvisioning(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential


class ProvisioningReport(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    standing: Standing
    quarantine_suspected: bool
    """Slowed or silent: look at the provisioning job in Entra."""
    last_request_at: datetime | None
    rhythm_minutes: int | None
    """The usual time from one cycle to the next; None while there are too few."""
    expected_at: datetime | None
    """When the next cycle should begin."""
    last_full_at: datetime | None
    """Beginning of the last full cycle; None where none is remembered."""
    people: int
    """Active, from Entra."""
    unasked: int
    """Of these, whom the last full cycle did not ask about: Entra no longer provisions them, and will not deactivate them."""
    cycles: list[Cycle]
    """The newest first, 20 at most."""


class ListUnasked(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    after: str = ""
    limit: int = 100


class UnaskedPerson(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    employee_id: str
    login_name: str
    name: str
    asked_at: datetime | None
    """In which cycle he was asked about last; None: in none that is remembered."""


class UnaskedPeople(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Empty where no full cycle is remembered: then nothing can be concluded."""

    since: datetime | None
    people: list[UnaskedPerson]
    next: str | None
