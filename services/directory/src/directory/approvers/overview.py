"""The approval of a whole company at once: what is wrong with whom affected, and what another setting would change. Pure.

One pass over plain values, so that a page about 50,000 people costs three statements and well under a second of computing.
Only active people are affected by anything; the order is stable, and a page begins after the last row of the one before.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from directory.approvers.circles import circles, managers_in_force
from directory.approvers.rules import Grant, Person, Structure, effective
from shared.approval import ProblemKind
from shared.ids import EmployeeId

_ORDER = {kind: number for number, kind in enumerate(ProblemKind)}


class Affected(NamedTuple):
    """One problem of one employee."""

    kind: ProblemKind
    about: EmployeeId | None
    employee_id: EmployeeId


def whole(*, follows_entra: bool, people: Sequence[Person], grants: Mapping[str, Sequence[Grant]]) -> Structure:
    """The structure of everybody who has not departed (and of departed ones whom somebody still names)."""
    open_ended = Structure(follows_entra, {one.employee_id: one for one in people}, grants)
    ring = circles(managers_in_force((one for one in people if one.state != "departed"), open_ended))
    return Structure(follows_entra, open_ended.people, grants, ring)


def problems(structure: Structure) -> list[Affected]:
    """Every problem with everybody whom it affects: the worst kinds first, then by whom it is about."""
    found = [
        Affected(problem.kind, problem.about, person.employee_id)
        for person in _active(structure)
        for problem in effective(person, structure).problems
    ]
    return sorted(found, key=sort_key)


def sort_key(one: Affected) -> tuple[int, bytes, bytes]:
    return _ORDER[one.kind], one.about.bytes if one.about else b"", one.employee_id.bytes


def counts(found: Sequence[Affected]) -> dict[ProblemKind, int]:
    """How many people each kind of problem affects; kinds that affect nobody are left out."""
    affected = Counter(kind for kind, _ in {(one.kind, one.employee_id) for one in found})
    return {kind: affected[kind] for kind in ProblemKind if affected[kind]}


def changed(structure: Structure, other: Structure) -> list[EmployeeId]:
    """For whom other people would approve if it were like the other; who they are is worked out for those who are shown."""
    return [
        person.employee_id
        for person in _active(structure)
        if effective(person, structure).who != effective(person, other).who
    ]


def _active(structure: Structure) -> Iterator[Person]:
    return (one for one in structure.people.values() if one.state == "active")
