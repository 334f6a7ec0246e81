"""Login traces: attempts to sign in, as the gateway tells of those that it refuses, and as a Setup admin reads them."""

from datetime import datetime
from typing import Literal

from shared.schemas import Schema
from shared.schemas.login import SessionCredential
from shared.words import Language

StepName = Literal["started", "answered", "verified", "refused", "matched", "decided", "session", "redeemed"]


class Step(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One step of an attempt. Its facts are short and hold nothing personal."""

    step: StepName
    at: datetime
    facts: dict[str, str] = {}


class RefusedAnswer(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An answer that the gateway refused by itself, so that nothing of it is proven."""

    attempt_id: str
    """As the refusal page says it; empty where it stands for several."""
    flow_id: str | None = None
    """Of the login that it calls itself the answer to."""
    at: datetime
    trace_id: str
    reason: str
    wanted: str | None = None
    got: str | None = None
    times: int = 1
    """More than one: so many of this reason within the minute, beyond those that are told one by one."""


class RefusedOfCompany(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    company: str
    answers: list[RefusedAnswer]


class NoteRefusals(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    companies: list[RefusedOfCompany]


NoteOutcome = Literal["written", "refused", "unfit", "again"]
"""refused: there is no such company; unfit: it cannot be stored; again: give it once more, later."""


class NotedRefusals(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    outcomes: list[NoteOutcome]
    """One for each company."""


class ListLogins(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str = ""
    """Id, login name, e-mail or the NameID that was presented; empty: everybody."""
    outcome: str = ""
    """`accepted`, a reason of a refusal, or `never_answered`; empty: all."""
    before: str = ""
    """`next` of the page before."""
    limit: int = 50


class LoginEntry(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An attempt in a list."""

    attempt_id: str | None
    """None: the entry stands for several."""
    at: datetime
    outcome: str
    employee_id: str | None
    name_id: str | None
    """As it was presented and proven, in lower case."""
    started_by: Literal["us", "microsoft", "unknown"]
    is_test: bool
    times: int
    trace_id: str


class Said(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    title: str
    what: str
    remedy: str


class Explanation(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What it means and who can mend it, under a code that stays, in each language."""

    code: str
    said: dict[Language, Said]


class LoginPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    entries: list[LoginEntry]
    """Newest first."""
    next: str | None
    explanation: Explanation | None = None
    """Of a person who was asked for and has no attempt."""
    never_answered_lately: int = 0
    """Beside it: logins of the company that were started within a day and never answered, whosever they are."""


class GetLogin(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    attempt_id: str
    """In any spelling."""


class TimelineStep(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    step: StepName
    at: datetime
    facts: dict[str, str]
    said: dict[Language, str]


class LoginTrace(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One attempt, whole."""

    entry: LoginEntry
    steps: list[TimelineStep]
    explanation: Explanation | None
    """Of what was refused, or is missing."""
