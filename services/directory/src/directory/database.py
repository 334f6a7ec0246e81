"""The only pool of database connections, and the only ways into a company.

    Database  --enter_by_…-->  CompanyScope  --transaction()-->  CompanyTx  -->  store functions

A scope is the right to act inside one company; it is made from a credential, a company's name or its id, and proves itself
inside the transaction it opens: the same round trip that sets `app.company_id` says whose it is, or that it is nobody's.
Store functions take a `CompanyTx` first and there is no other way to get one. Underneath, row-level security refuses
whatever is not of that company (`selfcheck.py` insists on it before the service serves).
"""

import time
import uuid
from collections import OrderedDict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self

import asyncpg

from directory.cycles.notes import Notes
from directory.places import Places
from directory.statements import Statement as Statement
from directory.statements import observed
from directory.statements import statement as statement
from shared.clock import Clock
from shared.errors import DomainError, ErrorCode
from shared.ids import CompanyId, federation_text, secret_text, token_text
from shared.schemas.metadata import DueLook
from shared.telemetry import context, metrics
from shared.telemetry.logs import EventLog
from shared.telemetry.tracing import current_span

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | asyncpg.Connection[asyncpg.Record]

log = EventLog("directory")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who made a change: an Entra connection (its credential's id), a person (employee id), an operator, or the system itself."""

    kind: Literal["entra", "person", "operator", "system"]
    id: str


@dataclass(frozen=True, slots=True)
class Company:
    """What the door said about the company that was entered."""

    company_id: CompanyId
    name: str
    time_zone: str
    provisioning_enabled: bool | None = None
    provisioning_strict: bool | None = None
    token_id: uuid.UUID | None = None
    """Of what provisioning proved itself by; for an access token that is what it was issued for."""
    credential: str = ""
    """The same, as people know it: `tok_…`, `sec_…` or `fed_…`."""
    scopes: frozenset[str] = frozenset()
    """Of the credential by which the BitaBIZ application entered."""
    connection: Literal["next", "live", "retired"] | None = None
    """Which connection with Entra the credential is of."""


_LOST = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
)
"""What PostgreSQL going away, starting, stopping or being full looks like; the last where it went away between two requests.

Whoever asks again may be served.
"""

REMEMBERED = 20_000
"""Credentials of which it is known whose they are: 3 MiB."""

EVENTS_AT_ONCE = 5000
"""Events of one statement: each must end before a connection's command timeout."""


class Outrun(Exception):
    """Somebody else changed in the meantime what this transaction is about; it is to be done again."""


class CompanyTx:
    """One transaction inside one company."""

    def __init__(self, connection: "Connection", company: Company, actor: Actor, now: datetime) -> None:
        self._connection = connection
        self.company = company
        self.company_id = company.company_id
        self.actor = actor
        self.now = now
        """The moment of this transaction: one for all it writes."""
        self._events: list[tuple[object, ...]] = []

    def tell(self, *event: object) -> None:
        """Have an event written with the commit; `events.store.record` knows the columns.

        Last of all, because the first event locks the company's history until the commit: whatever came after it would hold
        up every other change of the company, and could wait for one that waits for us.
        """
        self._events.append(event)

    def told(self) -> list[tuple[str, uuid.UUID | None, str]]:
        """Kind, employee and changes of what will be written, so far."""
        return [(str(kind), employee_id, str(rest[-1])) for kind, employee_id, *rest in self._events]  # type: ignore[misc]

    async def write_events(self) -> None:
        """Of use to `CompanyScope` alone, just before the commit."""
        if self._events:
            events, self._events = self._events, []
            for start in range(0, len(events), EVENTS_AT_ONCE):
                some = events[start : start + EVENTS_AT_ONCE]
                await self.execute(_EVENTS, self.company_id, self.now, *map(list, zip(*some, strict=True)))

    async def fetch(self, question: Statement, *arguments: object) -> list[asyncpg.Record]:
        with observed(question):
            return await self._connection.fetch(question.sql, *arguments)

    async def fetchrow(self, question: Statement, *arguments: object) -> asyncpg.Record | None:
        with observed(question):
            return await self._connection.fetchrow(question.sql, *arguments)

    async def fetchval(self, question: Statement, *arguments: object) -> Any:
        with observed(question):
            return await self._connection.fetchval(question.sql, *arguments)

    async def execute(self, question: Statement, *arguments: object) -> int:
        """The number of rows touched."""
        with observed(question):
            status = await self._connection.execute(question.sql, *arguments)
        return int(status.rsplit(" ", 1)[-1]) if status[-1].isdigit() else 0

    async def executemany(self, question: Statement, rows: Sequence[Sequence[object]]) -> None:
        with observed(question):
            await self._connection.executemany(question.sql, rows)

    async def stream(self, question: Statement, *arguments: object) -> AsyncIterator[asyncpg.Record]:
        """Row by row over a cursor, in one snapshot: memory stays flat, however many there are."""
        with observed(question):
            async for row in self._connection.cursor(question.sql, *arguments, prefetch=1000):
                yield row

    @asynccontextmanager
    async def savepoint(self) -> AsyncIterator[None]:
        """What fails inside leaves the transaction usable, and is not told."""
        told = len(self._events)
        try:
            async with self._connection.transaction():
                yield
        except BaseException:
            del self._events[told:]
            raise


