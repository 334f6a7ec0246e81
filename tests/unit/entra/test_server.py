"""The simulator over HTTP: sign-in, refusals, My Apps, logout, control page, administration API."""

import json
import re
import zlib
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator
from html import unescape
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, quote_plus, urlsplit

import aiohttp
import pytest
import uvicorn
import xmlsec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from lxml import etree
from yarl import URL

from tests.entra.demo import CONTOSO, FABRIKAM, demo_id, demo_tenant
from tests.entra.listener import Listener
from tests.entra.saml_requests import MAX_MESSAGE_BYTES, lower_percent
from tests.entra.server import EntraServer
from tests.entra.state import load
from tests.unit.entra.stub_scim import StubScim

IDENTIFIER = "https://www.bitabiz.com/contoso"
ACS = "http://127.0.0.1:1/saml/contoso/acs"
LOGOUT = "http://127.0.0.1:1/saml/contoso/logout"
NS = {"s": "urn:oasis:names:tc:SAML:2.0:assertion", "p": "urn:oasis:names:tc:SAML:2.0:protocol"}
ANDERS, HANNE, JENS = demo_id("anders.baek"), demo_id("hanne.kjaer"), demo_id("jens.lauridsen")


class Page(NamedTuple):
    status: int
    text: str
    headers: dict[str, str]

    def fields(self) -> dict[str, str]:
        return {unescape(n): unescape(v) for n, v in re.findall(r'name="(\w+)" value="([^"]*)"', self.text)}

    def response(self) -> etree._Element:
        return etree.fromstring(b64decode(self.fields()["SAMLResponse"]))


class Browser(NamedTuple):
    server: EntraServer
    scim: StubScim
    session: aiohttp.ClientSession
    state: Path

    async def open(self, path: str, **form: str) -> Page:
        method = "POST" if form else "GET"
        url = URL(self.server.url + path, encoded=True)
        async with self.session.request(method, url, data=form or None, allow_redirects=False) as answer:
            return Page(answer.status, await answer.text(), dict(answer.headers))

    async def admin(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        async with self.session.request(method, self.server.url + path, json=body) as answer:
            return answer.status, json.loads(await answer.text())

    def saml(self, xml: str, **query: str) -> str:
        deflater = zlib.compressobj(wbits=-15)
        message = b64encode(deflater.compress(xml.encode()) + deflater.flush()).decode()
        pairs = "&".join(f"{k}={quote_plus(v)}" for k, v in ({"SAMLRequest": message} | query).items())
        return f"/{self.server.tenant.tenant_id}/saml2?{pairs}"


def authn(inside: str = "", attributes: str = "", issuer: str = IDENTIFIER) -> str:
    return (
        f'<p:AuthnRequest xmlns:p="{NS["p"]}" xmlns="{NS["s"]}" ID="id-7" Version="2.0" '
        f'IssueInstant="2026-11-24T00:00:00Z" {attributes}><Issuer>{issuer}</Issuer>{inside}</p:AuthnRequest>'
    )


@pytest.fixture
async def browser(tmp_path: Path) -> AsyncIterator[Browser]:
    scim = StubScim()
    listener = Listener(uvicorn.Config(scim.app, host="127.0.0.1", port=0, log_level="warning", lifespan="off"))
    await listener.start()
    tenant = demo_tenant()
    app = tenant.configure(tenant.app(CONTOSO), identifier=IDENTIFIER, reply_url=ACS, logout_url=LOGOUT)
    tenant.configure_provisioning(app, tenant_url=f"http://127.0.0.1:{listener.port}/scim", token="secret")
    async with EntraServer(tenant, state_dir=tmp_path) as server, aiohttp.ClientSession() as session:
        yield Browser(server, scim, session, tmp_path)
    await listener.stop()


async def test_a_person_is_picked_and_the_response_goes_to_the_reply_url(browser: Browser) -> None:
    asked = await browser.open(browser.saml(authn(), RelayState="a/b+c=", login_hint="ida.molgaard@contoso.com"))
    assert asked.text.index("Ida Mølgaard") < asked.text.index("Kirsten Holm")

    fields = {k: v for k, v in asked.fields().items() if k != "person"}
    answer = await browser.open(f"/{browser.server.tenant.tenant_id}/saml2", **fields, person=ANDERS)

    root = answer.response()
    assert root.get("InResponseTo") == "id-7"
    assert root.findtext(".//s:NameID", namespaces=NS) == "anders.baek@contoso.com"
    assert answer.fields()["RelayState"] == "a/b+c="
    assert f'action="{ACS}"' in answer.text
    assert "<noscript>" in answer.text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("request_xml", "code"),
    [
        (authn(issuer="https://www.bitabiz.com/other"), "AADSTS700016"),
        (authn(attributes='AssertionConsumerServiceURL="https://evil.example/acs"'), "AADSTS50011"),
        (authn("<Subject><NameID>a</NameID></Subject>"), "AADSTS75022"),
        (authn('<p:NameIDPolicy Format="urn:oasis:names:tc:SAML:2.0:nameid-format:kerberos"/>'), "AADSTS75016"),
        (
            authn(
                "<p:RequestedAuthnContext><AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:X509"
                "</AuthnContextClassRef></p:RequestedAuthnContext>"
            ),
            "AADSTS75011",
        ),
        (authn().replace('ID="id-7"', 'ID="7"'), "AADSTS7500525"),
        ("<nothing/>", "AADSTS7500525"),
        ("not xml", "AADSTS75005"),
        (authn("<!--" + " " * MAX_MESSAGE_BYTES + "-->"), "AADSTS90015"),
    ],
)
async def test_a_request_entra_refuses_ends_on_its_own_page(browser: Browser, request_xml: str, code: str) -> None:
    refused = await browser.open(browser.saml(request_xml))

    assert refused.status == 400
    assert f"<b>{code}</b>" in refused.text
    assert "SAMLResponse" not in refused.text.replace("SAMLRequest or SAMLResponse", "")


