"""Forward-auth: an ingress asks before each request whether it may pass, and on whose behalf.

The ingress' side: docs/forward-auth.md.

GET  /auth                  200 with X-Identity-*, 401 for nobody, 403 for somebody else
GET  /auth/refused          always 403: the page that an ingress shows to whom /auth has refused
GET  /login/to?/PATH        to the sign-in, and back to /PATH: an ingress cannot encode an address, so it stands there as it is
GET  /login/{company}/to?/PATH

`/auth` looks at the session cookie and at its own parameters, at nothing else that an ingress or a browser says.
"""

from typing import get_args
from urllib.parse import quote, urlencode

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from shared.schemas.approvers import Role
from shared.schemas.login import SignedIn
from sso_gateway.gateway import Gateway, bind, log
from sso_gateway.return_path import return_path
from sso_gateway.saml.connection import COMPANY
from sso_gateway.sessions.current import not_signed_in, signed_in

ROLES = frozenset(get_args(Role))


class Wanted(msgspec.Struct, frozen=True):
    """Whom an ingress lets pass: of one of these companies, with one of these roles. Empty: whichever."""

    companies: frozenset[str]
    roles: frozenset[str]


class UnknownCondition(Exception):
    """Parameters that say nothing we know. A typo must never mean that everybody may pass."""


def routes(gateway: Gateway) -> list[Route]:
    # /login/to stands before /login/{company}; no company's name has two letters.
    return [
        Route("/auth", bind(gateway, forward_auth), methods=["GET"]),
        Route("/auth/refused", bind(gateway, show_refused), methods=["GET"]),
        Route("/login/to", bind(gateway, sign_in_and_come_back), methods=["GET"]),
        Route("/login/{company}/to", bind(gateway, sign_in_and_come_back), methods=["GET"]),
    ]


async def forward_auth(gateway: Gateway, request: Request) -> Response:
    try:
        wanted = read_wanted(request.query_params.multi_items())
    except UnknownCondition as error:
        # Before anybody is looked up, so that whoever writes the ingress sees it at once.
        log.warning("forward_auth_misconfigured")
        return gateway.pages.refusal_json(request, "invalid_request", status=400, wanted=str(error), got="another")
    person = await signed_in(gateway.sessions, request)
    if person is None:
        return not_signed_in(gateway, request)
    if (unmet := unmet_condition(person, wanted)) is not None:
        log.info("forward_auth_refused", employee=person.employee_id, condition=unmet)
        return gateway.pages.refusal_json(request, "not_for_you", status=403)
    return gateway.pages.protected(Response(status_code=200, headers=identity_headers(person)))


async def show_refused(gateway: Gateway, request: Request) -> Response:
    return gateway.pages.refusal(request, "not_for_you", status=403)


def read_wanted(parameters: list[tuple[str, str]]) -> Wanted:
    """`company` and `role`, each once at most, a name or several with commas between.

    Raises:
        UnknownCondition: with what would have been understood.
    """
    if len({name for name, _ in parameters}) < len(parameters):
        raise UnknownCondition("each parameter once")
    given = dict(parameters)
    companies = frozenset(given.pop("company").split(",")) if "company" in given else frozenset[str]()
    roles = frozenset(given.pop("role").split(",")) if "role" in given else frozenset[str]()
    if given:
        raise UnknownCondition("no parameter but company and role")
    if not all(COMPANY.fullmatch(company) for company in companies):
        raise UnknownCondition("company=NAME, or several with commas between")
    if not roles <= ROLES:
        raise UnknownCondition(f"role={'|'.join(sorted(ROLES))}, or several with commas between")
    return Wanted(companies, roles)


def unmet_condition(person: SignedIn, wanted: Wanted) -> str | None:
    if wanted.companies and person.company not in wanted.companies:
        return "company"
    if wanted.roles and wanted.roles.isdisjoint(person.roles):
        return "role"
    return None


def identity_headers(person: SignedIn) -> dict[str, str]:
    """Every name, always, so that whatever the caller sent under it is overwritten. UTF-8, percent-encoded where not ASCII."""
    values = {
        "X-Identity-Company": person.company,
        "X-Identity-Employee-Id": person.employee_id,
        "X-Identity-Login-Name": person.login_name,
        "X-Identity-Email": person.email,
        "X-Identity-Given-Name": person.given_name,
        "X-Identity-Family-Name": person.family_name,
        "X-Identity-Roles": ",".join(person.roles),
    }
    return {name: quote(value, safe="@.,+-_' ") for name, value in values.items()}


async def sign_in_and_come_back(gateway: Gateway, request: Request) -> Response:
    company = request.path_params.get("company")
    if company is not None and not COMPANY.fullmatch(company):
        return gateway.pages.refusal(request, "unknown_company", status=404)
    # The whole query is the wanted address: what is in it is nobody's parameter but the application's.
    goal = return_path(request.scope["query_string"].decode("utf-8", errors="replace"))
    address = f"/login/{company}" if company else "/login"
    query = "" if goal == "/" else "?" + urlencode({"return_to": goal})
    return gateway.pages.protected(RedirectResponse(address + query, status_code=303))