# Written one after the other: the trigger numbers and chains them in this order (migration 0005).
_EVENTS = statement(
    "events.record",
    """
    insert into events (company_id, at, kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes)
    select $1, $2, told.kind, told.employee_id, told.actor_kind, told.actor_id, told.request_id, told.trace_id,
        told.changes::jsonb
    from unnest($3::text[], $4::uuid[], $5::text[], $6::text[], $7::text[], $8::text[], $9::text[])
        with ordinality as told (kind, employee_id, actor_kind, actor_id, request_id, trace_id, changes, place)
    order by told.place
    """,
)
_BY_SCIM_TOKEN = statement("registry.enter_by_scim_token", "select * from registry.enter_by_scim_token($1, $2)")
# A name of its own: what is done behind the requests has its own share of the pool, and is told apart in the metrics.
_TO_JOURNAL = statement("registry.enter_to_journal", _BY_SCIM_TOKEN.sql)
_BY_API_CREDENTIAL = statement(
    "registry.enter_by_api_credential", "select * from registry.enter_by_api_credential($1, $2)"
)
_BY_OAUTH_SECRET = statement("registry.enter_by_oauth_secret", "select * from registry.enter_by_oauth_secret($1, $2)")
_BY_NAME = statement("registry.enter_by_name", "select * from registry.enter_by_name($1)")
_TO_TRACES = statement("registry.enter_to_traces", _BY_NAME.sql)
_BY_ID = statement("registry.enter_by_id", "select * from registry.enter_by_id($1)")
# Said by the door, for the transaction: PostgreSQL may keep the plans of what is asked behind it, and of the foreign keys that
# it checks. Without sequential scans, for a plan of a table that was almost empty would stay one.
_KEEPING_PLANS = "set_config('plan_cache_mode', 'auto', true), set_config('enable_seqscan', 'off', true)"
_BY_NAME_KEPT = statement(
    _BY_NAME.full_name,
    f"select door.*, {_KEEPING_PLANS} from registry.enter_by_name($1) as door",  # noqa: S608  a constant
)
_BY_ID_KEPT = statement(
    _BY_ID.full_name,
    f"select door.*, {_KEEPING_PLANS} from registry.enter_by_id($1) as door",  # noqa: S608  a constant
)
_NEW = statement(
    "registry.enter_new",
    """
    select $1::uuid as company_id, $2::text as company, $3::text as time_zone,
        set_config('app.company_id', $1::uuid::text, true) as entered
    """,
)
_NAMES = statement("registry.companies", "select company from registry.companies order by company")
_HEADS = statement("registry.history_heads", "select * from registry.history_heads($1)")
_CONTACTS = statement("registry.count_contacts", "select * from registry.count_contacts($1, $2, $3)")
_EXPIRING = statement("registry.count_expiring", "select * from registry.count_expiring($1, $2)")
_CLAIM_LOOKS = statement("registry.claim_metadata_looks", "select * from registry.claim_metadata_looks($1, $2, $3, $4)")
_COUNT_LOOKS = statement("registry.count_metadata_looks", "select * from registry.count_metadata_looks($1, $2)")
_FOR_DOMAIN = statement("registry.companies_for_domain", "select * from registry.companies_for_domain($1, $2)")


