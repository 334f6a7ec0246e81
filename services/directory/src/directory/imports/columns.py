"""The columns of an import: what they are called in English and Danish, and which employee field they fill. Pure.

Case, spaces, '_', '-' and other signs in a header make no difference; a header that means no column is refused with the name
that it resembles, because a column that is silently left out is found by nobody.
"""

import difflib
import unicodedata
from collections.abc import Sequence

from directory.imports.remarks import ProblemCode, Remarks

NAMES: dict[str, tuple[str, ...]] = {
    "login_name": ("login_name", "LoginName", "Login", "User name", "userPrincipalName", "UPN", "Brugernavn", "Loginnavn"),
    "email": ("email", "E-mail", "E-mail address", "Mail", "Email adresse", "E-mailadresse", "Mailadresse"),
    "given_name": ("given_name", "First name", "Fornavn", "Fornavne"),
    "family_name": ("family_name", "Last name", "Surname", "Efternavn"),
    "title": ("title", "Job title", "Jobtitel", "Titel", "Stilling"),
    "department": ("department", "Afdeling"),
    "mobile": ("mobile", "Mobile phone", "Mobile number", "Mobilnummer", "Mobil", "Mobiltelefon"),
    "phone": ("phone", "Work phone", "Office phone", "Telephone number", "Telefon", "Telefon (kontor)", "Telefonnummer"),
    "country": (
        "country", "Country/region", "Country/region/calendar group", "Calendar group",
        "Land", "Land/region", "Land/region/kalendergruppe", "Kalendergruppe",
    ),
    "employee_number": (
        "employee_number", "Employee ID", "Employee no", "Payroll number", "Payroll no",
        "Medarbejdernummer", "Medarbejdernr", "Lønnummer", "Lønnr", "Loennummer", "Lonnummer",
    ),
    "manager_login_name": (
        "manager_login_name", "Manager", "Direct approver", "Approver", "Approved by",
        "Direkte godkender", "Godkender", "Godkendes af", "Leder", "Nærmeste leder",
    ),
    "hired_on": (
        "hired_on", "Hire date", "Hired", "Date of employment", "Employment date", "Start date",
        "Ansættelsesdato", "Ansaettelsesdato", "Ansat", "Ansat den", "Startdato",
    ),
    "policy": ("policy", "Politik", "Ferieregel", "Regelsæt"),
}  # fmt: skip
"""Column -> the headers that mean it; the first one is written in templates and problems."""

FIELDS = {"mobile": "mobile_phone", "phone": "work_phone", "manager_login_name": "manager_ref"}
"""Column -> employee field, where they differ."""

MAX_COLUMNS = 200

MANDATORY = ("login_name", "email", "given_name", "family_name")
"""S23, without "active": an import brings active people."""


def header_key(header: str) -> str:
    return "".join(one for one in unicodedata.normalize("NFKC", header).casefold() if one.isalnum())


_DANISH = {"login_name": "Brugernavn", "email": "E-mail", "given_name": "Fornavn", "family_name": "Efternavn"}

_BY_KEY = {header_key(name): column for column, names in NAMES.items() for name in names}
_AS_WRITTEN = {header_key(name): name for names in NAMES.values() for name in names}


def column_of(header: str) -> str | None:
    return _BY_KEY.get(header_key(header))


def read_header(headers: Sequence[str], line: int, problems: Remarks) -> list[str | None]:
    """The column of each header; None for a header without any text, and for one that is reported."""
    columns: list[str | None] = []
    if len(headers) > MAX_COLUMNS:
        problems.add(line, "", ProblemCode.too_large, f"The first line has more than {MAX_COLUMNS} columns.")
        return columns
    for header in headers:
        column = column_of(header)
        if column is None and header.strip():
            problems.add(line, header.strip()[:100], ProblemCode.unknown_column, _unknown(header.strip()))
        elif column is not None and column in columns:
            first = headers[columns.index(column)].strip()
            problems.add(line, column, ProblemCode.duplicate_column, _twice(first, header.strip(), column))
            column = None
        columns.append(column)
    for column in MANDATORY:
        if column not in columns:
            problems.add(line, column, ProblemCode.missing_column, _missing(column))
    return columns


def _unknown(header: str) -> str:
    near = difflib.get_close_matches(header_key(header[:100]), _BY_KEY, n=1, cutoff=0.7)
    asked = f"; do you mean '{_AS_WRITTEN[near[0]]}'?" if near else ". The columns are " + ", ".join(NAMES) + "."
    return f"There is no column '{header[:100]}'{asked}"


def _twice(first: str, second: str, column: str) -> str:
    return f"'{first}' and '{second}' both mean {column}; leave one of them out."


def _missing(column: str) -> str:
    return f"The column '{column}' (or '{_DANISH[column]}') is missing; the first line must name it."
