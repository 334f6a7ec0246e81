"""A company's employees from CSV: bytes in, rows or problems out. Pure.

    bytes -> text (`decoding`) -> rows of cells -> columns (`columns`) -> checked values

Every problem of the file is found in one go, with the line on which its row begins. Cells are trimmed; an empty cell says
nothing. Where the header cannot be used the rows are not judged: every problem of theirs would be the header's.
"""

import csv
import re
from collections.abc import Iterable, Iterator
from datetime import date

import msgspec

from directory.employees.keys import broken_rule
from directory.imports.columns import FIELDS, MANDATORY, column_of, read_header
from directory.imports.dates import NoDateError, read_date
from directory.imports.decoding import text_of
from directory.imports.remarks import ProblemCode, Remarks

MAX_ROWS = 200_000
MAX_CELL = 64 * 1024
DELIMITERS = (",", ";", "\t")

_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")
_SEPARATOR = re.compile(r'"?sep=(.)"?\s*\Z', re.IGNORECASE)
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\Z")
_NAMES = frozenset({"login_name", "email", "manager_login_name"})
_REPEATED = frozenset({"title", "department", "country", "manager_login_name", "policy"})
"""Columns with the same values again and again, of which one is kept."""
_INVISIBLE = re.compile("[\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]")

Cells = tuple[int, list[str]]
"""The line on which a row begins, and its cells, trimmed."""


