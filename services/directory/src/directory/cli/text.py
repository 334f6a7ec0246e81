"""The commands' answers, set for people."""

import unicodedata
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from directory.cli.approvers_text import affected


def applied(answer: dict[str, Any]) -> str:
    company, sso, provisioning = answer["company"], answer["sso"], answer["provisioning"]
    if answer["created"]:
        head = f"{company} is on board."
    elif answer["changed"]:
        head = f"{company} changed: {', '.join(answer['changed'])}."
    else:
        head = f"{company} was like this already; nothing changed."
    parts = [
        head,
        "",
        "In Entra: Enterprise app, Single sign-on, SAML, Basic SAML Configuration",
        columns(
            [
                ("Identifier (Entity ID)", sso["identifier"]),
                ("Reply URL (Assertion Consumer Service URL)", sso["reply_url"]),
                ("Sign on URL", sso["sign_on_url"]),
                ("Logout URL", sso["logout_url"]),
            ]
        ),
        "",
        "In Entra: Enterprise app, Provisioning, Admin Credentials",
        columns(
            [
                ("Tenant URL", provisioning["tenant_url"]),
                (
                    "Secret Token",
                    provisioning.get("token") or f"unchanged; one more: directory company scim-token {company}",
                ),
            ]
        ),
    ]
    if "token" in provisioning:
        parts += ["", "The secret token is shown this once; only its hash is kept."]
    return "\n".join(parts)


def issued_or_revoked(answer: dict[str, Any]) -> str:
    return f"{answer['revoked']} is refused from now on." if "revoked" in answer else issued(answer)


def issued(answer: dict[str, Any]) -> str:
    provisioning = answer["provisioning"]
    return "\n".join(
        [
            columns(
                [
                    ("Tenant URL", provisioning["tenant_url"]),
                    ("Secret Token", provisioning["token"]),
                    ("Token id", provisioning["token_id"]),
                    ("Expires", moment(provisioning["expires_at"])),
                ]
            ),
            "",
            "The secret token is shown this once. Older tokens stay valid until they are revoked:",
            f"  directory company scim-token {answer['company']} --revoke TOKEN_ID",
        ]
    )


def differences(answer: dict[str, Any]) -> str:
    if not answer["changes"]:
        return f"{answer['company']} is like this already; apply would change nothing."
    lines = [f"apply would change {answer['company']}:"]
    for field, change in answer["changes"].items():
        lines.append(f"  {field}: {_value(change['before'])} -> {_value(change['after'])}")
    if "approvers" in answer:
        follow = answer["changes"]["approvers.follow_entra_managers"]["after"]
        lines.append(affected(answer["company"], answer["approvers"], follow=follow))
    return "\n".join(lines)


def _days(number: int | None) -> str:
    return "never" if number is None else f"{number} days"


def _signed_in_for(hours: int, idle_minutes: int) -> str:
    rests = f", and {idle_minutes} minutes without use" if idle_minutes else ""
    return f"{hours} hours{rests} at most"


def _months(number: int | None) -> str:
    return "never" if number is None else f"{number} months"


def shown(answer: dict[str, Any]) -> str:
    sso, provisioning, employees = answer["sso"], answer["provisioning"], answer["employees"]
    lines = [
        columns(
            [
                ("Company", f"{answer['company']} ({answer['name']})"),
                ("Time zone, language", f"{answer['time_zone']}, {answer['language']}"),
                ("Entra tenant, app", f"{answer['entra']['tenant_id']}, {answer['entra']['app_id']}"),
                ("Group", f"{_value(answer['entra']['group_name'])} ({_value(answer['entra']['group_id'])})"),
                ("Sign-on", _switch(sso["enabled"])),
                ("  Identifier", sso["identifier"]),
                ("  Reply URL", sso["reply_url"]),
                ("  Metadata", sso["metadata"]),
                ("  Sign-ins kept", f"{sso['traces_days']} days"),
                ("  Signed in for", _signed_in_for(sso["session_hours"], sso["idle_minutes"])),
                (
                    "Provisioning",
                    _switch(provisioning["enabled"]) + (", strict mode" if provisioning["strict"] else ""),
                ),
                ("  Tenant URL", provisioning["tenant_url"]),
                ("  Token endpoint", provisioning["oauth"]["token_endpoint"]),
                ("  Client identifier", provisioning["oauth"]["client_id"]),
                ("  Journal kept", f"{provisioning['journal_days']} days"),
                (
                    "  Brake",
                    f"more than {answer['brake']['people']} people and {answer['brake']['percent']} % within an hour",
                ),
                ("Returns ask HR after", _days(answer["rehire"]["ask_after_days"])),
                ("Erased after", _months(answer["retention"]["erase_after_months"])),
                ("Employees", ", ".join(f"{count} {state}" for state, count in employees.items())),
                *([("Closed, deleted on", moment(answer["ends_at"]))] if answer["ends_at"] else []),
            ]
        ),
        "",
        table(
            ("Certificate", "valid until", "last signed"),
            (
                (entry["fingerprint"][:16] + "…", moment(entry["not_after"]), moment(entry["last_signed_at"]))
                for entry in sso["certificates"]
            ),
        ),
        "",
        table(
            ("SCIM token", "connection", "issued", "last used", "expires", "revoked"),
            (
                (
                    entry["token_id"],
                    entry["connection"],
                    *(moment(entry[when]) for when in ("created_at", "last_used_at", "expires_at", "revoked_at")),
                )
                for entry in provisioning["tokens"]
            ),
        ),
        "",
        oauth_secrets(provisioning["oauth"]["secrets"]),
        "",
        federations(provisioning["oauth"]["federations"]),
        "",
        table(
            ("Application credential", "scopes", "issued", "last used", "expires", "revoked"),
            (
                (
                    entry["credential_id"],
                    ", ".join(entry["scopes"]),
                    *(moment(entry[when]) for when in ("created_at", "last_used_at", "expires_at", "revoked_at")),
                )
                for entry in answer["application"]["credentials"]
            ),
        ),
    ]
    return "\n".join(lines)


