"""The help of `directory company`: what there is to do, grouped by what somebody is about to do. A test keeps it whole."""

import argparse
from collections.abc import Mapping

GROUPS: dict[str, tuple[str, ...]] = {
    "set a company up": (
        "apply",
        "diff",
        "show",
        "list",
        "certificate",
        "scim-token",
        "oauth-client",
        "federation",
        "app-credential",
    ),
    "see to what waits": (
        "work-list",
        "finish-work",
        "findings",
        "rehire",
        "confirm",
        "confirm-cleared",
        "brake",
        "provisioning",
    ),
    "look after people": (
        "import",
        "add",
        "employee",
        "edit",
        "block",
        "unblock",
        "sessions",
        "end-employment",
        "release-attribute",
    ),
    "say who approves": ("approvers", "role", "approval"),
    "see what Entra sent": ("journal", "replay", "logins"),
    "prove the history": ("verify-history",),
    "change the Entra tenant": ("move",),
    "end a company": ("export", "delete", "restore", "ended"),
}

EXAMPLES = """\
examples:
  directory company apply -f contoso.yaml
  directory company import contoso people.csv --dry-run
  directory company employee contoso anna@contoso.com --at 2026-01-31T23:00:00Z
  directory company edit contoso anna@contoso.com --set policy=Standard --set hired_on=2026-02-01
  directory company role contoso bo@contoso.com --grant approver --department Salg
  directory company approvers contoso anna@contoso.com
  directory company journal contoso --person anna@contoso.com --refused
  directory company logins contoso anna@contoso.com
  directory company oauth-client contoso --new-secret --expires-days 730
  directory company certificate contoso --add metadata.xml
  directory company app-credential contoso --scope employees:read --scope events:read
  directory company verify-history contoso --expect 4711:9f86d0…

COMPANY is its name in the manifest. Whoever has departed is named by id, everybody else by login name or id.
Each knows --help and --json. Exit status: 0 done, 1 refused, with a sentence that says what to do, 2 wrong usage."""


def help_text(parsers: Mapping[str, argparse.ArgumentParser]) -> str:
    """Every subcommand with its one line, and examples."""
    width = max(map(len, parsers))
    groups = (
        "\n".join([f"{title}:", *(f"  {name:<{width}}  {parsers[name].description}" for name in names)])
        for title, names in GROUPS.items()
    )
    return "\n\n".join([*groups, EXAMPLES])