PLAN_KEPT_S = 60
"""So old may a kept plan become: one that was made before there were statistics does no harm for longer."""


class CompanyScope:
    """The right to act inside one company. Only `Database` makes these; only these open transactions."""

    def __init__(self, database: "Database", door: Statement, keys: tuple[object, ...], refusal: DomainError) -> None:
        self._database = database
        self._door = door
        self._keys = keys
        self._refusal = refusal

    @asynccontextmanager
    async def transaction(self, actor: Actor | None = None, *, snapshot: bool = False) -> AsyncIterator[CompanyTx]:
        """One transaction; committed at the end, rolled back by any exception.

        Without an actor the acting credential is the actor (the SCIM token, or the system). `snapshot`: reads only, and
        everything as it is at the beginning.

        Raises:
            DomainError: `unauthorized` or `not_found` when the credential or name is nobody's; `unavailable` as `connection`
                does, and when too many transactions entered by the same credential, name or id are under way.
        """
        async with (
            self._database.places.place((self._door.name, self._database.entered.get(self._keys[0], self._keys[0]))),
            self._database.connection() as connection,
            connection.transaction(isolation="repeatable_read" if snapshot else None, readonly=snapshot),
        ):
            try:
                with observed(self._door):
                    row = await connection.fetchrow(self._door.sql, *self._keys)
            except TimeoutError as error:
                # A cut-over of tens of thousands of people keeps the door of provisioning shut for seconds.
                raise DomainError(
                    ErrorCode.unavailable, "The company cannot be entered at the moment; try again."
                ) from error
            if row is None:
                raise self._refusal
            company = _company(row)
            self._database.remember(self._keys[0], company.company_id)
            context.company.set(company.name)
            if (span := current_span()).is_recording():
                span.set_attribute("identity.company.id", str(company.company_id))
            tx = CompanyTx(connection, company, actor or _acting(company), self._database.clock())
            yield tx
            await tx.write_events()


def _company(row: asyncpg.Record) -> Company:
    return Company(
        CompanyId(row["company_id"]),
        row["company"],
        row["time_zone"],
        row.get("provisioning_enabled"),
        row.get("provisioning_strict"),
        row.get("token_id"),
        _credential(row),
        frozenset(row.get("scopes") or ()),
        row.get("connection"),
    )


def _credential(row: asyncpg.Record) -> str:
    match row.get("issued_for"):
        case "token":
            return token_text(row["token_id"])
        case "secret":
            return secret_text(row["token_id"])
        case "federation":
            return federation_text(row["token_id"])
    return secret_text(row["secret_id"]) if "secret_id" in row else ""


def _acting(company: Company) -> Actor:
    return Actor("entra", company.credential) if company.credential else Actor("system", "directory")


async def _nothing_to_reset(connection: "Connection") -> None:
    """A round trip less for every transaction: nothing here outlives one (`test_session_state.py`).

    A transaction left open, which cannot be, is still rolled back by the pool itself.
    """


def _is_closed(connection: "Connection") -> bool:
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has taken it back, as it does with one that was lost
        return True


