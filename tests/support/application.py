"""The BitaBIZ application, as far as the directory sees it: a credential of one company, and GET."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import aiohttp
import msgspec

from directory.api import credentials
from directory.api.credentials import SCOPES, IssuedCredential
from directory.database import Actor
from directory.employees.record import OWNED
from directory.events.fields import COUNTING
from shared.schemas.history import EmployeeView
from tests.support.firm import Firm

NEVER = datetime(1970, 1, 1, tzinfo=UTC)
EMPTY = msgspec.to_builtins(
    EmployeeView(
        id="", state="active", source="entra", given_name="", family_name="", created_at=NEVER, updated_at=NEVER,
        version=0,
    )
)  # fmt: skip
"""An employee's attributes before anything is told of them."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    headers: dict[str, str]

    @property
    def refusal(self) -> tuple[int, str, str | None]:
        """Status, code and field of a problem."""
        return self.status, self.body["code"], self.body.get("field")


@dataclass
class Application:
    http: aiohttp.ClientSession
    url: str
    company: str
    credential: str

    async def get(
        self, path: str, *, credential: str | None = None, company: str | None = None, **query: Any
    ) -> Answer:
        """`path` below the company."""
        url = f"{self.url}/v1/companies/{company or self.company}{path}"
        headers = {"Authorization": f"Bearer {self.credential if credential is None else credential}"}
        params = {name: str(value) for name, value in query.items()}
        async with self.http.get(url, headers=headers, params=params) as answer:
            return Answer(answer.status, await answer.json(content_type=None), dict(answer.headers))

    async def events(self, **query: Any) -> Any:
        answer = await self.get("/events", **query)
        assert answer.status == 200, answer.body
        return answer.body

    async def employees(self, **query: Any) -> list[dict[str, Any]]:
        """All pages."""
        found: list[dict[str, Any]] = []
        after: dict[str, str] = {}
        while True:
            answer = await self.get("/employees", **query, **after)
            assert answer.status == 200, answer.body
            found += answer.body["employees"]
            if answer.body["next"] is None:
                return found
            after = {"after": answer.body["next"]}


@dataclass
class Follower:
    """Keeps a copy of a company by docs/feed.md, "From zero", and by nothing else."""

    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    cursor: int = 0
    hash: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        """What to ask for next."""
        return {"after": self.cursor} | ({"hash": self.hash} if self.hash else {})

    def take(self, page: dict[str, Any]) -> None:
        for event in page["events"]:
            assert event["sequence"] == self.cursor + 1, "gap-free"
            self.cursor = event["sequence"]
            if event["employee_id"] is not None:
                self._take(event["employee_id"], event)
        assert page["next"] == self.cursor
        self.hash = page["hash"]

    def _take(self, employee_id: str, event: dict[str, Any]) -> None:
        if event["kind"] == "employee.erased":
            self.people.pop(employee_id, None)
            return
        if event["kind"] not in COUNTING:
            return
        if employee_id not in self.people and "source" not in event["changes"]:
            return  # erased since
        moment = event["changes"].get("updated_at", {"after": event["at"]})["after"]
        fresh = {**EMPTY, "id": employee_id, "created_at": moment, "version": 0}
        person = self.people.setdefault(employee_id, fresh)
        if person["version"] == 0:
            owner = {"entra": "entra", "csv": "csv", "manual": "hr"}[event["changes"]["source"]["after"]]
            set_now = (name for name in OWNED if name in event["changes"])
            person["owners"] = dict.fromkeys(set_now, owner)
        for name, change in event["changes"].items():
            if name == "owners":
                merged = {**person["owners"], **change["after"]}
                person["owners"] = {one: owner for one, owner in merged.items() if owner is not None}
            elif name in person:
                person[name] = change["after"]
        if event["kind"] == "employee.departed":
            person.update(login_name=None, email=None, external_id=None)
            person["owners"] = {
                one: owner for one, owner in person["owners"].items() if one not in {"login_name", "email"}
            }
        person["version"] += 1
        person["updated_at"] = moment


async def credential_for(firm: Firm, *scopes: str) -> IssuedCredential:
    async with firm.database.scope_for_name(firm.name).transaction(Actor("operator", "test")) as tx:
        return await credentials.issue(tx, scopes or SCOPES, None)