@pytest.mark.parametrize(
    ("person", "code"), [(demo_id("karen.juhl"), "AADSTS50105"), (JENS, "AADSTS50057"), (ANDERS, "AADSTS50034")]
)
async def test_who_may_not_sign_in_is_told_so(browser: Browser, person: str, code: str) -> None:
    browser.server.tenant.block(JENS)
    browser.server.tenant.delete(ANDERS)

    refused = await browser.open(browser.saml(authn()), person=person)

    assert f"<b>{code}</b>" in refused.text


async def test_a_requested_format_overrides_the_administrators(browser: Browser) -> None:
    policy = '<p:NameIDPolicy Format="urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified" SPNameQualifier="q"/>'
    answer = await browser.open(browser.saml(authn(policy)), person=ANDERS)

    name_id = answer.response().find(".//s:NameID", NS)

    assert name_id is not None
    assert name_id.get("Format") == "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"
    assert name_id.get("SPNameQualifier") == "q"


async def test_a_passive_request_is_answered_with_no_passive(browser: Browser) -> None:
    answer = await browser.open(browser.saml(authn(attributes='IsPassive="true"')))

    codes = [code.get("Value") for code in answer.response().iterfind(".//p:StatusCode", NS)]

    assert codes == ["urn:oasis:names:tc:SAML:2.0:status:Responder", "urn:oasis:names:tc:SAML:2.0:status:NoPassive"]


async def test_my_apps_shows_the_assigned_apps_and_opens_one_unasked(browser: Browser) -> None:
    tiles = await browser.open(f"/myapps?person={HANNE}")
    assert CONTOSO in tiles.text
    assert FABRIKAM in tiles.text

    answer = await browser.open("/myapps/open", person=HANNE, app=browser.server.tenant.app(CONTOSO).app_id)

    assert answer.response().get("InResponseTo") is None
    assert "RelayState" not in answer.fields()


