"""How long a session lasts: as it was opened for, as long as its company allows, and while it is used.

    expires_at                     as it was opened for, 335 hours at most (B19)
    signed_in_at + session_hours   as the company allows now: a setting that is made shorter counts for open sessions at once
    seen_at + idle_minutes         where the company has an idle limit

`seen_at` is written when it is older than a twentieth of the idle limit, five minutes at most and a quarter of one at least. So a
session may end by that much before its idle time is over, and never after it; and one that is busy costs few writes.
"""

from uuid import UUID

from directory.database import CompanyTx, statement

ENDS_AT = (
    "least(s.expires_at, s.signed_in_at + make_interval(hours => c.session_hours), "
    "coalesce(s.seen_at, s.signed_in_at) + make_interval(mins => nullif(c.idle_minutes, 0)))"
)
"""Of a session `s` of a company `c`, in SQL."""

LASTS_UNTIL = "least(s.expires_at, s.signed_in_at + make_interval(hours => c.session_hours))"
"""The same for whoever goes on using it: what a person is told."""

UNSEEN = (
    "coalesce(s.seen_at, s.signed_in_at) + least(interval '5 minutes', "
    "greatest(interval '15 seconds', make_interval(mins => coalesce(nullif(c.idle_minutes, 0), 100)) / 20))"
)
"""When it is to be noted again that the session is used."""

_SEEN = statement(
    "sessions.seen",
    "update sessions set seen_at = $3 where company_id = $1 and session_id = $2 and (seen_at is null or seen_at < $3)",
)

SWEEP = statement(
    "sessions.sweep",
    f"""
    delete from sessions s
    using companies c
    where s.company_id = $1 and c.company_id = $1 and {ENDS_AT} <= $2
    """,  # noqa: S608  composed of constants
)


async def note_seen(tx: CompanyTx, session_id: UUID) -> None:
    """It is used at this moment. In a transaction that holds nothing else: whoever ends sessions comes by other locks."""
    await tx.execute(_SEEN, tx.company_id, session_id, tx.now)
