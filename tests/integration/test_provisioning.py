"""Provisioning on real PostgreSQL: lifecycle, matching, managers, searches."""

from tests.support.employees import Company, anna


async def test_a_created_employee_is_answered_as_sent_and_found_again(company: Company) -> None:
    created = await company.provision(
        anna(
            external_id="anna-7", title="Smørrebrødsjomfru", department="Køkken", country="Danmark", email_primary=True
        )
    )

    assert created.outcome == "created"
    assert created.employee.state == "active"
    assert created.employee.version == 1
    assert await company.get(created.employee) == created.employee
    assert (await company.find(login_name="ANNA@Firma.DK")).employees == [created.employee]
    assert await company.kinds(created.employee) == ["employee.created"]


async def test_first_round(company: Company) -> None:
    one = await company.create(login="bo@firma.dk")
    got = await company.change(one, title="Chef", department="Salg")
    assert got.changed
    assert got.employee.version == 2
    assert not (await company.change(one, title="Chef")).changed
    off = await company.change(one, active=False)
    assert off.employee.state == "suspended"
    assert (await company.find(active=False)).total == 1
    await company.remove(one)
    assert (await company.find()).total == 0
    assert await company.kinds(one) == [
        "employee.created",
        "employee.changed",
        "employee.suspended",
        "employee.departed",
    ]
