"""The quick way to a route finds what Starlette's own search finds."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route, Router
from starlette.types import Message, Scope

from shared.http.routing import QuickRouter

PATHS = [
    "/", "/login", "/login/finish", "/login/{company}", "/login/{company}/to", "/login/to", "/saml/{company}/acs",
    "/scim/v2/{company}/Users", "/scim/v2/{company}/Users/{id}", "/scim/v2/{company}/{kind}/{id}", "/v1/a", "/v1/b",
]  # fmt: skip


def routes() -> list[BaseRoute]:
    def endpoint(name: str) -> object:
        async def answer(request: Request) -> Response:
            return PlainTextResponse(f"{name} {request.path_params}")

        return answer

    found: list[BaseRoute] = [Route(path, endpoint(f"GET {path}"), methods=["GET"]) for path in PATHS]  # type: ignore[arg-type]
    return [*found, Route("/login", endpoint("POST /login"), methods=["POST"])]  # type: ignore[arg-type]


SLOW, QUICK = Router(routes(), redirect_slashes=False), QuickRouter(routes())


def asked(router: Router, method: str, path: str) -> tuple[int, bytes]:
    answer: list[Message] = []
    scope: Scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b"", "app": router}

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        answer.append(message)

    try:
        router(scope, receive, send).send(None)
    except HTTPException as refused:
        return refused.status_code, b""
    except StopIteration:
        pass
    return answer[0]["status"], answer[1]["body"]


SEGMENTS = [
    "",
    "login",
    "finish",
    "to",
    "saml",
    "acs",
    "scim",
    "v2",
    "Users",
    "contoso",
    "v1",
    "a",
    "é",
    "..",
    "{company}",
]


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "DELETE"])
def test_every_path_of_few_segments_leads_where_it_led(method: str) -> None:
    for count in range(1, 4):
        for segments in product(SEGMENTS, repeat=count):
            path = "/" + "/".join(segments)
            assert asked(QUICK, method, path) == asked(SLOW, method, path), path


@given(
    st.lists(st.sampled_from(SEGMENTS) | st.text(alphabet="ab/{}%:.-", max_size=4), max_size=7), st.sampled_from("/ ")
)
def test_any_other_path_too(segments: list[str], first: str) -> None:
    path = first.strip() + "/".join(segments)
    assert asked(QUICK, "GET", path) == asked(SLOW, "GET", path)


def test_routes_that_it_cannot_sort_are_refused_when_they_are_made() -> None:
    async def nothing(request: Request) -> Response:
        return Response()

    for route in (
        Route("/{all:path}", nothing),
        Route("/a/{rest:path}", nothing),
        Route("/{x}", nothing),
        Mount("/m", routes=[]),
    ):
        with pytest.raises(ValueError, match="cannot be found"):
            QuickRouter([route])
