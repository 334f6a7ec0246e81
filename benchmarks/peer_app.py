"""A service provider around a SAML library, for `benchmarks.logins`: start, ACS, session, and nothing else.

    GET  /login     a request to Entra, remembered; 302
    POST /acs       the library verifies; a session in a cookie, 303
    GET  /session   whose it is

All that costs is left out in the library's favour: requests under way and sessions are dictionaries of the one process, nobody is
looked up, nothing is written, nothing ends, there are no limits, no history, no metrics, and no step between ACS and session.
"""

import json
import os
import secrets
import signal
import socket
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route


@dataclass(frozen=True)
class Told:
    """What an administrator enters."""

    acs: str
    entity_id: str
    issuer: str
    certificate: str
    """PEM."""
    login_url: str


@dataclass(frozen=True)
class Proven:
    name_id: str
    in_response_to: str | None


class Library(Protocol):
    def start(self) -> tuple[str, str]:
        """The request's id, and where the browser goes with it."""

    def verify(self, form: str, outstanding: Mapping[str, str]) -> Proven:
        """Raises whatever the library raises for a response that it refuses."""


def app_of(library: Library, *, in_threads: bool) -> Starlette:
    outstanding: dict[str, str] = {}
    sessions: dict[str, str] = {}

    async def login(request: Request) -> Response:
        request_id, address = library.start()
        outstanding[request_id] = "/"
        return RedirectResponse(address, status_code=302)

    async def acs(request: Request) -> Response:
        form = parse_qs((await request.body()).decode())["SAMLResponse"][0]
        if in_threads:
            proven = await run_in_threadpool(library.verify, form, outstanding)
        else:
            proven = library.verify(form, outstanding)
        if proven.in_response_to is not None and outstanding.pop(proven.in_response_to, None) is None:
            return PlainTextResponse("nobody asked for this", status_code=403)
        session = secrets.token_urlsafe(32)
        sessions[session] = proven.name_id
        response = RedirectResponse("/", status_code=303)
        response.set_cookie("session", session, httponly=True, secure=True, samesite="lax")
        return response

    async def session(request: Request) -> Response:
        name_id = sessions.get(request.cookies.get("session", ""))
        return JSONResponse({"name_id": name_id}, status_code=401 if name_id is None else 200)

    return Starlette(
        routes=[Route("/login", login), Route("/acs", acs, methods=["POST"]), Route("/session", session)],
    )


def serve(library_of: Callable[[Told], Library], *, in_threads: bool) -> None:
    """Tell the port, be told the rest, and serve until whoever started us ends.

    `in_threads`: verify beside the event loop. Of use where the library waits for a child process; threads that compute in
    turn only get into each other's way.
    """
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.bind(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    library = library_of(Told(**json.loads(sys.stdin.readline())))
    threading.Thread(target=_end_with_stdin, daemon=True).start()
    config = uvicorn.Config(
        app_of(library, in_threads=in_threads),
        http="httptools",
        loop="uvloop",
        lifespan="off",
        access_log=False,
        log_level="error",
    )
    uvicorn.Server(config).run(sockets=[listening])


def _end_with_stdin() -> None:
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)
