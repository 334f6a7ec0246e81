"""What the commands of the journal say in words."""

import json
from typing import Any

import msgspec

from directory.cli.text import columns, printable
from shared.schemas.journal import Asked, JournalEntry, Refusal, Written

Answer = dict[str, Any]


def journal(answer: Answer) -> str:
    return printable(_whole(answer) if "entry" in answer else _page(answer))


def _page(answer: Answer) -> str:
    if not answer["entries"]:
        return "Nothing of that in the journal."
    lines = [line for entry in answer["entries"] for line in _lines(entry)]
    if answer["next"]:
        lines += ["", f"  There are older ones: --before {answer['next']}"]
    return "\n".join(lines)


def _lines(entry: JournalEntry) -> list[str]:
    """One or two: the second only where something is to be said."""
    asked = f"{entry.method:<6} {entry.path}{_query(entry)}"
    first = f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.id}  {asked}  {entry.status} {entry.result}, {entry.took_ms:.0f} ms"
    said = "; ".join(_remarks(entry))
    return [first, f"    {said}"] if said else [first]


def _query(entry: JournalEntry) -> str:
    return f"?{entry.query}" if entry.query else ""


def _remarks(entry: JournalEntry) -> list[str]:
    kinds = (
        ("sets", entry.attributes),
        ("ignored", entry.ignored),
        ("understood", entry.coerced),
        ("left out", entry.left_out),
    )
    refused = [" ".join(filter(None, (entry.scim_type, entry.detail)))] if entry.detail else []
    return refused + [f"{kind} {', '.join(names)}" for kind, names in kinds if names]


def _whole(answer: Answer) -> str:
    entry: JournalEntry = answer["entry"]
    rows = [
        ("Entry", entry.id),
        ("Came", f"{entry.at:%Y-%m-%d %H:%M:%S.%f} UTC, answered after {entry.took_ms:.1f} ms"),
        ("Request", f"{entry.method} {entry.path}{_query(entry)}"),
        ("Answer", f"{entry.status} {entry.result}"),
        ("Refused", " ".join(filter(None, (entry.scim_type, entry.detail)))),
        ("Left out", "; ".join(entry.left_out)),
        ("Sets", ", ".join(entry.attributes)),
        ("Ignored", ", ".join(entry.ignored)),
        ("Understood", ", ".join(entry.coerced)),
        ("About", ", ".join(entry.about)),
        ("ActivityId", entry.activity_id),
        ("Request id", entry.request_id),
        ("Credential", answer["credential"]),
        ("Replay", f"directory company replay {answer['company']} {entry.id}" if entry.replayable else ""),
    ]
    changed = ["  Each of its operations has an entry of its own."] if entry.path == "/Bulk" else None
    changed = changed or ["  What it changed:", *_written(answer["written"])]
    lines = [columns([row for row in rows if row[1]]), "", *changed]
    asked: Asked | None = answer["asked"]
    if asked is not None:
        lines += ["", "  Compiled:", f"    {msgspec.json.encode(asked).decode()}"]
    return "\n".join([*lines, "", *_body(answer)])


def _body(answer: Answer) -> list[str]:
    body: str | None = answer["body"]
    if body is None:
        came = answer["body_bytes"]
        return [
            f"  Body: {came} bytes that are not kept, for they cannot be read and may hold a secret."
            if came
            else "  No body."
        ]
    return [
        f"  Body, {answer['body_bytes']} bytes as they came but for secrets:",
        *(f"    {line}" for line in body.splitlines()),
    ]


def _written(written: list[Written]) -> list[str]:
    if not written:
        return ["    nothing"]
    return [line for event in written for line in _event(event)]


def _event(event: Written) -> list[str]:
    group = event.changes.get("group", {}).get("id", "")
    lines = [f"    {event.kind} {event.employee_id or group}".rstrip()]
    for name, change in sorted(event.changes.items()):
        if set(change) == {"before", "after"} and name != "owners":
            lines.append(f"      {name}: {_value(change['before'])} -> {_value(change['after'])}")
        elif name == "members":
            lines += [f"      {how}: {_some(change[how])}" for how in ("added", "removed") if change.get(how)]
    return lines


def _some(ids: list[str], most: int = 5) -> str:
    more = f" and {len(ids) - most} more" if len(ids) > most else ""
    return ", ".join(ids[:most]) + more


def _value(value: object) -> str:
    return "–" if value is None else json.dumps(value, ensure_ascii=False)


def _answered_then(status: int) -> str:
    if status < 400:
        return ""
    condition = " Its condition (If-Match) is not asked again." if status == 412 else ""
    return f"Then it was answered {status}.{condition}\n"


def replayed(answer: Answer) -> str:
    refusal: Refusal | None = answer["refusal"]
    dry, then = answer["dry_run"], _answered_then(answer["answered"])
    if refusal is not None:
        return f"{then}{'It would be' if dry else 'It was'} refused ({refusal.code}): {refusal.detail}"
    if not answer["written"]:
        return f"{then}Everything is so already; nothing is to be done."
    lines = [f"{then}{'It would change:' if dry else 'Done:'}", *_written(answer["written"])]
    if answer["left_out"]:
        lines.append(f"  Only the deactivation; what stands beside it is refused ({answer['left_out']}).")
    if answer["departed"]:
        lines.append(f"  Not into the group, because they have departed: {_some(answer['departed'])}.")
    if dry:
        lines.append(
            f"Nothing was changed. To do it: directory company replay {answer['company']} {answer['entry']} --yes"
        )
    return "\n".join(lines)
