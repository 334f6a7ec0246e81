"""A company in directory alone, without services around it: the provisioning operations as short verbs."""

import os
import uuid
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import msgspec

from directory.database import Actor, CompanyTx, Database
from directory.employees import operations
from directory.events import store as events
from directory.imports.operations import Imported, import_file
from shared.ids import EmployeeId, employee_from_text
from shared.schemas.employee import (
    Changed,
    ChangeEmployee,
    Employee,
    EmployeeChanges,
    EmployeePage,
    FindEmployees,
    GetEmployee,
    NewEmployee,
    Provisioned,
    ProvisionEmployee,
    RemoveEmployee,
    ScimCredential,
)
from shared.schemas.login import SessionCredential
from shared.schemas.search import All, equal

_COMPANY = """
    insert into companies (company_id, company, name, time_zone, language, follow_entra_managers, created_at, updated_at)
    values ($1, $2, 'Firma', $3, 'da', true, now(), now())
"""
_CONNECTION = """
    insert into connections
        (company_id, tenant_id, app_id, entity_id, sso_enabled, login_url, issuer, signed, idp_initiated, group_check,
         email_domains, provisioning_enabled, provisioning_strict, version, updated_at)
    values ($1, $2, $3, $4, true, 'https://login.example', 'https://sts.example', 'assertion', 'true', 'off', '{}', true,
            false, 1, now())
"""
_TOKEN = "insert into scim_tokens (company_id, token_id, token_sha256, created_at) values ($1, $2, $3, now())"


@dataclass(frozen=True)
class Urls:
    owner: str
    app: str

    @property
    def database(self) -> str:
        return urlsplit(self.owner).path.removeprefix("/")


def anna(**values: Any) -> NewEmployee:
    """A person with the mandatory values; `login` also makes the e-mail."""
    login = values.pop("login", "anna@firma.dk")
    return NewEmployee(**{"login_name": login, "email": login, "given_name": "Anna", "family_name": "Holm", **values})


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def uuid_of(employee: Employee) -> EmployeeId:
    found = employee_from_text(employee.id)
    assert found is not None
    return found


