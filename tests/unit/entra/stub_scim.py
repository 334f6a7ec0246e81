"""A SCIM endpoint in memory, just enough for a provisioning cycle; it stores what it is sent, path by path.

Deliberately naive: it is the yardstick of the simulator, not of our services.
"""

import json
import re
import uuid
from collections.abc import Callable
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.entra.mapping import place
from tests.entra.people import ENTERPRISE

Json = dict[str, Any]
_FILTER = re.compile(r'^(\w+) eq "([^"]*)"(?: and manager eq "([^"]*)")?$')


class StubScim:
    """`refuse` may answer instead: it is asked first with method, path and body."""

    def __init__(self) -> None:
        self.users: dict[str, Json] = {}
        self.groups: dict[str, Json] = {}
        self.refuse: Callable[[str, str, Any], int | None] = lambda method, path, body: None
        self.manager_as_text = False
        self.headers: list[dict[str, str]] = []
        self.app = Starlette(
            routes=[
                Route("/scim/{kind}", self.collection, methods=["GET", "POST"]),
                Route("/scim/{kind}/{id}", self.resource, methods=["GET", "PATCH", "DELETE"]),
            ]
        )

    def user(self, user_name: str) -> Json:
        return next(u for u in self.users.values() if u["userName"] == user_name)

    async def _begin(self, request: Request) -> tuple[dict[str, Json], Any, Response | None]:
        self.headers.append(dict(request.headers))
        raw = await request.body()
        body = json.loads(raw) if raw else None
        store = self.users if request.path_params["kind"] == "Users" else self.groups
        status = self.refuse(request.method, request.url.path, body)
        refusal = JSONResponse({"status": str(status), "detail": "no"}, status) if status else None
        return store, body, refusal

    async def collection(self, request: Request) -> Response:
        store, body, refusal = await self._begin(request)
        if refusal:
            return refusal
        if request.method == "POST":
            made = {**body, "id": uuid.uuid4().hex}
            store[made["id"]] = made
            return JSONResponse(self._shown(made), 201)
        found = _FILTER.match(request.query_params["filter"])
        assert found
        hits = [
            self._shown(one)
            for one in store.values()
            if str(one.get(found[1], "")).lower() == found[2].lower()
            and (found[3] is None or one.get(ENTERPRISE, {}).get("manager") == found[3])
        ]
        return JSONResponse({"totalResults": len(hits), "Resources": hits})

    async def resource(self, request: Request) -> Response:
        store, body, refusal = await self._begin(request)
        if refusal:
            return refusal
        resource = store.get(request.path_params["id"])
        if resource is None:
            return JSONResponse({"status": "404"}, 404)
        if request.method == "DELETE":
            del store[request.path_params["id"]]
            return Response(status_code=204)
        if request.method == "PATCH":
            for operation in body["Operations"]:
                self._apply(resource, operation)
        return JSONResponse(self._shown(resource))

    def _apply(self, resource: Json, operation: Json) -> None:
        path: str | None = operation.get("path")
        value: Any = operation.get("value")
        if path == "members":
            ids = {member["value"] for member in value}
            kept = [m for m in resource.get("members", []) if m["value"] not in ids]
            resource["members"] = kept + ([] if operation["op"].lower() == "remove" else value)
            return
        for target, new in {path: value}.items() if path else value.items():
            if target.startswith("members["):
                removed = target.split('"')[1]
                resource["members"] = [m for m in resource["members"] if m["value"] != removed]
            elif operation["op"].lower() == "remove":
                resource.get(ENTERPRISE, {}).pop("manager", None)
            else:
                place(resource, target, str(new) == "True" if target == "active" else new)

    def _shown(self, resource: Json) -> Json:
        """The manager is written as text and read as an object."""
        manager = resource.get(ENTERPRISE, {}).get("manager")
        if not isinstance(manager, str) or self.manager_as_text:
            return resource
        return {**resource, ENTERPRISE: {**resource[ENTERPRISE], "manager": {"value": manager}}}
