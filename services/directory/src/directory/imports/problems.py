"""What can be wrong with an import: every code once, with its meaning, and the problems of one file, bounded. Pure.

`docs/csv-import.md` lists the codes. A problem names the line of the file on which the row begins, as an editor counts it;
line 0 is the file as a whole.
"""

from enum import StrEnum

import msgspec

MAX_LISTED = 1000
"""Problems that are listed one by one; the rest is counted."""


class ProblemCode(StrEnum):
    """The value is what machines see."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> "ProblemCode":
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member

    empty_file = "empty_file", "The file is empty, or has a header and no rows"
    too_large = "too_large", "More than 50 MB, more than 200,000 rows, or a cell of more than 64 KB"
    not_csv = "not_csv", "Excel workbook, PDF, ZIP or other binary under a CSV's name"
    bad_encoding = "bad_encoding", "Neither UTF-8, UTF-16 with byte order mark, nor Windows-1252"
    bad_quotes = "bad_quotes", "A quotation mark is not closed, or something follows a closing one"
    unknown_column = "unknown_column", "A header that means no column"
    duplicate_column = "duplicate_column", "Two headers mean the same column"
    missing_column = "missing_column", "A mandatory column is missing"
    cell_without_column = "cell_without_column", "A row has a value where the header has no name"
    missing_value = "missing_value", "A mandatory cell is empty"
    invalid_value = "invalid_value", "Too long, a control character, or no e-mail address"
    invalid_date = "invalid_date", "No date, a date that does not exist, or one out of range"
    duplicate_row = "duplicate_row", "The file has the same login name or e-mail twice"
    login_taken = "login_taken", "The login name is a suspended employee's"
    email_taken = "email_taken", "The e-mail is another employee's, active or suspended"


class Problem(msgspec.Struct, frozen=True):
    line: int
    column: str
    """The field's name, or empty where the whole row or file is meant."""
    code: ProblemCode
    sentence: str


class Problems:
    """All problems of one file: the first ones in full, every one counted."""

    def __init__(self) -> None:
        self.listed: list[Problem] = []
        self.count = 0

    def add(self, line: int, column: str, code: ProblemCode, sentence: str) -> None:
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(Problem(line, column, code, sentence))

    def in_order(self) -> list[Problem]:
        return sorted(self.listed, key=lambda one: one.line)
