"""`directory company apply|diff|show|list|scim-token`: what each does and answers; `text` says it in words."""

import argparse
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from directory.approvers.operations import preview_following
from directory.cli import text
from directory.cli.environment import operator, owner_database
from directory.companies import operations
from directory.companies.fields import ManifestRefused, Problem
from directory.companies.manifest import MAX_BYTES, Manifest, read_manifest
from directory.database import Database
from directory.oauth.operations import client_id_of
from directory.settings import DatabaseSettings

Answer = dict[str, Any]

SHOWN_IN_DIFF = 20
"""Employees for whom others would approve."""


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommands of this module."""
    for name, help_text, do, told in (
        (
            "apply",
            "a company on board, or changed to what its manifest says; prints what to paste into Entra",
            _apply,
            text.applied,
        ),
        ("diff", "what apply would change; changes nothing", _diff, text.differences),
    ):
        command = json_command(subcommands, name, help_text)
        command.add_argument("-f", "--file", required=True, help="the manifest (YAML or JSON); - reads standard input")
        command.set_defaults(do=do, told=told)
    command = json_command(subcommands, "show", "a company with its certificates and tokens")
    command.add_argument("company")
    command.set_defaults(do=lambda settings, parsed: show(settings, parsed.company), told=text.shown)
    command = json_command(subcommands, "list", "all companies")
    command.set_defaults(do=lambda settings, parsed: list_all(settings), told=text.listed)
    command = json_command(subcommands, "scim-token", "issue one more SCIM token (shown once), or revoke one")
    command.add_argument("company")
    command.add_argument("--revoke", metavar="TOKEN_ID", help="refuse this token from now on")
    command.add_argument(
        "--expires-days", type=days, metavar="DAYS", help="the new token ends by itself after so many days"
    )
    command.set_defaults(do=_scim_token, told=text.issued_or_revoked)


def json_command(
    subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, help_text: str
) -> argparse.ArgumentParser:
    """A subcommand that also answers machines."""
    command = subcommands.add_parser(name, help=help_text, description=help_text)
    command.add_argument("--json", action="store_true", help="answer as JSON")
    return command


def days(text_value: str) -> int:
    """For argparse."""
    number = int(text_value)
    if not 1 <= number <= 3650:
        raise argparse.ArgumentTypeError("between 1 and 3650 days")
    return number


async def _apply(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    return await apply(settings, read_manifest_file(parsed.file))


async def _diff(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    return await diff(settings, read_manifest_file(parsed.file))


async def _scim_token(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if parsed.revoke:
        return await revoke_token(settings, parsed.company, parsed.revoke)
    return await issue_token(settings, parsed.company, parsed.expires_days)


def read_manifest_file(path: str) -> Manifest:
    """`-` reads standard input. Raises ManifestRefused."""
    try:
        if path == "-":
            text = sys.stdin.buffer.read(MAX_BYTES + 1)
        else:
            with Path(path).open("rb") as file:
                text = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ManifestRefused([Problem("", f"{path} cannot be read: {error.strerror}.")]) from None
    return read_manifest(text, datetime.now(UTC))


async def apply(settings: DatabaseSettings, manifest: Manifest) -> Answer:
    async with owner_database(settings) as database:
        applied = await operations.apply(database, manifest, entity_id_base=settings.entity_id_base, actor=operator())
    provisioning: Answer = {"tenant_url": tenant_url(settings, manifest.company)}
    if applied.token is not None:
        provisioning |= {"token": applied.token.token, "token_id": applied.token.token_id}
    return {
        "company": manifest.company,
        "created": applied.created,
        "changed": sorted(applied.changes),
        "sso": sso_values(settings, manifest.company, applied.entity_id),
        "provisioning": provisioning,
    }


async def diff(settings: DatabaseSettings, manifest: Manifest) -> Answer:
    async with owner_database(settings) as database:
        changes = await operations.difference(database, manifest)
        answer: Answer = {"company": manifest.company, "changes": changes}
        following = changes.get("approvers.follow_entra_managers", {})
        if following.get("before") is not None:
            answer["approvers"] = await _approvers_changed(database, manifest)
        return answer


async def _approvers_changed(database: Database, manifest: Manifest) -> Answer:
    """For how many others would approve under the manifest's setting, and the first of them."""
    async with database.scope_for_name(manifest.company).transaction() as tx:
        preview = await preview_following(tx, follow=manifest.follow_entra_managers, limit=SHOWN_IN_DIFF)
    return {"changed": preview.changed, "employees": [one.employee_id for one in preview.changes]}


async def show(settings: DatabaseSettings, company: str) -> Answer:
    async with owner_database(settings) as database:
        view = await operations.show(database, company)
    answer: Answer = {"company": company}
    for name, value in view.settings.items():
        section, dot, field = name.rpartition(".")
        (answer.setdefault(section, {}) if dot else answer)[field] = value
    answer["sso"] |= sso_values(settings, company, view.entity_id) | {"certificates": view.certificates}
    answer["provisioning"] |= {"tenant_url": tenant_url(settings, company), "tokens": view.tokens}
    answer["provisioning"]["oauth"] = {
        "token_endpoint": token_endpoint(settings, company),
        "client_id": client_id_of(company),
        **view.oauth,
    }
    answer["application"] = {"credentials": view.app_credentials}
    return answer | {
        "employees": view.employees,
        "created_at": view.created_at,
        "updated_at": view.updated_at,
        "ends_at": view.ends_at,
    }


async def list_all(settings: DatabaseSettings) -> Answer:
    async with owner_database(settings) as database:
        return {"companies": await operations.list_companies(database)}


async def issue_token(settings: DatabaseSettings, company: str, expires_days: int | None) -> Answer:
    expires_at = datetime.now(UTC) + timedelta(days=expires_days) if expires_days else None
    async with owner_database(settings) as database:
        issued = await operations.issue_token(database, company, actor=operator(), expires_at=expires_at)
    return {
        "company": company,
        "provisioning": {
            "tenant_url": tenant_url(settings, company),
            "token": issued.token,
            "token_id": issued.token_id,
            "expires_at": expires_at,
        },
    }


async def revoke_token(settings: DatabaseSettings, company: str, token_id: str) -> Answer:
    async with owner_database(settings) as database:
        await operations.revoke_token(database, company, token_id, actor=operator())
    return {"company": company, "revoked": token_id}


def sso_values(settings: DatabaseSettings, company: str, entity_id: str) -> dict[str, str]:
    base = settings.sso_public_url.rstrip("/")
    return {
        "identifier": entity_id,
        "reply_url": f"{base}/saml/{company}/acs",
        "sign_on_url": f"{base}/login/{company}",
        "logout_url": f"{base}/saml/{company}/logout",
        "metadata_url": f"{base}/saml/{company}/metadata",
    }


def tenant_url(settings: DatabaseSettings, company: str) -> str:
    return f"{settings.scim_public_url.rstrip('/')}/scim/v2/{company}"


def token_endpoint(settings: DatabaseSettings, company: str) -> str:
    return f"{tenant_url(settings, company)}/oauth2/token"
