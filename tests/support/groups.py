"""The groups of a firm as short verbs, and what the history says about them."""

import os
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec

from directory.database import Database
from directory.groups import operations
from shared.ids import group_from_text
from shared.schemas import group as schemas
from shared.schemas.employee import Employee, ScimCredential
from shared.schemas.search import All, equal
from tests.support.firm import Firm

Member = Employee | str


def ids(members: Iterable[Member]) -> list[str]:
    return [one if isinstance(one, str) else one.id for one in members]


async def create_group(database: Database, credential: ScimCredential, new: schemas.NewGroup) -> schemas.Group:
    return (await operations.create_group(database, schemas.CreateGroup(credential=credential, group=new))).group


async def change_group(
    database: Database, credential: ScimCredential, group: schemas.Group, **changes: Any
) -> schemas.GroupWritten:
    asked = schemas.GroupChanges(**changes)
    return await operations.change_group(
        database, schemas.ChangeGroup(credential=credential, group_id=group.id, changes=asked)
    )


class Groups:
    def __init__(self, firm: Firm) -> None:
        self.firm = firm

    async def write(self, name: str, *members: Member, **values: Any) -> schemas.GroupWritten:
        new = schemas.NewGroup(display_name=name, members=ids(members), **values)
        request = schemas.CreateGroup(credential=self.firm.credential, group=new, with_members=True)
        return await operations.create_group(self.firm.database, request)

    async def create(self, name: str = "BitaBIZ Firma", *members: Member, **values: Any) -> schemas.Group:
        return (await self.write(name, *members, **values)).group

    async def get(self, group: schemas.Group | str, *, with_members: bool = True) -> schemas.Group:
        text = group if isinstance(group, str) else group.id
        request = schemas.GetGroup(credential=self.firm.credential, group_id=text, with_members=with_members)
        return await operations.get_group(self.firm.database, request)

    async def members(self, group: schemas.Group) -> list[str]:
        found = (await self.get(group)).members
        assert found is not None
        return found

    async def change(self, group: schemas.Group | str, **changes: Any) -> schemas.GroupWritten:
        for name in {"add", "remove", "members"} & changes.keys():
            changes[name] = ids(changes[name])
        request = schemas.ChangeGroup(
            credential=self.firm.credential,
            group_id=group if isinstance(group, str) else group.id,
            changes=schemas.GroupChanges(**changes),
            with_members=True,
        )
        return await operations.change_group(self.firm.database, request)

    async def remove(self, group: schemas.Group) -> None:
        request = schemas.RemoveGroup(credential=self.firm.credential, group_id=group.id)
        await operations.remove_group(self.firm.database, request)

    async def find(
        self, *, offset: int = 0, limit: int = 100, with_members: bool = False, **conditions: str
    ) -> schemas.GroupPage:
        asked = All(of=[equal(name, value) for name, value in conditions.items()])
        request = schemas.FindGroups(
            credential=self.firm.credential, where=asked, offset=offset, limit=limit, with_members=with_members
        )
        return await operations.find_groups(self.firm.database, request)

    async def told(self, group: schemas.Group) -> list[tuple[str, dict[str, Any]]]:
        """Kind and content of the group's events, oldest first."""
        rows = await self.firm.as_owner(
            "select kind, changes || coalesce(names, '{}') as told from events "
            "where changes -> 'group' ->> 'id' = $1 order by sequence",
            group.id,
        )
        told = [(row["kind"], msgspec.json.decode(row["told"])) for row in rows]
        return [(kind, {name: value for name, value in one.items() if name != "group"}) for kind, one in told]

    async def kinds(self, group: schemas.Group) -> list[str]:
        return [kind for kind, _ in await self.told(group)]

    async def is_the_company_s(self, *, object_id: str | None, name: str | None, check: str = "required") -> None:
        """What the company's manifest says about its AD group."""
        await self.firm.as_owner(
            "update connections set group_id = $2, group_name = $3, group_check = $4 where company_id = $1",
            self.firm.company_id,
            UUID(object_id) if object_id else None,
            name,
            check,
        )

    async def version_on_disk(self, group: schemas.Group) -> str:
        """Changes with every write of the row, also one that writes the same again."""
        rows = await self.firm.as_owner(
            "select xmin::text as written from groups where group_id = $1", group_from_text(group.id)
        )
        written: str = rows[0]["written"]
        return written


async def staff(firm: Firm, many: int) -> list[str]:
    """So many people at once, without a history; their ids in order."""
    rows = await firm.as_owner(
        """
        insert into employees (company_id, employee_id, state, source, login_name, login_key, email, email_key, given_name,
            family_name, created_at, updated_at)
        select $1, gen_random_uuid(), 'active', 'entra', name, name, name, name, 'Anna', 'Holm', now(), now()
        from (select format('p%s-%s@firma.dk', number, $3::text) as name from generate_series(1, $2::integer) as number) as new
        returning employee_id
        """,
        firm.company_id,
        many,
        os.urandom(3).hex(),
    )
    return [f"emp_{one.hex}" for one in sorted(row["employee_id"] for row in rows)]