def oauth_secrets(secrets: list[dict[str, Any]]) -> str:
    return table(
        ("OAuth client secret", "connection", "issued", "last used", "expires", "revoked"),
        (
            (
                entry["secret_id"],
                entry["connection"],
                *(moment(entry[when]) for when in ("created_at", "last_used_at", "expires_at", "revoked_at")),
            )
            for entry in secrets
        ),
    )


def federations(trusted: list[dict[str, Any]]) -> str:
    return table(
        ("Federation", "connection", "since", "last used", "revoked", "issuer, audience, subject"),
        (
            (
                entry["federation_id"],
                entry["connection"],
                *(moment(entry[when]) for when in ("created_at", "last_used_at", "revoked_at")),
                " ".join(entry[claim] for claim in ("issuer", "audience", "subject")),
            )
            for entry in trusted
        ),
    )


def listed(answer: dict[str, Any]) -> str:
    if not answer["companies"]:
        return "No company yet. Set one up: directory company apply -f company.yaml"
    return table(
        ("Company", "name", "sign-on", "provisioning", "since", "ends"),
        (
            (
                row["company"],
                row["name"],
                _switch(row["sso"]),
                _switch(row["provisioning"]),
                *(moment(row[when]) for when in ("created_at", "ends_at")),
            )
            for row in answer["companies"]
        ),
    )


def exported(answer: dict[str, Any]) -> str:
    return f"{answer['file']}: {answer['all']} rows of {answer['company']}, SHA-256 of all but the last line {answer['sha256']}"


def closed_or_deleted(answer: dict[str, Any]) -> str:
    if "receipt" in answer:
        return ended({"ended": [answer["receipt"]]})
    company = answer["company"]
    return "\n".join(
        [
            f"{company} is closed: sign-on and provisioning are refused, everybody is signed out.",
            f"Everything it has is deleted after {moment(answer['ends_at'])} UTC, by `directory sweep`. Until then:",
            f"  directory company export {company} -o FILE    everything it has, as JSON Lines",
            f"  directory company restore {company}           opens it again",
        ]
    )


def ended(answer: dict[str, Any]) -> str:
    if not answer["ended"]:
        return "No company was deleted."
    return "\n\n".join(_receipt(receipt) for receipt in answer["ended"])


def _receipt(receipt: Any) -> str:
    when = f"deleted on {moment(receipt.deleted_at)}" if receipt.deleted_at else "being deleted; sweep goes on with it"
    head = [
        ("Company", f"{receipt.company} ({receipt.company_id})"),
        ("", when),
        ("Last event", f"{receipt.sequence}:{receipt.hash}" if receipt.hash is not None else "–"),
    ]
    return columns([*head, *((name, str(rows)) for name, rows in sorted(receipt.rows_deleted.items()) if rows)])


def columns(rows: list[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"  {name.ljust(width)}  {value}" for name, value in rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    table = [head, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(head))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in table
    )


def moment(at: datetime | None) -> str:
    return at.strftime("%Y-%m-%d %H:%M") if at else "–"


def _switch(on: bool) -> str:
    return "on" if on else "off"


def _value(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(entry)[:16] for entry in value) or "–"
    return "–" if value is None else str(value)


def printable(text: str) -> str:
    """What a sender wrote must not move the cursor of whoever reads it."""
    return "".join(one if one == "\n" or unicodedata.category(one) != "Cc" else "\ufffd" for one in text)
