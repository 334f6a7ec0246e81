"""Groups and their members, in SQL. Every statement names the company, besides what row-level security sees to.

Members are written in sets. Locks are taken in this order: the gate of the group (see `enter`), employees by id, the group.
"""

import hashlib
from collections.abc import Sequence

import asyncpg

from directory.database import CompanyTx, statement
from directory.groups.record import CompanyGroup, GroupRecord
from shared.ids import EmployeeId, GroupId

COLUMNS = "group_id, display_name, external_id, created_at, updated_at, version"

_ENTER = statement(
    "groups.enter", "select count(case when $1::uuid is not null then pg_advisory_xact_lock($2::bigint) end)"
)

_GET = statement("groups.get", f"select {COLUMNS} from groups where company_id = $1 and group_id = $2")  # noqa: S608

_LOCK = statement(
    "groups.lock",
    f"select {COLUMNS} from groups where company_id = $1 and group_id = $2 for update",  # noqa: S608
)

_INSERT = statement(
    "groups.insert",
    """
    insert into groups
        (company_id, group_id, display_name, name_key, external_id, entra_object_id, updated_at, version, created_at)
    values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
    """,
)

_UPDATE = statement(
    "groups.update",
    """
    update groups
    set display_name = $3, name_key = $4, external_id = $5, entra_object_id = $6, updated_at = $7, version = $8
    where company_id = $1 and group_id = $2
    """,
)

_DELETE = statement("groups.delete", "delete from groups where company_id = $1 and group_id = $2")

# No row: there is no such group. With `$3`, of these people only; a group has tens of thousands of members.
_CURRENT = statement(
    "group_members.current",
    """
    select g.version, m.employee_id
    from groups g
    left join group_members m
        on m.company_id = $1 and m.group_id = g.group_id and ($3::uuid[] is null or m.employee_id = any($3::uuid[]))
    where g.company_id = $1 and g.group_id = $2
    """,
)

_DELETE_ALL = statement("groups.delete_all", f"delete from groups where company_id = $1 returning {COLUMNS}")  # noqa: S608

_COUNT_OF = statement(
    "group_members.count_of",
    "select count(*) from group_members where company_id = $1 and group_id = $2 and employee_id = any($3::uuid[])",
)

_MEMBERS = statement(
    "group_members.read",
    "select employee_id from group_members where company_id = $1 and group_id = $2 order by employee_id",
)

_MEMBERS_OF_MANY = statement(
    "group_members.read_many",
    """
    select group_id, array_agg(employee_id order by employee_id) as members
    from group_members
    where company_id = $1 and group_id = any($2::uuid[])
    group by group_id
    """,
)

_MEMBERSHIPS = statement(
    "group_members.count_some",
    """
    select count(*)
    from (select from group_members where company_id = $1 and group_id = any($2::uuid[]) limit $3) as counted
    """,
)

# Everybody whom a change of members touches. "No key update" keeps away whoever lets somebody go or signs somebody in.
_LOCK_PEOPLE = statement(
    "employees.lock_for_group",
    """
    select employee_id, state
    from employees
    where company_id = $1 and employee_id = any($2::uuid[])
    order by employee_id
    for no key update
    """,
)

_ADD = statement(
    "group_members.add",
    """
    insert into group_members (company_id, group_id, employee_id, added_at)
    select $1, $2, employee_id, $4
    from unnest($3::uuid[]) as added (employee_id)
    on conflict (company_id, group_id, employee_id) do nothing
    returning employee_id
    """,
)

_TAKE_OUT = statement(
    "group_members.take_out",
    """
    delete from group_members
    where company_id = $1 and group_id = $2 and employee_id = any($3::uuid[])
    returning employee_id
    """,
)

# Groups in the order of their ids, each changed by this; a group before what is in it, as everywhere.
_FORGET_MEMBER = statement(
    "group_members.forget",
    """
    with held as (
        select g.group_id
        from groups g
        join group_members m on m.company_id = $1 and m.group_id = g.group_id and m.employee_id = $2
        where g.company_id = $1
        order by g.group_id
        for update of g
    ), gone as (
        delete from group_members
        using held
        where group_members.company_id = $1 and group_members.group_id = held.group_id and group_members.employee_id = $2
        returning group_members.group_id
    )
    update groups
    set updated_at = $3, version = version + 1
    from gone
    where groups.company_id = $1 and groups.group_id = gone.group_id
    returning groups.group_id
    """,
)

_COMPANY_GROUP = statement(
    "connections.company_group",
    "select group_id, group_name, group_check from connections where company_id = $1",
)


async def enter(tx: CompanyTx, group_id: GroupId) -> None:
    """Held until the transaction ends: changes of one group's members happen one after the other.

    Who is to be added or taken out follows from who is a member; employees are locked before the group itself, because a
    departure has locked the employee when it comes to his groups. So something else must keep the members still meanwhile.
    """
    digest = hashlib.sha256(b"group" + tx.company_id.bytes + group_id.bytes).digest()
    await tx.fetchval(_ENTER, tx.company_id, int.from_bytes(digest[:8], "big", signed=True))


