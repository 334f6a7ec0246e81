"""New e-mail addresses for everybody, while a company moves to another Entra tenant (S66 step 3): all or nothing.

The login name follows where it is the same address: Entra feeds both from userPrincipalName by default, and the new tenant looks
for people by the login name first. Otherwise it stays.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from directory.companies import email_store
from directory.companies.email_mapping import MAX_PROBLEMS, MappingRefused, Renamed
from directory.companies.fields import Problem
from directory.companies.move_store import is_moving, is_prepared
from directory.companies.store import lock_company
from directory.database import CompanyTx
from directory.employees.keys import search_key
from directory.employees.managers import link_waiting_reports
from directory.employees.record import EmployeeRecord, differences, owned
from directory.events.catalogue import EventKind
from directory.events.store import record
from shared.errors import DomainError, ErrorCode

Pair = tuple[EmployeeRecord, EmployeeRecord]


@dataclass(frozen=True, slots=True)
class ChangedAddresses:
    changed: int
    login_names: int
    """Of these, whose login name followed."""
    unchanged: int
    """Who has the new address already."""


async def change_addresses(tx: CompanyTx, rows: Sequence[Renamed], *, dry_run: bool = False) -> ChangedAddresses:
    """Raises MappingRefused with every problem by its line; DomainError `not_allowed` outside of a move."""
    await lock_company(tx)
    if not await is_moving(tx):
        raise DomainError(
            ErrorCode.not_allowed,
            f"{tx.company.name} is not moving: addresses come from Entra then. Prepare the move first (--prepare -f FILE).",
        )
    prepared = await is_prepared(tx)
    keys = {search_key(address) for row in rows for address in (row.old, row.new)}
    found = await email_store.lock_named(tx, sorted(keys))
    pairs = _paired(rows, found, tx, only_waiting=not prepared)
    changed = [(before, after) for before, after in pairs if differences(before, after)]
    if changed and not dry_run:
        await email_store.rename(tx, changed)
        await _settle(tx, changed)
    followed = sum(1 for before, after in changed if before.login_name != after.login_name)
    return ChangedAddresses(len(changed), followed, len(pairs) - len(changed))


def _paired(
    rows: Sequence[Renamed], found: Sequence[EmployeeRecord], tx: CompanyTx, *, only_waiting: bool
) -> list[Pair]:
    """`only_waiting`: after the cut-over, when the addresses of whoever was named come from the new tenant."""
    by_email = {one.email_key: one for one in found}
    olds = {search_key(row.old) for row in rows}
    problems: list[Problem] = []
    pairs: list[tuple[Renamed, Pair]] = []
    for row in rows:
        before = by_email.get(search_key(row.old))
        if before is None and search_key(row.new) not in olds:
            # The same file again: nothing is left to do for whoever has the new address already.
            before = by_email.get(search_key(row.new))
        if before is None:
            problems.append(Problem(row.place, f"nobody here has the address '{row.old}'"))
        elif only_waiting and before.awaits_link_since is None:
            problems.append(Problem(row.place, f"'{row.old}' is linked to the new tenant already: change it there"))
        else:
            pairs.append((row, (before, _renamed(before, row, tx))))
    problems += _taken(pairs, found)
    if problems:
        raise MappingRefused(sorted(problems, key=lambda one: int(one.field.removeprefix("line ")))[:MAX_PROBLEMS])
    return [pair for _, pair in pairs]


def _renamed(before: EmployeeRecord, row: Renamed, tx: CompanyTx) -> EmployeeRecord:
    new = {"email": row.new}
    if before.login_key == search_key(row.old):
        new["login_name"] = row.new
    after = msgspec.structs.replace(before, **new)
    return owned(after, "hr", [name for name in new if getattr(before, name) != new[name]], tx.now)


def _taken(pairs: Sequence[tuple[Renamed, Pair]], found: Sequence[EmployeeRecord]) -> list[Problem]:
    """Addresses that somebody else would have too, when all is done."""
    now = {one.employee_id: one for one in found} | {after.employee_id: after for _, (_, after) in pairs}
    holders: dict[tuple[str, str | None], int] = {}
    for one in now.values():
        for name in (("email", one.email_key), ("login_name", one.login_key)):
            holders[name] = holders.get(name, 0) + 1
    return [
        Problem(row.place, f"the {name.replace('_', ' ')} '{row.new}' belongs to another employee")
        for row, (_, after) in pairs
        for name, key in (("email", after.email_key), ("login_name", after.login_key))
        if holders[name, key] > 1
    ]


async def _settle(tx: CompanyTx, changed: Sequence[Pair]) -> None:
    for before, after in changed:
        told = differences(before, after)
        record(tx, EventKind.employee_changed, employee_id=after.employee_id, changes=told)
    renamed = {after.login_key: (before, after) for before, after in changed if before.login_key != after.login_key}
    for key in sorted(await email_store.waited_for(tx, [one for one in renamed if one is not None])):
        await link_waiting_reports(tx, *renamed[key])
