"""The simulator's token requests: what stands on the wire, and what it makes of the answer."""

from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs

import aiohttp
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.entra.listener import Listener
from tests.entra.server import EntraServer
from tests.entra.token_requests import SecretIn, TokenSettings, request_token
from tests.entra.workload import Workload
from tests.unit.entra.conftest import small_tenant

GIVEN = {"access_token": "at", "token_type": "Bearer", "expires_in": 3600}


class TokenEndpoint:
    def __init__(self) -> None:
        self.forms: list[dict[str, list[str]]] = []
        self.authorizations: list[str] = []
        self.answer: Response = JSONResponse(GIVEN)
        app = Starlette(routes=[Route("/token", self._token, methods=["POST"])])
        self.listener = Listener(uvicorn.Config(app, port=0, log_level="warning", lifespan="off"))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.listener.port}/token"

    async def _token(self, request: Request) -> Response:
        assert request.headers["content-type"] == "application/x-www-form-urlencoded"
        self.forms.append(parse_qs((await request.body()).decode(), strict_parsing=True))
        self.authorizations += request.headers.getlist("authorization")
        return self.answer


@pytest.fixture
async def endpoint() -> AsyncIterator[TokenEndpoint]:
    made = TokenEndpoint()
    await made.listener.start()
    yield made
    await made.listener.stop()


def settings(endpoint: TokenEndpoint, **more: Any) -> TokenSettings:
    return TokenSettings(token_endpoint=endpoint.url, client_id="firma", **more)


@pytest.mark.parametrize(
    ("secret_in", "in_form", "in_header"),
    [("body", True, False), ("header", False, True), ("both", True, True)],
)
async def test_the_secret_goes_where_the_administrator_says(
    endpoint: TokenEndpoint, secret_in: SecretIn, in_form: bool, in_header: bool
) -> None:
    answer = await request_token(settings(endpoint, client_secret="s-1", secret_in=secret_in, scope="scim"))
    assert (answer.status, answer.token) == (200, "at")
    (form,) = endpoint.forms
    assert form["grant_type"] == ["client_credentials"]
    assert form["scope"] == ["scim"]
    assert (form.get("client_secret") == ["s-1"], "client_id" in form) == (in_form, in_form)
    assert [b64decode(one.removeprefix("Basic ")) for one in endpoint.authorizations] == (
        [b"firma:s-1"] if in_header else []
    )


async def test_an_assertion_goes_in_place_of_a_secret(endpoint: TokenEndpoint) -> None:
    workload = Workload("11111111-1111-4111-8111-111111111111")
    assert (await request_token(settings(endpoint), workload)).token == "at"
    (form,) = endpoint.forms
    assert form["client_assertion_type"] == ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"]
    assert form["client_assertion"][0].count(".") == 2
    assert "client_secret" not in form


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (JSONResponse({"error": "invalid_client"}, 401), 401),
        (JSONResponse({**GIVEN, "token_type": "mac"}), 200),
        (JSONResponse({**GIVEN, "expires_in": 0}), 200),
        (JSONResponse({}), 200),
        (Response("<html>"), 200),
        (Response(status_code=307, headers={"Location": "/token"}), 307),
    ],
)
async def test_what_is_no_token(endpoint: TokenEndpoint, answer: Response, status: int) -> None:
    endpoint.answer = answer
    answered = await request_token(settings(endpoint, client_secret="s-1"))
    assert (answered.status, answered.token) == (status, "")


async def test_keys_and_values_are_published_and_survive_a_restart_but_for_the_keys() -> None:
    async def shown(server: EntraServer) -> tuple[dict[str, str], list[str]]:
        tenant = server.tenant.tenant_id
        async with aiohttp.ClientSession(server.url) as session:
            async with session.get("/admin/workload-identity") as answer:
                values = await answer.json()
            async with session.get(f"/{tenant}/discovery/v2.0/keys") as answer:
                keys = [key["kid"] for key in (await answer.json())["keys"]]
            async with session.get("/11111111-2222-4111-8111-111111111111/discovery/v2.0/keys") as answer:
                assert answer.status == 404
        return values, keys

    async with EntraServer(small_tenant()) as server:
        values, keys = await shown(server)
        assert values["issuer"] == f"{server.url}/{server.tenant.tenant_id}/v2.0"
    async with EntraServer(small_tenant()) as server:
        again, other = await shown(server)
    assert (values["audience"], values["subject"]) == (again["audience"], again["subject"])
    assert keys != other


async def test_an_app_is_configured_for_federation_over_the_admin_api(endpoint: TokenEndpoint) -> None:
    async with EntraServer(small_tenant()) as server, aiohttp.ClientSession(server.url) as session:
        (app,) = server.tenant.apps.values()
        values = {
            "oauth": {"tokenEndpoint": endpoint.url, "clientId": "firma"},
            "tenant_url": "http://127.0.0.1:1/scim",
        }
        async with session.post(f"/admin/apps/{app.app_id}/configure", json=values) as answer:
            assert answer.status == 200, await answer.text()
        assert server.tenant.workload is not None
        await server.engine.cycle(server.tenant.apps[app.app_id])
    assert endpoint.forms[0]["client_id"] == ["firma"]
