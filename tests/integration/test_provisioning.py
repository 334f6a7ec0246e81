"""Provisioning on real PostgreSQL: lifecycle, matching, managers, searches."""

from tests.support.firm import Firm, anna


async def test_a_created_employee_is_answered_as_sent_and_found_again(firm: Firm) -> None:
    created = await firm.provision(
        anna(
            external_id="anna-7", title="Smørrebrødsjomfru", department="Køkken", country="Danmark", email_primary=True
        )
    )

    assert created.outcome == "created"
    assert created.employee.state == "active"
    assert created.employee.version == 1
    assert await firm.get(created.employee) == created.employee
    assert (await firm.find(login_name="ANNA@Firma.DK")).employees == [created.employee]
    assert await firm.kinds(created.employee) == ["employee.created"]


async def test_first_round(firm: Firm) -> None:
    one = await firm.create(login="bo@firma.dk")
    got = await firm.change(one, title="Chef", department="Salg")
    assert got.changed
    assert got.employee.version == 2
    assert not (await firm.change(one, title="Chef")).changed
    off = await firm.change(one, active=False)
    assert off.employee.state == "suspended"
    assert (await firm.find(active=False)).total == 1
    await firm.remove(one)
    assert (await firm.find()).total == 0
    assert await firm.kinds(one) == [
        "employee.created",
        "employee.changed",
        "employee.suspended",
        "employee.departed",
    ]
