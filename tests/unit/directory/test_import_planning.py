"""What an import decides: pure, so also for companies larger than a test would write."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from directory.employees.record import EmployeeRecord, Ownership, owned
from directory.imports.columns import NAMES
from directory.imports.csv_rows import Row
from directory.imports.planning import People, Plan, plan
from directory.imports.remarks import NoteCode, ProblemCode, Remarks
from tests.unit.directory.employee_records import employee

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
BEFORE = datetime(2026, 1, 1, tzinfo=UTC)
PAGE = (Path(__file__).parents[3] / "docs/csv-import.md").read_text(encoding="utf-8")


def row(login: str = "anna@firma.dk", line: int = 2, **values: Any) -> Row:
    mandatory = {"email": login, "given_name": "Anna", "family_name": "Holm"}
    return Row(line=line, login_name=login, **{**mandatory, **values})


def planned(rows: list[Row], *present: EmployeeRecord) -> tuple[Plan, Remarks, Remarks]:
    problems, notes = Remarks(), Remarks()
    return plan(rows, People(present), NOW, problems, notes), problems, notes


def anna(owner: str, **values: Any) -> EmployeeRecord:
    """Everything she has is one owner's, since long."""
    one = employee("anna@firma.dk", given_name="Anna", family_name="Holm", email="anna@firma.dk", **values)
    held = ["login_name", "email", "given_name", "family_name", *values]
    return owned(one, owner, held, BEFORE)  # type: ignore[arg-type]


@pytest.mark.parametrize(("owner", "title", "kept"), [("entra", "Chef", 1), ("hr", "Elev", 0), ("csv", "Elev", 0)])
def test_whose_an_attribute_is_decides_whether_the_file_is_heeded(owner: str, title: str, kept: int) -> None:
    made, problems, _ = planned([row(title="Elev")], anna(owner, title="Chef"))
    after = made.changed[0].after if made.changed else anna(owner, title="Chef")
    assert (after.title, made.kept, problems.count) == (title, kept, 0)


def test_what_entra_never_said_may_be_said_by_a_file_and_is_its_from_then_on() -> None:
    made, _, _ = planned([row(title="Chef", policy="Timeløn")], anna("entra"))
    (change,) = made.changed
    assert (change.after.title, change.after.policy, change.after.version) == (
        "Chef",
        "Timeløn",
        change.before.version + 1,
    )
    assert change.after.owners["title"] == Ownership("csv", NOW)
    assert change.after.owners["login_name"] == Ownership("entra", BEFORE)
    assert change.after.updated_at == NOW


def test_a_file_that_says_the_same_takes_nothing_over() -> None:
    made, _, _ = planned([row(title="Chef")], anna("hr", title="Chef"))
    assert (made.changed, made.unchanged, made.kept) == ([], 1, 0)


def test_a_chain_of_50_000_managers_is_planned_without_following_it() -> None:
    many = 50_000
    rows = [row(f"p{number}", number + 2, email=f"p{number}@d", manager_ref=f"P{number + 1}") for number in range(many)]
    rows[-1] = row(f"p{many - 1}", many + 1, email="last@d", manager_ref="p0")
    made, problems, notes = planned(rows)
    assert (len(made.created), problems.count, notes.count, made.waiting) == (many, 0, 0, 0)
    ids = [one.employee_id for one in made.created]
    assert [one.manager_id for one in made.created] == [*ids[1:], ids[0]]


def test_a_manager_whose_own_row_is_refused_does_no_harm() -> None:
    made, problems, _ = planned([row("a", manager_ref="b"), row("b", 3, email="a")])
    assert (problems.count, [one.manager_id for one in made.created]) == (1, [None])


@pytest.mark.parametrize("code", [*ProblemCode, *NoteCode])
def test_every_code_stands_in_the_documents_with_its_meaning(code: ProblemCode | NoteCode) -> None:
    assert f"| `{code.value}` | {code.meaning} |" in PAGE


def test_every_column_stands_in_the_documents_with_names_that_are_known() -> None:
    listed = {
        name: names for name, names in re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.MULTILINE) if name in NAMES
    }
    assert set(listed) == set(NAMES)
    for column, names in listed.items():
        assert set(names.split(", ")) <= set(NAMES[column]), column
