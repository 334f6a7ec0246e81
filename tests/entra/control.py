"""The control page: what an administrator of the simulated tenant can do, and the SCIM exchange that followed.

Every button changes the tenant, runs an incremental cycle of the app at once and leads back to the page. The real
service would wait up to 40 minutes.
"""

import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import unquote_plus, urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.entra.people import EnterpriseApp, Person
from tests.entra.provisioning import CycleResult
from tests.entra.scim_client import Exchange
from tests.entra.simulator import LastAction, Simulator
from tests.entra.tenant import TenantError
from tests.entra.web import page, read_form, simulator

Form = dict[str, str]


async def overview(request: Request) -> Response:
    simulator_ = simulator(request)
    tenant = simulator_.tenant
    if not tenant.apps:
        return page("empty.html", tenant=tenant)
    app = tenant.app(request.query_params.get("app") or next(iter(tenant.apps)))
    last = simulator_.last_action.get(app.app_id)
    recent = simulator_.engine.log.since(last.since if last else 0, app.app_id)
    rows = [_row(simulator_, app, person) for person in tenant.people.values()]
    return page(
        "control.html",
        tenant=tenant,
        app=app,
        apps=tenant.apps.values(),
        job=tenant.job(app),
        group=tenant.groups[app.group_id],
        last=last,
        cycle=simulator_.last_cycle.get(app.app_id),
        summary=summary,
        ours=[row for row in rows if row["ours"]],
        others=[row for row in rows if not row["ours"]],
        exchanges=[exchange_view(simulator_, exchange) for exchange in reversed(recent[-60:])],
        metadata_url=simulator_.metadata_url(app),
        product=simulator_.origin(app),
        now=tenant.clock(),
    )


def _row(simulator_: Simulator, app: EnterpriseApp, person: Person) -> dict[str, Any]:
    tenant = simulator_.tenant
    job = tenant.job(app)
    assigned = person.object_id in tenant.assigned(app)
    domain = person.user_principal_name.rpartition("@")[2]
    connection = job.people.get(person.object_id)
    return {
        "person": person,
        "assigned": assigned,
        "ours": assigned or connection is not None or domain in app.email_domains,
        "manager": tenant.people.get(person.manager or ""),
        "target_id": connection.target_id if connection else None,
        "escrow": job.escrow.get(person.object_id),
    }


def exchange_view(simulator_: Simulator, exchange: Exchange) -> dict[str, Any]:
    person = simulator_.tenant.people.get(exchange.object_id or "")
    path = exchange.path
    base = simulator_.tenant.apps[exchange.app_id or ""].provisioning.tenant_url.partition("?")[0].rstrip("/")
    return {
        "exchange": exchange,
        "who": person.display_name if person else "",
        "path": unquote_plus(exchange.url.removeprefix(base) if exchange.url.startswith(base) else path),
        "request": _pretty(exchange.request_body),
        "response": _pretty(exchange.response_body),
        "good": 200 <= exchange.status < 300,
    }