class Database:
    """The pool. `async with Database(…)`; nothing outside this module touches a connection."""

    def __init__(
        self,
        dsn: str,
        *,
        clock: Clock,
        min_size: int = 2,
        max_size: int = 10,
        command_timeout_s: float = 10.0,
        notes: Notes | None = None,
    ) -> None:
        self._dsn = dsn
        self._min_size = min_size
        self._max_size = max_size
        self._command_timeout_s = command_timeout_s
        # A company may be entered in three ways at once (token, name, session) that wait for the same lock.
        self.places = Places(max(2, max_size // 3))
        self.entered: OrderedDict[object, CompanyId] = OrderedDict()
        """Whose a credential, a name or an id was lately, so that all of one company's share its places."""
        self.clock = clock
        self.notes = Notes() if notes is None else notes
        """What provisioning asks about; `cycles.writing` writes it down."""
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def __aenter__(self) -> Self:
        self._pool = await asyncpg.create_pool(
            self._dsn,
            min_size=self._min_size,
            max_size=self._max_size,
            command_timeout=self._command_timeout_s,
            max_inactive_connection_lifetime=300.0,
            max_cached_statement_lifetime=PLAN_KEPT_S,
            reset=_nothing_to_reset,
            server_settings={
                "application_name": "directory",
                "jit": "off",
                # A plan kept from when a table was almost empty reads a whole company per lookup until statistics come
                # (measured: 3.1 instead of 0.9 ms at 5,000 people). Planning each time costs less than that, and is flat;
                # scopes that keep their plans say so (`keeps_plans`).
                "plan_cache_mode": "force_custom_plan",
            },
        )
        metrics.DB_CONNECTIONS_MAX.set(self._max_size)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._pool is not None:
            await self._pool.close()

    @asynccontextmanager
    async def connection(self) -> "AsyncIterator[Connection]":
        """A connection without any company. For `CompanyScope`, the self-check and readiness only.

        Raises:
            DomainError: `unavailable` when PostgreSQL cannot be reached, no connection comes free in time, PostgreSQL goes away
                meanwhile, or a statement waits too long.
        """
        assert self._pool is not None, "open the database with `async with`"  # noqa: S101
        started = time.perf_counter()
        try:
            connection = await self._pool.acquire(timeout=5.0)
        except (*_LOST, TimeoutError) as error:
            raise DomainError(ErrorCode.unavailable, "The database cannot be reached; try again.") from error
        metrics.DB_CONNECTION_WAIT.observe(time.perf_counter() - started)
        metrics.DB_CONNECTIONS.labels("used").inc()
        try:
            yield connection
        except TimeoutError as error:
            # A statement that waited too long, for an import of the company perhaps; whoever asks again comes later.
            raise DomainError(ErrorCode.unavailable, "The database did not answer in time; try again.") from error
        except (*_LOST, asyncpg.InterfaceError) as error:
            if isinstance(error, asyncpg.InterfaceError) and not _is_closed(connection):
                raise  # misused by us
            log.warning("database_lost", error=type(error).__name__)
            raise DomainError(ErrorCode.unavailable, "The database was lost on the way; try again.") from error
        finally:
            metrics.DB_CONNECTIONS.labels("used").dec()
            await self._pool.release(connection)

    def remember(self, key: object, company_id: CompanyId) -> None:
        """For `CompanyScope`. What says nothing about access: only in whose line somebody stands."""
        self.entered[key] = company_id
        self.entered.move_to_end(key)
        if len(self.entered) > REMEMBERED:
            self.entered.popitem(last=False)

    def scope_for_scim_token(self, token_sha256: bytes) -> CompanyScope:
        refusal = DomainError(ErrorCode.unauthorized, "The token is not valid for this company.")
        return CompanyScope(self, _BY_SCIM_TOKEN, (token_sha256, self.clock()), refusal)

    def scope_for_journal(self, token_sha256: bytes) -> CompanyScope:
        refusal = DomainError(ErrorCode.unauthorized, "The token is not valid for this company.")
        return CompanyScope(self, _TO_JOURNAL, (token_sha256, self.clock()), refusal)

    def scope_for_oauth_secret(self, secret_sha256: bytes) -> CompanyScope:
        refusal = DomainError(ErrorCode.unauthorized, "The client is not known here, or its secret is wrong.")
        return CompanyScope(self, _BY_OAUTH_SECRET, (secret_sha256, self.clock()), refusal)

    def scope_for_api_credential(self, credential_sha256: bytes) -> CompanyScope:
        refusal = DomainError(ErrorCode.unauthorized, "The credential is not valid for this company.")
        return CompanyScope(self, _BY_API_CREDENTIAL, (credential_sha256, self.clock()), refusal)

    def scope_for_name(self, company: str, *, keeps_plans: bool = False) -> CompanyScope:
        """`keeps_plans`: every statement behind it goes by whole keys (`test_kept_plans.py`): one plan does for any size."""
        refusal = DomainError(ErrorCode.not_found, "There is no such company.", field="company")
        return CompanyScope(self, _BY_NAME_KEPT if keeps_plans else _BY_NAME, (company,), refusal)

    def scope_for_refusals(self, company: str) -> CompanyScope:
        refusal = DomainError(ErrorCode.not_found, "There is no such company.", field="company")
        return CompanyScope(self, _TO_TRACES, (company,), refusal)

    def scope_for_id(self, company_id: uuid.UUID, *, keeps_plans: bool = False) -> CompanyScope:
        """`keeps_plans` as with `scope_for_name`."""
        refusal = DomainError(ErrorCode.not_found, "There is no such company.", field="company_id")
        return CompanyScope(self, _BY_ID_KEPT if keeps_plans else _BY_ID, (company_id,), refusal)

    def scope_for_new(self, company_id: uuid.UUID, company: str, time_zone: str) -> CompanyScope:
        """The scope in which a company comes into being. Of use to the owner's role only: no other may insert companies."""
        refusal = DomainError(ErrorCode.unavailable, "The scope could not be entered.")
        return CompanyScope(self, _NEW, (company_id, company, time_zone), refusal)

    async def company_names(self) -> list[str]:
        """Every company; for the owner's role only, which alone can read the registry."""
        async with self.connection() as connection:
            return [row["company"] for row in await connection.fetch(_NAMES.sql)]

    async def history_heads(self, companies: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
        """How far the history of each has come; nothing else of them."""
        async with self.connection() as connection:
            with observed(_HEADS):
                rows = await connection.fetch(_HEADS.sql, companies)
        return {row["company_id"]: row["sequence"] for row in rows}

    async def count_contacts(self, running: timedelta, silent: timedelta) -> dict[str, int]:
        """How many companies' provisioning was heard within `running`, within `silent`, and before; of no single one."""
        async with self.connection() as connection:
            with observed(_CONTACTS):
                row = await connection.fetchrow(_CONTACTS.sql, self.clock(), running, silent)
        assert row is not None  # noqa: S101  an aggregate has one row
        return {"running": row["running_now"], "resting": row["resting"], "silent": row["fallen_silent"]}

    async def count_expiring(self, days: Sequence[int]) -> dict[int, int]:
        """How many companies have no certificate that is valid longer than so many days; of no single one."""
        async with self.connection() as connection:
            with observed(_EXPIRING):
                rows = await connection.fetch(_EXPIRING.sql, self.clock(), list(days))
        return {row["within_days"]: row["companies"] for row in rows}

    async def claim_metadata_looks(self, most: int, every: timedelta, spread: timedelta) -> list[DueLook]:
        """Whose federation metadata is due; nobody else is given them until they are due again. Where to look, and no secret."""
        async with self.connection() as connection, connection.transaction():
            with observed(_CLAIM_LOOKS):
                rows = await connection.fetch(_CLAIM_LOOKS.sql, self.clock(), most, every, spread)
        return [
            DueLook(
                company=row["company"],
                tenant_id=str(row["tenant_id"]),
                app_id=str(row["app_id"]),
                login_url=row["login_url"],
                failure=row["failure"],
            )
            for row in rows
        ]

    async def count_metadata_looks(self, grace: timedelta) -> dict[str, int]:
        """How many companies' looks are late by more than the grace, fail, or go well; of no single one."""
        async with self.connection() as connection:
            with observed(_COUNT_LOOKS):
                row = await connection.fetchrow(_COUNT_LOOKS.sql, self.clock(), grace)
        assert row is not None  # noqa: S101  an aggregate has one row
        return dict(row)

    async def companies_for_domain(self, domain: str, limit: int) -> list[tuple[str, str]]:
        """Name and display name of the companies with SSO that claim an e-mail domain; nothing else of them."""
        async with self.connection() as connection, connection.transaction():
            with observed(_FOR_DOMAIN):
                rows = await connection.fetch(_FOR_DOMAIN.sql, domain, limit)
        return [(row["company"], row["name"]) for row in rows]

    async def is_reachable(self) -> bool:
        try:
            async with self.connection() as connection:
                await connection.fetchval("select 1", timeout=2.0)
        except (DomainError, OSError, TimeoutError, asyncpg.PostgresError):
            return False
        return True