@dataclass
class Firm:
    database: Database
    urls: Urls
    company_id: uuid.UUID
    name: str
    credential: ScimCredential
    token_id: uuid.UUID = field(default_factory=uuid.uuid4)

    @classmethod
    async def founded(cls, database: Database, urls: Urls, *, time_zone: str = "Europe/Copenhagen") -> "Firm":
        company_id, token, name = uuid.uuid4(), os.urandom(32), f"firma-{uuid.uuid4().hex[:12]}"
        made = cls(database, urls, company_id, name, ScimCredential(token_sha256=token.hex(), company=name))
        async with made.owner() as owner:
            await owner.execute(_COMPANY, company_id, name, time_zone)
            entity_id = f"https://www.bitabiz.com/{name}"
            await owner.execute(_CONNECTION, company_id, uuid.uuid4(), uuid.uuid4(), entity_id)
            await owner.execute(_TOKEN, company_id, made.token_id, token)
        return made

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """The tables' owner, in one transaction inside this company."""
        connection = await asyncpg.connect(self.urls.owner)
        try:
            async with connection.transaction():
                await connection.execute("select set_config('app.company_id', $1, true)", str(self.company_id))
                yield connection
        finally:
            await connection.close()

    async def as_owner(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        async with self.owner() as owner:
            return await owner.fetch(sql, *arguments)

    async def provision(self, **values: Any) -> Provisioned:
        request = ProvisionEmployee(credential=self.credential, employee=anna(**values))
        return await operations.provision_employee(self.database, request)

    async def create(self, **values: Any) -> Employee:
        return (await self.provision(**values)).employee

    async def get(self, employee: Employee | str) -> Employee:
        text = employee if isinstance(employee, str) else employee.id
        return await operations.get_employee(self.database, GetEmployee(credential=self.credential, employee_id=text))

    async def change(self, employee: Employee, **changes: Any) -> Changed:
        request = ChangeEmployee(
            credential=self.credential, employee_id=employee.id, changes=EmployeeChanges(**changes)
        )
        return await operations.change_employee(self.database, request)

    async def replace(self, employee: Employee, **values: Any) -> Changed:
        """As a PUT does, which says null of all that it does not mention."""
        request = ChangeEmployee(
            credential=self.credential, employee_id=employee.id, changes=EmployeeChanges(**values), replaces=True
        )
        return await operations.change_employee(self.database, request)

    async def remove(self, employee: Employee) -> None:
        await operations.remove_employee(
            self.database, RemoveEmployee(credential=self.credential, employee_id=employee.id)
        )

    async def find(self, *, offset: int = 0, limit: int = 100, **conditions: Any) -> EmployeePage:
        return await self.search(conditions, offset=offset, limit=limit)

    async def search(
        self, conditions: Mapping[str, str | bool | None], *, offset: int = 0, limit: int = 100
    ) -> EmployeePage:
        asked = All(of=[equal(name, value) for name, value in conditions.items()])
        request = FindEmployees(credential=self.credential, where=asked, offset=offset, limit=limit)
        return await operations.find_employees(self.database, request)

    async def history(self, employee: Employee) -> list[dict[str, Any]]:
        async with self.database.scope_for_id(self.company_id).transaction() as tx:
            told = await events.of_employee(tx, uuid_of(employee))
        return [
            {**msgspec.structs.asdict(event), "actor_kind": event.actor.kind, "actor_id": event.actor.id}
            for event in told
        ]

    async def kinds(self, employee: Employee) -> list[str]:
        return [event["kind"] for event in await self.history(employee)]

    async def row(self, employee: Employee) -> asyncpg.Record:
        """The row as it stands, departed or not."""
        rows = await self.as_owner("select * from employees where employee_id = $1", uuid_of(employee))
        return rows[0]

    async def imported(self, login: str = "anna@firma.dk", **values: Any) -> uuid.UUID:
        """Somebody from a CSV import."""
        columns = {
            "employee_id": uuid.uuid4(), "source": "csv", "state": "active", "login_name": login, "login_key": login,
            "email": login, "email_key": login, "given_name": "Ann", "family_name": "Holm", **values,
        }  # fmt: skip
        places = ", ".join(f"${number}" for number in range(2, len(columns) + 2))
        await self.as_owner(
            f"insert into employees (company_id, created_at, updated_at, {', '.join(columns)}) "  # noqa: S608
            f"values ($1, now(), now(), {places})",
            self.company_id,
            *columns.values(),
        )
        return uuid.UUID(str(columns["employee_id"]))

    async def admin(self, *roles: str) -> SessionCredential:
        """The session of somebody with these roles (a Setup admin if none is named), who signed in just now."""
        login, session_sha256 = f"admin-{uuid.uuid4().hex[:8]}@firma.dk", os.urandom(32)
        employee_id = await self.imported(login, roles=list(roles or ("setup_admin",)))
        await self.as_owner(
            "insert into sessions (company_id, session_sha256, employee_id, name_id, signed_in_at, expires_at) "
            "values ($1, $2, $3, 'admin', now(), now() + interval '1 day')",
            self.company_id,
            session_sha256,
            employee_id,
        )
        return SessionCredential(company_id=str(self.company_id), session_sha256=session_sha256.hex())

    @asynccontextmanager
    async def operator(self) -> AsyncIterator[CompanyTx]:
        """A transaction of an operator's command."""
        async with self.database.scope_for_id(self.company_id).transaction(Actor("operator", "test")) as tx:
            yield tx

    async def import_csv(self, data: str | bytes, *, dry_run: bool = False) -> Imported:
        """As the operator's command does."""
        scope = self.database.scope_for_name(self.name)
        return await import_file(scope, Actor("operator", "ida"), _bytes(data), dry_run=dry_run)

    async def sign_in(self, employee: Employee) -> None:
        """A live session and a pending ticket."""
        for table, key, times in (
            ("sessions", "session_sha256", "signed_in_at, expires_at"),
            ("login_tickets", "ticket_sha256", "return_to, expires_at"),
        ):
            first = "now()" if table == "sessions" else "'/'"
            await self.as_owner(
                f"insert into {table} (company_id, {key}, employee_id, name_id, {times}) "  # noqa: S608
                f"values ($1, $2, $3, 'anna', {first}, now() + interval '1 hour')",
                self.company_id,
                os.urandom(32),
                uuid_of(employee),
            )

    async def let_app_in(self, employee: Employee) -> None:
        """An app holds a code of each of his sessions."""
        await self.as_owner(
            "insert into app_grants (company_id, grant_id, session_id, client_id, redirect_uri, scopes, authenticated_at, "
            "code_sha256, code_challenge, code_expires_at) "
            "select company_id, gen_random_uuid(), session_id, 'app', 'https://app.example/', array['openid'], signed_in_at, "
            "session_sha256, session_sha256, expires_at from sessions where employee_id = $1",
            uuid_of(employee),
        )

    async def signed_in(self, employee: Employee) -> int:
        """How many sessions and tickets he has."""
        rows = await self.as_owner(
            "select (select count(*) from sessions where employee_id = $1) "
            "+ (select count(*) from login_tickets where employee_id = $1) as many",
            uuid_of(employee),
        )
        many: int = rows[0]["many"]
        return many
