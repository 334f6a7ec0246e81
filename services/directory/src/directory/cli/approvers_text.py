"""Answers about approval, set for people."""

from collections.abc import Iterator
from typing import Any

from shared.approval import DirectStatus, ProblemKind, Reason


def told(answer: dict[str, Any]) -> str:
    """Whichever was asked for: one employee, a preview, the company's problems or their numbers."""
    if "direct" in answer:
        lines = _employee(answer)
    elif "changes" in answer:
        lines = _preview(answer)
    else:
        lines = _company(answer)
    return "\n".join(lines)


def decided(answer: dict[str, Any]) -> str:
    """After a role or flag was given or taken away."""
    head = "has now" if answer["changed"] else "had already"
    roles = ", ".join(answer["roles"]) or "no role"
    departments = f", approves for {', '.join(answer['departments'])}" if answer["departments"] else ""
    only = ", is approved by the direct approver alone" if answer["only_direct_approver"] else ""
    return f"{answer['employee']} ({answer['employee_id']}) {head}: {roles}{departments}{only}."


def affected(company: str, answer: dict[str, Any], *, follow: bool) -> str:
    """Under `diff`, where the manifest switches the setting."""
    changed, employees = answer["changed"], answer["employees"]
    if not changed:
        return "  Everybody keeps his approvers."
    more = ", …" if changed > len(employees) else ""
    return (
        f"  For {_people(changed)} others would approve: {', '.join(employees)}{more}\n"
        f"  Before and after: directory company approvers {company} --preview {'on' if follow else 'off'}"
    )


def _employee(answer: dict[str, Any]) -> Iterator[str]:
    direct = answer["direct"]
    yield f"{answer['name']} ({answer['employee_id']})"
    yield from _list("approved by", [_approver(one) for one in answer["approvers"]] or ["nobody"])
    by = f", named by {direct['source']}" if direct["source"] else ""
    since = f" since {direct['since'][:16].replace('T', ' ')}" if direct["since"] else ""
    who = direct["name"] or direct["reference"] or "–"
    yield from _list("direct approver", [f"{who}{by}{since}: {DirectStatus[direct['status']].en}"])
    yield from _list("problem", [_problem(one["kind"], one["about"]) for one in answer["problems"]])
    yield from _list("circle", answer["circle"])
    roles = [*answer["roles"], *(["approver (has reports)"] if answer["approver_by_reports"] else [])]
    yield from _list("own roles", roles)
    yield from _list("approves for", answer["departments"])
    if answer["only_direct_approver"]:
        yield from _list("set by HR", ["only the direct approver approves"])


def _preview(answer: dict[str, Any]) -> Iterator[str]:
    yield _follows(answer)
    if not answer["changes"]:
        yield "Everybody would keep his approvers."
        return
    yield f"For {_people(answer['changed'])} others would approve:"
    for one in answer["changes"]:
        yield f"  {one['name']} ({one['employee_id']})"
        yield f"    now   {_approvers(one['before'])}"
        yield f"    then  {_approvers(one['after'])}"


def _company(answer: dict[str, Any]) -> Iterator[str]:
    yield _follows(answer)
    if not answer["affected"]:
        yield "Nothing is wrong with anybody's approval."
        return
    for kind, many in answer["affected"].items():
        yield f"  {many:>6}  {kind}: {ProblemKind[kind].en}"
    if "problems" not in answer:
        yield f"With everybody whom it affects: directory company approvers {answer['company']} --problems"
        return
    for one in answer["problems"]:
        about = f", about {one['about_name']} ({one['about']})" if one["about"] else ""
        yield f"  {one['kind']}: {one['name']} ({one['employee_id']}){about}"


def _follows(answer: dict[str, Any]) -> str:
    return (
        f"{answer['company']} {'follows' if answer['follows_entra_managers'] else 'does not follow'} Entra's managers."
    )


def _list(name: str, rows: list[str]) -> Iterator[str]:
    for number, row in enumerate(rows):
        yield f"  {'' if number else name:<16}  {row}"


def _approver(one: dict[str, Any]) -> str:
    return f"{one['name']} ({one['employee_id']}): {Reason[one['reason']].en}"


def _approvers(found: list[dict[str, Any]]) -> str:
    return ", ".join(f"{one['name']} ({one['reason']})" for one in found) or "nobody"


def _problem(kind: str, about: str | None) -> str:
    return f"{kind}: {ProblemKind[kind].en}" + (f" ({about})" if about else "")


def _people(many: int) -> str:
    return "1 employee" if many == 1 else f"{many} employees"
