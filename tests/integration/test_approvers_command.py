"""`directory company approvers|role|approval`, and what `diff` tells about approval, against real PostgreSQL."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from directory.__main__ import main
from tests.support.company import Company


@pytest.fixture
def operator(company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> "Operator":
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    return Operator(company, capsys)


class Operator:
    """Runs the command as its console script does, in a thread, for it has an event loop of its own."""

    def __init__(self, company: Company, capsys: pytest.CaptureFixture[str]) -> None:
        self.company = company
        self._capsys = capsys

    async def run(self, command: str, *arguments: str, status: int = 0) -> str:
        """What it prints, or complains."""
        self._capsys.readouterr()
        ended = await asyncio.to_thread(_status, ["company", command, *arguments])
        printed = self._capsys.readouterr()
        assert ended == status, printed
        return printed.out if status == 0 else printed.err

    async def asked(self, command: str, *arguments: str) -> Any:
        return json.loads(await self.run(command, self.company.name, *arguments, "--json"))


def _status(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as ended:
        return int(ended.code or 0)


@pytest.fixture
async def people(company: Company) -> dict[str, str]:
    """Anna of the sales department, whose manager is Bo; and Cai. Name -> login name."""
    bo = company.hire("bo")
    anna = company.hire("anna", manager=bo.object_id, department="Salg")
    cai = company.hire("cai")
    await company.cycle()
    return {"anna": anna.user_principal_name, "bo": bo.user_principal_name, "cai": cai.user_principal_name}


async def test_the_command_tells_who_approves_for_one_employee(operator: Operator, people: dict[str, str]) -> None:
    told = await operator.asked("approvers", people["anna"])
    assert [(one["name"], one["reason"]) for one in told["approvers"]] == [("Bo Holm", "entra_manager")]
    assert (told["direct"]["status"], told["direct"]["source"]) == ("in_force", "entra")
    assert await operator.asked("approvers", told["employee_id"]) == told
    text = await operator.run("approvers", operator.company.name, people["anna"])
    assert "approved by       Bo Holm (" in text
    assert "): Manager in Entra" in text
    assert "direct approver   Bo Holm, named by entra since 20" in text
    bo = await operator.run("approvers", operator.company.name, people["bo"])
    assert "approved by       nobody" in bo
    assert "problem           manager_missing: No manager is named: set the manager in Entra" in bo
    assert "own roles         approver (has reports)" in bo


async def test_the_command_tells_the_companys_problems_in_numbers_and_with_everybody(
    operator: Operator, people: dict[str, str]
) -> None:
    told = await operator.asked("approvers")
    assert told["affected"] == {"nobody": 2, "manager_missing": 2}
    assert "problems" not in told
    everybody = await operator.asked("approvers", "--problems")
    assert [(one["kind"], one["name"]) for one in everybody["problems"]] == [
        ("nobody", "Bo Holm"), ("nobody", "Cai Holm"), ("manager_missing", "Bo Holm"), ("manager_missing", "Cai Holm")
    ]  # fmt: skip
    text = await operator.run("approvers", operator.company.name)
    assert f"{operator.company.name} follows Entra's managers." in text
    assert "     2  nobody: Nobody can approve for him" in text
    assert "  nobody: Cai Holm (emp_" in await operator.run("approvers", operator.company.name, "--problems")


async def test_roles_are_granted_and_revoked_by_login_name(operator: Operator, people: dict[str, str]) -> None:
    name = operator.company.name
    granted = await operator.run("role", name, people["cai"], "--grant", "approver", "--department", "Salg")
    assert granted.startswith(f"{people['cai']} (emp_")
    assert ") has now: approver, approves for Salg." in granted
    told = await operator.asked("approvers", people["anna"])
    reasons = [(one["name"], one["reason"]) for one in told["approvers"]]
    assert reasons == [("Bo Holm", "entra_manager"), ("Cai Holm", "department_approver")]
    assert "has now: no role, is approved by the direct approver alone." in await operator.run(
        "approval", name, people["anna"], "--only-direct", "yes"
    )
    told = await operator.asked("approvers", people["anna"])
    assert [one["name"] for one in told["approvers"]] == ["Bo Holm"]
    again = await operator.asked("role", people["cai"], "--grant", "approver")
    assert (again["changed"], again["roles"], again["departments"]) == (False, ["approver"], ["Salg"])
    revoked = await operator.asked("role", people["cai"], "--revoke", "approver")
    assert (revoked["roles"], revoked["departments"]) == ([], [])
    assert (await operator.asked("approval", people["anna"], "--only-direct", "no"))["only_direct_approver"] is False


async def test_a_preview_and_a_diff_tell_for_whom_others_would_approve_and_change_nothing(
    operator: Operator, people: dict[str, str], tmp_path: Path
) -> None:
    name = operator.company.name
    anna = (await operator.asked("approvers", people["anna"]))["employee_id"]
    told = await operator.asked("approvers", "--preview", "off")
    assert (told["changed"], [one["employee_id"] for one in told["changes"]]) == (1, [anna])
    text = await operator.run("approvers", name, "--preview", "off")
    assert "For 1 employee others would approve:" in text
    assert "    now   Bo Holm (entra_manager)\n    then  nobody" in text
    assert "Everybody would keep his approvers." in await operator.run("approvers", name, "--preview", "on")
    manifest = tmp_path / "company.json"
    manifest.write_text(json.dumps(operator.company.manifest(approvers__follow_entra_managers=False)))
    difference = json.loads(await operator.run("diff", "-f", str(manifest), "--json"))
    assert difference["approvers"] == {"changed": 1, "employees": [anna]}
    text = await operator.run("diff", "-f", str(manifest))
    assert "approvers.follow_entra_managers: True -> False" in text
    assert f"For 1 employee others would approve: {anna}\n" in text
    assert f"directory company approvers {name} --preview off" in text
    assert (await operator.asked("approvers", people["anna"]))["follows_entra_managers"] is True
    await operator.run("apply", "-f", str(manifest))
    switched = await operator.asked("approvers", people["anna"])
    assert (switched["direct"]["status"], switched["approvers"]) == ("not_followed", [])
    assert "approvers" not in json.loads(await operator.run("diff", "-f", str(manifest), "--json"))
    manifest.write_text(json.dumps(operator.company.manifest(name="Other")))
    difference = json.loads(await operator.run("diff", "-f", str(manifest), "--json"))
    assert difference["approvers"]["changed"] == 1


async def test_a_diff_of_a_company_that_is_not_there_yet_tells_nothing_of_approval(
    operator: Operator, tmp_path: Path
) -> None:
    manifest = tmp_path / "company.json"
    manifest.write_text(json.dumps({**operator.company.manifest(), "company": "not-there-yet"}))
    assert "approvers" not in json.loads(await operator.run("diff", "-f", str(manifest), "--json"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ("approvers", "nobody@firma.dk"),
            "The company has nobody with the id or login name 'nobody@firma.dk'.",
        ),
        (("approvers", "emp_" + "0" * 32), "The company has nobody with the id or login name 'emp_000"),
        (("role", "nobody@firma.dk", "--grant", "approver"), "The company has nobody with"),
        (("role", "anna", "--grant", "boss"), "There is no role 'boss'; the roles are setup_admin,"),
        (("role", "anna", "--grant", "approver", "--department", "Månen"), "There is no department 'Månen'"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_sentence(
    operator: Operator, people: dict[str, str], arguments: tuple[str, ...], sentence: str
) -> None:
    command, *rest = (people.get(one, one) for one in arguments)
    assert sentence in await operator.run(command, operator.company.name, *rest, status=1)


@pytest.mark.parametrize(
    "arguments",
    [
        ("approvers", "--preview", "maybe"),
        ("approvers", "anna", "--problems"),
        ("role", "anna"),
        ("role", "anna", "--grant", "approver", "--revoke", "approver"),
        ("approval", "anna"),
        ("approval", "anna", "--only-direct", "perhaps"),
    ],
)
async def test_wrong_usage_is_status_2(operator: Operator, arguments: tuple[str, ...]) -> None:
    command, *rest = arguments
    await operator.run(command, operator.company.name, *rest, status=2)


async def test_a_company_that_is_not_there_is_refused(operator: Operator) -> None:
    for command in (("approvers", "no-such"), ("role", "no-such", "x", "--grant", "approver")):
        assert "There is no such company." in await operator.run(*command, status=1)
