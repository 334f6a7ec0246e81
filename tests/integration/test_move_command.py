"""`directory company move` as an operator runs it: sentences, JSON, exit status; and the guards of `apply`."""

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from tests.integration.test_company_command import Operator, kinds, status_with
from tests.support.stack import Stack


@pytest.fixture
def operator(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Operator:
    monkeypatch.setenv("DATABASE_URL", stack.owner_url)
    monkeypatch.setenv("SSO_PUBLIC_URL", stack.sso_url)
    monkeypatch.setenv("SCIM_PUBLIC_URL", stack.scim_url)
    return Operator(stack, tmp_path)


def elsewhere(data: dict[str, Any]) -> dict[str, Any]:
    """The same company in another tenant."""
    tenant = str(uuid4())
    entra = {**data["entra"], "tenant_id": tenant, "app_id": str(uuid4()), "group_id": str(uuid4())}
    sso = {**data["sso"], "issuer": f"https://sts.windows.net/{tenant}/"}
    return {**data, "entra": entra, "sso": sso}


async def move(operator: Operator, *arguments: str) -> int:
    return await operator.run("company", "move", operator.company, *arguments)


def file_of(operator: Operator, data: dict[str, Any]) -> str:
    path = operator.folder / f"{uuid4()}.yaml"
    path.write_text(json.dumps(data))
    return str(path)


async def hire(operator: Operator, token: str, name: str = "anna@contoso.com") -> None:
    from tests.entra.scim_client import ScimClient

    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"],
        "userName": name,
        "emails": [{"type": "work", "value": name}],
        "name": {"givenName": "Anna", "familyName": "Holm"},
    }
    async with ScimClient(f"{operator.stack.scim_url}/scim/v2/{operator.company}", token) as client:
        assert (await client.post("/Users", body)).status == 201


async def test_the_whole_move_in_commands(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    """S65 to S67, as docs/tenant-move.md tells it."""
    here = operator.manifest()
    there = elsewhere(here)
    await operator.apply(here, "--json")
    old = json.loads(capsys.readouterr().out)["provisioning"]["token"]
    await hire(operator, old)

    assert await move(operator, "--prepare", "-f", file_of(operator, there), "--json") == 0
    prepared = json.loads(capsys.readouterr().out)
    new = prepared["provisioning"]["token"]
    assert prepared["sso"]["identifier"] == f"https://www.bitabiz.com/{operator.company}"
    assert (await status_with(operator, old), await status_with(operator, new)) == (200, 200)

    addresses = operator.folder / "addresses.csv"
    addresses.write_text("anna@contoso.com;anna@contoso.com\n")
    assert await move(operator, "--emails", str(addresses), "--dry-run", "--json") == 0
    assert json.loads(capsys.readouterr().out)["unchanged"] == 1
    assert await move(operator, "--json") == 0
    assert json.loads(capsys.readouterr().out)["state"] == "prepared"
    assert await move(operator, "--cut-over", "--json") == 0
    assert json.loads(capsys.readouterr().out)["retired_tokens"] == 1
    assert (await status_with(operator, old), await status_with(operator, new)) == (401, 200)
    assert await move(operator, "--json") == 0
    assert json.loads(capsys.readouterr().out)["first_waiting"] == ["anna@contoso.com"]
    assert [kind for kind in await kinds(operator) if kind.startswith(("move", "company"))] == [
        "company.created",
        "move.prepared",
        "company.moved",
    ]
    assert await operator.apply(there, "--json") == 0
    assert json.loads(capsys.readouterr().out)["changed"] == []


async def test_people_read_sentences_at_each_step(operator: Operator, capsys: pytest.CaptureFixture[str]) -> None:
    here = operator.manifest()
    await operator.apply(here)
    for arguments, sentence in (
        ((), "no move is prepared"),
        (("--prepare", "-f", file_of(operator, elsewhere(here))), "Test Connection succeeds from now on"),
        ((), "prepared; the old tenant is live"),
        (("--cancel",), "The live one was not touched"),
        (("--prepare", "-f", file_of(operator, elsewhere(here))), "Secret Token"),
        (("--cut-over",), "Start provisioning in the new tenant now"),
        ((), "moved; everybody is linked"),
    ):
        capsys.readouterr()
        assert await move(operator, *arguments) == 0
        assert sentence in capsys.readouterr().out


async def test_what_is_refused_is_a_sentence_that_says_what_to_do(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    here = operator.manifest()
    await operator.apply(here)
    bad = operator.folder / "bad.csv"
    bad.write_text("a@o.dk\n")
    for arguments, sentence in (
        (("--cut-over",), "--prepare -f FILE` is the first step"),
        (("--cancel",), "--prepare -f FILE` is the first step"),
        (("--prepare", "-f", file_of(operator, here)), "is in already"),
        (("--prepare", "-f", "/no/such/file"), "cannot be read"),
        (("--prepare", "-f", file_of(operator, {**elsewhere(here), "company": "other"})), "wanted is that of"),
        (("--emails", "/no/such/file"), "cannot be read"),
        (("--emails", str(bad)), "line 1: wanted two addresses"),
    ):
        capsys.readouterr()
        assert await move(operator, *arguments) == 1
        told = capsys.readouterr().err
        assert sentence in told
        assert "Traceback" not in told


@pytest.mark.parametrize(
    "arguments", [["--prepare"], ["-f", "x.yaml"], ["--cut-over", "--cancel"], ["--prepare", "--cut-over", "-f", "x"]]
)
async def test_wrong_usage_is_told_as_such(operator: Operator, arguments: list[str]) -> None:
    assert await move(operator, *arguments) == 2


async def test_a_manifest_with_another_tenant_does_not_move_people_by_itself(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    here = operator.manifest()
    await operator.apply(here, "--json")
    token = json.loads(capsys.readouterr().out)["provisioning"]["token"]
    corrected = elsewhere(here)
    assert await operator.apply(corrected) == 0, "a typing error is mended while nobody is provisioned"
    await hire(operator, token)
    capsys.readouterr()
    assert await operator.apply(elsewhere(here)) == 1
    assert "company move" in capsys.readouterr().err
    new_app = {**corrected, "entra": {**corrected["entra"], "app_id": str(uuid4())}}
    assert await operator.apply(new_app) == 0, "another app in the same tenant has the same people"


async def test_the_manifest_of_before_does_not_lead_back(
    operator: Operator, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be applied again and again by whoever keeps it in a repository."""
    here = operator.manifest()
    await operator.apply(here)
    assert await move(operator, "--prepare", "-f", file_of(operator, elsewhere(here))) == 0
    assert await operator.apply(here) == 0, "until the cut-over it is the truth"
    assert await move(operator, "--cut-over") == 0
    capsys.readouterr()
    assert await operator.apply({**here, "name": "Changed"}) == 1
    assert "is the tenant that" in capsys.readouterr().err
    assert await move(operator, "--prepare", "-f", file_of(operator, here)) == 0
    assert await move(operator, "--cut-over") == 0
    assert await operator.apply(here) == 0
