"""An attribute is no longer mapped in Entra, a Setup admin says: it is HR's from now on, for everybody who is there (S25).

Done in batches, each a transaction of its own: a company of 50,000 is not held up, and what was not reached is done by saying
it again. Should Entra send the attribute once more, it takes it back from whomever it sends it of (S26).
"""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from functools import partial
from uuid import UUID

from directory.database import CompanyTx, statement
from directory.employees.keys import MANDATORY
from directory.employees.record import OWNED
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import record_many
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId

BATCH = 1000

_RELEASE = statement(
    "employees.release_attribute",
    """
    with held as (
        select employee_id
        from employees
        where company_id = $1 and employee_id > $2 and state <> 'departed' and owners -> $3 ->> 0 = 'entra'
        order by employee_id
        limit $4
        for no key update
    )
    update employees
    set owners = owners || jsonb_build_object($3::text, jsonb_build_array('hr', $5::text)), updated_at = $6, version = version + 1
    from held
    where employees.company_id = $1 and employees.employee_id = held.employee_id
    returning employees.employee_id
    """,
)

Transaction = Callable[[], AbstractAsyncContextManager[CompanyTx]]


async def release_attribute(transaction: Transaction, attribute: str) -> int:
    """Whose attribute it was: how many people.

    Raises:
        DomainError: `invalid_value` for what is no attribute, or a mandatory one (S24).
    """
    if attribute not in OWNED or attribute in MANDATORY:
        wanted = ", ".join(name for name in OWNED if name not in MANDATORY)
        raise DomainError(ErrorCode.invalid_value, f"attribute must be one of {wanted}.", field="attribute")
    people, last = 0, EmployeeId(UUID(int=0))
    while True:
        released = await repeated(partial(_batch, transaction, attribute, last))
        people += len(released)
        if len(released) < BATCH:
            return people
        last = released[-1]


async def _batch(transaction: Transaction, attribute: str, last: EmployeeId) -> list[EmployeeId]:
    """The people whom the next transaction reached, in the order of their ids."""
    async with transaction() as tx:
        rows = await tx.fetch(_RELEASE, tx.company_id, last, attribute, BATCH, tx.now.isoformat(), tx.now)
        released = sorted(EmployeeId(row["employee_id"]) for row in rows)
        changes = {"owners": {"before": {attribute: "entra"}, "after": {attribute: "hr"}}}
        record_many(tx, EventKind.employee_changed, ((one, changes) for one in released))
    return released
