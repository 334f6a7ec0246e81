"""What can be asked about groups, and by whom: each command as in `commands`. Groups are numbers, too."""

from dataclasses import dataclass
from typing import Any

from directory.groups import operations
from shared.schemas import group as schemas
from shared.schemas.search import equal
from tests.support.model import groups as rules
from tests.support.model.commands import ByEntra, Values, new_id
from tests.support.model.people import Turn
from tests.support.model.reading import shown_group
from tests.support.model.world import Both, World

Member = int | tuple[int, int] | str
"""Somebody of the company, or of another one by its number, or a text."""


def _texts(world: World, both: Both, members: list[Member]) -> list[str]:
    return [_text(world, both, one) for one in members]


def _text(world: World, both: Both, member: Member) -> str:
    match member:
        case str():
            return member
        case int():
            return both.text_of(member)
        case (company, number):
            return world.companies[company % len(world.companies)].text_of(number)


def _group(both: Both, number: int) -> str:
    """The group with the number, counted round; one that never was where there is none."""
    known = both.model.groups
    return known[number % len(known)].text if known else f"grp_{'0' * 32}"


@dataclass
class CreateGroup(ByEntra):
    names: Values
    members: list[Member]

    async def really(self, world: World, both: Both) -> object:
        new = schemas.NewGroup(**self.names, members=_texts(world, both, self.members))
        request = schemas.CreateGroup(credential=both.firm.credential, group=new, with_members=True)
        return await operations.create_group(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        members = _texts(world, both, self.members)
        group, left_out = rules.create(both.model, turn, self.names, members, new_id(real))
        return schemas.GroupWritten(group=shown_group(group), changed=True, left_out=left_out)


@dataclass
class ChangeGroup(ByEntra):
    group: int
    changes: Values
    """`members`, `add` and `remove` name people."""

    def _meant(self, world: World, both: Both) -> Values:
        people = {"members", "add", "remove"}
        return {name: _texts(world, both, one) if name in people else one for name, one in self.changes.items()}

    async def really(self, world: World, both: Both) -> object:
        request = schemas.ChangeGroup(
            credential=both.firm.credential,
            group_id=_group(both, self.group),
            changes=schemas.GroupChanges(**self._meant(world, both)),
            with_members=True,
        )
        return await operations.change_group(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        changes = self._meant(world, both)
        group, changed, left_out = rules.change(both.model, turn, _group(both, self.group), changes)
        return schemas.GroupWritten(group=shown_group(group), changed=changed, left_out=left_out)


@dataclass
class RemoveGroup(ByEntra):
    group: int

    async def really(self, world: World, both: Both) -> object:
        request = schemas.RemoveGroup(credential=both.firm.credential, group_id=_group(both, self.group))
        return await operations.remove_group(world.database, request)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        rules.remove(both.model, turn, _group(both, self.group))
        return schemas.GroupRemoved()


@dataclass
class FindGroups(ByEntra):
    field: Any
    value: Member

    async def really(self, world: World, both: Both) -> object:
        asked = equal(self.field, _text(world, both, self.value))
        request = schemas.FindGroups(credential=both.firm.credential, where=asked, with_members=True)
        found = await operations.find_groups(world.database, request)
        return found.total, found.groups

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        found = rules.find(both.model, self.field, _text(world, both, self.value))
        return len(found), [shown_group(one) for one in found]
