"""A CSV file becomes rows, or problems that say where and what to do."""

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from directory.imports import columns
from directory.imports.csv_rows import MAX_ROWS, Row, read_rows
from directory.imports.dates import NoDateError, read_date
from directory.imports.decoding import MAX_BYTES
from directory.imports.remarks import MAX_LISTED, ProblemCode, Remarks

TODAY = date(2026, 11, 26)
HEADER = "login_name,email,given_name,family_name"
ANNA = "anna@firma.dk,anna@firma.dk,Anna,Holm"


def read(data: bytes | str) -> tuple[list[Row], Remarks]:
    problems = Remarks()
    rows = read_rows(data.encode() if isinstance(data, str) else data, TODAY, problems)
    return [row for row in rows if row.sound], problems


def found(data: bytes | str) -> list[tuple[int, str, str]]:
    """Line, column and code of each problem."""
    return [(one.line, one.column, one.code.value) for one in read(data)[1].in_order()]


def sentence(data: bytes | str) -> str:
    (problem,) = read(data)[1].listed
    return problem.sentence


def anna(line: int = 2, **values: object) -> Row:
    mandatory = {"login_name": "anna@firma.dk", "email": "anna@firma.dk", "given_name": "Anna", "family_name": "Holm"}
    return Row(line=line, **{**mandatory, **values})  # type: ignore[arg-type]


EVERYTHING = anna(
    given_name="Åse", title="Chef, øverste", department="Løn & HR", mobile_phone="+45 12 34", work_phone="12 34 56 78",
    country="Danmark", employee_number="0042", manager_ref="bo@firma.dk", hired_on=date(2020, 3, 1), policy="Funktionær",
)  # fmt: skip
VALUES = [
    "anna@firma.dk", "anna@firma.dk", "Åse", "Holm", "Chef, øverste", "Løn & HR", "+45 12 34", "12 34 56 78", "Danmark", "0042",
    "bo@firma.dk", "2020-03-01", "Funktionær",
]  # fmt: skip
ENGLISH = list(columns.NAMES)
DANISH = [
    "Brugernavn", "E-mail", "Fornavn", "Efternavn", "Jobtitel", "Afdeling", "Mobilnummer", "Telefon (kontor)",
    "Land/region/kalendergruppe", "Lønnummer", "Direkte godkender", "Ansættelsesdato", "Politik",
]  # fmt: skip


def table(header: list[str], values: list[str], delimiter: str, newline: str = "\r\n") -> str:
    return newline.join(delimiter.join(f'"{cell}"' for cell in row) for row in (header, values)) + newline


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("header", [ENGLISH, DANISH], ids=["english", "danish"])
def test_every_encoding_delimiter_and_language_gives_the_same_row(
    encoding: str, delimiter: str, header: list[str]
) -> None:
    rows, problems = read(table(header, VALUES, delimiter).encode(encoding))
    assert (rows, problems.listed) == ([EVERYTHING], [])


@pytest.mark.parametrize("byte_order", ["utf-16-le", "utf-16-be"])
def test_both_byte_orders_of_utf_16_are_read_by_their_mark(byte_order: str) -> None:
    assert read(("\ufeff" + table(ENGLISH, VALUES, "\t")).encode(byte_order))[0] == [EVERYTHING]


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_lines_end_in_any_of_the_three_ways(newline: str) -> None:
    assert read(table(ENGLISH, VALUES, ",", newline))[0] == [EVERYTHING]


@pytest.mark.parametrize("first", ["sep=;", "SEP=;", '"sep=;"', "\ufeffsep=;"])
def test_a_first_line_may_name_the_separator(first: str) -> None:
    rows, _ = read(f"{first}\r\n{HEADER.replace(',', ';')}\r\n{ANNA.replace(',', ';')}\r\n")
    assert rows == [anna(line=3)]


def test_the_header_decides_about_the_delimiter_and_not_the_data() -> None:
    rows, _ = read(f"{HEADER.replace(',', ';')};title\nanna@firma.dk;anna@firma.dk;Anna;Holm;a,b,c,d,e,f,g\n")
    assert rows == [anna(title="a,b,c,d,e,f,g")]


