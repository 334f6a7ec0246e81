"""What is printed when everything is up: addresses, people, and what to try."""

from collections.abc import Sequence

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
        first = companies[0]
        lines += [
            "",
            "Try it:",
            f"  1. Open {first.sign_on_url} and choose a person: no password, it is a simulation.",
            f"  2. Open {options.url('entra simulator')}/ and block or unassign the same person.",
            "  3. Reload the first page: signed out.",
        ]
    else:
        lines += ["", "No company yet. Set one up: .venv/bin/directory company apply -f company.yaml"]
    return "\n".join([*lines, "", "Ctrl-C stops everything; the data stays.", ""])


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
