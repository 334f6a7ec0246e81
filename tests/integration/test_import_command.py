"""`directory company import` as an operator runs it."""

import asyncio
import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import pytest

from directory.__main__ import main
from directory.cli.imports import template
from directory.employees.approvers import import_gate
from directory.imports.columns import NAMES
from tests.support.company import Company

Printed = pytest.CaptureFixture[str]

HEADER = "Brugernavn;E-mail;Fornavn;Efternavn;Direkte godkender\r\n"
PEOPLE = f"{HEADER}anna@firma.dk;anna@firma.dk;Anna;Ægidius;bo@firma.dk\r\n"


@pytest.fixture
def settings(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)


def written(folder: Path, text: str, encoding: str = "cp1252") -> str:
    path = folder / "people.csv"
    path.write_bytes(text.encode(encoding))
    return str(path)


async def run(*arguments: str) -> int:
    """As the console script does, in a thread, for it has an event loop of its own."""

    def status() -> int:
        try:
            return main(["company", "import", *arguments])
        except SystemExit as ended:
            return int(ended.code or 0)

    return await asyncio.to_thread(status)


@pytest.mark.usefixtures("settings")
async def test_an_import_says_what_it_did_and_exits_0(company: Company, tmp_path: Path, capsys: Printed) -> None:
    assert await run(company.name, written(tmp_path, PEOPLE)) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{company.name}: 1 new, 0 changed, 0 as they were.",
        "  1 wait for their manager, and are linked when he appears.",
        "  line 2: Nobody has the login name 'bo@firma.dk' yet; the link is made when he appears.",
    ]
    assert await run(company.name, written(tmp_path, PEOPLE), "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["company"], answer["created"], answer["unchanged"], answer["problems"]) == (company.name, 0, 1, [])


@pytest.mark.usefixtures("settings")
async def test_a_dry_run_says_so_and_changes_nothing(company: Company, tmp_path: Path, capsys: Printed) -> None:
    assert await run(company.name, written(tmp_path, PEOPLE), "--dry-run") == 0
    assert "1 new, 0 changed, 0 as they were (a dry run: nothing was changed)." in capsys.readouterr().out
    assert await run(company.name, written(tmp_path, PEOPLE), "--json") == 0
    assert json.loads(capsys.readouterr().out)["created"] == 1


@pytest.mark.usefixtures("settings")
async def test_a_refused_file_exits_1_with_every_problem_and_its_line(
    company: Company, tmp_path: Path, capsys: Printed
) -> None:
    broken = written(tmp_path, f"{HEADER}anna@firma.dk;anna;Anna;\r\nx;x@y;X;Y;;Z\r\nbo;b@o;Bo;Holm\r\n")
    assert await run(company.name, broken) == 1
    assert capsys.readouterr().err.splitlines() == [
        "The file was refused for 3 problems, nothing was changed:",
        "  line 2: 'anna' is no e-mail address.",
        "  line 2: family_name is empty; every row needs one.",
        "  line 3: Cell 6 has a value, and the header no name for it; is a delimiter not quoted?",
    ]
    assert await run(company.name, broken, "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert (answer["problem_count"], answer["created"]) == (3, 0)
    assert answer["problems"][0] == {
        "line": 2,
        "column": "email",
        "code": "invalid_value",
        "sentence": "'anna' is no e-mail address.",
    }
    assert answer["error"]["message"] == "The file was refused for 3 problems, nothing was changed:"


@pytest.mark.usefixtures("settings")
async def test_more_than_a_thousand_problems_are_counted(company: Company, tmp_path: Path, capsys: Printed) -> None:
    assert await run(company.name, written(tmp_path, HEADER + "x;y;X;Y\r\n" * 1500)) == 1
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "The file was refused for 1,500 problems, nothing was changed; the first 1000:"
    assert len(lines) == 1001


@pytest.mark.usefixtures("settings")
@pytest.mark.parametrize(
    ("name", "told"), [("no-such", "There is no such company."), ("file", "cannot be read: No such file or directory.")]
)
async def test_a_missing_company_or_file_is_said(
    company: Company, tmp_path: Path, capsys: Printed, name: str, told: str
) -> None:
    file = written(tmp_path, PEOPLE)
    arguments = (name, file) if name == "no-such" else (company.name, str(tmp_path / "missing.csv"))
    assert await run(*arguments) == 1
    assert told in capsys.readouterr().err


@pytest.mark.usefixtures("settings")
async def test_a_dash_reads_standard_input(company: Company, monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(PEOPLE.encode("utf-8-sig"))))
    assert await run(company.name, "-", "--json") == 0
    assert json.loads(capsys.readouterr().out)["created"] == 1


@pytest.mark.usefixtures("settings")
async def test_progress_is_shown_to_who_looks_on_and_to_nobody_else(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    assert await run(company.name, written(tmp_path, PEOPLE), "--dry-run") == 0
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert await run(company.name, written(tmp_path, PEOPLE)) == 0
    assert capsys.readouterr().err == "\rread 1 of 1 rows\n\rwritten 1 of 1 rows\n"


async def test_the_template_can_be_imported_as_it_is_and_needs_no_database(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed
) -> None:
    monkeypatch.setenv("LOCAL_DIR", str(tmp_path))
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert await run("--template") == 0
    printed = capsys.readouterr().out
    assert printed == "\ufeff" + template() + "\n", "with the mark by which Excel knows UTF-8"
    assert printed.splitlines()[0].removeprefix("\ufeff") == ";".join(NAMES)
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    assert await run(company.name, written(tmp_path, printed, "utf-8"), "--json") == 0
    assert json.loads(capsys.readouterr().out)["created"] == 1


async def test_a_create_waits_for_an_import_and_comes_after_it(company: Company) -> None:
    connection = await asyncpg.connect(company.stack.owner_url)
    try:
        company_id = await connection.fetchval(
            "select company_id from registry.companies where company = $1", company.name
        )
        await connection.execute("select pg_advisory_lock($1)", import_gate(company_id))
        creating = asyncio.ensure_future(company.provision(company.hire()))
        waiting = "select count(*) from pg_locks where locktype = 'advisory' and not granted"
        for _ in range(500):
            if await connection.fetchval(waiting):
                break
            await asyncio.sleep(0.01)
        assert not creating.done()
        await connection.execute("select pg_advisory_unlock_all()")
        assert (await creating).startswith("emp_")
    finally:
        await connection.close()
