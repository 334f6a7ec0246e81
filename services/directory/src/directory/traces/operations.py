"""Reading attempts: a page of them, or one as a timeline; and an app's part in one.

Whoever reads finds logins that nobody answered as well: those whose time is over become traces first.
"""

from datetime import timedelta
from uuid import UUID

import asyncpg
import msgspec

from directory.database import CompanyTx
from directory.employees.keys import search_key
from directory.events.store import former_names
from directory.journal import store as journal
from directory.journal.entries import key_of
from directory.traces import store, telling
from shared.attempts import attempt_from_text
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas.traces import Explanation, LoginEntry, LoginPage, LoginTrace, Step
from shared.words import WORDS

MAX_LIMIT = 200
SETTLED_AT_ONCE = 5000
LATELY = timedelta(days=1)
OUTCOMES = {"accepted", "other", *WORDS["en"].refusals, *WORDS["en"].explanations}

_steps = msgspec.json.Decoder(list[Step])


async def page(tx: CompanyTx, *, person: str = "", outcome: str = "", before: str = "", limit: int = 50) -> LoginPage:
    """Raises DomainError `invalid_request` where `before`, `limit` or `outcome` is none."""
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
    if outcome and outcome not in OUTCOMES:
        text = f"No attempt ends in {outcome[:60]!r}; accepted, never_answered or a reason of docs/errors.md is known."
        raise DomainError(ErrorCode.invalid_request, text, field="outcome")
    await store.never_answered(tx, SETTLED_AT_ONCE)
    asked = (_place(before), outcome or None, limit + 1)
    if not person:
        rows = await store.page(tx, *asked)
        return _page(rows, limit)
    people, names, anybodys = await _whose(tx, person)
    rows = await store.page_of_person(tx, *asked, people, names, anybodys=anybodys) if people or names else []
    shown = _page(rows, limit)
    if rows or before or outcome:
        return shown
    code = "never_sent" if people else "nobody_of_that_name"
    if people and await store.last_session(tx, people) is not None:
        code = "not_lately"
    lately = await store.never_answered_since(tx, tx.now - LATELY)
    return msgspec.structs.replace(shown, explanation=telling.explanation(code), never_answered_lately=lately)


def _place(before: str) -> UUID | None:
    if not before:
        return None
    try:
        return UUID(hex=before)
    except ValueError:
        raise DomainError(
            ErrorCode.invalid_request, "before is the `next` of the page before.", field="before"
        ) from None


async def _whose(tx: CompanyTx, person: str) -> tuple[list[EmployeeId], list[str], bool]:
    """Ids, names under which he may have come, and whether what came under the name is shown whosever it was."""
    if (employee_id := employee_from_text(person)) is not None:
        people, asked = [employee_id], []
    elif (key := key_of(person.strip())) is not None:
        ids = await journal.ids_of_name(tx, key)
        people, asked = [found for one in ids if (found := employee_from_text(one)) is not None], [key]
    else:
        return [], [], False
    former = [name for names in (await former_names(tx, people)).values() for name in names] if people else []
    now = await journal.names_now(tx, people) if people else []
    return people, sorted({*asked, *(search_key(name) for name in (*former, *now))}), bool(asked)


async def is_somebodys_name(tx: CompanyTx, text: str) -> bool:
    """Of somebody in the company, now or lately."""
    key = key_of(text.strip())
    return key is not None and bool(await journal.ids_of_name(tx, key))


def _page(rows: list[asyncpg.Record], limit: int) -> LoginPage:
    following = rows[limit - 1]["login_trace_id"].hex if len(rows) > limit else None
    return LoginPage(entries=[_entry(row) for row in rows[:limit]], next=following)


def _entry(row: asyncpg.Record) -> LoginEntry:
    by_us = row["flow_id"] is not None or row["outcome"] == "never_answered"
    proven = row["signer_fingerprint"] != ""
    return LoginEntry(
        attempt_id=row["attempt_id"],
        at=row["at"],
        outcome=row["outcome"],
        employee_id=employee_text(row["employee_id"]) if row["employee_id"] else None,
        name_id=row["name_key"],
        started_by="us" if by_us else "microsoft" if proven else "unknown",
        is_test=row["is_test"],
        times=row["times"],
        trace_id=row["trace_id"],
    )


async def whole(tx: CompanyTx, spoken: str) -> LoginTrace:
    """Raises DomainError `not_found`."""
    attempt_id = attempt_from_text(spoken)
    await store.never_answered(tx, SETTLED_AT_ONCE)
    if attempt_id is not None:
        if (row := await store.read(tx, attempt_id)) is not None:
            return await _trace(tx, row)
        if (flow := await store.under_way(tx, attempt_id)) is not None:
            return _under_way(attempt_id, flow)
    kept = await store.days(tx)
    raise DomainError(
        ErrorCode.not_found,
        f"There is no sign-in {spoken[:40]!r} here. It is older than {kept} days or of another company, or it was refused among "
        "so many others that they were only counted; or it is not eight letters and digits as the page shows them.",
        field="attempt_id",
    )


async def _trace(tx: CompanyTx, row: asyncpg.Record) -> LoginTrace:
    known = _steps.decode(row["steps"])
    return LoginTrace(entry=_entry(row), steps=telling.told(known), explanation=_explained(row, known, tx))


def _explained(row: asyncpg.Record, known: list[Step], tx: CompanyTx) -> Explanation | None:
    if row["outcome"] != "accepted":
        return telling.explanation(row["outcome"])
    opened = any(one.step == "session" for one in known)
    waits = tx.now - row["at"] < telling.GRACE
    return None if opened or waits or row["is_test"] or not known else telling.explanation("no_session")


def _under_way(attempt_id: str, flow: asyncpg.Record) -> LoginTrace:
    begun = [Step(step="started", at=flow["created_at"], facts={"by": "us", "from": flow["origin"]})]
    entry = LoginEntry(
        attempt_id=attempt_id,
        at=flow["created_at"],
        outcome="under_way",
        employee_id=None,
        name_id=None,
        started_by="us",
        is_test=flow["is_test"],
        times=1,
        trace_id="",
    )
    return LoginTrace(entry=entry, steps=telling.told(begun), explanation=telling.explanation("under_way"))


async def redeemed(tx: CompanyTx, grant_id: UUID, client_id: str) -> None:
    """An app exchanged the code of this grant: told in the transaction of the exchange, by one statement."""
    await store.add_redeemed(tx, grant_id, Step(step="redeemed", at=tx.now, facts={"client": client_id[:100]}))
