"""An exchange as the journal keeps it: whom it names and how, and what is shown of it. Pure."""

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from directory.employees.keys import is_storable, search_key
from shared.errors import DomainError, ErrorCode
from shared.ids import ExchangeId, employee_from_text, employee_text, exchange_from_text, exchange_text, moment_of
from shared.schemas.journal import Exchange, JournalEntry

Tie = Literal["about", "name", "mention", "aside"]

MAX_PEOPLE = 2000
"""Whom one exchange names; a group's members may be more, and are found by those named first."""
MAX_KEY_BYTES = 2000
"""A B-tree entry holds at most 2704 bytes."""
LISTS = ("attributes", "ignored", "coerced", "left_out")


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange, ready to be written."""

    exchange_id: ExchangeId
    exchange: Exchange
    about: list[uuid.UUID]
    people: dict[str, Tie]
    told: str
    asked: str | None

    @property
    def refused(self) -> bool:
        """What came too fast was not looked at: it is nothing that somebody has to mend."""
        return (self.exchange.status >= 400 and self.exchange.status != 429) or bool(self.exchange.left_out)


def row(exchange: Exchange) -> Row:
    """Raises DomainError `invalid_request` for an id that is none."""
    exchange_id = exchange_from_text(f"xch_{exchange.exchange_id}")
    if exchange_id is None:
        raise DomainError(ErrorCode.invalid_request, "exchange_id is 32 hexadecimal digits.", field="exchange_id")
    about = [found for text in exchange.about if (found := employee_from_text(text)) is not None]
    told = {name: getattr(exchange, name) for name in LISTS}
    asked = msgspec.json.encode(exchange.asked).decode() if exchange.asked is not None else None
    return Row(exchange_id, exchange, list(about), people(exchange, about), msgspec.json.encode(told).decode(), asked)


def people(exchange: Exchange, about: Iterable[uuid.UUID]) -> dict[str, Tie]:
    """Key -> how he is named. Whom it is about comes first."""
    found: dict[str, Tie] = {employee_text(one): "about" for one in about}
    # A look-up may find somebody and ask for another: only of one who is alone in it the name is surely his.
    alone = len(found) == 1 and len({*map(key_of, exchange.names)}) == 1
    # And what was refused gave nobody the name that it wanted to give.
    given = exchange.status < 400 and not _only_reads(exchange)
    tie: Tie = "about" if found and (given or (alone and _only_reads(exchange))) else "name"
    beside: Tie = "aside" if _only_reads(exchange) else "mention"
    for names, how in ((exchange.names, tie), (exchange.mentions, beside)):
        for name in names:
            if len(found) < MAX_PEOPLE and (key := key_of(name)) is not None:
                # An id that a filter compares with is somebody's manager, say.
                found.setdefault(key, beside if employee_from_text(key) else how)
    return found


def _only_reads(exchange: Exchange) -> bool:
    return exchange.method in ("GET", "HEAD") or exchange.path.endswith("/.search")


def key_of(name: str) -> str | None:
    """None for what can be nobody's name."""
    if not name or not is_storable(name):
        return None
    key = search_key(name)
    return key if len(key.encode()) <= MAX_KEY_BYTES else None


def view(found: Mapping[str, Any]) -> JournalEntry:
    told = msgspec.json.decode(found["told"])
    return JournalEntry(
        id=exchange_text(found["exchange_id"]),
        at=moment_of(found["exchange_id"]),
        about=[employee_text(one) for one in found["about"]],
        replayable=found["replayable"],
        **{name: told[name] for name in LISTS},
        **{name: found[name] for name in SAME},
    )


SAME = (
    "method",
    "path",
    "query",
    "activity_id",
    "request_id",
    "status",
    "result",
    "scim_type",
    "detail",
    "took_ms",
)
"""What is called the same in an exchange, in its row and in an entry; in the order in which the store writes them."""