def _pretty(body: str | None) -> str:
    try:
        return json.dumps(json.loads(body or ""), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return body or ""


# What the buttons do. Each returns the sentence shown afterwards.


async def _assign(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    simulator_.tenant.assign(app, form["person"])
    return f"{_name(simulator_, form)} was added to {_group(simulator_, app)}."


async def _unassign(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    simulator_.tenant.unassign(app, form["person"])
    return f"{_name(simulator_, form)} was removed from {_group(simulator_, app)}."


async def _block(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    return f"{simulator_.tenant.block(form['person']).display_name} was blocked from signing in."


async def _unblock(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    return f"{simulator_.tenant.unblock(form['person']).display_name} may sign in again."


async def _delete(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    return f"{simulator_.tenant.delete(form['person']).display_name} was moved to the recycle bin."


async def _restore(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    return f"{simulator_.tenant.restore(form['person']).display_name} was restored."


async def _purge(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    return f"{simulator_.tenant.purge(form['person']).display_name} was deleted permanently."


async def _cycle(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    if not app.provisioning.tenant_url:
        raise TenantError("Set the app up first: it has no Tenant URL.")
    return "An incremental cycle ran."


async def _dialect(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    wanted = "compliant" if app.provisioning.dialect == "legacy" else "legacy"
    simulator_.tenant.configure_provisioning(app, dialect=wanted)
    return f"Cycles speak the {wanted} dialect from now on."


async def _new_certificate(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    made = simulator_.tenant.new_certificate(app)
    return f"Certificate {made.thumbprint[:8]}… was created. Give it to BitaBIZ, then make it active."


async def _activate(simulator_: Simulator, app: EnterpriseApp, form: Form) -> str:
    simulator_.tenant.activate_certificate(app, form.get("thumbprint", ""))
    return f"Responses are signed with certificate {form['thumbprint'][:8]}… from now on."


_ACTIONS: dict[str, Callable[[Simulator, EnterpriseApp, Form], Awaitable[str]]] = {
    "assign": _assign,
    "unassign": _unassign,
    "block": _block,
    "unblock": _unblock,
    "delete": _delete,
    "restore": _restore,
    "purge": _purge,
    "cycle": _cycle,
    "dialect": _dialect,
    "new-certificate": _new_certificate,
    "activate": _activate,
}
_WITHOUT_CYCLE = {"new-certificate", "activate", "dialect"}


async def act(request: Request) -> Response:
    simulator_, form = simulator(request), await read_form(request)
    app, name = simulator_.tenant.app(form.get("app", "")), form.get("action", "")
    form.setdefault("person", "")
    began = simulator_.engine.log.last_number
    try:
        if name == "on-demand":
            return await _on_demand(simulator_, app, form, began)
        if name == "restart":
            await simulator_.restart(app)
            return back(simulator_, app, "The watermark was cleared and a new initial cycle ran.", began)
        if name not in _ACTIONS:
            raise TenantError(f"no action is {name!r}")
        done = await _ACTIONS[name](simulator_, app, form)
    except TenantError as error:
        return back(simulator_, app, str(error), began, good=False)
    if name not in _WITHOUT_CYCLE:
        await provision_everywhere(simulator_, app, form["person"])
    return back(simulator_, app, done, began)


async def provision_everywhere(simulator_: Simulator, app: EnterpriseApp, object_id: str) -> None:
    """A change of a person concerns every app that knows the person, not only the one whose page was open."""
    tenant = simulator_.tenant
    for other in list(tenant.apps.values()):
        knows = object_id in tenant.assigned(other) or object_id in tenant.job(other).people
        if other.provisioning.tenant_url and (other.app_id == app.app_id or (object_id and knows)):
            await simulator_.cycle(other)


async def _on_demand(simulator_: Simulator, app: EnterpriseApp, form: Form, began: int) -> Response:
    person = simulator_.tenant.person(form["person"])
    result = await simulator_.engine.provision_on_demand(app, person)
    text = f"Provision on demand: {person.display_name} was {result.outcome}. {result.detail}".strip()
    return back(simulator_, app, text, began, good=result.outcome != "failed")


def back(simulator_: Simulator, app: EnterpriseApp, text: str, since: int, *, good: bool = True) -> Response:
    simulator_.last_action[app.app_id] = LastAction(text=text, since=since, good=good)
    return RedirectResponse("/?" + urlencode({"app": app.app_id}), 303)


def _name(simulator_: Simulator, form: Form) -> str:
    return simulator_.tenant.person(form["person"]).display_name


def _group(simulator_: Simulator, app: EnterpriseApp) -> str:
    return simulator_.tenant.groups[app.group_id].display_name


def summary(cycle: CycleResult) -> str:
    """The counts that are not zero, in words."""
    names = ("created", "updated", "disabled", "deleted", "unchanged", "failed", "skipped")
    return ", ".join(f"{getattr(cycle, name)} {name}" for name in names if getattr(cycle, name)) or "nothing to do"


ROUTES = [
    Route("/", overview),
    Route("/control", act, methods=["POST"]),
]
