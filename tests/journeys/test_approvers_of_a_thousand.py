"""S51: the approver flow is 1:1 with Entra's manager structure, for a random organisation that arrives in random order."""

import asyncio
import random
from typing import Any

import pytest

from directory.approvers import store
from directory.approvers.overview import whole
from directory.approvers.rules import effective
from shared.ids import employee_text
from tests.entra.people import ENTERPRISE
from tests.support.company import Company, create_body
from tests.support.setup_admin import SetupAdmin

MANAGER = f"{ENTERPRISE}:manager"


class Organisation:
    """A thousand people under random managers, as Entra knows them, and how they arrive here."""

    def __init__(self, company: Company, seed: int, many: int) -> None:
        self.company = company
        self.random = random.Random(seed)
        self.people = [company.hire(f"p{number}") for number in range(many)]
        # The first is nobody's report; everybody else's manager is somebody before him, so that there are deep chains.
        self.manager: dict[int, int] = {one: self.random.randrange(max(0, one - 40), one) for one in range(1, many)}
        self.ids: dict[int, str] = {}
        self.exempt: set[int] = set()

    async def arrive(self) -> None:
        """In random order, eight at a time: with the manager's id where he is here, with another name of him, or later."""
        order = list(range(len(self.people)))
        self.random.shuffle(order)
        later: list[int] = []
        for start in range(0, len(order), 8):
            batch = [(one, self._reference(one, later)) for one in order[start : start + 8]]
            await asyncio.gather(*(self._create(one, reference) for one, reference in batch))
        await self._in_batches([self._name_manager(one) for one in later])

    async def reorganise(self, many: int) -> None:
        moved = self.random.sample(range(1, len(self.people)), many)
        for one in moved:
            self.manager[one] = self.random.randrange(one)
        await self._in_batches([self._name_manager(one) for one in moved])

    def _reference(self, one: int, later: list[int]) -> str | None:
        manager = self.manager.get(one)
        if manager is None:
            return None
        if manager in self.ids:
            return self.ids[manager]
        way = self.random.choice(["external id", "login name", "later"])
        if way == "later":
            later.append(one)
            return None
        person = self.people[manager]
        return person.object_id if way == "external id" else person.user_principal_name.upper()

    async def _create(self, one: int, reference: str | None) -> None:
        body = create_body(self.people[one])
        if reference is not None:
            body[ENTERPRISE] = {"manager": {"value": reference}}
        answer = await self.company.scim.post("/Users", body)
        assert answer.status == 201, answer.text
        self.ids[one] = answer.json["id"]

    async def _name_manager(self, one: int) -> None:
        operation = {"op": "Add", "path": MANAGER, "value": self.ids[self.manager[one]]}
        assert (await self.company.patch(self.ids[one], operation)).status == 200

    async def _in_batches(self, changes: list[Any]) -> None:
        for start in range(0, len(changes), 8):
            await asyncio.gather(*changes[start : start + 8])

    async def check(self) -> None:
        """Whoever is not exempt is approved by exactly his manager in Entra."""
        async with self.company.stack.database.scope_for_name(self.company.name).transaction() as tx:
            people, grants = await store.everybody(tx)
        structure = whole(follows_entra=True, people=people, grants=grants)
        told = {employee_text(one.employee_id): effective(one, structure) for one in people}
        for one, manager in self.manager.items():
            expected = (one, "self_approver") if one in self.exempt else (manager, "entra_manager")
            found = [(employee_text(id_), reason.value) for id_, reason in told[self.ids[one]].approvers]
            assert found == [(self.ids[expected[0]], expected[1])], one


@pytest.mark.parametrize("seed", [11])
async def test_of_a_thousand_people_everybody_not_exempt_is_approved_by_his_manager_in_entra(
    company: Company, sara: SetupAdmin, seed: int
) -> None:
    """S51: 1:1 with Entra's manager structure, whatever the order in which people and managers arrive."""
    organisation = Organisation(company, seed, 1000)
    await organisation.arrive()
    await organisation.check()
    organisation.exempt = set(organisation.random.sample(range(1, 1000), 20))
    for one in organisation.exempt:
        await sara.grant(organisation.ids[one], "self_approver")
    await organisation.reorganise(100)
    await organisation.check()
    for one in organisation.random.sample(range(1, 1000), 20):
        direct = (await sara.explain(organisation.ids[one])).direct
        assert direct.reference is not None
        expected = organisation.ids[one if one in organisation.exempt else organisation.manager[one]]
        assert direct.employee_id == expected