async def test_a_logout_request_is_answered_with_a_signature_over_the_lower_case_query(browser: Browser) -> None:
    xml = (
        f'<p:LogoutRequest xmlns:p="{NS["p"]}" xmlns="{NS["s"]}" ID="_out" Version="2.0" '
        f'IssueInstant="2026-11-24T00:00:00Z"><Issuer>{IDENTIFIER}</Issuer><NameID>a@b</NameID></p:LogoutRequest>'
    )
    answer = await browser.open(browser.saml(xml, RelayState="x/y"))
    url = answer.headers["Location"]

    assert answer.status == 302
    assert url.startswith(LOGOUT)
    verify_redirect(browser, url)
    message = zlib.decompress(b64decode(dict(parse_qsl(urlsplit(url).query))["SAMLResponse"]), -15)
    assert etree.fromstring(message).get("InResponseTo") == "_out"
    assert "%2f" in url
    assert "%2F" not in url


async def test_signing_out_tells_every_app_of_every_session(browser: Browser) -> None:
    answer = await browser.open(browser.saml(authn()), person=ANDERS)
    index = answer.response().find(".//s:AuthnStatement", NS)

    page = await browser.open("/myapps/sign-out", person=ANDERS)

    (url,) = (unescape(u) for u in re.findall(r'iframe src="([^"]+)"', page.text))
    verify_redirect(browser, url)
    message = etree.fromstring(zlib.decompress(b64decode(dict(parse_qsl(urlsplit(url).query))["SAMLRequest"]), -15))
    assert index is not None
    assert message.findtext("p:SessionIndex", namespaces=NS) == index.get("SessionIndex")


async def test_the_control_page_signs_somebody_out_everywhere(browser: Browser) -> None:
    await browser.open(browser.saml(authn()), person=ANDERS)
    shown = await browser.open(f"/?app={browser.server.tenant.app(CONTOSO).app_id}")
    [button] = re.findall(
        rf'<form method="post" action="(/myapps/sign-out)"><button name="person" value="{ANDERS}"', shown.text
    )
    page = await browser.open(button, person=ANDERS)
    assert page.text.count("<iframe") == 1
    assert browser.server.simulator.sessions == []


def verify_redirect(browser: Browser, url: str) -> None:
    signed, _, signature = urlsplit(url).query.partition("&Signature=")
    pem = browser.server.tenant.app(CONTOSO).certificates[0].pem
    key = x509.load_pem_x509_certificate(pem.encode()).public_key()
    assert isinstance(key, rsa.RSAPublicKey)
    value = b64decode(dict(parse_qsl(f"s={signature}"))["s"])
    key.verify(value, signed.encode(), padding.PKCS1v15(), hashes.SHA256())


async def test_metadata_lists_every_certificate_and_its_signature_holds(browser: Browser) -> None:
    tenant = browser.server.tenant
    app = tenant.app(CONTOSO)
    tenant.new_certificate(app)
    url = browser.server.simulator.metadata_url(app).removeprefix(browser.server.url)

    root = etree.fromstring((await browser.open(url)).text.encode())

    xmlsec.tree.add_ids(root, ["ID"])
    context = xmlsec.SignatureContext()
    context.key = xmlsec.Key.from_memory(app.certificates[0].pem, xmlsec.constants.KeyDataFormatCertPem)
    made = root.find("{http://www.w3.org/2000/09/xmldsig#}Signature")
    assert made is not None
    context.verify(made)
    idp = "{urn:oasis:names:tc:SAML:2.0:metadata}IDPSSODescriptor"
    keys = root.findall(f"{idp}/{{urn:oasis:names:tc:SAML:2.0:metadata}}KeyDescriptor")
    assert (root.get("entityID"), len(keys)) == (tenant.issuer, 2)


