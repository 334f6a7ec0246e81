"""What can be said about an import's rows: every problem and every note once, with its meaning, and a bounded list. Pure.

A problem refuses the whole file, a note does not; `docs/csv-import.md` lists the codes. A remark names the line of the file on
which the row begins, as an editor counts it; line 0 is the file as a whole.
"""

from enum import StrEnum
from typing import Self

import msgspec

MAX_LISTED = 1000
"""Remarks that are listed one by one; the rest is counted."""


class RemarkCode(StrEnum):
    """The value is what machines see."""

    meaning: str

    def __new__(cls, name: str, meaning: str) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.meaning = meaning
        return member


class ProblemCode(RemarkCode):
    empty_file = "empty_file", "The file is empty, or has a header and no rows"
    too_large = "too_large", "More than 50 MB, 200,000 rows or 200 columns, or a cell of more than 64 KB"
    not_csv = "not_csv", "Excel workbook, PDF, ZIP or other binary under a CSV's name"
    bad_encoding = "bad_encoding", "Neither UTF-8, UTF-16 with byte order mark, nor Windows-1252"
    bad_quotes = "bad_quotes", "A quotation mark is not closed, or something follows a closing one"
    unknown_column = "unknown_column", "A header that means no column"
    duplicate_column = "duplicate_column", "Two headers mean the same column"
    missing_column = "missing_column", "A mandatory column is missing"
    cell_without_column = "cell_without_column", "A row has a value where the header has no name"
    missing_value = "missing_value", "A mandatory cell is empty"
    invalid_value = "invalid_value", "Too long, a control character or line break, or no e-mail address"
    invalid_date = "invalid_date", "No date, a date that does not exist, or one out of range"
    duplicate_row = "duplicate_row", "Two rows have the same login name or the same e-mail"
    login_taken = "login_taken", "The login name is a suspended employee's"
    email_taken = "email_taken", "The e-mail is another employee's than the login name, active or suspended"


class NoteCode(RemarkCode):
    manager_waiting = "manager_waiting", "Nobody has the manager's login name yet; the link is made when he appears"
    manager_self = "manager_self", "Somebody is his own manager"
    unknown_country = "unknown_country", "The country's spelling is not known, so that he is in no calendar group"


class Remark(msgspec.Struct, frozen=True):
    line: int
    column: str
    """The column's name, or empty where the whole row or file is meant."""
    code: RemarkCode
    sentence: str


class Remarks:
    """What is to be said about one file: the first remarks in full, every one counted."""

    def __init__(self) -> None:
        self.listed: list[Remark] = []
        self.count = 0

    def add(self, line: int, column: str, code: RemarkCode, sentence: str) -> None:
        self.count += 1
        if len(self.listed) < MAX_LISTED:
            self.listed.append(Remark(line, column, code, sentence))

    def in_order(self) -> list[Remark]:
        return sorted(self.listed, key=lambda one: one.line)
