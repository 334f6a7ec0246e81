"""What is done to a company as a whole: each command as in `commands`."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, ClassVar

from directory.brake import holds, setup
from directory.brake.applying import apply
from directory.companies import ending
from directory.database import Actor, CompanyTx
from directory.sweep import sweep_company
from shared.schemas import brake as schema
from tests.support.model import brake, sweeping
from tests.support.model import ending as ending_rules
from tests.support.model.commands import ByHr, BySystem
from tests.support.model.people import Turn
from tests.support.model.provisioning import do_released
from tests.support.model.world import Both, World


@dataclass
class ReleaseHeld(ByHr):
    cut_short: bool
    """An operator's command that is stopped when it has decided: what it decided is done by whoever comes next."""

    async def really(self, world: World, both: Both) -> object:
        if self.admin:
            request = schema.ReleaseHeldChanges(session=self.session(both))
            return await setup.release(world.database, request)
        async with both.firm.operator() as tx:
            released = await holds.release(tx)
        if self.cut_short:
            return schema.ReleasedHeldChanges(released=released, done=0)
        scope = world.database.scope_for_id(both.firm.company_id)
        done = await apply(lambda: scope.transaction(Actor("operator", "test")))
        return schema.ReleasedHeldChanges(released=released, done=done)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        turn = self.turned(both, turn)
        released = brake.decide(both.model, turn, "released")
        done = 0 if self.cut_short and not self.admin else do_released(both.model, turn)
        return schema.ReleasedHeldChanges(released=released, done=done)


@dataclass
class RefuseHeld(ByHr):
    async def really(self, world: World, both: Both) -> object:
        if self.admin:
            request = schema.RefuseHeldChanges(session=self.session(both))
            return (await setup.refuse(world.database, request)).refused
        async with both.firm.operator() as tx:
            return await holds.refuse(tx)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return brake.decide(both.model, self.turned(both, turn), "refused")


@dataclass
class ByOwner:
    """An operator's command, as the tables' owner."""

    company: int
    actor: str = field(default="operator", init=False, repr=False)
    when_gone: ClassVar[object] = "not_found"

    def transaction(self, world: World, both: Both) -> AbstractAsyncContextManager[CompanyTx]:
        return world.owner.scope_for_name(both.firm.name).transaction(Actor("operator", "test"))


@dataclass
class Close(ByOwner):
    grace_days: int

    async def really(self, world: World, both: Both) -> object:
        async with self.transaction(world, both) as tx:
            return await ending.close(tx, timedelta(days=self.grace_days))

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return ending_rules.close(both.model, turn, timedelta(days=self.grace_days))


@dataclass
class Restore(ByOwner):
    async def really(self, world: World, both: Both) -> object:
        async with self.transaction(world, both) as tx:
            await ending.restore(tx)
        return None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        ending_rules.restore(both.model, turn)
        return None


@dataclass
class Sweep(BySystem):
    """The hourly job, of one company; as the tables' owner."""

    async def really(self, world: World, both: Both) -> object:
        return await sweep_company(world.owner, both.firm.name)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return sweeping.sweep(both.model, turn)