async def test_a_button_provisions_at_once_and_shows_what_was_sent(browser: Browser) -> None:
    app_id = browser.server.tenant.app(CONTOSO).app_id
    await browser.open("/control", app=app_id, action="cycle")
    assert len(browser.scim.users) == 12

    pressed = await browser.open("/control", app=app_id, action="unassign", person=ANDERS)
    shown = await browser.open(pressed.headers["Location"])

    assert pressed.status == 303
    assert browser.scim.user("anders.baek@contoso.com")["active"] is False
    assert "Anders Bæk was removed from BitaBIZ Contoso." in shown.text
    assert "&#34;value&#34;: &#34;False&#34;" in shown.text
    assert "secret" not in shown.text


async def test_every_button_works_and_every_page_opens(browser: Browser) -> None:
    app_id = browser.server.tenant.app(CONTOSO).app_id
    on_anders = ("block", "unblock", "delete", "restore", "unassign", "assign", "on-demand")
    for action in ("cycle", *on_anders, "dialect", "restart", "new-certificate", "delete", "purge"):
        pressed = await browser.open("/control", app=app_id, action=action, person=ANDERS)
        assert pressed.status == 303
        assert (await browser.open(pressed.headers["Location"])).status == 200
        assert browser.server.simulator.last_action[app_id].good, browser.server.simulator.last_action[app_id]
    assert ANDERS not in browser.server.tenant.people
    for path in ("/people/new", f"/people/{HANNE}", f"/apps/{app_id}"):
        assert (await browser.open(f"{path}?app={app_id}")).status == 200


async def test_a_person_is_edited_and_created_on_the_page(browser: Browser) -> None:
    app_id = browser.server.tenant.app(CONTOSO).app_id
    await browser.open(f"/people/{ANDERS}", app=app_id, job_title="<b>Arkitekt</b>", manager=HANNE)
    await browser.open("/people/new", app=app_id, user_principal_name="ny@contoso.com", given_name="Ny", surname="Ven")
    shown = await browser.open(f"/?app={app_id}")

    assert browser.server.tenant.person(ANDERS).manager == HANNE
    assert browser.scim.user("ny@contoso.com")["displayName"] == "Ny Ven"
    assert "&lt;b&gt;Arkitekt&lt;/b&gt;" in shown.text
    assert "<b>Arkitekt" not in shown.text


async def test_an_app_is_set_up_by_hand_and_the_connection_tested(browser: Browser) -> None:
    tenant = browser.server.tenant
    app_id, url = tenant.app(FABRIKAM).app_id, tenant.app(CONTOSO).provisioning.tenant_url
    pasted = {"identifier": "https://www.bitabiz.com/fabrikam", "reply_url": ACS, "sign": "both", "token": "t0ken"}

    for tenant_url, sentence in ((url, "The connection works"), ("http://127.0.0.1:1", "does not work: Timeout")):
        saved = await browser.open(f"/apps/{app_id}", **pasted, tenant_url=tenant_url)
        shown = await browser.open(saved.headers["Location"])
        assert sentence in shown.text
        assert "t0ken" not in shown.text

    assert (tenant.app(FABRIKAM).identifier, tenant.app(FABRIKAM).sign) == (pasted["identifier"], "both")


