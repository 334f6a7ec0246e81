"""A group as directory holds it, which group is the company's own, and how changes of members are told. Pure.

Entra provisions the groups that are assigned to the app; one of them is the company's AD group (decision D12). It is known
by its object id, where the group came with one and the company named one; where either is missing, by its name.
"""

from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import msgspec
from msgspec import UNSET

from directory.employees.keys import is_storable, search_key
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, GroupId, employee_from_text, employee_text, entra_object_id, group_text
from shared.schemas.group import Group, GroupChanges, NewGroup

MAX_NAME = 256
"""Entra's own limit for a group's displayName."""
MAX_EXTERNAL_ID = 512
MAX_INDEXED_BYTES = 2048
"""A B-tree entry holds at most 2704 bytes."""

TOLD_TOGETHER = 1000
"""Members named by one event at most: a change of tens of thousands must not become one event of megabytes."""

Changes = dict[str, dict[str, object]]


class GroupRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `groups`."""

    group_id: GroupId
    display_name: str
    external_id: str | None
    created_at: datetime
    updated_at: datetime
    version: int = 1

    @property
    def name_key(self) -> str:
        return search_key(self.display_name)

    @property
    def entra_object_id(self) -> UUID | None:
        return entra_object_id(self.external_id)

    def seen_from_outside(self, members: Sequence[EmployeeId] | None) -> Group:
        return Group(
            id=group_text(self.group_id),
            display_name=self.display_name,
            external_id=self.external_id,
            members=[employee_text(one) for one in members] if members is not None else None,
            created_at=self.created_at,
            updated_at=self.updated_at,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class CompanyGroup:
    """The AD group that the company names as its own; either value may be missing."""

    object_id: UUID | None
    name: str | None

    def is_it(self, object_id: UUID | None, name_key: str) -> bool:
        """Two object ids decide alone: another group of the same name is another group."""
        if object_id is not None and self.object_id is not None:
            return object_id == self.object_id
        return self.name is not None and name_key == search_key(self.name)

    def is_claimed(self, groups: Sequence[str]) -> bool:
        """Whether the values of a groups claim name it: object ids, or names where the administrator chose those.

        What looks like an object id is one, and never a name: anybody may give a group a name. Ids decide alone where the
        company's is known, for a claim of ids that has a name too says something of another group.
        """
        ids = {found for text in groups if (found := entra_object_id(text)) is not None}
        if ids and self.object_id is not None:
            return self.object_id in ids
        names = {search_key(text) for text in groups if entra_object_id(text) is None}
        return self.name is not None and search_key(self.name) in names


def check_group(values: NewGroup | GroupChanges) -> None:
    """Raises DomainError `invalid_value`, naming the field, at the first value that cannot be stored."""
    if isinstance(values.display_name, str):
        _check_text("display_name", values.display_name, MAX_NAME)
        if not values.display_name.strip():
            raise _refused("display_name", "must not be empty")
    if isinstance(values.external_id, str):
        _check_text("external_id", values.external_id, MAX_EXTERNAL_ID)


def _check_text(name: str, text: str, longest: int) -> None:
    if len(text) > longest:
        raise _refused(name, f"must be at most {longest} characters long, and is {len(text)}")
    if not is_storable(text):
        raise _refused(name, "must not contain control characters or halves of surrogate pairs")
    if max(len(text.encode()), len(search_key(text).encode())) > MAX_INDEXED_BYTES:
        raise _refused(name, f"must be at most {MAX_INDEXED_BYTES} bytes long")


def _refused(name: str, rule: str) -> DomainError:
    return DomainError(ErrorCode.invalid_value, f"{name} {rule}.", field=name)


@dataclass(frozen=True, slots=True)
class Moves:
    """Who would become a member by a request, who would be one no more, and whom it names who is one already."""

    joining: frozenset[EmployeeId]
    leaving: frozenset[EmployeeId]
    staying: frozenset[EmployeeId] = frozenset()


@dataclass(frozen=True, slots=True)
class WantedMembers:
    """A request's lists, read: `only` None where it does not say who all the members are."""

    only: frozenset[EmployeeId] | None
    add: frozenset[EmployeeId]
    remove: frozenset[EmployeeId]

    def moves(self, current: Set[EmployeeId]) -> Moves:
        wanted = (self.only or frozenset()) | self.add
        others = current - wanted if self.only is not None else frozenset[EmployeeId]()
        return Moves(
            joining=wanted - self.remove - current,
            leaving=frozenset(others | (self.remove & current)),
            staying=(wanted - self.remove) & current,
        )


def wanted_members(changes: GroupChanges) -> WantedMembers:
    """Raises DomainError: `invalid_value` for an id to add that is nobody's, `invalid_request` for one in both lists.

    An id to take out that cannot be a member's is not one, and there is nothing to do.
    """
    only = frozenset(map(_member, changes.members)) if changes.members is not UNSET else None
    add = frozenset(map(_member, changes.add))
    remove = frozenset(one for text in changes.remove if (one := employee_from_text(text)) is not None)
    if add & remove:
        raise DomainError(ErrorCode.invalid_request, "An id stands both in add and in remove.", field="members")
    return WantedMembers(only, add, remove)


def _member(text: str) -> EmployeeId:
    found = employee_from_text(text)
    if found is None:
        raise no_such_member(text)
    return found


def not_found() -> DomainError:
    return DomainError(ErrorCode.not_found, "There is no such group.", field="group_id")


def no_such_member(text: str) -> DomainError:
    """The same for an id that never was and for another company's."""
    return DomainError(
        ErrorCode.invalid_value, f"members: '{text[:64]}' is no employee of this company.", field="members"
    )


def name_changes(before: GroupRecord | None, after: GroupRecord | None) -> Changes:
    """field -> before and after, for the history; empty where the names stayed."""
    told: Changes = {}
    for name in ("display_name", "external_id"):
        old = getattr(before, name) if before else None
        new = getattr(after, name) if after else None
        if old != new:
            told[name] = {"before": old, "after": new}
    return told


def member_changes(added: Sequence[EmployeeId], removed: Sequence[EmployeeId]) -> Iterator[Changes]:
    """What the events of one change of members say, as few as hold it."""
    steps = [("added", employee_text(one)) for one in added] + [("removed", employee_text(one)) for one in removed]
    for start in range(0, len(steps), TOLD_TOGETHER):
        told: dict[str, object] = {}
        for what in ("added", "removed"):
            if some := [one for step, one in steps[start : start + TOLD_TOGETHER] if step == what]:
                told[what] = some
        yield {"members": told}


def about(group_id: GroupId, changes: Changes) -> Changes:
    """Every event of a group says which; it stays the same, so there is no before and after."""
    return {"group": {"id": group_text(group_id)}, **changes}
