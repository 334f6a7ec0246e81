"""The SAML endpoint and the pages people see: sign-in, My Apps, sign-out, metadata.

GET  /{tenant}/saml2     AuthnRequest or LogoutRequest by redirect -> sign-in page or signed LogoutResponse
POST /{tenant}/saml2     the same by form, or the person chosen on the sign-in page -> response to the reply URL
GET  /myapps             choose who you are, then a tile for every app: an unsolicited response
"""

import uuid
from base64 import b64encode

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.entra.certificates import private_key, signing_certificate
from tests.entra.metadata import federation_metadata
from tests.entra.people import EnterpriseApp, Person
from tests.entra.saml import failure_response, respond
from tests.entra.saml_requests import (
    AuthnRequest,
    LogoutRequest,
    SignInRefused,
    check_authn_request,
    decode_post,
    decode_redirect,
    logout_response,
    parse_request,
    signed_redirect,
    unknown_application,
)
from tests.entra.simulator import Simulator
from tests.entra.tenant import TenantError
from tests.entra.web import NO_STORE, page, read_form, simulator


async def saml_endpoint(request: Request) -> Response:
    simulator_, form = simulator(request), dict(request.query_params)
    if request.method == "POST":
        posted = await read_form(request)
        form |= ({"binding": "post"} if "SAMLRequest" in posted else {}) | posted
    message = form.get("SAMLRequest", "")
    _check_tenant(request)
    if not message:
        raise SignInRefused("AADSTS750054", "SAMLRequest or SAMLResponse must be present as query string parameters.")
    xml = decode_post(message) if form.get("binding") == "post" else decode_redirect(message)
    asked = parse_request(xml)
    app = _app_of(simulator_, request, asked)
    if isinstance(asked, LogoutRequest):
        return _logged_out(simulator_, app, asked, form.get("RelayState"))
    check_authn_request(asked, app)
    if "person" in form:
        return _answer(simulator_, app, simulator_.tenant.person(form["person"]), asked, form.get("RelayState"))
    if asked.is_passive:
        return _no_passive(simulator_, app, asked, form.get("RelayState"))
    return _sign_in_page(simulator_, app, form)


def _check_tenant(request: Request) -> None:
    tenant = request.path_params["tenant"]
    if tenant.lower() != simulator(request).tenant.tenant_id:
        raise SignInRefused("AADSTS90002", f"Tenant '{tenant}' not found.")


def _app_of(simulator_: Simulator, request: Request, asked: AuthnRequest | LogoutRequest) -> EnterpriseApp:
    """By the request's Issuer, or by the service principal in the path, which overrides it."""
    key = request.path_params.get("principal")
    for app in simulator_.tenant.apps.values():
        if key == app.service_principal_id if key else app.identifier and app.identifier == asked.issuer:
            return app
    raise unknown_application(key or asked.issuer)


def _sign_in_page(simulator_: Simulator, app: EnterpriseApp, form: dict[str, str]) -> Response:
    tenant = simulator_.tenant
    assigned = set(tenant.assigned(app))
    everybody = [person for person in tenant.people.values() if person.deleted_at is None]
    hinted = _hinted(simulator_, form.get("login_hint", ""))
    mine = [person for person in everybody if person.object_id in assigned]
    mine.sort(key=lambda person: person is not hinted)
    return page(
        "sign_in.html",
        app=app,
        tenant=tenant,
        people=mine,
        others=[person for person in everybody if person.object_id not in assigned],
        hinted=hinted,
        fields={name: form[name] for name in ("SAMLRequest", "RelayState", "binding") if name in form},
        action=f"/{tenant.tenant_id}/saml2",
    )


def _hinted(simulator_: Simulator, hint: str) -> Person | None:
    try:
        return simulator_.tenant.person(hint) if hint else None
    except TenantError:
        return None


def check_may_sign_in(simulator_: Simulator, app: EnterpriseApp, person: Person) -> None:
    name = person.user_principal_name
    if person.deleted_at is not None:
        raise SignInRefused("AADSTS50034", f"The user account {name} does not exist in this directory.")
    if not person.account_enabled:
        raise SignInRefused("AADSTS50057", f"The user account {name} is disabled.")
    if app.assignment_required and person.object_id not in simulator_.tenant.assigned(app):
        raise SignInRefused(
            "AADSTS50105",
            f"Your administrator has configured the application {app.name} ('{app.app_id}') to block users unless they "
            f"are specifically granted ('assigned') access to the application. The signed in user '{name}' is blocked "
            "because they are not a direct member of a group with access, nor had access directly assigned.",
        )


