"""What `directory company logins` says in words."""

import textwrap
from typing import Any

from directory.cli.text import columns, printable
from shared.schemas.traces import Explanation, LoginEntry, Said, TimelineStep

Answer = dict[str, Any]
WIDTH = 110


def logins(answer: Answer) -> str:
    return printable(_whole(answer) if "steps" in answer else _page(answer))


def _page(answer: Answer) -> str:
    lines = [_line(entry) for entry in answer["entries"]]
    explanation: Explanation | None = answer["explanation"]
    if explanation is not None:
        lines = _explained(answer, explanation)
        if never := answer["never_answered_lately"]:
            lines += [
                "",
                f"  Within a day {never} sign-ins of the company were started here and never answered, whosever they were.",
            ]
    elif not lines:
        lines = ["No such sign-in is kept."]
    if answer["next"]:
        lines += ["", f"  There are older ones: --before {answer['next']}"]
    return "\n".join(lines)


def _line(entry: LoginEntry) -> str:
    who = entry.employee_id or (f"NameID {entry.name_id}" if entry.name_id else "")
    marks = ["test" if entry.is_test else "", f"{entry.times} of them" if entry.times > 1 else ""]
    said = ", ".join(filter(None, [entry.outcome, *marks]))
    return f"{entry.at:%Y-%m-%d %H:%M:%S}  {entry.attempt_id or '':<9}  {said:<28}  {who}".rstrip()


def _whole(answer: Answer) -> str:
    entry: LoginEntry = answer["entry"]
    rows = [
        ("Sign-in", f"{entry.attempt_id}{', a test that lets nobody in' if entry.is_test else ''}"),
        ("Outcome", entry.outcome),
        ("Employee", entry.employee_id or ""),
        ("NameID", entry.name_id or ""),
        ("Trace id", entry.trace_id),
    ]
    steps: list[TimelineStep] = answer["steps"]
    lines = [columns([row for row in rows if row[1]]), ""]
    for step in steps:
        lines += _wrapped(f"  {step.at:%Y-%m-%d %H:%M:%S}  ", step.said[answer["language"]])
    explanation: Explanation | None = answer["explanation"]
    if explanation is not None:
        lines += ["", *_explained(answer, explanation)]
    return "\n".join(lines)


def _explained(answer: Answer, explanation: Explanation) -> list[str]:
    said: Said = explanation.said[answer["language"]]
    whose = f" ({answer['person']})" if answer.get("person") else ""
    return [
        f"  {said.title}{whose} ({explanation.code})",
        *_wrapped("    ", said.what),
        *_wrapped("    ", said.remedy),
    ]


def _wrapped(indent: str, text: str) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=" " * len(indent)) or [indent]
