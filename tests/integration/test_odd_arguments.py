"""The operator's command given what a shell lets through: bytes that are no UTF-8, names of files that cannot be written."""

import json
import os
import stat
from pathlib import Path

import pytest

from tests.support.command import Command
from tests.support.company import Company

NO_UTF8 = os.fsdecode(b"a\xe9b")


@pytest.fixture
def command(company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    return Command(capsys)


@pytest.mark.parametrize("as_json", [(), ("--json",)])
@pytest.mark.parametrize(
    "arguments",
    [
        ("show", NO_UTF8),
        ("block", "{company}", NO_UTF8),
        ("edit", "{company}", "anna", "--set", f"hired_on={NO_UTF8}"),
        ("edit", "{company}", "anna", "--set", f"{NO_UTF8}=x"),
        ("role", "{company}", "anna", "--grant", NO_UTF8),
        ("role", "{company}", "anna", "--grant", "approver", "--department", "Salg", NO_UTF8),
        ("scim-token", "{company}", "--revoke", NO_UTF8),
        ("app-credential", "{company}", "--revoke", NO_UTF8),
        ("release-attribute", "{company}", NO_UTF8),
        ("work-list", "{company}", "--after", NO_UTF8),
    ],
    ids=lambda arguments: arguments[0] if isinstance(arguments, tuple) and arguments else "",
)
async def test_an_argument_that_is_no_text_is_refused_in_a_sentence(
    company: Company, command: Command, arguments: tuple[str, ...], as_json: tuple[str, ...]
) -> None:
    told = await command("company", *(one.replace("{company}", company.name) for one in arguments), *as_json)
    assert told.status == 1
    assert "holds bytes that are no UTF-8" in told.err
    if as_json:
        assert "no UTF-8" in told.json["error"]["message"]


@pytest.mark.parametrize(
    "arguments", [("import", "{company}", NO_UTF8), ("apply", "-f", NO_UTF8)], ids=lambda one: one[0]
)
async def test_a_file_whose_name_is_no_text_is_named_as_far_as_it_can_be(
    company: Company, command: Command, arguments: tuple[str, ...]
) -> None:
    told = await command("company", *(one.replace("{company}", company.name) for one in arguments), "--json")
    assert told.status == 1
    assert "a\\udce9b cannot be read: No such file" in json.dumps(told.json).replace("\\\\", "\\")


async def test_an_export_goes_to_a_file_with_any_name(company: Company, command: Command, tmp_path: Path) -> None:
    told = await command("company", "export", company.name, "-o", str(tmp_path / NO_UTF8), "--json")
    assert told.status == 0
    assert told.json["file"].endswith("a\\udce9b")
    assert [one.name for one in tmp_path.iterdir()] == [NO_UTF8]


async def test_an_export_overwrites_nothing_beside_its_file(company: Company, command: Command, tmp_path: Path) -> None:
    other, link, target = tmp_path / "other.txt", tmp_path / "x.jsonl.part", tmp_path / "x.jsonl"
    other.write_text("mine")
    link.symlink_to(other)
    assert (await command("company", "export", company.name, "-o", str(target))).status == 0
    assert (other.read_text(), link.is_symlink()) == ("mine", True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert sorted(one.name for one in tmp_path.iterdir()) == ["other.txt", "x.jsonl", "x.jsonl.part"]


@pytest.mark.parametrize("name", ["", "x" * 300, "missing/x"], ids=["empty", "too long", "no folder"])
async def test_an_export_to_a_file_that_cannot_be_is_told_as_that_and_leaves_nothing(
    company: Company, command: Command, tmp_path: Path, name: str
) -> None:
    told = await command("company", "export", company.name, "-o", str(tmp_path / name) if name else "")
    assert told.status == 1
    assert "database" not in told.err
    assert not list(tmp_path.iterdir())
