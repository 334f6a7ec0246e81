"""Pages and refusals as responses, each with the headers that keep it in its place."""

import hashlib
import re
from pathlib import Path

import msgspec
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id
from shared.words import RefusalText
from sso_gateway.pages.language import Language, preferred
from sso_gateway.pages.texts import TEXTS, Texts
from sso_gateway.reasons import LOGOUT_ONLY, known

HERE = Path(__file__).parent
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:[0-9]{1,5})?(?=[/?]|\Z)")


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a JSON client gets."""

    reason: str
    trace_id: str
    title: str
    remedy: str
    attempt_id: str = ""
    """Of a login: what to read to whoever helps."""
    wanted: str | None = None
    got: str | None = None


class Pages:
    """The templates, compiled, and what every answer carries."""

    def __init__(self, public_url: str) -> None:
        self._environment = Environment(
            loader=FileSystemLoader(HERE / "templates"), autoescape=True, auto_reload=False, undefined=StrictUndefined
        )
        self.stylesheet = (HERE / "static" / "style.css").read_bytes()
        self.icon = (HERE / "static" / "icon.svg").read_bytes()
        version = hashlib.sha256(self.stylesheet + self.icon).hexdigest()[:12]
        self._environment.globals.update(static_version=version)
        self._secure = public_url.startswith("https://")

    def page(self, request: Request, template: str, *, status: int = 200, **values: object) -> Response:
        language = _language(request)
        html = self._environment.get_template(template).render(language=language, t=TEXTS[language].words, **values)
        response = HTMLResponse(html, status_code=status)
        response.headers["Content-Language"] = language
        response.headers["Vary"] = "Accept-Language, Accept"
        return self.protected(response)

    def framed(self, request: Request, template: str, *, by: str) -> Response:
        """A page that loads nothing, and that the site of the address `by` may show in a frame."""
        response = self.page(request, template)
        origin = ORIGIN.match(by)
        ancestors = origin[0] if origin else "'none'"
        response.headers["Content-Security-Policy"] = (
            f"default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        )
        del response.headers["X-Frame-Options"]  # it knows no other site than ours
        return response

    def refusal(
        self,
        request: Request,
        reason: str,
        *,
        status: int,
        wanted: str | None = None,
        got: str | None = None,
        of_logout: bool = False,
    ) -> Response:
        """The page that says why not; the same as JSON for whoever accepts JSON and no HTML."""
        if wants_json(request):
            return self.refusal_json(request, reason, status=status, wanted=wanted, got=got, of_logout=of_logout)
        reason = known(reason)
        return self.page(
            request,
            "refusal.html",
            status=status,
            reason=reason,
            trace_id=_trace_id(),
            attempt_id=context.attempt.get(),
            text=_refusal_text(request, reason, of_logout),
            wanted=wanted,
            got=got,
            of_logout=of_logout,
        )

    def refusal_json(
        self,
        request: Request,
        reason: str,
        *,
        status: int,
        wanted: str | None = None,
        got: str | None = None,
        of_logout: bool = False,
    ) -> Response:
        reason = known(reason)
        text = _refusal_text(request, reason, of_logout)
        return self.json(
            Refusal(reason, _trace_id(), text.title, text.remedy, context.attempt.get(), wanted, got), status=status
        )

    def fault(self, request_id: str) -> Response:
        """The 500, made without a request: in English, with the id that the log has."""
        text = TEXTS["en"].refusals["internal"]
        html = self._environment.get_template("refusal.html").render(
            language="en",
            t=TEXTS["en"].words,
            reason="internal",
            trace_id=_trace_id() or request_id,
            attempt_id=context.attempt.get(),
            text=text,
            wanted=None,
            got=None,
            of_logout=False,
        )
        return self.protected(HTMLResponse(html, status_code=500))

    def json(self, body: object, *, status: int = 200) -> Response:
        response = Response(msgspec.json.encode(body), status_code=status, media_type="application/json")
        return self.protected(response)

    def protected(self, response: Response) -> Response:
        headers = response.headers
        headers["Cache-Control"] = "no-store"
        headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["Referrer-Policy"] = "no-referrer"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if self._secure:
            headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        return response


def wants_json(request: Request) -> bool:
    accept = request.headers.get("accept", "")
    return "application/json" in accept and "text/html" not in accept


def texts_for(request: Request) -> Texts:
    return TEXTS[_language(request)]


def _language(request: Request) -> Language:
    return preferred(request.headers.get("accept-language", ""))


def _refusal_text(request: Request, reason: str, of_logout: bool) -> RefusalText:
    texts = TEXTS[_language(request)]
    # A reason that only a logout has speaks of one by itself.
    return texts.logout_refused if of_logout and reason not in LOGOUT_ONLY else texts.refusals[reason]


def _trace_id() -> str:
    return current_trace_id() or context.request_id.get()
