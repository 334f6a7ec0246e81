"""What every page of the simulator shares: templates, forms with a size limit, refusals, and who may post.

Forms are read here rather than by Starlette, which would need a multipart parser.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jinja2
import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.entra.tenant import TenantError

if TYPE_CHECKING:
    from tests.entra.simulator import Simulator

MAX_BODY_BYTES = 512 * 1024
NO_STORE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=jinja2.StrictUndefined,
)


def page(template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    return HTMLResponse(_templates.get_template(template).render(values), status, headers=NO_STORE)


def simulator(request: Request) -> "Simulator":
    found: Simulator = request.app.state.simulator
    return found


async def read_body(request: Request) -> bytes:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise HTTPException(413, "the body is too large")
    return body


async def read_form(request: Request) -> dict[str, str]:
    try:
        pairs = parse_qsl((await read_body(request)).decode(), keep_blank_values=True, max_num_fields=100)
    except ValueError as error:
        raise HTTPException(400, f"the form cannot be read: {error}") from None
    return dict(pairs)


def _wants_json(request: Request) -> bool:
    return request.url.path.startswith("/admin/")


async def on_tenant_error(request: Request, error: Exception) -> Response:
    return _refusal(request, 404 if str(error).startswith(("nobody", "no ")) else 400, str(error))


async def on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _refusal(request, error.status_code, error.detail)


def _refusal(request: Request, status: int, message: str) -> Response:
    if _wants_json(request):
        return JSONResponse({"error": message}, status)
    return page("error.html", status=status, title="That did not work", code="", message=message)


EXCEPTION_HANDLERS: dict[Any, Any] = {
    TenantError: on_tenant_error,
    msgspec.MsgspecError: on_tenant_error,
    HTTPException: on_http_error,
}


class SameSiteOnly:
    """Only the simulator's own pages and tools may post; the SAML endpoint is for everybody."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] not in ("GET", "HEAD"):
            site = dict(scope["headers"]).get(b"sec-fetch-site", b"none")
            if site not in (b"none", b"same-origin") and "/saml2" not in scope["path"]:
                await JSONResponse({"error": "posted from another site"}, 403)(scope, receive, send)
                return
        await self._app(scope, receive, send)