def _answer(
    simulator_: Simulator, app: EnterpriseApp, person: Person, asked: AuthnRequest, relay_state: str | None
) -> Response:
    check_may_sign_in(simulator_, app, person)
    changes = {
        name: value
        for name, value in (
            ("name_id_format", asked.name_id_format),  # a format in the request overrides the administrator's
            ("sp_name_qualifier", asked.sp_name_qualifier),
            ("context_class", asked.context_classes[0] if asked.context_classes else None),
        )
        if value is not None
    }
    return _post_on(
        app, respond(simulator_.sign_in(app, person, asked.id, anew=asked.force_authn, **changes)), relay_state
    )


def _no_passive(simulator_: Simulator, app: EnterpriseApp, asked: AuthnRequest, relay_state: str | None) -> Response:
    response = failure_response(
        simulator_.tenant,
        destination=app.reply_url,
        in_response_to=asked.id,
        now=simulator_.tenant.clock(),
        code="Responder",
        subcode="NoPassive",
        message="AADSTS50058: Session information is not sufficient for single-sign-on.",
    )
    return _post_on(app, response, relay_state)


def _post_on(app: EnterpriseApp, response: bytes, relay_state: str | None) -> Response:
    fields = {"SAMLResponse": b64encode(response).decode()}
    if relay_state:
        fields["RelayState"] = relay_state
    return page("post.html", action=app.reply_url, fields=fields)


def _logged_out(simulator_: Simulator, app: EnterpriseApp, asked: LogoutRequest, relay_state: str | None) -> Response:
    tenant = simulator_.tenant
    simulator_.sessions = [
        session
        for session in simulator_.sessions
        if session.app_id != app.app_id or (asked.session_index and session.session_index != asked.session_index)
    ]
    if not app.logout_url:
        return page("signed_out.html", person=None, frames=[])
    now = tenant.clock()
    xml = logout_response(tenant.issuer, app.logout_url, asked.id, f"_{uuid.uuid4()}", now)
    key = private_key(signing_certificate(app.certificates, now))
    url = signed_redirect(app.logout_url, "SAMLResponse", xml, key, relay_state)
    # Set by hand: RedirectResponse would re-quote the address, and the signature is over its exact bytes.
    return Response(status_code=302, headers={"Location": url, **NO_STORE})


async def metadata(request: Request) -> Response:
    _check_tenant(request)
    simulator_ = simulator(request)
    app_id = request.query_params.get("appid", "")
    app = simulator_.tenant.apps.get(app_id)
    if app is None:
        raise unknown_application(app_id)
    content = federation_metadata(simulator_.tenant, app, simulator_.login_url())
    return Response(content, media_type="application/samlmetadata+xml", headers=NO_STORE)


async def my_apps(request: Request) -> Response:
    simulator_ = simulator(request)
    tenant, key = simulator_.tenant, request.query_params.get("person", "")
    person = tenant.person(key) if key else None
    return page(
        "my_apps.html",
        tenant=tenant,
        person=person,
        people=[p for p in tenant.people.values() if p.deleted_at is None and p.account_enabled],
        apps=tenant.apps_of(person.object_id) if person else [],
    )


async def open_app(request: Request) -> Response:
    """A click on a tile: an unsolicited response with the app's own relay state."""
    simulator_, form = simulator(request), await read_form(request)
    app, person = simulator_.tenant.app(form.get("app", "")), simulator_.tenant.person(form.get("person", ""))
    if not app.configured:
        raise SignInRefused("AADSTS50011", f"{app.name} has no reply URL yet.")
    check_may_sign_in(simulator_, app, person)
    return _post_on(app, respond(simulator_.sign_in(app, person, None)), app.relay_state)


async def sign_out(request: Request) -> Response:
    simulator_, form = simulator(request), await read_form(request)
    person = simulator_.tenant.person(form.get("person", ""))
    return page("signed_out.html", person=person, frames=simulator_.sign_out_urls(person))


async def on_refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, SignInRefused)
    return page(
        "error.html",
        status=400,
        title="Sorry, but we’re having trouble signing you in.",
        code=error.code,
        message=error.message,
    )


ROUTES = [
    Route("/{tenant}/saml2", saml_endpoint, methods=["GET", "POST"]),
    Route("/{tenant}/saml2/{principal}", saml_endpoint, methods=["GET", "POST"]),
    Route("/{tenant}/federationmetadata/2007-06/federationmetadata.xml", metadata),
    Route("/myapps", my_apps),
    Route("/myapps/open", open_app, methods=["POST"]),
    Route("/myapps/sign-out", sign_out, methods=["POST"]),
]
