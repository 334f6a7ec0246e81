"""What provisioning does to groups: one transaction each, in which everything happens or nothing.

Only what differs is written: an employee who is a member already stays one without a write, and a request that changes
nothing leaves no event and no new version.
"""

from collections.abc import Sequence

import asyncpg
import msgspec
from msgspec import UNSET

from directory import metrics
from directory.access import provisioning
from directory.database import CompanyTx, Database
from directory.employees.writing import repeated
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.groups import membership, store
from directory.groups.record import GroupRecord, about, check_group, name_changes, not_found, wanted_members
from directory.groups.searches import search
from directory.versions import check_version
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, GroupId, group_from_text, new_group_id
from shared.schemas import group as schemas
from shared.telemetry.logs import EventLog

log = EventLog("directory")

MAX_LIMIT = 1001
"""One more than SCIM's largest page, which by cursor looks whether there is a next one."""
MAX_MEMBERS = 100_000
"""Of the groups of one page together, where they are shown with their members."""

_TAKEN = {
    "groups_name_taken": (ErrorCode.already_exists, "display_name"),
    "groups_external_id_taken": (ErrorCode.external_id_taken, "external_id"),
    "groups_object_id_taken": (ErrorCode.external_id_taken, "external_id"),
}


async def get_group(database: Database, request: schemas.GetGroup) -> schemas.Group:
    async with provisioning(database, request.credential, reading=True) as tx:
        found = await store.get(tx, identified(request.group_id))
        if found is None:
            raise not_found()
        return await _seen(tx, found, request.with_members)


async def find_groups(database: Database, request: schemas.FindGroups) -> schemas.GroupPage:
    async with provisioning(database, request.credential, reading=True) as tx:
        if request.offset < 0 or not 0 <= request.limit <= MAX_LIMIT:
            raise DomainError(ErrorCode.invalid_request, f"offset is at least 0, limit 0 to {MAX_LIMIT}.")
        after = group_from_text(request.after) if request.after is not None else None
        if request.after is not None and (after is None or request.sorting is not None):
            raise DomainError(ErrorCode.invalid_request, "after is a group's id, and goes with no sorting.")
        total, found = await search(
            tx, request.where, min(request.offset, 2**31), request.limit, sorting=request.sorting, after=after
        )
        members = await _members_of(tx, [one.group_id for one in found]) if request.with_members else None
    groups = [one.seen_from_outside(None if members is None else members.get(one.group_id, [])) for one in found]
    return schemas.GroupPage(total=total, groups=groups)


async def _members_of(tx: CompanyTx, groups: Sequence[GroupId]) -> dict[GroupId, list[EmployeeId]]:
    """Raises DomainError `invalid_request` where several groups have more members together than one answer should hold."""
    if len(groups) > 1 and await store.memberships(tx, groups, MAX_MEMBERS + 1) > MAX_MEMBERS:
        raise DomainError(
            ErrorCode.invalid_request,
            f"These groups have more than {MAX_MEMBERS:,} members together; ask for fewer groups at once, or without members.",
            field="limit",
        )
    return await store.members_of_many(tx, groups)


async def create_group(database: Database, request: schemas.CreateGroup) -> schemas.GroupWritten:
    """Raises DomainError `already_exists` or `external_id_taken` where another group has the name or id."""

    async def attempt() -> schemas.GroupWritten:
        async with provisioning(database, request.credential, quirk=request.quirk) as tx:
            check_group(request.group)
            return await create_within(tx, request.group, with_members=request.with_members)

    created = await repeated(attempt)
    _observed("created", created)
    return created


async def change_group(database: Database, request: schemas.ChangeGroup) -> schemas.GroupWritten:
    """Names and members, all or nothing."""

    async def attempt() -> schemas.GroupWritten:
        async with provisioning(database, request.credential, quirk=request.quirk) as tx:
            check_group(request.changes)
            return await change_within(
                tx,
                identified(request.group_id),
                request.changes,
                versions=request.versions,
                with_members=request.with_members,
            )

    changed = await repeated(attempt)
    _observed("changed" if changed.changed else "unchanged", changed)
    return changed


async def remove_group(database: Database, request: schemas.RemoveGroup) -> schemas.GroupRemoved:
    """The group is gone for good; its members stay who they are."""

    async def attempt() -> None:
        async with provisioning(database, request.credential) as tx:
            await remove(tx, identified(request.group_id), request.versions)

    await repeated(attempt)
    metrics.WRITES.labels("group", "removed").inc()
    log.info("group_removed", group=request.group_id)
    return schemas.GroupRemoved()


