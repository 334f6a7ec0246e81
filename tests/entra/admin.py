"""The JSON administration API, for the demo's set-up and for tests. Nothing here runs a cycle unless asked to."""

from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.entra.people import Dialect, EnterpriseApp, ManagerRemoval, Mapping, Person, SigningOption
from tests.entra.simulator import Simulator
from tests.entra.tenant import TenantError
from tests.entra.token_requests import TokenSettings
from tests.entra.web import read_body, simulator


class NewApp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: str
    company: str
    email_domains: list[str] = []


class Configuration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an administrator pastes into the portal; what is not mentioned stays."""

    identifier: str | UnsetType = UNSET
    reply_url: str | UnsetType = UNSET
    sign_on_url: str | UnsetType = UNSET
    logout_url: str | UnsetType = UNSET
    relay_state: str | UnsetType = UNSET
    sign: SigningOption | UnsetType = UNSET
    signature_algorithm: Literal["sha256", "sha1"] | UnsetType = UNSET
    name_id_source: str | UnsetType = UNSET
    name_id_format: str | UnsetType = UNSET
    groups_claim: bool | UnsetType = UNSET
    assignment_required: bool | UnsetType = UNSET
    tenant_url: str | UnsetType = UNSET
    token: str | UnsetType = UNSET
    oauth: TokenSettings | UnsetType | None = UNSET
    """In place of the token; without a secret, by the workload identity."""
    dialect: Dialect | UnsetType = UNSET
    matching_attribute: str | UnsetType = UNSET
    mappings: tuple[Mapping, ...] | UnsetType = UNSET
    provision_groups: bool | UnsetType = UNSET
    manager_removal: ManagerRemoval | UnsetType = UNSET


_PROVISIONING = (
    "tenant_url",
    "token",
    "oauth",
    "dialect",
    "matching_attribute",
    "mappings",
    "provision_groups",
    "manager_removal",
)


class PersonEdit(msgspec.Struct, frozen=True, kw_only=True, rename="camel", forbid_unknown_fields=True):
    user_principal_name: str | UnsetType = UNSET
    display_name: str | UnsetType = UNSET
    given_name: str | UnsetType | None = UNSET
    surname: str | UnsetType | None = UNSET
    mail: str | UnsetType | None = UNSET
    job_title: str | UnsetType | None = UNSET
    department: str | UnsetType | None = UNSET
    manager: str | UnsetType | None = UNSET
    mobile: str | UnsetType | None = UNSET
    telephone_number: str | UnsetType | None = UNSET
    country: str | UnsetType | None = UNSET
    employee_id: str | UnsetType | None = UNSET
    user_type: Literal["member", "guest"] | UnsetType = UNSET
    identity_provider: str | UnsetType | None = UNSET
    account_enabled: bool | UnsetType = UNSET


class PersonNamed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    person: str


def _given(body: msgspec.Struct) -> dict[str, Any]:
    return {k: v for k in body.__struct_fields__ if (v := getattr(body, k)) is not UNSET}


def _json(content: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(content), status, media_type="application/json")


def _app(request: Request) -> EnterpriseApp:
    return simulator(request).tenant.app(request.path_params["app_id"])


async def _person_in_body(request: Request) -> Person:
    named = msgspec.json.decode(await read_body(request), type=PersonNamed)
    return simulator(request).tenant.person(named.person)


def app_view(simulator_: Simulator, app: EnterpriseApp) -> dict[str, Any]:
    tenant = simulator_.tenant
    return {
        "app_id": app.app_id,
        "service_principal_id": app.service_principal_id,
        "name": app.name,
        "company": app.company,
        "tenant_id": tenant.tenant_id,
        "group_id": app.group_id,
        "group_name": tenant.groups[app.group_id].display_name,
        "login_url": simulator_.login_url(),
        "metadata_url": simulator_.metadata_url(app),
        "issuer": tenant.issuer,
        "certificates": [certificate.pem for certificate in app.certificates],
        "email_domains": app.email_domains,
        "configured": app.configured,
        "identifier": app.identifier,
        "reply_url": app.reply_url,
        "tenant_url": app.provisioning.tenant_url,
        "dialect": app.provisioning.dialect,
        "quarantine": tenant.job(app).quarantine,
        "assigned": tenant.assigned(app),
    }


async def apps(request: Request) -> Response:
    simulator_ = simulator(request)
    if request.method == "GET":
        return _json([app_view(simulator_, app) for app in simulator_.tenant.apps.values()])
    new = msgspec.json.decode(await read_body(request), type=NewApp)
    app = simulator_.tenant.add_app(new.name, new.company, email_domains=tuple(new.email_domains))
    return _json(app_view(simulator_, app), 201)


async def configure(request: Request) -> Response:
    simulator_, app = simulator(request), _app(request)
    given = _given(msgspec.json.decode(await read_body(request), type=Configuration))
    provisioning = {name: given.pop(name) for name in _PROVISIONING if name in given}
    app = simulator_.tenant.configure(app, **given)
    app = simulator_.tenant.configure_provisioning(app, **provisioning)
    if app.provisioning.is_federated:
        simulator_.workload()
    return _json(app_view(simulator_, app))


async def cycle(request: Request) -> Response:
    return _json(await simulator(request).cycle(_app(request)))


async def restart(request: Request) -> Response:
    return _json(await simulator(request).restart(_app(request)))


async def on_demand(request: Request) -> Response:
    return _json(await simulator(request).engine.provision_on_demand(_app(request), await _person_in_body(request)))


async def exchanges(request: Request) -> Response:
    since = request.query_params.get("since", "0")
    if not since.isdecimal() or len(since) > 18:
        raise TenantError("since must be a number")
    return _json(simulator(request).engine.log.since(int(since), _app(request).app_id))


async def assign(request: Request) -> Response:
    app = _app(request)
    simulator(request).tenant.assign(app, (await _person_in_body(request)).object_id)
    return _json(app_view(simulator(request), app))


async def unassign(request: Request) -> Response:
    app = _app(request)
    simulator(request).tenant.unassign(app, (await _person_in_body(request)).object_id)
    return _json(app_view(simulator(request), app))


async def new_certificate(request: Request) -> Response:
    certificate = simulator(request).tenant.new_certificate(_app(request))
    return _json({"thumbprint": certificate.thumbprint, "pem": certificate.pem, "active": certificate.active}, 201)


async def activate_certificate(request: Request) -> Response:
    app = _app(request)
    simulator(request).tenant.activate_certificate(app, request.path_params["thumbprint"])
    return _json(app_view(simulator(request), app))


async def people(request: Request) -> Response:
    tenant = simulator(request).tenant
    if request.method == "GET":
        return _json(list(tenant.people.values()))
    given = _given(msgspec.json.decode(await read_body(request), type=PersonEdit))
    name = given.pop("user_principal_name", "")
    return _json(tenant.add_person(name, given.pop("display_name", name), **given), 201)


async def edit_person(request: Request) -> Response:
    edit = msgspec.json.decode(await read_body(request), type=PersonEdit)
    return _json(simulator(request).tenant.edit_person(request.path_params["object_id"], **_given(edit)))


async def person_action(request: Request) -> Response:
    tenant = simulator(request).tenant
    actions = {"delete": tenant.delete, "restore": tenant.restore, "purge": tenant.purge}
    action = actions.get(request.path_params["action"])
    if action is None:
        raise TenantError(f"no action is {request.path_params['action']!r}")
    return _json(action(request.path_params["object_id"]))


ROUTES = [
    Route("/admin/apps", apps, methods=["GET", "POST"]),
    Route("/admin/apps/{app_id}/configure", configure, methods=["POST"]),
    Route("/admin/apps/{app_id}/cycle", cycle, methods=["POST"]),
    Route("/admin/apps/{app_id}/restart", restart, methods=["POST"]),
    Route("/admin/apps/{app_id}/on-demand", on_demand, methods=["POST"]),
    Route("/admin/apps/{app_id}/exchanges", exchanges),
    Route("/admin/apps/{app_id}/assign", assign, methods=["POST"]),
    Route("/admin/apps/{app_id}/unassign", unassign, methods=["POST"]),
    Route("/admin/apps/{app_id}/certificates", new_certificate, methods=["POST"]),
    Route("/admin/apps/{app_id}/certificates/{thumbprint}/activate", activate_certificate, methods=["POST"]),
    Route("/admin/people", people, methods=["GET", "POST"]),
    Route("/admin/people/{object_id}", edit_person, methods=["PATCH"]),
    Route("/admin/people/{object_id}/{action}", person_action, methods=["POST"]),
]