@pytest.mark.parametrize(
    ("header", "column"), [(name, column) for column, names in columns.NAMES.items() for name in names]
)
def test_every_name_of_a_column_is_known_in_every_writing(header: str, column: str) -> None:
    spaced = header.replace("_", " ").replace("-", " ")
    for written in (header, header.upper(), f" {header} *", spaced, spaced.replace(" ", ""), spaced.replace(" ", "_")):
        assert columns.column_of(written) == column, written


def test_no_header_means_two_columns() -> None:
    keys = [(columns.header_key(name), column) for column, names in columns.NAMES.items() for name in names]
    assert len({key for key, _ in keys}) == len(set(keys))


def test_a_row_knows_the_line_on_which_it_begins() -> None:
    text = f'\n{HEADER},title\n{ANNA},"in ""quotes"""\n\nbo@firma.dk,bo@firma.dk,Bo,"Two\nlines",\nx,x@firma.dk,X,Y,\n,,,,\n'
    rows, problems = read(text)
    assert rows == [
        anna(line=3, title='in "quotes"'),
        Row(line=7, login_name="x", email="x@firma.dk", given_name="X", family_name="Y"),
    ]
    (problem,) = problems.listed
    assert (problem.line, problem.column, problem.code) == (5, "family_name", ProblemCode.invalid_value)
    assert problem.sentence == "family_name has a line break inside the cell."


def test_cells_are_trimmed_and_empty_ones_say_nothing() -> None:
    assert read(f"{HEADER},title,country\n anna@firma.dk ,anna@firma.dk\u00a0,Anna,Holm,  ,\n")[0] == [anna()]


def test_a_row_may_leave_out_empty_cells_at_its_end() -> None:
    assert read(f"{HEADER},title,country,policy\n{ANNA},Chef\n")[0] == [anna(title="Chef")]


def test_a_column_without_header_may_stand_empty() -> None:
    assert read(f"{HEADER},,\n{ANNA},,\n")[0] == [anna()]
    assert found(f"{HEADER},,\n{ANNA},,x\n") == [(2, "", "cell_without_column")]
    assert found(f"{HEADER}\n{ANNA},Chef, øverste\n") == [(2, "", "cell_without_column")]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"PK\x03\x04\x14\x00\x06\x00", "Excel workbook (.xlsx)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\x00\x00", "Excel workbook (.xls)"),
        (b"%PDF-1.7\n%\xe2\xe3", "a PDF"),
        (b"login_name,email\x00\n", "zero bytes"),
        (HEADER.encode("utf-16-le"), "zero bytes"),
        ((HEADER + "\n" + ANNA + "\x00").encode("utf-16"), "zero characters"),
        (HEADER.encode("utf-32"), "zero characters"),
    ],
)
def test_what_is_no_csv_is_told_apart(data: bytes, told: str) -> None:
    assert found(data) == [(0, "", "not_csv")]
    assert told in sentence(data)
    assert sentence(data).endswith("In Excel choose 'Save as' and the type 'CSV UTF-8'.")


@pytest.mark.parametrize(
    "data",
    [b"", b"\n \r\n", b"\xef\xbb\xbf", b"\xff\xfe", b",,,\n,,\n", b"sep=;\n", HEADER.encode(), b"\xff\xfe\n\x00"],
)
def test_a_file_without_rows_is_refused_in_one_sentence(data: bytes) -> None:
    assert found(data) == [(0, "", "empty_file")]


def test_a_file_beyond_the_limits_is_refused() -> None:
    assert found(b"x" * (MAX_BYTES + 1)) == [(0, "", "too_large")]
    row = b"a,a@b,A,B\n"
    rows, problems = read(HEADER.encode() + b"\n" + row * (MAX_ROWS + 5))
    assert (len(rows), problems.count) == (MAX_ROWS, 1)
    assert (problems.listed[0].line, problems.listed[0].code) == (MAX_ROWS + 2, ProblemCode.too_large)
    assert found(f"{HEADER},title\n{ANNA},{'x' * 65537}\n{ANNA},y\n") == [(2, "", "too_large")]
    assert found(f"{HEADER},title\n{ANNA},{'x' * 200_000}\n") == [(2, "", "too_large")]
    assert found("x" * 200_000) == [(1, "", "too_large")]
    assert found("x," * 1_000_000 + "\nx") == [(1, "", "too_large")]