async def test_the_administration_api_runs_a_company_through_its_life(browser: Browser) -> None:
    status, made = await browser.admin("POST", "/admin/apps", {"name": "BitaBIZ (Ny)", "company": "Ny ApS"})
    app = f"/admin/apps/{made['app_id']}"
    assert (status, made["configured"]) == (201, False)
    assert made["login_url"] == f"{browser.server.url}/{made['tenant_id']}/saml2"
    assert made["issuer"] == f"https://sts.windows.net/{made['tenant_id']}/"

    url = browser.server.tenant.app(CONTOSO).provisioning.tenant_url
    values = {"identifier": "https://x/ny", "reply_url": ACS, "tenant_url": url, "token": "t", "dialect": "compliant"}
    assert (await browser.admin("POST", f"{app}/configure", values))[1]["configured"] is True
    _, person = await browser.admin("POST", "/admin/people", {"userPrincipalName": "a@ny.dk", "displayName": "A"})
    await browser.admin("POST", f"{app}/assign", {"person": "a@ny.dk"})
    assert (await browser.admin("POST", f"{app}/cycle"))[1]["created"] == 1

    edit = f"/admin/people/{person['objectId']}"
    await browser.admin("PATCH", edit, {"jobTitle": "Smed", "accountEnabled": False})
    assert (await browser.admin("POST", f"{app}/cycle"))[1]["disabled"] == 1
    await browser.admin("PATCH", edit, {"accountEnabled": True})
    assert (await browser.admin("POST", f"{app}/on-demand", {"person": "a@ny.dk"}))[1]["outcome"] == "updated"
    assert (await browser.admin("POST", f"{app}/restart"))[1]["unchanged"] == 1
    await browser.admin("POST", f"{edit}/delete")
    await browser.admin("POST", f"{app}/cycle")
    await browser.admin("POST", f"{edit}/purge")
    assert (await browser.admin("POST", f"{app}/cycle"))[1]["deleted"] == 1
    _, exchanges = await browser.admin("GET", f"{app}/exchanges")
    assert [e["method"] for e in exchanges if e["method"] != "GET"] == ["POST", *["PATCH"] * 3, "DELETE"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/admin/apps", {"name": 1}, 400),
        ("POST", "/admin/apps/none/cycle", None, 404),
        ("POST", "/admin/people", {"displayName": "Nobody"}, 400),
        ("POST", "/admin/people", {"userPrincipalName": "ANDERS.baek@contoso.com"}, 400),
        ("POST", "/admin/people", {"userPrincipalName": "a@b\u0000"}, 400),
        ("PATCH", "/admin/people/none", {"jobTitle": "x"}, 404),
        ("PATCH", f"/admin/people/{ANDERS}", {"unknown": "x"}, 400),
        ("PATCH", f"/admin/people/{ANDERS}", {"manager": "none"}, 404),
        ("POST", f"/admin/people/{ANDERS}/purge", None, 400),
        ("POST", f"/admin/people/{ANDERS}/explode", None, 404),
        ("GET", f"/admin/apps/{demo_id('app contoso')}/exchanges?since=x", None, 400),
        ("POST", f"/admin/apps/{demo_id('app fabrikam')}/configure", {"identifier": IDENTIFIER}, 400),
        ("POST", "/admin/people", {"userPrincipalName": "x" * 600_000}, 413),
    ],
)
async def test_bad_input_is_refused_with_a_sentence(
    browser: Browser, method: str, path: str, body: Any, status: int
) -> None:
    answered, content = await browser.admin(method, path, body)

    assert (answered, list(content)) == (status, ["error"])


async def test_another_site_cannot_press_buttons(browser: Browser) -> None:
    async with browser.session.post(
        f"{browser.server.url}/control", data={"action": "cycle"}, headers={"Sec-Fetch-Site": "cross-site"}
    ) as answer:
        assert answer.status == 403


async def test_everything_is_there_again_after_a_restart_of_the_simulator(browser: Browser) -> None:
    before = browser.server.tenant
    await browser.server.engine.cycle(before.app(CONTOSO))

    after = load(browser.state)

    assert after is not None
    assert (after.people, after.groups, after.apps, after.jobs) == (
        before.people,
        before.groups,
        before.apps,
        before.jobs,
    )
    assert browser.state.stat().st_mode & 0o777 == 0o700
    assert (browser.state / "tenant.json").stat().st_mode & 0o777 == 0o600


def test_lower_percent_is_dot_nets_encoding() -> None:
    assert lower_percent("a/b+C=%2F å") == "a%2fb%2bC%3d%252F+%c3%a5"