class Row(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One row, checked. None: the file does not say."""

    line: int
    login_name: str
    email: str
    given_name: str
    family_name: str
    title: str | None = None
    department: str | None = None
    mobile_phone: str | None = None
    work_phone: str | None = None
    country: str | None = None
    employee_number: str | None = None
    manager_ref: str | None = None
    hired_on: date | None = None
    policy: str | None = None
    sound: bool = True
    """False: it has a problem, and is there only to be compared with others by its login name and e-mail."""


def read_rows(data: bytes, today: date, problems: Remarks) -> list[Row]:
    """The rows that have a login name and an e-mail; what is wrong with them is in `problems`."""
    text = text_of(data, problems)
    if text is None:
        return []
    cells = _cells(text, problems)
    header = next(cells, None)
    if header is None:
        if not problems.count:
            problems.add(0, "", ProblemCode.empty_file, "The file is empty.")
        return []
    columns = read_header(header[1], header[0], problems)
    if problems.count:
        return []
    return _checked(cells, columns, today, problems)


def _checked(cells: Iterable[Cells], columns: list[str | None], today: date, problems: Remarks) -> list[Row]:
    rows: list[Row] = []
    seen: dict[str, str] = {}
    many = 0
    for line, values in cells:
        many += 1
        if many > MAX_ROWS:
            problems.add(line, "", ProblemCode.too_large, f"The file has more than {MAX_ROWS:,} rows; split it.")
            break
        row = _row(line, values, columns, today, problems, seen)
        if row is not None:
            rows.append(row)
    if not many and not problems.count:
        problems.add(0, "", ProblemCode.empty_file, "The file has a header and no rows.")
    return rows


def _row(
    line: int, cells: list[str], columns: list[str | None], today: date, problems: Remarks, seen: dict[str, str]
) -> Row | None:
    before = problems.count
    values: dict[str, str | date] = {}
    # Excel leaves out empty cells at the end of a row, so a short row is no broken one.
    for number, value in enumerate(cells):
        column = columns[number] if number < len(columns) else None
        if not value:
            continue
        if column is None:
            told = f"Cell {number + 1} has a value, and the header no name for it; is a delimiter not quoted?"
            problems.add(line, "", ProblemCode.cell_without_column, told)
            break
        if (read := _value(line, column, value, today, problems)) is not None:
            again = seen.setdefault(value, value) if column in _REPEATED else read
            values[FIELDS.get(column, column)] = again
    for column in MANDATORY:
        number = columns.index(column)
        if number >= len(cells) or not cells[number]:
            problems.add(line, column, ProblemCode.missing_value, f"{column} is empty; every row needs one.")
    if problems.count == before:
        return Row(line=line, **values)  # type: ignore[arg-type]
    login_name, email = values.get("login_name"), values.get("email")
    if not isinstance(login_name, str) or not isinstance(email, str):
        return None
    return Row(line=line, login_name=login_name, email=email, given_name="", family_name="", sound=False)


def _value(line: int, column: str, text: str, today: date, problems: Remarks) -> str | date | None:
    if column == "hired_on":
        try:
            return read_date(text, today)
        except NoDateError as error:
            problems.add(line, column, ProblemCode.invalid_date, f"hired_on '{text[:40]}' {error}.")
            return None
    if (wrong := _wrong(column, text)) is not None:
        problems.add(line, column, ProblemCode.invalid_value, wrong)
        return None
    return text


def _wrong(column: str, text: str) -> str | None:
    if "\n" in text or "\r" in text:
        return f"{column} has a line break inside the cell."
    if (rule := broken_rule(FIELDS.get(column, column), text)) is not None:
        return f"{column} {rule}."
    if column not in _NAMES:
        return None
    if (invisible := _INVISIBLE.search(text)) is not None:
        return f"{column} contains an invisible character (U+{ord(invisible[0]):04X}); type it anew."
    if column == "email" and not _EMAIL.match(text):
        return f"'{text}' is no e-mail address."
    return None


def _cells(text: str, problems: Remarks) -> Iterator[Cells]:
    """The rows that have any value, the header first. Ends early where nothing after can be told apart."""
    lines = _Lines(text)
    delimiter = lines.delimiter()
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    while True:
        line = lines.taken + 1
        try:
            cells = [cell.strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            if not _is_readable_after(error, line, problems):
                return
            continue
        if any(len(cell) > MAX_CELL for cell in cells):
            problems.add(line, "", ProblemCode.too_large, f"A cell is longer than {MAX_CELL // 1024} KB.")
        elif any(cells):
            yield line, cells


def _is_readable_after(error: csv.Error, line: int, problems: Remarks) -> bool:
    told = str(error)
    if "field limit" in told:
        sentence = "A cell that begins in this row is longer than 64 KB; perhaps a quotation mark is not closed."
        problems.add(line, "", ProblemCode.too_large, sentence)
        return False
    closed = "unexpected end" not in told
    sentence = (
        "Something follows a closing quotation mark; a quotation mark inside a quoted cell is written twice."
        if closed
        else "A quotation mark that is opened in this row is not closed before the end of the file."
    )
    problems.add(line, "", ProblemCode.bad_quotes, sentence)
    return closed


class _Lines:
    """The text's lines, counted as they are taken, so that a row knows where it begins."""

    def __init__(self, text: str) -> None:
        self._lines = (found[0] for found in _LINE.finditer(text))
        self._ahead: list[str] = []
        self.taken = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._ahead.pop() if self._ahead else next(self._lines)
        self.taken += 1
        return line

    def delimiter(self) -> str:
        """From a first line `sep=;`, which is consumed, or from the header: by which most of its columns are known."""
        header = ""
        while not header.strip():
            header = next(self._lines, None) or ""
            if not header:
                return DELIMITERS[0]
            self.taken += 1
        if (named := _SEPARATOR.match(header)) is not None and named[1] in DELIMITERS:
            return named[1]
        self.taken -= 1
        self._ahead = [header]
        return max(DELIMITERS, key=lambda one: _known_columns(header, one))


def _known_columns(header: str, delimiter: str) -> int:
    # A header with a line break inside a cell is not whole here: not strict, this is only a look.
    try:
        cells = next(csv.reader([header], delimiter=delimiter), [])
    except csv.Error:
        return 0
    return sum(column_of(cell) is not None for cell in cells)
