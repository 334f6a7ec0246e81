"""Companies as plain values, for the tests of the approver rules."""

from collections.abc import Mapping, Sequence
from typing import Any

from hypothesis import strategies as st

from directory.approvers.overview import whole
from directory.approvers.rules import Grant, Person, Structure
from shared.ids import employee_text, new_employee_id


def person(name: str = "Anna", *, manager: "Person | None" = None, **values: Any) -> Person:
    """An active employee; `manager` is one whom Entra named and who is linked."""
    if manager is not None:
        values = {
            "manager_id": manager.employee_id,
            "manager_ref": employee_text(manager.employee_id),
            "manager_owner": "entra",
            **values,
        }
    return Person(
        **{
            "employee_id": new_employee_id(),
            "name": name,
            "state": "active",
            "blocked": False,
            "self_approver": False,
            "setup_admin": False,
            "only_direct_approver": False,
            "manager_id": None,
            "manager_ref": None,
            "manager_owner": None,
            "department_key": None,
            **values,
        }
    )


def company(
    *people: Person, follows: bool = True, grants: Mapping[str, Sequence[tuple[Person, bool]]] | None = None
) -> Structure:
    """`grants`: department -> who approves for it, and whether beside a manager."""
    by_department = {
        department: [Grant(one.employee_id, beside) for one, beside in granted]
        for department, granted in (grants or {}).items()
    }
    return whole(follows_entra=follows, people=people, grants=by_department)


@st.composite
def companies(draw: st.DrawFn) -> Structure:
    """Up to eight people in every state, with any manager, grants and flags."""
    ids = [new_employee_id() for _ in range(draw(st.integers(1, 8)))]
    departments = st.sampled_from([None, "sales", "kitchen"])
    people = []
    for number, employee_id in enumerate(ids):
        manager_id = draw(st.none() | st.sampled_from(ids))
        reference = draw(st.sampled_from([None, "somebody", employee_text(ids[0])]))
        state = draw(st.sampled_from(["active", "active", "suspended"]))
        values: dict[str, Any] = {
            "state": state,
            "blocked": draw(st.booleans()),
            "self_approver": draw(st.booleans()),
            "setup_admin": draw(st.booleans()),
            "only_direct_approver": draw(st.booleans()),
            "manager_id": manager_id,
            "manager_ref": "linked" if manager_id else reference,
            "manager_owner": draw(st.sampled_from(["entra", "hr", "csv"])),
            "department_key": draw(departments),
        }
        people.append(person(f"p{number}", employee_id=employee_id, **values))
    grant = st.tuples(st.sampled_from(people), st.booleans())
    once = st.lists(grant, max_size=3, unique_by=lambda one: one[0].employee_id)
    return company(*people, follows=draw(st.booleans()), grants={"sales": draw(once), "kitchen": draw(once)})
