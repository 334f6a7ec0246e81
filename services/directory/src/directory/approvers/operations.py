"""What is asked about approvers: who approves for one employee, what is wrong in the company, what another setting would change.

Nothing is written here. One employee costs three statements, a whole company three more; its computing is done in a thread, so
that a company of 50,000 holds up nobody else.
"""

import asyncio
from collections.abc import Sequence

from directory.access import setup
from directory.approvers import answers, overview, store
from directory.approvers.rules import Person, Structure, effective
from directory.database import CompanyTx, Database
from directory.employees.lifecycle import not_found
from directory.employees.people import find
from shared.approval import ProblemKind
from shared.errors import DomainError, ErrorCode
from shared.ids import EmployeeId, employee_text
from shared.schemas import approvers as schema

MAX_LIMIT = 1000
CIRCLE_STEPS = 1000
"""How far one employee's managers are followed to see whether they come round; the company's overview knows no such end."""


async def explain(database: Database, request: schema.ExplainApprovers) -> schema.ExplainedApprovers:
    async with setup(database, request.session, reading=True) as tx:
        return await explain_approvers(tx, await find(tx, request.person))


async def problems(database: Database, request: schema.ListApprovalProblems) -> schema.ApprovalProblems:
    async with setup(database, request.session, reading=True) as tx:
        _check_limit(request.limit)
        return await list_problems(tx, kinds=request.kinds, after=request.after, limit=request.limit)


async def preview(database: Database, request: schema.PreviewFollowing) -> schema.FollowingPreview:
    async with setup(database, request.session, reading=True) as tx:
        _check_limit(request.limit)
        return await preview_following(
            tx, follow=request.follow_entra_managers, after=request.after, limit=request.limit
        )


async def explain_approvers(tx: CompanyTx, employee_id: EmployeeId) -> schema.ExplainedApprovers:
    """Raises DomainError `not_found` for whoever is not there, or has departed."""
    found = await store.explained(tx, employee_id)
    if found is None:
        raise not_found()
    person = found.person
    people, grants = await store.concerned(tx, person)
    circle = await _circle(tx, person, follows_entra=found.follows_entra)
    everybody = {one.employee_id: one for one in (*people, person)}
    circles = {employee_id: min(circle)} if circle else {}
    structure = Structure(found.follows_entra, everybody, grants, circles)
    told = effective(person, structure)
    return schema.ExplainedApprovers(
        employee_id=employee_text(employee_id),
        name=person.name,
        follows_entra_managers=found.follows_entra,
        approvers=answers.approvers(told, structure),
        direct=answers.direct(told, person, structure, since=found.manager_since),
        problems=answers.problems(told),
        circle=[employee_text(one) for one in circle],
        only_direct_approver=person.only_direct_approver,
        roles=list(found.roles),
        approver_by_reports=found.has_reports,
        departments=found.departments,
    )


async def list_problems(
    tx: CompanyTx, *, kinds: Sequence[ProblemKind] = (), after: str | None = None, limit: int = 100
) -> schema.ApprovalProblems:
    """Every problem with everybody whom it affects, a page of them; `limit` is 1 at least.

    Raises:
        DomainError: `invalid_request` for an `after` that no page gave.
    """
    last = answers.read_cursor(after) if after is not None else None
    follows_entra, (people, grants) = await store.follows_entra(tx), await store.everybody(tx)

    def page() -> schema.ApprovalProblems:
        structure = overview.whole(follows_entra=follows_entra, people=people, grants=grants)
        found = overview.problems(structure)
        asked = [one for one in found if not kinds or one.kind in kinds]
        rest = [one for one in asked if last is None or overview.sort_key(one) > overview.sort_key(last)]
        return schema.ApprovalProblems(
            follows_entra_managers=follows_entra,
            affected={kind.value: many for kind, many in overview.counts(found).items()},
            problems=[answers.affected(one, structure) for one in rest[:limit]],
            next=answers.cursor(rest[limit - 1]) if len(rest) > limit else None,
        )

    return await asyncio.to_thread(page)


async def preview_following(
    tx: CompanyTx, *, follow: bool, after: str | None = None, limit: int = 100
) -> schema.FollowingPreview:
    """For whom others would approve under that setting, before and after; nothing is written."""
    last = answers.read_employee(after) if after is not None else None
    follows_entra, (people, grants) = await store.follows_entra(tx), await store.everybody(tx)

    def page() -> schema.FollowingPreview:
        now = overview.whole(follows_entra=follows_entra, people=people, grants=grants)
        then = overview.whole(follows_entra=follow, people=people, grants=grants)
        found = overview.changed(now, then)
        rest = [one for one in found if last is None or one > last]
        return schema.FollowingPreview(
            follows_entra_managers=follows_entra,
            changed=len(found),
            changes=[answers.changed(one, now, then) for one in rest[:limit]],
            next=employee_text(rest[limit - 1]) if len(rest) > limit else None,
        )

    return await asyncio.to_thread(page)


async def _circle(tx: CompanyTx, person: Person, *, follows_entra: bool) -> list[EmployeeId]:
    """From this person round to him again; empty where his managers lead elsewhere."""
    if person.manager_id is None:
        return []
    managers = await store.walk_of_managers(tx, person.employee_id, follows_entra=follows_entra, steps=CIRCLE_STEPS)
    walk, one = [person.employee_id], managers.get(person.employee_id)
    for _ in managers:
        if one is None or one == person.employee_id:
            break
        walk.append(one)
        one = managers.get(one)
    return walk if one == person.employee_id else []


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LIMIT:
        raise DomainError(ErrorCode.invalid_request, f"limit is 1 to {MAX_LIMIT}.", field="limit")
