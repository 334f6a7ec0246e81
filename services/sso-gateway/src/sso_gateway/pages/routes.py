"""The front page, the question for the e-mail address, and the stylesheet.

GET  /                 who is signed in, or a way in
GET  /login            the question; with ?email= straight on
POST /login            its answer: to the company that claims the address' domain; with forget=company nothing but that
GET  /static/…
"""

from collections.abc import Sequence
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from shared.schemas.login import CompanyChoice, FindCompanies
from sso_gateway.gateway import Gateway, bind
from sso_gateway.pages.render import wants_json
from sso_gateway.return_path import return_path
from sso_gateway.sessions import cookies
from sso_gateway.sessions.current import signed_in
from sso_gateway.sessions.remembered import forget, remembered

MAX_FORM_BYTES = 8 * 1024
MAX_EMAIL_LENGTH = 254
STATIC_MAX_AGE_S = 86_400 * 30
SIGNED_OUT = {"idp": "signed_out_at_idp", "here": "signed_out_here"}
"""What the front page says after a logout that Entra has answered, or should have; by `?signed_out=`."""


def routes(gateway: Gateway) -> list[Route]:
    return [
        Route("/", bind(gateway, front_page), methods=["GET"]),
        Route("/login", bind(gateway, ask_for_email), methods=["GET"]),
        Route("/login", bind(gateway, receive_email), methods=["POST"]),
        Route("/static/style.css", bind(gateway, stylesheet), methods=["GET"]),
        Route("/static/icon.svg", bind(gateway, icon), methods=["GET"]),
    ]


async def front_page(gateway: Gateway, request: Request) -> Response:
    told = SIGNED_OUT.get(request.query_params.get("signed_out", ""))
    person = await signed_in(gateway.sessions, request)
    return gateway.pages.page(request, "front.html", person=person, told=told, remembered=remembered(request))


async def ask_for_email(gateway: Gateway, request: Request) -> Response:
    goal = return_path(request.query_params.get("return_to"))
    email = request.query_params.get("email")
    if email is None:
        return _question(gateway, request, goal)
    gateway.limits.admit_address("login", request)
    return await send_on(gateway, request, email, goal, from_form=False)


async def receive_email(gateway: Gateway, request: Request) -> Response:
    gateway.limits.admit_address("login", request)
    try:
        body = await read_body(request, MAX_FORM_BYTES)
        fields = parse_qs(body.decode("utf-8"), max_num_fields=10)
    except (BodyTooLarge, BodyTooSlow, ValueError):
        return gateway.pages.refusal(request, "invalid_request", status=400)
    goal = return_path(fields.get("return_to", [""])[0])
    if fields.get("forget") == ["company"]:
        return _forget(gateway, goal)
    return await send_on(gateway, request, fields.get("email", [""])[0], goal, from_form=True)


async def send_on(gateway: Gateway, request: Request, email: str, goal: str, *, from_form: bool) -> Response:
    """By the domain alone, so that the answer is the same whether or not the person exists."""
    email = email.strip()
    if not is_email(email):
        return _asked_again(gateway, request, email, goal, problem="email_wrong", status=400)
    found = await gateway.client.find_companies(FindCompanies(email=email))
    if not found.companies:
        return _asked_again(gateway, request, email, goal, problem="email_unknown", status=404)
    query = _query(goal)
    targets = [(one.company_name, f"/login/{one.company}{query}") for one in _last_one_first(request, found.companies)]
    if len(targets) > 1:
        response = gateway.pages.page(request, "choose.html", targets=targets, more=found.more)
    elif from_form:
        # Not a redirect: Chromium holds the whole chain after a form to form-action, and it ends at Microsoft.
        response = gateway.pages.page(request, "continue.html", target=targets[0][1], lead="sending_lead")
    else:
        response = gateway.pages.protected(RedirectResponse(targets[0][1], status_code=303))
    cookies.write_hint(response, email)
    return response


def _last_one_first(request: Request, found: Sequence[CompanyChoice]) -> list[CompanyChoice]:
    last = remembered(request)
    return sorted(found, key=lambda one: last is None or one.company != last.company)


def _asked_again(gateway: Gateway, request: Request, email: str, goal: str, *, problem: str, status: int) -> Response:
    if wants_json(request):
        return gateway.pages.refusal(request, "unknown_company" if status == 404 else "invalid_request", status=status)
    return _question(gateway, request, goal, email=email, problem=problem, status=status)


def _question(
    gateway: Gateway, request: Request, goal: str, *, email: str = "", problem: str | None = None, status: int = 200
) -> Response:
    return gateway.pages.page(
        request,
        "login.html",
        status=status,
        return_to=goal,
        query=_query(goal),
        email=email,
        problem=problem,
        remembered=remembered(request),
    )


def _forget(gateway: Gateway, goal: str) -> Response:
    response = gateway.pages.protected(RedirectResponse(f"/login{_query(goal)}", status_code=303))
    forget(response)
    return response


def _query(goal: str) -> str:
    return "" if goal == "/" else "?" + urlencode({"return_to": goal})


def is_email(text: str) -> bool:
    local, _, domain = text.rpartition("@")
    return (
        len(text) <= MAX_EMAIL_LENGTH
        and bool(local)
        and "." in domain.strip(".")
        and text.isprintable()
        and not any(character.isspace() for character in text)
    )


async def stylesheet(gateway: Gateway, request: Request) -> Response:
    return _static(gateway, gateway.pages.stylesheet, "text/css; charset=utf-8")


async def icon(gateway: Gateway, request: Request) -> Response:
    return _static(gateway, gateway.pages.icon, "image/svg+xml")


def _static(gateway: Gateway, content: bytes, media_type: str) -> Response:
    response = gateway.pages.protected(Response(content, headers={"Content-Type": media_type}))
    # The pages name it with a version, so that a new one is fetched at once.
    response.headers["Cache-Control"] = f"public, max-age={STATIC_MAX_AGE_S}, immutable"
    return response
