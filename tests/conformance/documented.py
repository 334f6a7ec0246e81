"""The requests that Microsoft documents, and a client that sends them as they are printed."""

import json
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

FILE = Path(__file__).parent.parent / "data/scim/entra-documented.jsonl"
ENTRIES: dict[str, dict[str, Any]] = {
    entry["id"]: entry for line in FILE.read_text(encoding="utf-8").splitlines() for entry in [json.loads(line)]
}
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"

User = dict[str, Any]


class Sender:
    """A SCIM client that sends entries as they are printed, with the ids of this run put in."""

    def __init__(self, http: httpx2.AsyncClient) -> None:
        self.http = http
        self.user: User = {}
        self.manager: User = {}
        self.group_id = ""

    async def create(self, name: str = "adele.vance@contoso.com", **members: Any) -> User:
        body = {
            "schemas": [CORE],
            "userName": name,
            "active": True,
            "name": {"givenName": "Adele", "familyName": "Vance"},
            "emails": [{"primary": True, "type": "work", "value": name}],
        }
        answer = await self.http.post("/Users", json={**body, **members})
        assert answer.status_code == 201, answer.text
        found: User = answer.json()
        return found

    async def read(self) -> User:
        answer = await self.http.get(f"/Users/{self.user['id']}")
        assert answer.status_code == 200, answer.text
        found: User = answer.json()
        return found

    async def send(self, entry: str, **replaced: str) -> httpx2.Response:
        """The entry's request; `{user_id}`, `{manager_id}` and `{group_id}` stand for those of this run."""
        printed = ENTRIES[entry]
        words = {"{user_id}": self.user.get("id", ""), "{manager_id}": self.manager.get("id", "")}
        words |= {"{group_id}": self.group_id, **replaced}
        path, _, query = _filled(printed["path"], words).partition("?")
        if query:
            # As Entra does: the value is form-encoded, the rest is as printed.
            parts = (part.partition("=") for part in query.split("&"))
            path += "?" + "&".join(f"{name}={quote(value, safe='').replace('%20', '+')}" for name, _, value in parts)
        body = printed["body"]
        text = body if isinstance(body, str | None) else json.dumps(body)
        content = None if text is None else _filled(text, words).encode()
        headers = printed.get("headers", {})
        return await self.http.request(printed["method"], path, content=content, headers=headers)

    async def patched(self, entry: str, **replaced: str) -> User:
        """The user after the entry's PATCH: the answer, which is what a later GET shows."""
        answer = await self.send(entry, **replaced)
        assert answer.status_code == 200, answer.text
        assert answer.json() == await self.read()
        found: User = answer.json()
        return found


def _filled(text: str, words: dict[str, str]) -> str:
    for word, value in words.items():
        text = text.replace(word, value)
    return text
