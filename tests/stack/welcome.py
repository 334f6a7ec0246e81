"""What is printed when everything is up: addresses, people, and what to try."""

import shlex
from collections.abc import Sequence
from pathlib import Path

from tests.stack import furnishing
from tests.stack.demo import DemoCompany
from tests.stack.options import Options


def welcome(options: Options, companies: list[DemoCompany], seconds: float) -> str:
    lines = ["", f"Ready after {seconds:.1f} s.", ""]
    rows = [
        ("sign-on", options.url("sso-gateway"), "browsers; sso-gateway"),
        ("provisioning", f"{options.url('scim-ingest')}/scim/v2/COMPANY", "Entra's Tenant URL; scim-ingest"),
        ("directory", options.url("directory"), "internal only"),
    ]
    if options.demo:
        rows.append(("Entra simulator", f"{options.url('entra simulator')}/", "people, SCIM exchanges, My Apps"))
    lines += _table(("what", "address", "for"), rows)
    for company in companies:
        lines += ["", f"{company.name}: {company.sign_on_url}", *_people(company)]
    if companies:
        lines += ["", "Try it:", *_steps(options, companies[0])]
    else:
        lines += ["", f"No company yet. Set one up: {_command(options)} company apply -f company.yaml"]
    return "\n".join([*lines, "", "Ctrl-C stops everything; the data stays.", ""])


def _steps(options: Options, company: DemoCompany) -> list[str]:
    command = f"{_command(options)} company"
    steps = [
        f"  1. Open {company.sign_on_url} and choose a person: no password, it is a simulation.",
        f"  2. Open {options.url('entra simulator')}/ and block or unassign the same person.",
        "  3. Reload the first page: signed out.",
    ]
    if company.credential:
        feed = f"{options.url('directory')}/v1/companies/{company.company}/events?after=0&limit=5"
        steps += [
            "  4. In another terminal, as HR: who approves for somebody and why, what is left to do, what else there is.",
            f"     {command} approvers {company.company} {furnishing.IMPORTED}",
            f"     {command} work-list {company.company}",
            f"     {command} --help",
            "  5. As the BitaBIZ application: what has happened so far.",
            f"     curl -s -H 'Authorization: Bearer {company.credential}' '{feed}'",
            "  6. As the mobile app: sign in by OpenID Connect, and see what an app is given.",
            f"     .venv/bin/python -m tests.stack.phone {options.url('sso-gateway')}",
        ]
    return steps


def _command(options: Options) -> str:
    """As it is typed in the folder of `make run`."""
    program = ".venv/bin/directory"
    here = Path.cwd()
    if options.folder == here / ".local":
        return program
    folder = options.folder.relative_to(here) if options.folder.is_relative_to(here) else options.folder
    return f"LOCAL_DIR={shlex.quote(str(folder))} {program}"


def _people(company: DemoCompany) -> list[str]:
    shown = [f"{name} <{user}>" for name, user in company.people[:4]]
    more = len(company.people) - len(shown)
    return [f"  {line}" for line in shown] + ([f"  … and {more} more on the sign-in page"] if more > 0 else [])


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> list[str]:
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return [
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    ]
