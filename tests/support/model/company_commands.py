"""What is done to a company as a whole: each command as in `commands`."""

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from directory.brake import holds, setup
from directory.brake.applying import apply
from directory.companies import ending, move
from directory.companies.certificates import Certificate
from directory.companies.manifest import Manifest, Sso
from directory.database import Actor, CompanyTx
from directory.sweep import sweep_company
from shared.schemas import brake as schema
from shared.schemas.employee import ScimCredential
from shared.tokens import sha256
from tests.support.model import brake, moving, sweeping
from tests.support.model import ending as ending_rules
from tests.support.model.commands import ByHr, BySystem, Find
from tests.support.model.group_commands import FindGroups
from tests.support.model.people import Refused, Turn
from tests.support.model.provisioning import do_released
from tests.support.model.world import Both, Command, World


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
class Prepare(ByOwner):
    """A move to the tenant with the number."""

    tenant: int
    domains: tuple[str, ...]

    async def really(self, world: World, both: Both) -> object:
        connection, settings = both.connection(self.tenant, self.domains), both.model.settings
        der, since, until = b"certificate", world.clock(), world.clock() + timedelta(days=3650)
        sso = Sso(
            enabled=True, login_url="https://login.example", issuer="https://sts.example", signed="assertion",
            certificates=(Certificate(connection.signer, der, "CN=x", since, until),), idp_initiated="true",
            group_check=settings.group_check, email_domains=connection.domains, metadata="propose",
        )  # fmt: skip
        manifest = Manifest(
            company=both.firm.name, name="Firma", time_zone=settings.zone, language="da", sso=sso,
            tenant_id=str(connection.tenant_id), app_id=str(connection.app_id), group_name=settings.group[1],
            group_id=str(settings.group[0]) if settings.group[0] else None, provisioning_enabled=True,
            provisioning_strict=False, journal_days=30, follow_entra_managers=True, rehire_ask_after_days=settings.ask_after_days,
            brake_people=settings.brake[0], brake_percent=settings.brake[1],
            erase_after_months=settings.erase_after_months,
        )  # fmt: skip
        async with self.transaction(world, both) as tx:
            prepared = await move.prepare(tx, manifest)
        if prepared.token is not None:
            token_id = UUID(prepared.token.token_id.removeprefix("tok_"))
            token = ScimCredential(token_sha256=sha256(prepared.token.token).hex(), company=both.firm.name)
            both.next_token = token_id, token
        return prepared.changes, prepared.token is not None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        wanted = both.connection(self.tenant, self.domains)
        return moving.prepare(both.model, turn, wanted, _next_token(both))


@dataclass
class CancelMove(ByOwner):
    async def really(self, world: World, both: Both) -> object:
        async with self.transaction(world, both) as tx:
            await move.cancel(tx)
        return None

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        moving.cancel(both.model, turn, _next_token(both))
        both.next_token = None
        return None


@dataclass
class CutOver(ByOwner):
    anyway: bool

    async def really(self, world: World, both: Both) -> object:
        async with self.transaction(world, both) as tx:
            moved = await move.cut_over(tx, anyway=self.anyway)
        return moving.Moved(moved.changes, moved.released, moved.groups, moved.sessions, moved.retired_tokens)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        moved = moving.cut_over(both.model, turn, self.anyway)
        assert both.next_token is not None
        token_id, token = both.next_token
        both.former_tokens.append(both.firm.credential)
        both.firm, both.next_token = replace(both.firm, token_id=token_id, credential=token), None
        return moved


def _next_token(both: Both) -> str | None:
    return f"tok_{both.next_token[0].hex}" if both.next_token else None


@dataclass
class ByOtherToken:
    """A command of Entra's by the token of the connection that is prepared, or of one that was left."""

    command: Command
    former: bool
    when_gone: ClassVar[object] = "unauthorized"

    def __post_init__(self) -> None:
        self.company, self.actor = self.command.company, "somebody"

    async def really(self, world: World, both: Both) -> object:
        token = self._token(both) or ScimCredential(token_sha256="0" * 64, company=both.firm.name)
        return await self.command.really(world, replace(both, firm=replace(both.firm, credential=token)))

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        if self.former or both.next_token is None or both.model.ends_at is not None:
            raise Refused("unauthorized")
        if not isinstance(self.command, (Find, FindGroups)):
            raise Refused("not_allowed")
        return self.command.by_the_rules(world, both, turn, real)

    def _token(self, both: Both) -> ScimCredential | None:
        if self.former:
            return both.former_tokens[-1] if both.former_tokens else None
        return both.next_token[1] if both.next_token else None


@dataclass
class Sweep(BySystem):
    """The hourly job, of one company; as the tables' owner."""

    async def really(self, world: World, both: Both) -> object:
        return await sweep_company(world.owner, both.firm.name)

    def by_the_rules(self, world: World, both: Both, turn: Turn, real: Any) -> object:
        return sweeping.sweep(both.model, turn)
