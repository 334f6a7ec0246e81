"""`directory company sessions`, against real PostgreSQL."""

import pytest

from tests.integration.test_approvers_command import Operator
from tests.support.browser import Browser
from tests.support.company import Company


@pytest.fixture
def operator(company: Company, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Operator:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)
    return Operator(company, capsys)


async def test_sessions_are_listed_and_ended_per_person_with_a_receipt(
    company: Company, browser: Browser, other_browser: Browser, operator: Operator
) -> None:
    """S39: listed, ended one by one or all, and how they ended is told."""
    anna, bo = company.hire("anna"), company.hire("bo")
    await company.cycle()
    await company.sign_in(browser, anna)
    await company.sign_in(other_browser, bo)

    everybody = (await operator.asked("sessions"))["sessions"]
    assert [one["login_name"] for one in everybody] == [bo.user_principal_name, anna.user_principal_name]
    [hers] = (await operator.asked("sessions", anna.user_principal_name))["sessions"]
    assert hers["session_id"].startswith("ses_")

    name = anna.user_principal_name
    assert "no open session" in await operator.run(
        "sessions", company.name, name, "--end", everybody[0]["session_id"], status=1
    )
    assert (await company.session(other_browser)).status == 200, "another's session is not hers to end"
    assert await operator.asked("sessions", name, "--end", hers["session_id"]) == {"ended": 1, "sessions": []}
    assert (await company.session(browser)).status == 401

    [receipt] = (await operator.asked("sessions", name, "--ended"))["receipts"]
    assert (receipt["why"], receipt["sessions"]) == ("by_admin", [hers["session_id"]])
    assert receipt["by"].startswith("operator ")
    assert "by_admin" in await operator.run("sessions", company.name, name, "--ended")

    assert (await operator.asked("sessions", bo.user_principal_name, "--end-all"))["ended"] == 1
    assert (await company.session(other_browser)).status == 401
    assert "Nobody is signed in." in await operator.run("sessions", company.name)


async def test_it_must_be_said_whose(company: Company, operator: Operator) -> None:
    assert "Say whose" in await operator.run("sessions", company.name, "--end-all", status=1)
