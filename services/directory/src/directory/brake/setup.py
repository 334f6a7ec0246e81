"""The brake in a Setup admin's hands: what is held, release, refuse; an operator's command does the same."""

from functools import partial
from uuid import UUID

from starlette.routing import Route

from directory.access import setup
from directory.brake import holds, store
from directory.brake.applying import apply
from directory.database import Actor, CompanyScope, CompanyTx, Database
from directory.repeating import done_again
from directory.rpc import serve
from shared import operations as declared
from shared.errors import DomainError, ErrorCode
from shared.http.service_auth import CallerSecrets
from shared.ids import EmployeeId, employee_from_text, employee_text
from shared.schemas import brake as schema

MAX_LIMIT = 1000
WITHIN_S = 5.0
"""How long a Setup admin waits; what is left is done by the next sweep, or when Entra asks again."""
_FIRST = EmployeeId(UUID(int=0))


async def held_changes(tx: CompanyTx, after: str = "", limit: int = 100) -> schema.HeldChanges:
    """The brake as it stands, and a page of those whom it concerns."""
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
    last = employee_from_text(after) if after else _FIRST
    if last is None:
        raise DomainError(ErrorCode.invalid_request, "after is the `next` of the page before.", field="after")
    brake, people, rows = await store.read(tx), await store.count(tx), await store.page(tx, last, limit)
    return schema.HeldChanges(
        people=brake.limit.people,
        percent=brake.limit.percent,
        open_until=brake.open_until if brake.open_until and brake.open_until > tx.now else None,
        passed_within_the_hour=brake.recent.passed,
        held=people.get("held", 0),
        refused=people.get("refused", 0),
        released=people.get("released", 0),
        changes=[
            schema.HeldChange(
                employee_id=employee_text(row["employee_id"]),
                name=f"{row['given_name']} {row['family_name']}",
                login_name=row["login_name"],
                step=row["step"],
                state=row["state"],
                asked_at=row["asked_at"],
                last_asked_at=row["last_asked_at"],
                times=row["times"],
            )
            for row in rows
        ],
        next=employee_text(rows[-1]["employee_id"]) if len(rows) == limit else None,
    )


async def list_held_changes(database: Database, request: schema.ListHeldChanges) -> schema.HeldChanges:
    async with setup(database, request.session, reading=True) as tx:
        return await held_changes(tx, request.after, request.limit)


async def release(database: Database, request: schema.ReleaseHeldChanges) -> schema.ReleasedHeldChanges:
    async def attempt() -> tuple[int, CompanyScope, Actor]:
        async with setup(database, request.session) as tx:
            return await holds.release(tx), database.scope_for_id(tx.company_id), tx.actor

    released, scope, admin = await done_again(attempt)
    # Decided with the session; the session itself may be among what ends now.
    done = await apply(lambda: scope.transaction(admin), within_s=WITHIN_S)
    return schema.ReleasedHeldChanges(released=released, done=done)


async def refuse(database: Database, request: schema.RefuseHeldChanges) -> schema.RefusedHeldChanges:
    async def attempt() -> schema.RefusedHeldChanges:
        async with setup(database, request.session) as tx:
            return schema.RefusedHeldChanges(refused=await holds.refuse(tx))

    return await done_again(attempt)


def routes(database: Database, callers: CallerSecrets) -> list[Route]:
    return [
        serve(declared.LIST_HELD_CHANGES, callers, partial(list_held_changes, database)),
        serve(declared.RELEASE_HELD_CHANGES, callers, partial(release, database)),
        serve(declared.REFUSE_HELD_CHANGES, callers, partial(refuse, database)),
    ]
