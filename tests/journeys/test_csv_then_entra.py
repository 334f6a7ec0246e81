"""A company begins with a CSV, and Entra takes over: S33."""

import asyncio
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from directory.__main__ import main
from tests.entra.people import Person
from tests.support.company import Company, create_body

HEADER = "Brugernavn;E-mail;Fornavn;Efternavn;Jobtitel;Afdeling;Land;Lønnummer;Ansættelsesdato;Politik"


async def imported(company: Company, person: Person, folder: Path) -> dict[str, Any]:
    """His row after an import that says something else than Entra about nearly everything."""
    name = person.user_principal_name.upper()
    file = folder / "people.csv"
    file.write_text(
        f"{HEADER}\n{name};{name};Ann;Holmm;Elev;Lager;Danmark;0042;01-03-2020;Funktionær\n", encoding="cp1252"
    )
    assert await asyncio.to_thread(main, ["company", "import", company.name, str(file)]) == 0
    return await row(company)


async def row(company: Company) -> dict[str, Any]:
    connection = await asyncpg.connect(company.stack.owner_url)
    try:
        (only,) = await connection.fetch(
            "select e.* from employees e join companies using (company_id) where company = $1", company.name
        )
    finally:
        await connection.close()
    return dict(only)


@pytest.fixture
def operators_database(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", company.stack.owner_url)


@pytest.mark.usefixtures("operators_database")
@pytest.mark.parametrize("way", ["create", "cycle", "put"])
async def test_entra_takes_over_an_imported_person_and_what_only_the_file_knew_survives(
    company: Company, tmp_path: Path, way: str
) -> None:
    """S33: "still one employee, same id, Entra values win, CSV-only fields (payroll number, hire date, policy) survive":
    by a POST that knows nothing of him, by the probe and PATCH of a provisioning cycle, and by a PUT that mentions none of it."""
    anna = company.hire("anna", surname="Holm", job_title="Økonomichef", department="Økonomi")
    before = await imported(company, anna, tmp_path)
    assert (before["source"], before["title"], before["calendar_group"]) == ("csv", "Elev", "DK")

    if way == "create":
        await company.provision(anna)
    await company.cycle()
    if way == "put":
        employee_id = f"emp_{before['employee_id'].hex}"
        enterprise = {"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": anna.department}}
        body = create_body(anna, title=anna.job_title, **enterprise)
        assert (await company.scim.put(f"/Users/{employee_id}", body)).status == 200

    after = await row(company)
    assert after["employee_id"] == before["employee_id"]
    assert (after["source"], after["state"], after["given_name"], after["family_name"]) == (
        "entra",
        "active",
        "Anna",
        "Holm",
    )
    assert (after["login_name"], after["title"], after["department"]) == (
        anna.user_principal_name,
        "Økonomichef",
        "Økonomi",
    )
    for survives in ("employee_number", "hired_on", "policy", "country", "calendar_group"):
        assert after[survives] == before[survives] is not None, survives


@pytest.mark.usefixtures("operators_database")
async def test_an_import_after_entra_adds_what_only_hr_knows(company: Company, tmp_path: Path) -> None:
    """B10: what an automatic creation lacks (policy, date of employment, payroll number) comes by one file."""
    anna = company.hire("anna", job_title="Økonomichef")
    await company.cycle()
    after = await imported(company, anna, tmp_path)
    assert (after["source"], after["given_name"], after["title"]) == ("entra", "Anna", "Økonomichef")
    assert (after["employee_number"], after["policy"], str(after["hired_on"])) == ("0042", "Funktionær", "2020-03-01")
    mark = company.engine.log.last_number
    await company.engine.restart(company.app)
    assert company.engine.log.writes(mark) == []