async def remove(tx: CompanyTx, group_id: GroupId, versions: Sequence[int] | None = None) -> None:
    """Raises DomainError `not_found`, `version_differs`."""
    members = await membership.dependent(tx, group_id)
    before = await store.lock(tx, group_id)
    if before is None:
        raise not_found()
    check_version(before.version, versions)
    await store.delete(tx, group_id)
    record(tx, EventKind.group_removed, changes=about(group_id, name_changes(before, None)))
    await membership.end_access(tx, before, members)


async def remove_all(tx: CompanyTx) -> int:
    """For the company that leaves its Entra tenant: what the tenant said about groups goes with it. How many there were."""
    gone = await store.delete_all(tx)
    for group in gone:
        record(tx, EventKind.group_removed, changes=about(group.group_id, name_changes(group, None)))
    return len(gone)


async def create_within(tx: CompanyTx, new: schemas.NewGroup, *, with_members: bool = False) -> schemas.GroupWritten:
    """Raises DomainError as `create_group` does; the transaction, or its savepoint, is then of no more use."""
    made = GroupRecord(
        group_id=new_group_id(),
        display_name=new.display_name,
        external_id=new.external_id,
        created_at=tx.now,
        updated_at=tx.now,
    )
    wanted = wanted_members(schemas.GroupChanges(members=new.members))
    moves, left_out = await membership.held(tx, wanted.moves(frozenset()))
    try:
        await store.insert(tx, made)
    except asyncpg.UniqueViolationError as error:
        raise _refusal(error, new.display_name, new.external_id) from None
    added = await store.add(tx, made.group_id, sorted(moves.joining)) if moves.joining else []
    record(tx, EventKind.group_created, changes=about(made.group_id, name_changes(None, made)))
    membership.tell(tx, made.group_id, added, [])
    seen = await _seen(tx, made, with_members)
    return schemas.GroupWritten(group=seen, changed=True, left_out=left_out)


async def change_within(
    tx: CompanyTx,
    group_id: GroupId,
    changes: schemas.GroupChanges,
    *,
    versions: Sequence[int] | None = None,
    with_members: bool = False,
) -> schemas.GroupWritten:
    """Raises DomainError `not_found`, `version_differs`, and as `create_within` does."""
    before, moves, left_out = await membership.moves(tx, group_id, changes)
    check_version(before.version, versions)
    added = await store.add(tx, group_id, sorted(moves.joining)) if moves.joining else []
    removed = await store.take_out(tx, group_id, sorted(moves.leaving)) if moves.leaving else []
    after = _renamed(before, changes)
    named = name_changes(before, after)
    changed = bool(named or added or removed)
    if changed:
        after = msgspec.structs.replace(after, updated_at=tx.now, version=before.version + 1)
        try:
            await store.update(tx, after)
        except asyncpg.UniqueViolationError as error:
            raise _refusal(error, after.display_name, after.external_id) from None
        if named:
            record(tx, EventKind.group_changed, changes=about(group_id, named))
        membership.tell(tx, group_id, added, removed)
        await membership.end_access(tx, before, removed)
    seen = await _seen(tx, after, with_members)
    return schemas.GroupWritten(group=seen, changed=changed, left_out=left_out)


def _renamed(before: GroupRecord, changes: schemas.GroupChanges) -> GroupRecord:
    names = {name: getattr(changes, name) for name in ("display_name", "external_id")}
    return msgspec.structs.replace(before, **{name: value for name, value in names.items() if value is not UNSET})


async def _seen(tx: CompanyTx, group: GroupRecord, with_members: bool) -> schemas.Group:
    return group.seen_from_outside(await store.members(tx, group.group_id) if with_members else None)


def _observed(result: str, written: schemas.GroupWritten) -> None:
    metrics.WRITES.labels("group", result).inc()
    metrics.GROUP_MEMBERS.labels("left_out").inc(len(written.left_out))
    if written.changed:
        event = f"group_{result}"
        log.info(event, group=written.group.id, left_out=len(written.left_out))


def _refusal(error: asyncpg.UniqueViolationError, display_name: str, external_id: str | None) -> DomainError:
    code, field = _TAKEN.get(error.constraint_name or "", (None, None))
    if code is None:
        raise error
    value = display_name if field == "display_name" else external_id
    return DomainError(code, f"{field} '{value}' belongs to another group of the company.", field=field)


def identified(text: str) -> GroupId:
    """Raises DomainError `not_found` for what is no group's id."""
    found = group_from_text(text)
    if found is None:
        raise not_found()
    return found
