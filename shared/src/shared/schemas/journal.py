"""The journal of a company's provisioning: what scim-ingest hands over, and what a Setup admin reads and has done again."""

from datetime import datetime
from typing import Any, Literal

from shared.schemas import Schema
from shared.schemas.employee import EmployeeChanges, MappedAttribute, NewEmployee, ScimCredential
from shared.schemas.group import GroupChanges, NewGroup
from shared.schemas.login import SessionCredential


class Asked(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a request asked of directory, compiled: what a replay does again."""

    what: Literal["provision", "change", "remove", "create_group", "change_group", "remove_group"]
    employee: NewEmployee | None = None
    missing: list[MappedAttribute] = []
    employee_id: str | None = None
    changes: EmployeeChanges | None = None
    replaces: bool = False
    deactivate_anyway: bool = False
    group: NewGroup | None = None
    group_id: str | None = None
    group_changes: GroupChanges | None = None


class Exchange(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One SCIM request and what became of it. Holds no header, no token and no password."""

    exchange_id: str
    """A UUIDv7 in 32 hexadecimal digits: the moment at which the request came is in it."""
    method: str
    path: str
    """Below the Tenant URL."""
    query: str
    activity_id: str
    """Entra's, which Microsoft's support asks for; empty where none came."""
    request_id: str
    status: int
    result: str
    """In a word, as in the metrics: created, unchanged, conflict …"""
    scim_type: str | None = None
    detail: str | None = None
    """Of a refusal: what was answered."""
    took_ms: float
    attributes: list[str] = []
    """What the request gave a value, or took one from, by SCIM path."""
    ignored: list[str] = []
    """What we do not keep, by name; the values are in the body."""
    coerced: list[str] = []
    """Quirks that changed something, by name."""
    left_out: list[str] = []
    """What was refused beside what was done: a deactivation (decision D5), or an operation of a bulk before it was tried."""
    about: list[str] = []
    """Employees whom it is about, by id."""
    names: list[str] = []
    """What it calls them: login names, e-mail addresses, external ids."""
    mentions: list[str] = []
    """Other people whom it names."""
    asked: Asked | None = None
    body: str | None = None
    """As it came but for secrets; None where there was none, or where it cannot be kept."""
    body_bytes: int = 0
    """Of the body that came; `body` is its beginning."""


class ExchangeBatch(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Exchanges that came with one credential."""

    credential: ScimCredential
    exchanges: list[Exchange]


class NoteExchanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    batches: list[ExchangeBatch]


BatchOutcome = Literal["written", "refused", "unfit", "again"]
"""refused: nobody's credential (any more); unfit: it cannot be stored; again: give it once more, later."""


class NotedExchanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outcomes: list[BatchOutcome]
    """One for each batch."""


class ListExchanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str = ""
    """Id or login name, now or then; empty: everybody."""
    activity_id: str = ""
    refused: bool = False
    """Only what was refused, wholly or in part."""
    before: str = ""
    """`next` of the page before."""
    limit: int = 50


class JournalEntry(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange in a list."""

    id: str
    """`xch_…`"""
    at: datetime
    method: str
    path: str
    query: str
    activity_id: str
    request_id: str
    status: int
    result: str
    scim_type: str | None
    detail: str | None
    took_ms: float
    attributes: list[str]
    ignored: list[str]
    coerced: list[str]
    left_out: list[str]
    about: list[str]
    replayable: bool


class JournalPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    entries: list[JournalEntry]
    """Newest first."""
    next: str | None


class GetExchange(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    entry: str


class Written(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One event in the history."""

    kind: str
    employee_id: str | None
    changes: dict[str, Any]
    """Field -> before and after."""


class WholeExchange(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An exchange with everything that is known of it."""

    entry: JournalEntry
    credential: str
    """What it came with: `tok_…`, `sec_…` or `fed_…`."""
    asked: Asked | None
    body: str | None
    body_bytes: int
    written: list[Written]
    """What it changed, from the history: empty where nothing was, or where it is forgotten."""


class ReplayExchange(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    entry: str
    dry_run: bool = True


class Refusal(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    code: str
    detail: str


class Replayed(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a replay did, or would do."""

    entry: str
    dry_run: bool
    employee_id: str | None
    """Of whom it is, or would be; None where it is a group's."""
    group_id: str | None = None
    answered: int
    """The status that was answered then."""
    written: list[Written]
    """Empty: everything is so already, or it is refused."""
    refusal: Refusal | None = None
    """Why nothing is done; in a real replay, nothing was."""
    left_out: str | None = None
    """Code of the refusal because of which only the deactivation is done (decision D5)."""
    departed: list[str] = []
    """Employees who would have come into the group, and have departed; everybody else does."""
