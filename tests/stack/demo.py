"""The demo: two companies of one Entra tenant, on board and provisioned.

Does what an operator and an IT administrator would do: apply a manifest, paste its values into Entra, start provisioning;
and for the first of them a little of what HR does (`furnishing`).
On a later run only what is missing is done.
"""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml

from directory.cli import company as command
from directory.cli.environment import owner_database
from directory.settings import DatabaseSettings
from tests.stack import furnishing


@dataclass(frozen=True)
class DemoCompany:
    company: str
    name: str
    manifest: Path
    sign_on_url: str
    people: tuple[tuple[str, str], ...]
    """Display name and user name of those who can sign in."""
    credential: str = ""
    """Of the BitaBIZ application, where it has one."""


async def set_up(simulator: str, settings: DatabaseSettings, folder: Path) -> list[DemoCompany]:
    """Raises RuntimeError when a first provisioning cycle fails."""
    async with aiohttp.ClientSession(simulator, timeout=aiohttp.ClientTimeout(total=60)) as http:
        await _wait_for(http)
        apps = await _json(http, "GET", "/admin/apps")
        people = {person["objectId"]: person for person in await _json(http, "GET", "/admin/people")}
        async with owner_database(settings) as database:
            on_board = set(await database.company_names())
        return [await _set_up_one(http, app, people, settings, folder, on_board) for app in apps]


async def _wait_for(http: aiohttp.ClientSession) -> None:
    for _ in range(600):
        try:
            async with http.get("/admin/apps") as answer:
                if answer.status == 200:
                    return
        except aiohttp.ClientError:
            pass
        await asyncio.sleep(0.05)
    raise RuntimeError("the Entra simulator did not answer within 30 seconds")


async def _json(http: aiohttp.ClientSession, method: str, path: str, body: object = None) -> Any:
    async with http.request(method, path, json=body) as answer:
        if answer.status >= 300:
            raise RuntimeError(f"{method} {path} answered {answer.status}: {(await answer.text())[:300]}")
        return await answer.json(content_type=None)


async def _set_up_one(
    http: aiohttp.ClientSession,
    app: dict[str, Any],
    people: dict[str, Any],
    settings: DatabaseSettings,
    folder: Path,
    on_board: set[str],
) -> DemoCompany:
    company = _company_name(app)
    path = folder / "demo" / f"{company}.yaml"
    sign_on_url = f"{settings.sso_public_url}/login/{company}"
    reply_url = f"{settings.sso_public_url}/saml/{company}/acs"
    if company not in on_board or not app["configured"] or app["reply_url"] != reply_url:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(_manifest(company, app), sort_keys=False, allow_unicode=True), encoding="utf-8")
        await _connect(http, app, settings, path, company)
    assigned = [people[object_id] for object_id in app["assigned"] if object_id in people]
    able = tuple(
        (person["displayName"], person["userPrincipalName"])
        for person in assigned
        if person.get("accountEnabled", True)
    )
    credential = ""
    if company == furnishing.COMPANY:
        credential = await furnishing.furnish(settings, folder, new=company not in on_board)
    return DemoCompany(company, app["company"], path, sign_on_url, able, credential)


async def _connect(
    http: aiohttp.ClientSession, app: dict[str, Any], settings: DatabaseSettings, path: Path, company: str
) -> None:
    applied = await command.apply(settings, command.read_manifest_file(str(path)))
    provisioning = applied["provisioning"]
    if "token" not in provisioning:
        provisioning = (await command.issue_token(settings, company, None))["provisioning"]
    values = {name: applied["sso"][name] for name in ("identifier", "reply_url", "sign_on_url", "logout_url")}
    values |= {"tenant_url": provisioning["tenant_url"], "token": provisioning["token"]}
    await _json(http, "POST", f"/admin/apps/{app['app_id']}/configure", values)
    cycle = await _json(http, "POST", f"/admin/apps/{app['app_id']}/restart")
    if cycle.get("quarantine") or cycle.get("failures"):
        raise RuntimeError(f"provisioning {company} failed: {cycle.get('quarantine') or cycle['failures']}")


def _company_name(app: dict[str, Any]) -> str:
    return str(app["company"]).split()[0].lower()


def _manifest(company: str, app: dict[str, Any]) -> dict[str, Any]:
    return {
        "company": company,
        "name": app["company"],
        "time_zone": "Europe/Copenhagen",
        "language": "da",
        "entra": {name: app[name] for name in ("tenant_id", "app_id", "group_id", "group_name")},
        "sso": {
            "enabled": True,
            "login_url": app["login_url"],
            "issuer": app["issuer"],
            "certificates": list(app["certificates"]),
            "signed": "assertion",
            "idp_initiated": True,
            "group_check": "when_sent",
            "email_domains": list(app["email_domains"]),
        },
        "provisioning": {"enabled": True, "strict": False},
        "approvers": {"follow_entra_managers": True},
    }
