"""The operator's command against real PostgreSQL: idempotent, told in sentences, nothing half done."""

import asyncio
import json
import os
import re
import secrets
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from directory.__main__ import main
from directory.cli.overview import GROUPS
from directory.database import Database, statement
from shared.clock import system_clock
from tests.support.manifests import WRONG, manifest
from tests.support.stack import Stack


@pytest.fixture
def operator(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "Operator":
    monkeypatch.setenv("DATABASE_URL", stack.owner_url)
    monkeypatch.setenv("SSO_PUBLIC_URL", stack.sso_url)
    monkeypatch.setenv("SCIM_PUBLIC_URL", stack.scim_url)
    return Operator(stack, tmp_path)


class Operator:
    """Runs the command as its console script does, in a thread, for it has an event loop of its own."""

    def __init__(self, stack: Stack, folder: Path) -> None:
        self.stack = stack
        self.folder = folder
        self.company = f"c{secrets.token_hex(6)}"

    def manifest(self, **changes: Any) -> dict[str, Any]:
        own = {"company": self.company, "entra.app_id": str(uuid4()), "entra.group_id": str(uuid4())}
        return manifest({**own, **{path.replace("__", "."): value for path, value in changes.items()}})

    async def run(self, *arguments: str) -> int:
        return await asyncio.to_thread(_status, list(arguments))

    async def apply(self, data: dict[str, Any], *arguments: str) -> int:
        path = self.folder / f"{secrets.token_hex(4)}.yaml"
        path.write_text(json.dumps(data))
        return await self.run("company", "apply", "-f", str(path), *arguments)


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


async def test_applying_twice_changes_nothing_the_second_time(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    data = operator.manifest()
    assert await operator.apply(data, "--json") == 0
    first = json.loads(capsys.readouterr().out)
    assert first["company"] == operator.company
    assert first["created"] is True
    assert first["sso"] == {
        "identifier": f"https://www.bitabiz.com/{operator.company}",
        "reply_url": f"{operator.stack.sso_url}/saml/{operator.company}/acs",
        "sign_on_url": f"{operator.stack.sso_url}/login/{operator.company}",
        "logout_url": f"{operator.stack.sso_url}/saml/{operator.company}/logout",
        "metadata_url": f"{operator.stack.sso_url}/saml/{operator.company}/metadata",
    }
    assert first["provisioning"]["tenant_url"] == f"{operator.stack.scim_url}/scim/v2/{operator.company}"
    assert len(first["provisioning"]["token"]) > 40

    assert await operator.apply(data, "--json") == 0
    second = json.loads(capsys.readouterr().out)
    assert (second["created"], second["changed"]) == (False, [])
    assert "token" not in second["provisioning"]
    assert await kinds(operator) == ["company.created", "certificate.added", "scim_token.issued"]


async def test_eight_simultaneous_applies_make_one_company_and_one_token(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    data = operator.manifest()
    assert await asyncio.gather(*(operator.apply(data, "--json") for _ in range(8))) == [0] * 8
    assert capsys.readouterr().out.count('"token":') == 1
    assert (await kinds(operator)).count("company.created") == 1


async def test_diff_says_what_apply_would_change_and_changes_nothing(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    data = operator.manifest()
    await operator.apply(data)
    edited = {**data, "name": "Contoso Holding A/S"}
    path = operator.folder / "edited.yaml"
    path.write_text(json.dumps(edited))
    capsys.readouterr()
    assert await operator.run("company", "diff", "-f", str(path), "--json") == 0
    changes = {"name": {"before": "Contoso A/S", "after": "Contoso Holding A/S"}}
    assert json.loads(capsys.readouterr().out)["changes"] == changes
    assert await operator.run("company", "show", operator.company, "--json") == 0
    assert json.loads(capsys.readouterr().out)["name"] == "Contoso A/S"
    assert await operator.apply(edited, "--json") == 0
    assert json.loads(capsys.readouterr().out)["changed"] == ["name"]


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
async def test_a_wrong_manifest_changes_nothing(
    operator: Operator, capsys: pytest.CaptureFixture[str], path: str, value: object, sentence: str
) -> None:
    data = manifest(
        {"company": operator.company, "entra.app_id": str(uuid4()), "entra.group_id": str(uuid4()), path: value}
    )
    assert await operator.apply(data, "--json") == 1
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    shown = [f"{problem['field']}: {problem['problem']}" for problem in json.loads(told.out)["error"]["problems"]]
    assert any(sentence in problem for problem in shown), shown
    assert await operator.run("company", "show", operator.company) == 1


async def test_a_wrong_manifest_leaves_an_existing_company_as_it_was(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    data = operator.manifest()
    await operator.apply(data)
    before = await kinds(operator)
    data["sso"] = {**data["sso"], "certificates": ["rubbish!"]}
    data["name"] = "Changed"
    assert await operator.apply(data) == 1
    assert await kinds(operator) == before


@pytest.mark.parametrize("shared", ["app_id", "group_id"])
async def test_two_companies_cannot_share_an_app_or_a_group(
    operator: Operator, capsys: pytest.CaptureFixture[str], shared: str
) -> None:
    """A group of B cannot be linked to A, nor its app."""
    data = operator.manifest()
    await operator.apply(data)
    other = {**data, "company": f"{operator.company}-2"}
    other["entra"] = {**data["entra"], "app_id": str(uuid4()), "group_id": str(uuid4()), shared: data["entra"][shared]}
    capsys.readouterr()
    assert await operator.apply(other) == 1
    assert "belongs to another company" in capsys.readouterr().err
    assert await operator.run("company", "show", f"{operator.company}-2") == 1


async def test_the_same_group_id_in_another_tenant_is_another_group(operator: Operator) -> None:
    data = operator.manifest()
    await operator.apply(data)
    tenant = str(uuid4())
    other = {**data, "company": f"{operator.company}-2", "entra": {**data["entra"], "tenant_id": tenant}}
    other["sso"] = {**data["sso"], "issuer": f"https://sts.windows.net/{tenant}/"}
    assert await operator.apply(other) == 0


async def test_tokens_live_side_by_side_until_revoked(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """D13."""
    await operator.apply(operator.manifest(), "--json")
    first = json.loads(capsys.readouterr().out)["provisioning"]
    assert await operator.run("company", "scim-token", operator.company, "--json") == 0
    second = json.loads(capsys.readouterr().out)["provisioning"]
    assert await status_with(operator, first["token"]) == 200
    assert await status_with(operator, second["token"]) == 200

    assert await operator.run("company", "scim-token", operator.company, "--revoke", first["token_id"]) == 0
    assert await status_with(operator, first["token"]) == 401
    assert await status_with(operator, second["token"]) == 200
    assert await operator.run("company", "scim-token", operator.company, "--revoke", first["token_id"]) == 1

    capsys.readouterr()
    await operator.run("company", "show", operator.company, "--json")
    tokens = {token["token_id"]: token for token in json.loads(capsys.readouterr().out)["provisioning"]["tokens"]}
    assert tokens[first["token_id"]]["revoked_at"] is not None
    assert tokens[second["token_id"]]["last_used_at"] is not None


async def test_no_secret_is_stored_or_shown_again(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    await operator.apply(operator.manifest(), "--json")
    token = json.loads(capsys.readouterr().out)["provisioning"]["token"]
    await operator.run("company", "show", operator.company, "--json")
    await operator.run("company", "list", "--json")
    assert token not in capsys.readouterr().out
    connection = await asyncpg.connect(operator.stack.owner_url)
    dumped = await connection.fetchval("select string_agg(t::text, '') from scim_tokens t")
    events = await connection.fetchval("select string_agg(e::text, '') from events e")
    await connection.close()
    assert token not in dumped
    assert token not in events


async def test_provisioning_switched_off_is_refused_and_says_so(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    data = operator.manifest()
    await operator.apply(data, "--json")
    token = json.loads(capsys.readouterr().out)["provisioning"]["token"]
    await operator.apply({**data, "provisioning": {"enabled": False}})
    assert await status_with(operator, token) == 403


async def test_people_read_sentences(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    data = operator.manifest()
    await operator.apply(data)
    told = capsys.readouterr().out
    for label in (
        "Identifier (Entity ID)",
        "Reply URL (Assertion Consumer Service URL)",
        "Sign on URL",
        "Tenant URL",
        "Secret Token",
    ):
        assert label in told
    await operator.run("company", "show", operator.company)
    assert "Certificate" in capsys.readouterr().out
    await operator.run("company", "list")
    assert operator.company in capsys.readouterr().out
    await operator.run("company", "scim-token", operator.company)
    assert "shown this once" in capsys.readouterr().out


@pytest.mark.parametrize(("sso", "provisioning"), [(True, True), (True, False), (False, True), (False, False)])
async def test_what_a_company_has_switched_on_is_shown_for_each(
    operator: Operator, capsys: pytest.CaptureFixture[str], sso: bool, provisioning: bool
) -> None:
    """S76 and S2: either may run alone, and both stand beside each other."""
    assert await operator.apply(operator.manifest(sso__enabled=sso, provisioning__enabled=provisioning)) == 0
    capsys.readouterr()
    switch = {True: "on", False: "off"}

    assert await operator.run("company", "list") == 0
    told = capsys.readouterr().out
    rows = [line for line in told.splitlines() if operator.company in line]
    assert re.findall(r"\b(on|off)\b", rows[0]) == [switch[sso], switch[provisioning]]
    assert await operator.run("company", "show", operator.company) == 0
    told = capsys.readouterr().out
    assert re.search(rf"^ *Sign-on +{switch[sso]}$", told, re.MULTILINE)
    assert re.search(rf"^ *Provisioning +{switch[provisioning]}$", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["company", "show", "no-such-company"], 1),
        (["company", "scim-token", "no-such-company"], 1),
        (["company", "apply", "-f", "/no/such/file.yaml"], 1),
        (["company", "apply"], 2),
        (["company"], 2),
        ([], 2),
        (["company", "scim-token", "x", "--expires-days", "0"], 2),
        (["--help"], 0),
        (["company", "--help"], 0),
        (["company", "apply", "--help"], 0),
        (["company", "scim-token", "--help"], 0),
    ],
)
async def test_exit_status(operator: Operator, arguments: list[str], status: int) -> None:
    assert await operator.run(*arguments) == status


async def test_the_help_tells_every_subcommand_once_in_its_group(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await operator.run("company", "--help") == 0
    told = capsys.readouterr().out
    named = [name for names in GROUPS.values() for name in names]
    with pytest.raises(SystemExit):
        main(["company", "no-such-subcommand"])
    known = re.findall(r"[a-z-]+", capsys.readouterr().err.rpartition("(choose from")[2])
    assert sorted(named) == sorted(known)
    lines = [line.split(maxsplit=1)[0] for line in told.splitlines() if re.match(r"  [a-z]+\S*  ", line)]
    assert lines == named
    assert max(map(len, told.splitlines())) <= 120


async def test_a_finding_is_told_with_what_it_means(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    await operator.apply(operator.manifest())
    people = operator.folder / "people.csv"
    row = "{name}@x.dk;{name}@x.dk;{name};Holm;Atlantis\n"
    people.write_text(
        "login_name;email;given_name;family_name;country\n" + row.format(name="anna") + row.format(name="bo")
    )
    assert await operator.run("company", "import", operator.company, str(people)) == 0
    capsys.readouterr()
    assert await operator.run("company", "findings", operator.company) == 0
    told = capsys.readouterr().out
    assert re.match(r"unknown_country: Atlantis \(since 20\d\d-\d\d-\d\d, 2 people\)\n", told)
    assert "A country whose spelling is not known" in told
    await operator.run("company", "work-list", operator.company)
    assert "anna Holm: policy, date of employment, payroll number" in capsys.readouterr().out


async def test_a_reader_that_stops_reading_gets_no_traceback(operator: Operator) -> None:
    await operator.apply(operator.manifest())
    reading, writing = os.pipe()
    os.close(reading)
    program = str(Path(sys.executable).parent / "directory")
    process = await asyncio.create_subprocess_exec(
        program, "company", "show", operator.company, stdout=writing, stderr=asyncio.subprocess.PIPE
    )
    os.close(writing)
    _, complaint = await process.communicate()
    assert (process.returncode, complaint) == (0, b"")


async def test_a_date_that_is_none_is_told_with_an_example(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    await operator.apply(operator.manifest())
    assert await operator.run("company", "edit", operator.company, "a@x.dk", "--set", "hired_on=2019-9-1") == 1
    assert "hired_on wants a date such as 2026-12-31, not '2019-9-1'" in capsys.readouterr().err


async def test_a_database_that_is_not_there_is_a_sentence(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:9/none")
    for command in (["company", "list"], ["migrate"]):
        assert await operator.run(*command) == 1
        told = capsys.readouterr().err
        assert "database" in told.lower()
        assert "Traceback" not in told


async def test_without_settings_the_command_says_what_to_do(
    operator: Operator, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("LOCAL_DIR", str(operator.folder / "none"))
    assert await operator.run("company", "list") == 1
    told = capsys.readouterr().err
    assert "make run" in told
    assert f"{operator.folder}/none/settings.env" in told, "where it looked"


async def test_the_local_settings_are_found_by_themselves(operator: Operator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DATABASE_URL")
    monkeypatch.setenv("LOCAL_DIR", str(operator.folder))
    (operator.folder / "settings.env").write_text(f"DATABASE_URL={operator.stack.owner_url}\n")
    assert await operator.run("company", "list") == 0


async def test_sweep_deletes_what_has_expired_and_nothing_else(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    await operator.apply(operator.manifest())
    async with Database(operator.stack.app_url, clock=system_clock, min_size=1, max_size=1) as database:
        async with database.scope_for_name(operator.company).transaction() as tx:
            for name, ends in (("old", "now() - interval '1 second'"), ("new", "now() + interval '1 hour'")):
                flow = f"insert into login_flows values ($1, '{name}', sha256('x'), '/', now(), {ends})"  # noqa: S608
                await tx.execute(statement("login_flows.test", flow), tx.company_id)
        capsys.readouterr()
        assert await asyncio.gather(*(operator.run("sweep", "--json") for _ in range(3))) == [0, 0, 0]
        async with database.scope_for_name(operator.company).transaction() as tx:
            left = await tx.fetch(
                statement("login_flows.test", "select flow_id from login_flows where company_id = $1"), tx.company_id
            )
    assert [row["flow_id"] for row in left] == ["new"]


async def kinds(operator: Operator) -> list[str]:
    async with operator.stack.database.scope_for_name(operator.company).transaction() as tx:
        asked = statement("events.test", "select kind from events where company_id = $1 order by sequence")
        return [row["kind"] for row in await tx.fetch(asked, tx.company_id)]


async def status_with(operator: Operator, token: str) -> int:
    from tests.entra.scim_client import ScimClient

    async with ScimClient(f"{operator.stack.scim_url}/scim/v2/{operator.company}", token) as client:
        return (await client.find("userName", "nobody@example.com")).status