async def get(tx: CompanyTx, group_id: GroupId) -> GroupRecord | None:
    row = await tx.fetchrow(_GET, tx.company_id, group_id)
    return record_of(row) if row is not None else None


async def lock(tx: CompanyTx, group_id: GroupId) -> GroupRecord | None:
    row = await tx.fetchrow(_LOCK, tx.company_id, group_id)
    return record_of(row) if row is not None else None


async def insert(tx: CompanyTx, record: GroupRecord) -> None:
    """Raises asyncpg.UniqueViolationError where a name or id is taken."""
    await tx.execute(_INSERT, *_values(tx, record), record.created_at)


async def update(tx: CompanyTx, record: GroupRecord) -> None:
    """Writes the whole row: the caller holds its lock."""
    await tx.execute(_UPDATE, *_values(tx, record))


async def delete(tx: CompanyTx, group_id: GroupId) -> None:
    """With its memberships."""
    await tx.execute(_DELETE, tx.company_id, group_id)


async def delete_all(tx: CompanyTx) -> list[GroupRecord]:
    """In the order of their creation."""
    rows = await tx.fetch(_DELETE_ALL, tx.company_id)
    return sorted((record_of(row) for row in rows), key=lambda group: group.group_id)


async def current(
    tx: CompanyTx, group_id: GroupId, among: Sequence[EmployeeId] | None
) -> tuple[set[EmployeeId], int] | None:
    """Which of these people are members, all where nobody is named; and the version. None: no such group."""
    rows = await tx.fetch(_CURRENT, tx.company_id, group_id, among)
    if not rows:
        return None
    return {EmployeeId(row["employee_id"]) for row in rows if row["employee_id"] is not None}, rows[0]["version"]


async def members(tx: CompanyTx, group_id: GroupId) -> list[EmployeeId]:
    return _people(await tx.fetch(_MEMBERS, tx.company_id, group_id))


async def members_of_many(tx: CompanyTx, group_ids: Sequence[GroupId]) -> dict[GroupId, list[EmployeeId]]:
    """Groups without members are not in the answer."""
    rows = await tx.fetch(_MEMBERS_OF_MANY, tx.company_id, group_ids)
    return {GroupId(row["group_id"]): [EmployeeId(one) for one in row["members"]] for row in rows}


async def are_members(tx: CompanyTx, group_id: GroupId, people: Sequence[EmployeeId]) -> bool:
    """Whether all of them are."""
    many: int = await tx.fetchval(_COUNT_OF, tx.company_id, group_id, people)
    return many == len(people)


async def memberships(tx: CompanyTx, group_ids: Sequence[GroupId], at_most: int) -> int:
    """How many members these groups have together, counted no further than so many."""
    many: int = await tx.fetchval(_MEMBERSHIPS, tx.company_id, group_ids, at_most)
    return many


async def lock_people(tx: CompanyTx, people: Sequence[EmployeeId]) -> dict[EmployeeId, str]:
    """Each employee that there is, with his state; nobody of another company is."""
    rows = await tx.fetch(_LOCK_PEOPLE, tx.company_id, people)
    return {EmployeeId(row["employee_id"]): row["state"] for row in rows}


async def add(tx: CompanyTx, group_id: GroupId, people: Sequence[EmployeeId]) -> list[EmployeeId]:
    """Who was not a member before."""
    return _people(await tx.fetch(_ADD, tx.company_id, group_id, people, tx.now))


async def take_out(tx: CompanyTx, group_id: GroupId, people: Sequence[EmployeeId]) -> list[EmployeeId]:
    """Who was a member."""
    return _people(await tx.fetch(_TAKE_OUT, tx.company_id, group_id, people))


async def take_out_of_all(tx: CompanyTx, employee_id: EmployeeId) -> list[GroupId]:
    """The groups that he was in."""
    rows = await tx.fetch(_FORGET_MEMBER, tx.company_id, employee_id, tx.now)
    return sorted(GroupId(row["group_id"]) for row in rows)


async def company_group(tx: CompanyTx) -> tuple[CompanyGroup, bool]:
    """The group that the company names as its own, and whether nobody may sign in who is not in it."""
    row = await tx.fetchrow(_COMPANY_GROUP, tx.company_id)
    assert row is not None  # noqa: S101  a company has a connection from its first moment
    return CompanyGroup(row["group_id"], row["group_name"]), row["group_check"] == "required"


def record_of(row: asyncpg.Record) -> GroupRecord:
    return GroupRecord(**dict(row))


def _people(rows: Sequence[asyncpg.Record]) -> list[EmployeeId]:
    return sorted(EmployeeId(row["employee_id"]) for row in rows)


def _values(tx: CompanyTx, record: GroupRecord) -> tuple[object, ...]:
    return (
        tx.company_id,
        record.group_id,
        record.display_name,
        record.name_key,
        record.external_id,
        record.entra_object_id,
        record.updated_at,
        record.version,
    )
