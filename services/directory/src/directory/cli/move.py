"""`directory company move COMPANY`: where the move to another Entra tenant stands, and its steps."""

import argparse
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import asyncpg
import msgspec

from directory.cli.company import json_command, read_manifest_file, sso_values, tenant_url
from directory.cli.environment import operator, owner_database
from directory.cli.text import columns, moment
from directory.companies import move, store
from directory.companies.email_mapping import MAX_BYTES, MappingRefused, read_mapping
from directory.companies.fields import Problem
from directory.companies.manifest import Manifest
from directory.companies.move_emails import change_addresses
from directory.companies.operations import binding_taken
from directory.database import CompanyTx
from directory.employees.writing import repeated
from directory.settings import DatabaseSettings

Answer = dict[str, Any]
DoneT = TypeVar("DoneT")


def add_to(subcommands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """The subcommand of this module."""
    command = json_command(subcommands, "move", "to another Entra tenant: how far it is, or one of its steps")
    command.add_argument("company")
    step = command.add_mutually_exclusive_group()
    step.add_argument("--prepare", action="store_true", help="a second connection beside the live one, from -f FILE")
    step.add_argument("--emails", metavar="FILE", help="new e-mail addresses, lines like old;new; all or nothing")
    step.add_argument("--cut-over", action="store_true", help="the prepared connection is the live one from now on")
    step.add_argument("--cancel", action="store_true", help="give the prepared connection up")
    command.add_argument("-f", "--file", help="with --prepare: the manifest as it is to be; - reads standard input")
    command.add_argument("--dry-run", action="store_true", help="with --emails: say what would change")
    command.add_argument(
        "--anyway", action="store_true", help="with --cut-over: although addresses lie outside its domains"
    )
    command.set_defaults(do=_do, told=_told, misused=command.error)


async def _do(settings: DatabaseSettings, parsed: argparse.Namespace) -> Answer:
    if parsed.prepare != bool(parsed.file):
        parsed.misused("--prepare and -f FILE go together")
    if parsed.prepare:
        return await prepare(settings, parsed.company, read_manifest_file(parsed.file))
    if parsed.emails:
        return await change_emails(settings, parsed.company, _read(parsed.emails), dry_run=parsed.dry_run)
    if parsed.cut_over:
        return await cut_over(settings, parsed.company, anyway=parsed.anyway)
    return await (cancel if parsed.cancel else state)(settings, parsed.company)


async def prepare(settings: DatabaseSettings, company: str, manifest: Manifest) -> Answer:
    async def act(tx: CompanyTx) -> tuple[move.Prepared, str]:
        return await move.prepare(tx, manifest), (await store.read_company(tx))["entity_id"]

    try:
        prepared, entity_id = await _as_operator(settings, company, act)
    except asyncpg.UniqueViolationError as error:
        if error.constraint_name == "entra_binding_taken":
            raise binding_taken(manifest) from None
        raise
    provisioning = {"tenant_url": tenant_url(settings, company)}
    if prepared.token is not None:
        provisioning |= {"token": prepared.token.token, "token_id": prepared.token.token_id}
    sso = sso_values(settings, company, entity_id)
    return _answer(company, "prepared", changed=sorted(prepared.changes), sso=sso, provisioning=provisioning)


async def change_emails(settings: DatabaseSettings, company: str, raw: bytes, *, dry_run: bool = False) -> Answer:
    rows = read_mapping(raw)

    async def attempt() -> Answer:
        done = await _as_operator(settings, company, lambda tx: change_addresses(tx, rows, dry_run=dry_run))
        return _answer(company, "emails", dry_run=dry_run, **msgspec.to_builtins(done))

    # Somebody may get one of these addresses at the same moment; then it is told by its line.
    return await repeated(attempt)


async def cut_over(settings: DatabaseSettings, company: str, *, anyway: bool = False) -> Answer:
    done = await _as_operator(settings, company, lambda tx: move.cut_over(tx, anyway=anyway))
    return _answer(company, "moved", **msgspec.to_builtins(done))


async def cancel(settings: DatabaseSettings, company: str) -> Answer:
    await _as_operator(settings, company, move.cancel)
    return _answer(company, "cancelled")


async def state(settings: DatabaseSettings, company: str) -> Answer:
    return _answer(company, "state", **await _as_operator(settings, company, move.state))


async def _as_operator(settings: DatabaseSettings, company: str, act: Callable[[CompanyTx], Awaitable[DoneT]]) -> DoneT:
    async with owner_database(settings) as database, database.scope_for_name(company).transaction(operator()) as tx:
        return await act(tx)


def _answer(company: str, step: str, **values: Any) -> Answer:
    return {"company": company, "step": step, **values}


def _read(path: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise MappingRefused([Problem("", f"{path} cannot be read: {error.strerror}")]) from None


def _told(answer: Answer) -> str:
    return {
        "prepared": _told_prepared,
        "emails": _told_emails,
        "moved": _told_moved,
        "cancelled": lambda _: (
            "The prepared connection is gone, and its tokens are refused. The live one was not touched."
        ),
        "state": _told_state,
    }[answer["step"]](answer)


def _told_prepared(answer: Answer) -> str:
    company, provisioning = answer["company"], answer["provisioning"]
    changed = ", ".join(answer["changed"]) or "nothing; it was prepared like this already"
    rows = [("Identifier (Entity ID)", answer["sso"]["identifier"]), ("Reply URL", answer["sso"]["reply_url"])]
    rows += [("Sign on URL", answer["sso"]["sign_on_url"]), ("Tenant URL", provisioning["tenant_url"])]
    rows.append(("Secret Token", provisioning.get("token", "as issued with the first --prepare; shown that once")))
    return "\n".join(
        [
            f"Prepared for {company}: {changed}.",
            "",
            "In the new tenant's Enterprise app:",
            columns(rows),
            "",
            "Test Connection succeeds from now on; nobody is changed and nobody signs in by it before the cut-over.",
            f"Addresses that change: directory company move {company} --emails FILE",
            f"Then stop provisioning in the old tenant, and: directory company move {company} --cut-over",
        ]
    )


def _told_emails(answer: Answer) -> str:
    would = "would change" if answer["dry_run"] else "changed"
    return (
        f"{answer['changed']} e-mail addresses {would}, with them {answer['login_names']} login names; "
        f"{answer['unchanged']} were like this already."
    )


def _told_moved(answer: Answer) -> str:
    return "\n".join(
        [
            f"{answer['company']} is in the new tenant. The old one is refused, for sign-on and for provisioning:",
            columns(
                [
                    ("tokens retired", str(answer["retired_tokens"])),
                    ("people to be linked anew", str(answer["released"])),
                    ("groups removed", str(answer["groups"])),
                    ("sessions ended", str(answer["sessions"])),
                ]
            ),
            "",
            "Start provisioning in the new tenant now. Bring the company's manifest up to date: it names the old tenant still.",
            f"How far it is: directory company move {answer['company']}",
        ]
    )


_STATES = {
    "none": "no move is prepared",
    "prepared": "prepared; the old tenant is live",
    "waiting": "moved; people are still to be named by the new tenant, or to sign in",
    "moved": "moved; everybody is linked",
}


def _told_state(answer: Answer) -> str:
    people = answer["people"]
    rows = [
        (f"{answer['company']}", _STATES[answer["state"]]),
        ("active people", f"{people['people']}, of whom {people['linked']} linked and {people['waiting']} waiting"),
    ]
    if answer["prepared"]:
        rows.append(("prepared since", moment(answer["prepared"]["since"])))
        rows.append(
            ("new tenant, app", f"{answer['prepared']['entra.tenant_id']}, {answer['prepared']['entra.app_id']}")
        )
        rows.append(("addresses outside its domains", str(people["outside"])))
    rows += [("left", f"{one['tenant_id']} at {moment(one['retired_at'])}") for one in answer["retired"]]
    for token in answer["tokens"]:
        rows.append((f"token {token['token_id']}", f"{token['connection']}, last used {moment(token['last_used_at'])}"))
    for kind, id_name in (("secret", "secret_id"), ("federation", "federation_id")):
        for one in answer["oauth"][f"{kind}s"]:
            rows.append((f"{kind} {one[id_name]}", f"{one['connection']}, last used {moment(one['last_used_at'])}"))
    if answer["first_waiting"]:
        rows.append(("waiting, the first", ", ".join(answer["first_waiting"])))
    return columns(rows)
