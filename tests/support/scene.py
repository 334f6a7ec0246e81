"""A company in which things can meet: the same few people every time, and all it holds as one text that two runs can compare.

Anna is the one whom everything happens to. Carl is her manager, Bo her report; Dora waits for a manager `boss@firma.dk`. She has
a session, a ticket, a group, departments to approve for; the admin has a session of Setup admin.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import msgspec

from directory.database import Database
from shared.ids import employee_text
from shared.schemas.employee import Employee, ScimCredential
from shared.schemas.login import SessionCredential
from tests.support.firm import Firm, Urls
from tests.support.groups import Groups

NOON = datetime(2026, 11, 2, 11, 0, tzinfo=UTC)
SIGNER = "f" * 64
OBJECT = "5a0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0a11"
OTHER_OBJECT = "6b0d1f0e-4d0f-4c3d-9f43-2f4d8b5f0b22"
NEXT_TENANT, NEXT_TOKEN, NEXT_SIGNER = str(UUID(int=7)), UUID(int=8), "e" * 64
TICKET, OLD_SESSION, ADMIN_SESSION = "a1" * 32, "b2" * 32, "c3" * 32

_TABLES = """
    select format('%s.%s', n.nspname, c.relname) as name,
        array(select attname::text from pg_attribute
              where attrelid = c.oid and attnum > 0 and not attisdropped and attidentity = '' and attname <> 'company_id'
        ) as columns
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace and n.nspname in ('public', 'registry')
    join pg_attribute a on a.attrelid = c.oid and a.attname = 'company_id' and not a.attisdropped
    where c.relkind = 'r' and c.relname not in ('entra_bindings', 'email_domains')
    order by n.nspname, c.relname
