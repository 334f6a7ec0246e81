"""A file of addresses before and after: every form that people save it in, and every problem by its line."""

import pytest

from directory.companies.email_mapping import MAX_BYTES, MappingRefused, Renamed, read_mapping

PAIR = [Renamed(1, "anna@old.dk", "anna@new.dk")]


@pytest.mark.parametrize(
    "raw",
    [
        b"anna@old.dk;anna@new.dk",
        b"anna@old.dk,anna@new.dk\n",
        b"anna@old.dk\tanna@new.dk\r\n",
        b'"anna@old.dk"; anna@new.dk \r\n\r\n;\r\n',
        b"\xef\xbb\xbfanna@old.dk;anna@new.dk",
    ],
)
def test_two_columns_however_they_are_saved(raw: bytes) -> None:
    assert read_mapping(raw) == PAIR


def test_a_heading_is_left_out_and_lines_count_from_it() -> None:
    assert read_mapping(b"Gammel;Ny\nanna@old.dk;anna@new.dk") == [Renamed(2, "anna@old.dk", "anna@new.dk")]


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
def test_danish_letters_in_both_encodings(encoding: str) -> None:
    assert read_mapping("sørøen@old.dk;sørøen@new.dk".encode(encoding)) == [
        Renamed(1, "sørøen@old.dk", "sørøen@new.dk")
    ]


@pytest.mark.parametrize(
    ("raw", "problems"),
    [
        (b"", ["the file holds no addresses; wanted are lines like anna@old.example;anna@new.example"]),
        (b"old;new\n", ["the file holds no addresses; wanted are lines like anna@old.example;anna@new.example"]),
        (b"PK\x03\x04\x00\x00", ["the file is not text: save it as CSV UTF-8"]),
        (b"a@o.dk\n", ["line 1: wanted two addresses, before and after"]),
        (b"a@o.dk;\n;b@o.dk", [f"line {n}: wanted two addresses, before and after" for n in (1, 2)]),
        (b"a@o.dk;b@n.dk;c@n.dk", ["line 1: wanted two addresses, before and after"]),
        (b"a@o.dk;b", ["line 1: 'b' is no e-mail address"]),
        (b"a@o.dk;@n.dk", ["line 1: '@n.dk' is no e-mail address"]),
        (b"a@o.dk;b c@n.dk", ["line 1: 'b c@n.dk' is no e-mail address"]),
        (b"a@o.dk;b\x07@n.dk", ["line 1: email must not contain control characters or halves of surrogate pairs."]),
        (
            b"a@o.dk;b@n.dk\nA@O.dk;c@n.dk\nd@o.dk;B@n.dk",
            ["line 2: 'A@O.dk' stands in line 1 already", "line 3: 'B@n.dk' stands in line 1 already"],
        ),
    ],
)
def test_every_problem_is_told_by_its_line(raw: bytes, problems: list[str]) -> None:
    with pytest.raises(MappingRefused) as refused:
        read_mapping(raw)
    assert [str(problem) for problem in refused.value.problems] == problems


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(MappingRefused, match="email must be at most 320 characters long"):
        read_mapping(b"a@o.dk;" + b"b" * 320 + b"@n.dk")
    with pytest.raises(MappingRefused, match="at most"):
        read_mapping(b"a" * (MAX_BYTES + 1))
