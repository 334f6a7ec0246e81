"""A file of e-mail addresses before and after a move: two columns, `old;new`. Bytes in, rows or every problem out. Pure.

UTF-8 or Windows-1252; `;`, `,` or tab between the columns, as the first line has it; a first line without '@' is a heading.
"""

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass

from directory.companies.fields import FileRefused, Problem
from directory.employees.keys import check_values, search_key
from shared.errors import DomainError
from shared.schemas.employee import EmployeeChanges

MAX_BYTES = 32 * 1024 * 1024
MAX_PROBLEMS = 1000


class MappingRefused(FileRefused):
    sentence = "The addresses were refused; nothing was changed."


@dataclass(frozen=True, slots=True)
class Renamed:
    """One line of the file."""

    line: int
    old: str
    new: str

    @property
    def place(self) -> str:
        return f"line {self.line}"


def read_mapping(raw: bytes) -> list[Renamed]:
    """Raises MappingRefused."""
    if len(raw) > MAX_BYTES:
        raise MappingRefused([Problem("", f"the file has {len(raw)} bytes; at most {MAX_BYTES} are accepted")])
    if b"\x00" in raw:
        raise MappingRefused([Problem("", "the file is not text: save it as CSV UTF-8")])
    problems: list[Problem] = []
    rows = list(_rows(_text(raw), problems))
    _check_twice(rows, problems)
    if not rows and not problems:
        problems.append(
            Problem("", "the file holds no addresses; wanted are lines like anna@old.example;anna@new.example")
        )
    if problems:
        raise MappingRefused(sorted(problems, key=_place)[:MAX_PROBLEMS])
    return rows


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _rows(text: str, problems: list[Problem]) -> Iterator[Renamed]:
    first = text.partition("\n")[0]
    separator = next((one for one in (";", "\t", ",") if one in first), ";")
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        for cells in reader:
            filled = [cell.strip() for cell in cells]
            if not any(filled) or (reader.line_num == 1 and "@" not in "".join(filled)):
                continue
            if (row := _row(reader.line_num, filled, problems)) is not None:
                yield row
    except csv.Error as error:
        problems.append(Problem(f"line {reader.line_num}", f"is not CSV: {error}"))


def _row(line: int, cells: list[str], problems: list[Problem]) -> Renamed | None:
    if len(cells) != 2 or not all(cells):
        problems.append(Problem(f"line {line}", "wanted two addresses, before and after"))
        return None
    row = Renamed(line, *cells)
    for address in cells:
        name, _, domain = address.rpartition("@")
        if not name or not domain or " " in address:
            problems.append(Problem(row.place, f"'{address[:80]}' is no e-mail address"))
            return None
    try:
        check_values(EmployeeChanges(email=row.new))
    except DomainError as error:
        problems.append(Problem(row.place, error.detail))
        return None
    return row


def _check_twice(rows: list[Renamed], problems: list[Problem]) -> None:
    for which in ("old", "new"):
        first: dict[str, int] = {}
        for row in rows:
            address = getattr(row, which)
            line = first.setdefault(search_key(address), row.line)
            if line != row.line:
                problems.append(Problem(row.place, f"'{address}' stands in line {line} already"))


def _place(problem: Problem) -> int:
    return int(problem.field.removeprefix("line ") or 0)