"""
_BY_CHANCE = re.compile(
    r"company_id|company|trace_id|event_id|finding_id|login_trace_id|attempt_id|session_id|attempt_id|token_sha256|last_used_at|"
    r"(changes|names)_(salt|sha256)|hash|released_sha256"
)
"""Columns that no two runs have in common."""


@dataclass
class Scene:
    firm: Firm
    owner: Database
    reader: asyncpg.Connection
    tenant_id: str
    people: dict[str, Employee] = field(default_factory=dict)
    group_id: str = ""
    names: dict[UUID, str] = field(default_factory=dict)
    next_token_sha256: str = ""
    """Of the tenant that the company is to move to, where a move is prepared."""

    @property
    def database(self) -> Database:
        return self.firm.database

    @property
    def groups(self) -> Groups:
        return Groups(self.firm)

    @property
    def anna(self) -> Employee:
        return self.people["anna"]

    @property
    def admin(self) -> SessionCredential:
        return SessionCredential(company_id=str(self.firm.company_id), session_sha256=ADMIN_SESSION)

    async def again(self) -> "Scene":
        """The same company once more, with the same ids, as if it had all happened there."""
        token, next_token, company_id, name = os.urandom(32), os.urandom(32), uuid4(), f"firma-{uuid4().hex[:12]}"
        # Nobody else has a company's Entra app.
        apps = {uuid4(): "app", uuid4(): "next app"}
        app, next_app = (f"'{one}'" for one in apps)
        tokens = f"case token_id when '{NEXT_TOKEN}' then '\\x{next_token.hex()}' else '\\x{token.hex()}' end::bytea"
        changed = {
            "company": f"'{name}'",
            "public.scim_tokens.token_sha256": tokens,
            "registry.scim_tokens.token_sha256": tokens,
            "public.connections.app_id": app,
            "public.next_connections.app_id": next_app,
        }
        copies = ["set session_replication_role = replica"]
        for table in await self.reader.fetch(_TABLES):
            columns = ", ".join(table["columns"])
            values = ", ".join(changed.get(f"{table['name']}.{one}", changed.get(one, one)) for one in table["columns"])
            copies.append(
                f"insert into {table['name']} (company_id, {columns}) "  # noqa: S608
                f"select '{company_id}', {values} from {table['name']} where company_id = '{self.firm.company_id}'"
            )
        await self.reader.execute("; ".join([*copies, "set session_replication_role = origin"]))
        credential = ScimCredential(token_sha256=token.hex(), company=name)
        firm = Firm(self.database, self.firm.urls, company_id, name, credential, self.firm.token_id)
        return replace(self, firm=firm, names=apps, next_token_sha256=next_token.hex())

    async def all(self) -> list[str]:
        """Every row of the company, each as a text; whoever is new is called by his names instead of by his id.

        The history is numbered without gaps; of each person it is told in order. What happened to two people who had nothing
        to do with each other may stand in either order.
        """
        tables = [row["name"] for row in await self.reader.fetch(_TABLES) if row["name"].startswith("public.")]
        sql = " union all ".join(
            f"select '{table}' as name, to_jsonb(one)::text as row from {table} as one where company_id = $1"  # noqa: S608
            for table in tables
        )
        rows = [
            (row["name"], msgspec.json.decode(row["row"])) for row in await self.reader.fetch(sql, self.firm.company_id)
        ]
        told = sorted((row for table, row in rows if table == "public.events"), key=lambda row: int(row["sequence"]))
        assert [row["sequence"] for row in told] == list(range(1, len(told) + 1))
        places = Counter[object]()
        for row in told:
            about = row["employee_id"] or str(row["kind"]).partition(".")[0]
            if row["kind"] == "session.revoked":
                # Of two that both end sessions the one that came to them first tells, wherever the other had got to.
                about, row["actor_kind"], row["actor_id"] = (about, "receipts"), "", ""
            places[about] += 1
            row["sequence"] = places[about]
            if ended := row["changes"].get("ended"):
                ended["sessions"] = sorted(self.named(one) for one in ended["sessions"])
                ended["why"] = "" if row["kind"] == "session.revoked" else ended["why"]
            if opened := row["changes"].get("session"):
                self.names[UUID(opened["id"].removeprefix("ses_"))] = "opened session"
        old = {UUID(one.id.removeprefix("emp_")) for one in self.people.values()}
        for table, row in rows:
            if table == "public.employees" and UUID(row["employee_id"]) not in old:
                self.names[UUID(row["employee_id"])] = (
                    f"{row['login_name']} {row['email']} after {row['previous_employee_id']}"
                )
        return sorted(self.named(f"{table} {_text(row)}") for table, row in rows)

    def named(self, text: str) -> str:
        for one, name in self.names.items():
            text = text.replace(str(one), f"<{name}>").replace(one.hex, f"<{name}>")
        return text


def _text(row: dict[str, object]) -> str:
    return msgspec.json.encode(
        {name: one for name, one in row.items() if not _BY_CHANCE.fullmatch(name)}, order="sorted"
    ).decode()


async def set_up(database: Database, owner: Database, urls: Urls, reader: asyncpg.Connection) -> Scene:
    firm = await Firm.founded(database, urls)
    tenant_id = str(await reader.fetchval("select tenant_id from connections where company_id = $1", firm.company_id))
    await reader.execute(
        "insert into certificates (company_id, fingerprint, der, subject, not_before, not_after, added_at, last_signed_at) "
        "values ($1, $2, '', 'CN=x', $3, $3::timestamptz + interval '1 year', $3, $3)",
        firm.company_id,
        SIGNER,
        NOON,
    )
    await reader.execute("update companies set rehire_ask_after_days = 90 where company_id = $1", firm.company_id)
    scene = Scene(firm, owner, reader, tenant_id)
    await _insert_admin(scene)
    return scene


async def _insert_admin(scene: Scene) -> None:
    employee_id = uuid4()
    await _insert(
        scene, "employees", employee_id=employee_id, state="active", source="csv", login_name="admin", login_key="admin",
        email="admin", email_key="admin", given_name="Ada", family_name="Holm", roles=["setup_admin"], created_at=NOON,
        updated_at=NOON,
    )  # fmt: skip
    await insert_session(scene, employee_id, ADMIN_SESSION)
    scene.people["admin"] = Employee(
        id=employee_text(employee_id), state="active", login_name="admin", email="admin", given_name="Ada", family_name="Holm",
        created_at=NOON, updated_at=NOON, version=1,
    )  # fmt: skip


async def insert_session(scene: Scene, employee_id: UUID, session: str) -> None:
    await _insert(
        scene, "sessions", session_sha256=bytes.fromhex(session), employee_id=employee_id, name_id="x", signed_in_at=NOON,
        expires_at=NOON + timedelta(days=400),
    )  # fmt: skip


async def insert_ticket(scene: Scene, employee_id: UUID) -> None:
    await _insert(
        scene, "login_tickets", ticket_sha256=bytes.fromhex(TICKET), employee_id=employee_id, name_id="x", return_to="/",
        expires_at=NOON + timedelta(days=400),
    )  # fmt: skip


async def prepare_move(scene: Scene) -> None:
    """As `move.prepare` does, with a token of the new tenant and a certificate that signs there."""
    await _insert(
        scene, "next_connections", tenant_id=NEXT_TENANT, app_id=uuid4(), sso_enabled=True, login_url="https://there.example",
        issuer="https://sts.there.example", signed="assertion", idp_initiated="true", group_check="off", email_domains=[],
        provisioning_enabled=True, provisioning_strict=False, prepared_at=NOON,
    )  # fmt: skip
    await _insert(
        scene, "next_certificates", fingerprint=NEXT_SIGNER, der=b"", subject="CN=y", not_before=NOON,
        not_after=NOON + timedelta(days=1),
    )  # fmt: skip
    await _insert(
        scene, "scim_tokens", token_id=NEXT_TOKEN, token_sha256=os.urandom(32), connection="next", created_at=NOON
    )


async def _insert(scene: Scene, table: str, **columns: object) -> None:
    columns = {"company_id": scene.firm.company_id, **columns}
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    names = ", ".join(columns)
    await scene.reader.execute(f"insert into {table} ({names}) values ({places})", *columns.values())  # noqa: S608