def test_bytes_in_no_encoding_are_refused_with_their_line() -> None:
    assert found(f"{HEADER}\n".encode() + b"\x81,\xf8,\xe6,\xe5\n") == [(2, "", "bad_encoding")]
    damaged = f"{HEADER}\n{ANNA}\nÅse@firma.dk,å@firma.dk,Åse,Ærø\n".encode() + b"s\xc3,x@firma.dk,S,T\n"
    assert found(damaged) == [(4, "", "bad_encoding")]
    assert found("\ufeff".encode() + b"\xf8") == [(1, "", "bad_encoding")]
    assert found(b"\xff\xfea") == [(1, "", "bad_encoding")]


def test_a_header_that_means_nothing_is_refused_with_the_one_it_resembles() -> None:
    assert found(f"{HEADER},titel2,Deparment,shoe size\n{ANNA},,\n") == [
        (1, "titel2", "unknown_column"),
        (1, "Deparment", "unknown_column"),
        (1, "shoe size", "unknown_column"),
    ]
    assert sentence(f"{HEADER},Deparment\n{ANNA},\n") == "There is no column 'Deparment'; do you mean 'department'?"
    assert sentence(f"{HEADER},Lønnumer\n{ANNA},\n") == "There is no column 'Lønnumer'; do you mean 'Lønnummer'?"
    assert "The columns are login_name, email," in sentence(f"{HEADER},zzzz\n{ANNA},\n")


def test_two_headers_of_one_column_and_missing_ones_are_refused() -> None:
    assert found("login_name,email,E-mail,Fornavn\n") == [
        (1, "email", "duplicate_column"),
        (1, "family_name", "missing_column"),
    ]
    assert "'email' and 'E-mail'" in sentence(f"{HEADER},E-mail\n")
    assert "'family_name' (or 'Efternavn')" in sentence("login_name,email,given_name\n")


def test_a_file_of_another_kind_is_refused_for_its_header_alone() -> None:
    assert {code for _, _, code in found("<html>\n<body>1,2,3</body>\n" * 50)} == {"unknown_column", "missing_column"}


def test_every_row_needs_the_four_mandatory_values() -> None:
    assert found(f"{HEADER}\n,,,\nanna@firma.dk\nanna@firma.dk, ,Anna,\n") == [
        (3, "email", "missing_value"),
        (3, "given_name", "missing_value"),
        (3, "family_name", "missing_value"),
        (4, "email", "missing_value"),
        (4, "family_name", "missing_value"),
    ]


@pytest.mark.parametrize(
    ("column", "value", "told"),
    [
        ("title", "a\tb", "control characters"),
        ("title", "x" * 1025, "at most 1024 characters"),
        ("given_name", "A\x07nna", "control characters"),
        ("given_name", "A" * 10_000, "at most 1024 characters long, and is 10000"),
        ("login_name", "a" * 321, "at most 320"),
        ("email", "anna.firma.dk", "no e-mail address"),
        ("email", "anna@firma.dk; bo@firma.dk", "no e-mail address"),
        ("email", "an\u200bna@firma.dk", "invisible character (U+200B)"),
        ("manager_login_name", "x" * 513, "at most 512"),
        ("policy", "x" * 1025, "policy must be at most 1024"),
    ],
)
def test_a_value_that_cannot_be_stored_is_named(column: str, value: str, told: str) -> None:
    header = [*HEADER.split(","), *([] if column in HEADER else [column])]
    cells = {"login_name": "anna", "email": "a@b", "given_name": "A", "family_name": "H", column: value}
    text = ";".join(header) + "\n" + ";".join(f'"{cells[name]}"' for name in header) + "\n"
    assert found(text) == [(2, column, "invalid_value")]
    assert told in sentence(text)


def test_halves_of_surrogate_pairs_do_not_arrive() -> None:
    """UTF-8 has none; in UTF-16 they are no text."""
    assert found((HEADER + "\n").encode("utf-8") + b"\xed\xa0\x80" + b",\xc3\xa6\xc3\xb8\xc3\xa5\xc3\xa6") == [
        (2, "", "bad_encoding")
    ]
    assert found(f"{HEADER}\n{ANNA}\n".encode() + b"x@firma.dk,x@firma.dk,A\xed\xa0\x80,B") == [(3, "", "bad_encoding")]
    assert found("\ufeff".encode("utf-16-le") + b"\x00\xd8a\x00") == [(1, "", "bad_encoding")]


