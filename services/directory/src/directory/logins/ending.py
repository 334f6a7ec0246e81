"""How sessions end before their time: in one way, whoever ends them, with a receipt in the history of whoever loses them.

The caller holds the lock of those people, or of the company where it is all of them. Tickets on their way end too, every listener
is told with the commit (`sessions_ended`: the company and the person, or the company alone), and in the same transaction
an event says when, by whose request, why, and which sessions. What hangs on a session (an app's tokens) goes with its row.
"""

from collections.abc import Sequence
from enum import StrEnum

import asyncpg

from directory.database import Actor, CompanyTx, statement
from directory.events.catalogue import EventKind
from directory.events.store import record
from shared.ids import EmployeeId, employee_text, session_text

TOLD_TOGETHER = 500
"""Sessions of one event; more are told by several in a row."""


class Why(StrEnum):
    """Stands in the receipt; never renamed, for history outlives every version of the code."""

    suspended = "suspended"
    blocked = "blocked"
    departed = "departed"
    relinked = "relinked"
    """The account is another Entra object's from now on."""
    left_group = "left_group"
    sso_off = "sso_off"
    certificate_compromised = "certificate_compromised"
    company_moved = "company_moved"
    company_closed = "company_closed"
    signed_out = "signed_out"
    signed_out_at_idp = "signed_out_at_idp"
    signed_in_again = "signed_in_again"
    """The same person, in the same browser: session ids change with every login."""
    switched = "switched"
    """Somebody else took over the browser, and its holder, asked, said so (S88)."""
    by_himself = "by_himself"
    """From the list of his sessions."""
    by_admin = "by_admin"
    given_back = "given_back"
    """An app's own session, by the app."""
    crowded_out = "crowded_out"
    """An app's own session: the app has begun too many newer ones for the same person."""
    app_misused = "app_misused"
    """An app's own session: a code or refresh token of it came a second time, or with a wrong proof."""


_KINDS = {
    Why.signed_out_at_idp: EventKind.session_signed_out,
    **dict.fromkeys(
        (Why.signed_out, Why.signed_in_again, Why.switched, Why.by_himself, Why.given_back), EventKind.session_ended
    ),
}
ENDINGS = (EventKind.session_ended, EventKind.session_signed_out, EventKind.session_revoked)

RECEIPTS = """
    gone as (
        select employee_id, session_id, signed_in_at from ended
        union all
        select employee_id, null, null from tickets
    ), receipts as (
        select employee_id, count(*) filter (where session_id is null) as tickets,
            coalesce(array_agg(session_id order by signed_in_at, session_id) filter (where session_id is not null), '{}')
                as sessions
        from gone
        group by employee_id
    )
"""
"""Behind `tickets` and `ended`, which delete: what each person lost. `$1` is the company."""

TOLD_EACH = """
    select employee_id, sessions, tickets, pg_notify('sessions_ended', $1::text || '/' || employee_id::text)
    from receipts
"""

_END_OF_PEOPLE = statement(
    "sessions.end_of_people",
    f"""
    with tickets as (
        delete from login_tickets where company_id = $1 and employee_id = any($2::uuid[]) returning employee_id
    ), ended as (
        delete from sessions where company_id = $1 and employee_id = any($2::uuid[])
        returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}
    {TOLD_EACH} order by employee_id
    """,  # noqa: S608  composed of constants
)

_END_ALL = statement(
    "sessions.end_of_company",
    f"""
    with flows as (
        delete from login_flows where company_id = $1
    ), tickets as (
        delete from login_tickets where company_id = $1 returning employee_id
    ), ended as (
        delete from sessions where company_id = $1 returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}, told as (
        select pg_notify('sessions_ended', $1::text || '/') where exists (select from receipts)
    )
    select employee_id, sessions, tickets, (select count(*) from told) from receipts order by employee_id
    """,  # noqa: S608
)

_END_BY_ID = statement(
    "sessions.end_by_id",
    f"""
    with tickets as (
        select employee_id from login_tickets where false
    ), ended as (
        delete from sessions where company_id = $1 and employee_id = $2 and session_id = any($3::uuid[])
        returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}
    {TOLD_EACH}
    """,  # noqa: S608
)

_END_ALL_BUT = statement(
    "sessions.end_all_but",
    f"""
    with tickets as (
        delete from login_tickets where company_id = $1 and employee_id = $2 returning employee_id
    ), ended as (
        delete from sessions where company_id = $1 and employee_id = $2 and session_sha256 <> $3
        returning employee_id, session_id, signed_in_at
    ), {RECEIPTS}
    {TOLD_EACH}
    """,  # noqa: S608
)

_END_BY_HASH = statement(
    "sessions.end_by_hash",
    """
    with ended as (
        delete from sessions
        where company_id = $1 and session_sha256 = $2
        returning employee_id, session_id, name_id, name_id_format, session_index
    )
    select *, array[session_id] as sessions, 0 as tickets,
        pg_notify('sessions_ended', $1::text || '/' || employee_id::text)
    from ended
    """,
)


async def end_sessions(tx: CompanyTx, people: Sequence[EmployeeId], why: Why) -> int:
    """All sessions and tickets of these people, whose locks the caller holds (decision D11). How many sessions it were."""
    return receipts(tx, await tx.fetch(_END_OF_PEOPLE, tx.company_id, people), why)


async def end_all(tx: CompanyTx, why: Why) -> int:
    """Every session of the company, and every login under way. How many sessions it were."""
    return receipts(tx, await tx.fetch(_END_ALL, tx.company_id), why)


async def end_some(tx: CompanyTx, employee_id: EmployeeId, session_ids: Sequence[object], why: Why) -> int:
    """Those of his sessions that are named; what is on its way stays."""
    return receipts(tx, await tx.fetch(_END_BY_ID, tx.company_id, employee_id, session_ids), why)


async def end_all_but(tx: CompanyTx, employee_id: EmployeeId, session_sha256: bytes, why: Why) -> int:
    """All of his sessions and tickets but this session."""
    return receipts(tx, await tx.fetch(_END_ALL_BUT, tx.company_id, employee_id, session_sha256), why)


async def end_session(tx: CompanyTx, session_sha256: bytes, why: Why, by: Actor | None = None) -> asyncpg.Record | None:
    """Whose session was ended, and what the identity provider knew it by; None if there was none. `by`: not by himself."""
    row = await tx.fetchrow(_END_BY_HASH, tx.company_id, session_sha256)
    if row is not None:
        tx.actor = by or Actor("person", employee_text(row["employee_id"]))
        receipts(tx, [row], why)
    return row


def receipts(tx: CompanyTx, rows: Sequence[asyncpg.Record], why: Why) -> int:
    """Tell of each person (`RECEIPTS`) what he lost; how many sessions it were."""
    for row in rows:
        names, tickets = [session_text(one) for one in row["sessions"]], row["tickets"]
        for start in range(0, len(names) or 1, TOLD_TOGETHER):
            some = names[start : start + TOLD_TOGETHER]
            told = {"why": why.value, "sessions": some, "tickets": tickets if start == 0 else 0}
            kind = _KINDS.get(why, EventKind.session_revoked)
            record(tx, kind, employee_id=EmployeeId(row["employee_id"]), changes={"ended": told})
    return sum(len(row["sessions"]) for row in rows)
