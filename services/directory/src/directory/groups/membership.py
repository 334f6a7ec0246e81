"""Who joins and who leaves a group, and what follows from it; inside the transaction of whoever changes the group, or goes."""

from collections.abc import Sequence
from dataclasses import replace

from msgspec import UNSET

from directory import metrics
from directory.database import CompanyTx, Outrun
from directory.events.catalogue import EventKind
from directory.events.store import record
from directory.groups import store
from directory.groups.record import (
    GroupRecord,
    Moves,
    about,
    member_changes,
    no_such_member,
    not_found,
    wanted_members,
)
from directory.logins.ending import Why, end_sessions
from shared.ids import EmployeeId, GroupId, employee_text, group_text
from shared.schemas.group import GroupChanges
from shared.telemetry.logs import EventLog

log = EventLog("directory")


async def forget_member(tx: CompanyTx, employee_id: EmployeeId) -> None:
    """For the transaction that lets him go: he is in no group any more. The caller holds his lock."""
    for group_id in await store.take_out_of_all(tx, employee_id):
        tell(tx, group_id, [], [employee_id])


async def moves(tx: CompanyTx, group_id: GroupId, changes: GroupChanges) -> tuple[GroupRecord, Moves, list[str]]:
    """The group, locked; who joins and who leaves, locked before it; and who cannot join because he has departed.

    Raises:
        DomainError: `not_found`, and what `held` raises.
        Outrun: somebody whom the request names as a member went meanwhile; the transaction is to be done again.
    """
    if changes.members is UNSET and not changes.add and not changes.remove:
        return await _locked(tx, group_id), Moves(frozenset(), frozenset()), []
    wanted = wanted_members(changes)
    await store.enter(tx, group_id)
    seen = await store.current(tx, group_id, sorted(wanted.add | wanted.remove) if wanted.only is None else None)
    if seen is None:
        raise not_found()
    current, version = seen
    asked, left_out = await held(tx, wanted.moves(current))
    group = await _locked(tx, group_id)
    # Members who stay are not locked, for there may be tens of thousands; a departure or an erasure shows in the version.
    if group.version != version and not await store.are_members(tx, group_id, sorted(asked.staying)):
        raise Outrun
    return group, asked, left_out


async def _locked(tx: CompanyTx, group_id: GroupId) -> GroupRecord:
    group = await store.lock(tx, group_id)
    if group is None:
        raise not_found()
    return group


async def held(tx: CompanyTx, asked: Moves) -> tuple[Moves, list[str]]:
    """Raises DomainError `invalid_value` for whoever is no employee of this company."""
    people = sorted(asked.joining | asked.leaving)
    states = await store.lock_people(tx, people) if people else {}
    for one in sorted(asked.joining):
        if one not in states:
            raise no_such_member(employee_text(one))
    departed = {one for one in asked.joining if states[one] == "departed"}
    left_out = sorted(employee_text(one) for one in departed)
    return replace(asked, joining=asked.joining - departed), left_out


async def dependent(tx: CompanyTx, group_id: GroupId) -> list[EmployeeId]:
    """The members, locked, where being one may be what lets them in; nobody where it is not."""
    _, required = await store.company_group(tx)
    if not required:
        return []
    await store.enter(tx, group_id)
    seen = await store.current(tx, group_id, None)
    members = sorted(seen[0]) if seen is not None else []
    await store.lock_people(tx, members)
    return members


async def end_access(tx: CompanyTx, group: GroupRecord, removed: Sequence[EmployeeId]) -> None:
    """Where being in the company's group is what lets people in, being taken out of it ends their sessions at once (S75)."""
    if not removed:
        return
    own, required = await store.company_group(tx)
    if required and own.is_it(group.entra_object_id, group.name_key):
        ended = await end_sessions(tx, removed, Why.left_group)
        log.info("sessions_ended_with_membership", group=group_text(group.group_id), sessions=ended)


def tell(tx: CompanyTx, group_id: GroupId, added: Sequence[EmployeeId], removed: Sequence[EmployeeId]) -> None:
    """The history and the metrics, of what was done."""
    for changes in member_changes(added, removed):
        record(tx, EventKind.group_members_changed, changes=about(group_id, changes))
    metrics.GROUP_MEMBERS.labels("added").inc(len(added))
    metrics.GROUP_MEMBERS.labels("removed").inc(len(removed))