def test_quotation_marks_must_be_closed_and_the_rest_of_the_file_is_still_read() -> None:
    broken = f'{HEADER}\n"anna"x,a@b,A,H\n{ANNA}\nbo,b@b,"B,H\nx,y\n'
    assert found(broken) == [(2, "", "bad_quotes"), (4, "", "bad_quotes")]
    assert len(read(broken)[0]) == 1
    assert read(f'{HEADER},title\n{ANNA},5" skærm\n')[0] == [anna(title='5" skærm')]


def test_all_problems_are_counted_and_the_first_thousand_listed() -> None:
    _, problems = read(HEADER + "\n" + "x,y,,\n" * 1500)
    assert (problems.count, len(problems.listed)) == (4500, MAX_LISTED)


@pytest.mark.parametrize(
    "text",
    ["2024-02-29", "29-02-2024", "29/02/2024", "29.02.2024", "29-2-2024", "2024-02-29 00:00:00", "29.02.2024 00:00"],
)
def test_dates_are_iso_or_day_first(text: str) -> None:
    assert read_date(text, TODAY) == date(2024, 2, 29)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("31-02-2024", "no day of the calendar"), ("2023-02-29", "no day of the calendar"),
        ("2024-13-01", "no day of the calendar"),
        ("00-00-0000", "no day of the calendar"), ("12/31/2024", "month first"), ("31-12-1899", "out of range"),
        ("27-11-2028", "out of range"), ("9999-12-31", "out of range"), ("1-2-24", "two digits"), ("45292", "number"),
        ("45292,5", "number"), ("1. marts 2024", "no date"), ("2024-03-01T10:00", "no date"), ("01-02/2024", "no date"),
        ("٠١-٠٢-٢٠٢٤", "no date"), ("-", "no date"), ("2024/03/01", "no date"),
    ],
)  # fmt: skip
def test_a_date_is_never_guessed(text: str, told: str) -> None:
    with pytest.raises(NoDateError, match=told):
        read_date(text, TODAY)
    assert found(f'{HEADER},hired_on\n{ANNA},"{text}"\n') == [(2, "hired_on", "invalid_date")]


def test_hire_dates_go_from_1900_to_two_years_ahead() -> None:
    assert read_date("1900-01-01", TODAY) == date(1900, 1, 1)
    assert read_date("2028-11-26", TODAY) == date(2028, 11, 26)
    assert read_date("2030-02-28", date(2028, 2, 29)) == date(2030, 2, 28)


@given(st.binary(max_size=400) | st.text("\t\r\n;,\"' aÅ@-1\x00\u200b\ufeff", max_size=200).map(str.encode))
def test_no_bytes_are_a_fault(data: bytes) -> None:
    for file in (data, HEADER.encode() + b"\n" + data, "\ufeff".encode("utf-16-le") + data):
        rows, problems = read(file)
        assert rows or problems.count
        assert all(0 <= one.line <= len(file) + 1 and one.sentence for one in problems.listed)


CELL = st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=30)


@given(
    st.lists(st.tuples(CELL.filter(str.strip), CELL.filter(str.strip), CELL, CELL), min_size=1, max_size=5),
    st.sampled_from([",", ";", "\t"]),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
)
def test_what_a_spreadsheet_writes_is_what_is_read(
    people: list[tuple[str, str, str, str]], delimiter: str, encoding: str
) -> None:
    written = io.StringIO(newline="")
    writer = csv.writer(written, delimiter=delimiter)
    writer.writerow(["login_name", "email", "given_name", "family_name", "title", "policy"])
    for number, cells in enumerate(people):
        writer.writerow([f"p{number}", f"p{number}@d", *cells])
    rows, problems = read(written.getvalue().encode(encoding))
    assert problems.listed == []
    assert [(one.given_name, one.family_name, one.title or "", one.policy or "") for one in rows] == [
        tuple(cell.strip() for cell in cells) for cells in people
    ]
