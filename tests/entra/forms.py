"""The forms of the control page: one person, and the set-up of an app by hand."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.entra.control import back, provision_everywhere
from tests.entra.tenant import TenantError
from tests.entra.web import page, read_form, simulator

EDITABLE = (
    ("given_name", "First name"),
    ("surname", "Last name"),
    ("display_name", "Display name"),
    ("user_principal_name", "User principal name"),
    ("mail", "Mail"),
    ("job_title", "Job title"),
    ("department", "Department"),
    ("mobile", "Mobile phone"),
    ("telephone_number", "Office phone"),
    ("country", "Country"),
    ("employee_id", "Employee id"),
)
_MUST_HAVE = {"display_name", "user_principal_name"}
_APP_TEXTS = (
    ("identifier", "Identifier (Entity ID)"),
    ("reply_url", "Reply URL (Assertion Consumer Service URL)"),
    ("sign_on_url", "Sign-on URL"),
    ("relay_state", "Relay State"),
    ("logout_url", "Logout URL"),
)
_APP_SELECTS = (
    ("sign", "Signing option", ("assertion", "response", "both")),
    ("name_id_source", "Unique user identifier", ("user.userprincipalname", "user.mail", "user.objectid")),
)


async def person_form(request: Request) -> Response:
    simulator_, key = simulator(request), request.path_params["object_id"]
    app = simulator_.tenant.app(request.query_params.get("app", ""))
    person = None if key == "new" else simulator_.tenant.person(key)
    others = [p for p in simulator_.tenant.people.values() if p.deleted_at is None and p is not person]
    return page("person.html", tenant=simulator_.tenant, app=app, person=person, others=others, fields=EDITABLE)


async def save_person(request: Request) -> Response:
    simulator_, form = simulator(request), await read_form(request)
    tenant, key = simulator_.tenant, request.path_params["object_id"]
    app, began = tenant.app(form.get("app", "")), simulator_.engine.log.last_number
    attributes: dict[str, Any] = {
        field: form[field].strip() or ("" if field in _MUST_HAVE else None) for field, _ in EDITABLE if field in form
    }
    attributes["manager"] = form.get("manager") or None
    try:
        if key == "new":
            name = attributes.pop("user_principal_name", "")
            display_name = attributes.pop("display_name", "") or _display_name(attributes) or name
            person = tenant.add_person(name, display_name, **attributes)
            tenant.assign(app, person.object_id)
        else:
            person = tenant.edit_person(key, **attributes)
    except TenantError as error:
        return back(simulator_, app, str(error), began, good=False)
    await provision_everywhere(simulator_, app, person.object_id)
    return back(simulator_, app, f"{person.display_name} was saved.", began)


def _display_name(attributes: dict[str, Any]) -> str:
    return " ".join(attributes[name] for name in ("given_name", "surname") if attributes.get(name))


async def app_form(request: Request) -> Response:
    simulator_ = simulator(request)
    app = simulator_.tenant.app(request.path_params["app_id"])
    return page(
        "app.html",
        tenant=simulator_.tenant,
        app=app,
        group=simulator_.tenant.groups[app.group_id],
        login_url=simulator_.login_url(),
        texts=_APP_TEXTS,
        selects=_APP_SELECTS,
    )


async def save_app(request: Request) -> Response:
    """Saves what was pasted and tests the connection, as the portal's button does."""
    simulator_, form = simulator(request), await read_form(request)
    tenant, began = simulator_.tenant, simulator_.engine.log.last_number
    app = tenant.app(request.path_params["app_id"])
    settings: dict[str, Any] = {field: form[field].strip() for field, _ in _APP_TEXTS if field in form}
    settings |= {field: form[field] for field, _, choices in _APP_SELECTS if form.get(field) in choices}
    provisioning = {field: value for field in ("tenant_url", "token") if (value := form.get(field, "").strip())}
    try:
        app = tenant.configure(app, **settings, groups_claim="groups_claim" in form)
        app = tenant.configure_provisioning(app, **provisioning)
    except TenantError as error:
        return back(simulator_, app, str(error), began, good=False)
    problem = await simulator_.engine.test_connection(app)
    if problem:
        return back(simulator_, app, f"Saved, but the connection does not work: {problem}", began, good=False)
    return back(simulator_, app, "Saved. The connection works; run a cycle to provision everybody.", began)


ROUTES = [
    Route("/people/{object_id}", person_form, methods=["GET"]),
    Route("/people/{object_id}", save_person, methods=["POST"]),
    Route("/apps/{app_id}", app_form, methods=["GET"]),
    Route("/apps/{app_id}", save_app, methods=["POST"]),
]
