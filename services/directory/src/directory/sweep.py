"""`directory sweep`: what has expired is deleted, company by company. Safe at any time, and several at once."""

from directory.cli.environment import owner_database
from directory.database import CompanyTx, statement
from directory.settings import DatabaseSettings

_EXPIRED = {
    "login flows": statement("login_flows.sweep", "delete from login_flows where company_id = $1 and expires_at <= $2"),
    "seen assertions": statement(
        "seen_assertions.sweep", "delete from seen_assertions where company_id = $1 and expires_at <= $2"
    ),
    "tickets": statement("login_tickets.sweep", "delete from login_tickets where company_id = $1 and expires_at <= $2"),
    "sessions": statement("sessions.sweep", "delete from sessions where company_id = $1 and expires_at <= $2"),
}


async def sweep(settings: DatabaseSettings) -> dict[str, int]:
    """How many rows of each kind were deleted."""
    deleted = dict.fromkeys(_EXPIRED, 0)
    async with owner_database(settings) as database:
        for name in await database.company_names():
            async with database.scope_for_name(name).transaction() as tx:
                for what, count in (await _sweep_company(tx)).items():
                    deleted[what] += count
    return deleted


async def _sweep_company(tx: CompanyTx) -> dict[str, int]:
    return {what: await tx.execute(question, tx.company_id, tx.now) for what, question in _EXPIRED.items()}
