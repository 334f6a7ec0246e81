"""The move's steps on real PostgreSQL: what each writes, refuses and waits for."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import TypeVar
from uuid import UUID, uuid4

import msgspec
import pytest

from directory.access import provisioning
from directory.api import people as people_api
from directory.companies import ending, move, move_store, move_writes
from directory.companies.email_mapping import MappingRefused, read_mapping
from directory.companies.manifest import Manifest, read_manifest
from directory.companies.move_emails import ChangedAddresses, change_addresses
from directory.database import Actor, CompanyTx, Database
from directory.employees.hr import edit_employee
from directory.employees.writing import repeated
from shared.clock import system_clock
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import Employee, ScimCredential
from shared.schemas.people import EmployeeEdits
from shared.tokens import sha256
from tests.entra.tenant import utc_now
from tests.support import manifests
from tests.support.firm import Firm
from tests.support.groups import Groups, staff
from tests.support.plans import explained, plans_of, scanned, sent_by

DoneT = TypeVar("DoneT")


@pytest.fixture
async def operator(firm: Firm) -> AsyncIterator["Operator"]:
    async with Database(firm.urls.owner, clock=system_clock, min_size=1, max_size=4, command_timeout_s=60) as database:
        yield Operator(firm, database)


class Operator:
    """Runs the steps as the tables' owner, as the command does."""

    def __init__(self, firm: Firm, database: Database) -> None:
        self.firm = firm
        self.database = database
        self.new = {"entra.tenant_id": str(uuid4()), "entra.app_id": str(uuid4()), "entra.group_id": str(uuid4())}

    async def act(self, step: Callable[[CompanyTx], Awaitable[DoneT]]) -> DoneT:
        async def attempt() -> DoneT:
            async with self.database.scope_for_id(self.firm.company_id).transaction(Actor("operator", "test")) as tx:
                return await step(tx)

        return await repeated(attempt)

    def manifest(self, **changes: object) -> Manifest:
        issuer = f"https://sts.windows.net/{self.new['entra.tenant_id']}/"
        wanted = {"company": self.firm.name, **self.new, "sso.issuer": issuer}
        wanted |= {name.replace("__", "."): value for name, value in changes.items()}  # type: ignore[misc]
        return read_manifest(msgspec.json.encode(manifests.manifest(wanted)), utc_now())

    async def prepare(self, **changes: object) -> move.Prepared:
        manifest = self.manifest(**changes)
        return await self.act(lambda tx: move.prepare(tx, manifest))

    async def cut_over(self, *, anyway: bool = True) -> move.Moved:
        return await self.act(lambda tx: move.cut_over(tx, anyway=anyway))

    async def moved(self) -> "Firm":
        """The firm as the new tenant reaches it."""
        prepared = await self.prepare()
        await self.cut_over()
        return self.reached_by(prepared)

    def reached_by(self, prepared: move.Prepared) -> Firm:
        assert prepared.token is not None
        credential = ScimCredential(token_sha256=sha256(prepared.token.token).hex(), company=self.firm.name)
        return Firm(self.firm.database, self.firm.urls, self.firm.company_id, self.firm.name, credential)

    async def change_emails(self, *lines: str, dry_run: bool = False) -> ChangedAddresses:
        rows = read_mapping("\n".join(lines).encode())
        return await self.act(lambda tx: change_addresses(tx, rows, dry_run=dry_run))

    async def kinds(self) -> list[str]:
        rows = await self.firm.as_owner("select kind from events where employee_id is null order by sequence")
        return [row["kind"] for row in rows]


async def code(attempt: Awaitable[object]) -> ErrorCode:
    with pytest.raises(DomainError) as refused:
        await attempt
    return refused.value.code


# Preparing


async def test_preparing_twice_changes_nothing_and_shows_the_token_once(operator: Operator) -> None:
    first, again = await operator.prepare(), await operator.prepare()
    assert (first.token is not None, again.token, again.changes) == (True, None, {})
    edited = await operator.prepare(sso__group_check="required")
    assert (edited.token, list(edited.changes)) == (None, ["sso.group_check"])
    assert await operator.kinds() == ["move.prepared", "scim_token.issued", "move.prepared"]


async def test_nothing_of_the_live_connection_changes_by_preparing(firm: Firm, operator: Operator) -> None:
    live = "select * from connections where company_id = $1"
    before = await firm.as_owner(live, firm.company_id)
    await operator.prepare()
    assert await firm.as_owner(live, firm.company_id) == before


async def test_the_tenant_that_it_is_in_and_another_company_s_manifest_are_refused(
    firm: Firm, operator: Operator
) -> None:
    here = str((await firm.as_owner("select tenant_id from connections"))[0]["tenant_id"])
    issuer = f"https://sts.windows.net/{here}/"
    assert await code(operator.prepare(entra__tenant_id=here, sso__issuer=issuer)) is ErrorCode.not_allowed
    assert await code(operator.prepare(company="somebody-else")) is ErrorCode.not_allowed
    for step in (operator.cut_over(), operator.act(move.cancel)):
        assert await code(step) is ErrorCode.not_found


async def test_cancelling_revokes_its_tokens_and_frees_the_app(firm: Firm, operator: Operator) -> None:
    prepared = await operator.prepare()
    there = operator.reached_by(prepared)
    assert (await there.find()).total == 0
    await operator.act(move.cancel)
    assert await code(there.find()) is ErrorCode.unauthorized
    bound = await firm.as_owner(
        "select kind from registry.entra_bindings where tenant_id = $1", UUID(operator.new["entra.tenant_id"])
    )
    assert bound == []
    assert (await operator.kinds())[2:] == ["move.cancelled", "scim_token.revoked"]


async def test_the_prepared_app_and_group_are_the_company_s_and_so_are_the_live_ones(
    firm: Firm, operator: Operator
) -> None:
    bindings = "select tenant_id from registry.entra_bindings where company_id = $1"

    async def tenants() -> set[str]:
        return {str(row["tenant_id"]) for row in await firm.as_owner(bindings, firm.company_id)}

    old, new = await tenants(), operator.new["entra.tenant_id"]
    await operator.prepare()
    assert await tenants() == old | {new}
    await operator.cut_over()
    assert await tenants() == {new}


# Cutting over


async def test_link_keys_of_all_are_released_with_one_event_each(firm: Firm, operator: Operator) -> None:
    object_id = str(uuid4())
    linked = await firm.create(login="linked@firma.dk", external_id=object_id)
    named = await firm.create(login="named@firma.dk", external_id="nickname")
    plain = await firm.create(login="plain@firma.dk")
    gone = await firm.create(login="gone@firma.dk", external_id=str(uuid4()))
    await firm.remove(gone)
    await firm.imported("imported@firma.dk", entra_object_id=uuid4())
    await operator.prepare()
    assert (await operator.cut_over()).released == 3

    rows = await firm.as_owner("select * from employees where state <> 'departed' order by login_name")
    assert {(row["external_id"], row["entra_object_id"]) for row in rows} == {(None, None)}
    waits = {row["login_name"]: row["awaits_link_since"] is not None for row in rows}
    assert waits == {
        "imported@firma.dk": False,
        "linked@firma.dk": True,
        "named@firma.dk": True,
        "plain@firma.dk": True,
    }
    assert [(await firm.row(one))["version"] for one in (linked, named, plain)] == [2, 2, 1]
    told = (await firm.history(linked))[-1]
    assert (told["kind"], told["actor_kind"]) == ("employee.unlinked", "operator")
    assert await firm.kinds(plain) == ["employee.created"]
    assert await firm.kinds(gone) == ["employee.created", "employee.departed"]
    names = await firm.as_owner(
        "select changes || coalesce(names, '{}') as told from events where kind = 'employee.unlinked' and employee_id = $1",
        UUID(linked.id.removeprefix("emp_")),
    )
    assert msgspec.json.decode(names[0]["told"]) == {
        "external_id": {"before": object_id, "after": None},
        "entra_object_id": {"before": object_id, "after": None},
    }


async def test_groups_of_the_old_tenant_go_with_it(firm: Firm, operator: Operator) -> None:
    """What it said about who may sign in is not the new tenant's word."""
    groups, anna = Groups(firm), await firm.create()
    made = await groups.create("Alle", anna, external_id=str(uuid4()))
    there = await operator.moved()
    assert (await Groups(there).find()).total == 0
    assert await groups.kinds(made) == ["group.created", "group.members_changed", "group.removed"]
    assert (await Groups(there).create("Alle", anna)).members == [anna.id]


async def test_a_cut_over_counts_the_tokens_that_it_retires(operator: Operator) -> None:
    await operator.prepare()
    assert (await operator.cut_over()).retired_tokens == 1
    operator.new = {name: str(uuid4()) for name in operator.new}
    await operator.prepare()
    assert (await operator.cut_over()).retired_tokens == 1


async def test_whoever_waits_for_hr_s_choice_is_linked_again_and_waits_on(firm: Firm, operator: Operator) -> None:
    """A11: a create of the new tenant is no answer to what HR was asked."""
    await firm.as_owner("update companies set rehire_ask_after_days = 10")
    anna = await firm.create(external_id=str(uuid4()))
    await firm.change(anna, active=False)
    await firm.as_owner(
        "update employees set termination_date = termination_date - 30, suspended_on = suspended_on - 30"
    )
    await firm.change(anna, active=True)
    asked = (await firm.row(anna))["rehire_asked_at"]
    there = await operator.moved()
    again = await there.provision(external_id=str(uuid4()))
    assert (again.outcome, again.employee.id, again.employee.state) == ("adopted", anna.id, "active")
    row = await firm.row(anna)
    assert (row["state"], row["rehire_asked_at"], row["awaits_link_since"]) == ("suspended", asked, None)
    assert (await firm.kinds(anna))[-2:] == ["employee.unlinked", "employee.relinked"]
    assert not (await there.change(again.employee, active=True)).changed


async def test_the_history_of_a_move_folds_to_the_present_state(firm: Firm, operator: Operator) -> None:
    """Who follows the feed sees the same people as before, under new names."""
    people = [await firm.create(login=f"{name}@firma.dk", external_id=str(uuid4())) for name in "abc"]
    prepared = await operator.prepare()
    await operator.change_emails("a@firma.dk;a@new.example", "b@firma.dk;b@new.example")
    await operator.cut_over()
    await operator.reached_by(prepared).provision(login="a@new.example", external_id=str(uuid4()), title="Kok")
    async with firm.database.scope_for_id(firm.company_id).transaction() as tx:
        for one in people:
            present, folded = await people_api.employee(tx, one.id, None), await people_api.employee(tx, one.id, tx.now)
            assert folded == present
            assert folded.version == {"a": 4, "b": 3, "c": 2}[one.login_name[0]]


async def test_what_the_old_tenant_asked_for_and_the_brake_holds_is_wanted_no_more(
    firm: Firm, operator: Operator
) -> None:
    """Whoever unassigns everybody in the old tenant first, against the guide, loses nobody."""
    await firm.as_owner("update companies set brake_people = 1, brake_percent = 0")
    people = [await firm.create(login=f"{name}@firma.dk") for name in "abc"]
    await firm.change(people[0], active=False)
    for one in people[1:]:
        assert await code(firm.change(one, active=False)) is ErrorCode.held
    await operator.prepare()
    await operator.cut_over()
    assert await firm.as_owner("select * from held_changes") == []
    assert (await firm.kinds(people[1]))[-1] == "employee.deactivation_withdrawn"


async def test_a_closed_company_does_not_move(firm: Firm, operator: Operator) -> None:
    await operator.prepare()
    await operator.act(lambda tx: ending.close(tx, timedelta(days=1)))
    assert await code(operator.prepare(sso__signed="both")) is ErrorCode.not_allowed
    assert await code(operator.cut_over()) is ErrorCode.not_allowed


async def test_every_session_and_every_login_under_way_ends(firm: Firm, other_firm: Firm, operator: Operator) -> None:
    anna, stranger = await firm.create(), await other_firm.create()
    await firm.sign_in(anna)
    await other_firm.sign_in(stranger)
    await operator.prepare()
    assert (await operator.cut_over()).sessions == 1
    assert (await firm.signed_in(anna), await other_firm.signed_in(stranger)) == (0, 2)


async def test_a_second_create_of_somebody_who_was_linked_again_is_a_conflict(firm: Firm, operator: Operator) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    there = await operator.moved()
    first = await there.provision(external_id=str(uuid4()))
    assert (first.employee.id, first.outcome) == (anna.id, "adopted")
    assert await code(there.provision(external_id=str(uuid4()))) is ErrorCode.login_taken
    assert await code(there.provision()) is ErrorCode.login_taken


async def test_a_patch_of_the_new_tenant_ends_the_waiting(firm: Firm, operator: Operator) -> None:
    anna = await firm.create()
    there = await operator.moved()
    await there.change(anna, title="Kok")
    assert (await firm.row(anna))["awaits_link_since"] is None
    assert not await operator.act(move_store.is_moving)


@pytest.mark.parametrize("away", ["suspended", "departed"])
async def test_a_released_person_may_still_leave(firm: Firm, operator: Operator, away: str) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    there = await operator.moved()
    if away == "suspended":
        await there.change(anna, active=False)
    else:
        await there.remove(anna)
    row = await firm.row(anna)
    assert (row["state"], row["awaits_link_since"]) == (away, None)


async def test_a_setup_admin_is_linked_again_without_a_confirmation(firm: Firm, operator: Operator) -> None:
    """A24 guards imported accounts; here the operator has said which tenant is trusted from now on."""
    anna = await firm.create(external_id=str(uuid4()))
    await firm.as_owner("update employees set roles = '{setup_admin}'")
    there = await operator.moved()
    assert (await there.provision(external_id=str(uuid4()))).employee.id == anna.id


async def test_two_people_are_never_merged_into_one(firm: Firm, operator: Operator) -> None:
    await firm.create(login_name="anna", email="bo@firma.dk")
    await firm.create(login_name="bo", email="anna@firma.dk")
    there = await operator.moved()
    assert await code(there.provision(login_name="anna", email="anna@firma.dk")) is ErrorCode.email_taken
    assert (await there.find()).total == 2


async def test_addresses_outside_the_new_domains_stop_the_cut_over_until_somebody_says_anyway(
    firm: Firm, operator: Operator
) -> None:
    """Otherwise a forgotten e-mail edit makes everybody twice."""
    await firm.create(login="anna@firma.dk")
    await firm.create(login="bo@new.example")
    await operator.prepare(sso__email_domains=["new.example"])
    with pytest.raises(DomainError, match=r"1 active people have an e-mail address outside of new\.example") as refused:
        await operator.cut_over(anyway=False)
    assert refused.value.code is ErrorCode.not_allowed
    await operator.change_emails("anna@firma.dk;anna@NEW.example")
    await operator.cut_over(anyway=False)


# At the same moment


async def test_the_cut_over_waits_for_requests_that_have_begun(firm: Firm, operator: Operator) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    await operator.prepare()
    async with provisioning(firm.database, firm.credential):
        cutting = asyncio.create_task(operator.cut_over())
        await asyncio.sleep(0.2)
        assert not cutting.done()
    await cutting
    assert await code(firm.change(anna, title="Late")) is ErrorCode.unauthorized


async def test_a_request_of_the_old_tenant_that_comes_during_the_cut_over_changes_nothing(
    firm: Firm, operator: Operator
) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    prepared = await operator.prepare()
    there = operator.reached_by(prepared)
    scope = operator.database.scope_for_id(firm.company_id)
    async with scope.transaction(Actor("operator", "test")) as tx:
        await move.cut_over(tx, anyway=True)
        late = [
            asyncio.create_task(firm.change(anna, title="Late", external_id=str(uuid4()))),
            asyncio.create_task(firm.create(login="late@firma.dk")),
            asyncio.create_task(firm.remove(anna)),
        ]
        early = asyncio.create_task(there.change(anna, title="Kok"))
        await asyncio.sleep(0.2)
        assert not any(one.done() for one in (*late, early))
    for one in late:
        assert await code(one) is ErrorCode.unauthorized
    assert (await early).employee.title == "Kok"
    assert (await there.find()).total == 1


async def test_a_request_that_waits_too_long_for_a_cut_over_is_told_to_come_again(
    firm: Firm, operator: Operator
) -> None:
    await operator.prepare()
    hurried = Database(firm.urls.app, clock=system_clock, min_size=1, max_size=1, command_timeout_s=0.2)
    scope = operator.database.scope_for_id(firm.company_id)
    async with hurried as database:
        async with scope.transaction(Actor("operator", "test")) as tx:
            await move_writes.let_nobody_in(tx)
            with pytest.raises(DomainError) as refused:
                async with provisioning(database, firm.credential):
                    pass
        assert refused.value.code is ErrorCode.unavailable
        async with provisioning(database, firm.credential):
            pass


async def test_of_simultaneous_cut_overs_one_happens(firm: Firm, operator: Operator) -> None:
    anna = await firm.create(external_id=str(uuid4()))
    await operator.prepare()
    answers = await asyncio.gather(*(operator.cut_over() for _ in range(4)), return_exceptions=True)
    assert [one.code for one in answers if isinstance(one, DomainError)] == [ErrorCode.not_found] * 3
    assert (await firm.kinds(anna)).count("employee.unlinked") == 1


# Addresses


async def test_addresses_change_and_login_names_that_are_the_same_follow(firm: Firm, operator: Operator) -> None:
    same = await firm.create(login="Anna@Firma.dk")
    other = await firm.create(login_name="bo", email="bo@firma.dk")
    await operator.prepare()
    lines = ("old;new", "anna@firma.dk;Anna@new.example", "BO@firma.dk;bo@new.example")
    assert await operator.change_emails(*lines, dry_run=True) == ChangedAddresses(2, 1, 0)
    assert (await firm.get(same)).email == "Anna@Firma.dk"
    assert await operator.change_emails(*lines) == ChangedAddresses(2, 1, 0)
    changed = [await firm.get(one) for one in (same, other)]
    assert [(one.login_name, one.email, one.version) for one in changed] == [
        ("Anna@new.example", "Anna@new.example", 2),
        ("bo", "bo@new.example", 2),
    ]
    told = (await firm.history(same))[-1]
    assert (told["kind"], told["actor_kind"]) == ("employee.changed", "operator")
    assert told["changes"]["owners"]["after"] == {"login_name": "hr", "email": "hr"}
    assert await operator.change_emails(*lines) == ChangedAddresses(0, 0, 2)
    assert (await firm.find(email="bo@new.example")).employees[0].id == other.id


async def test_addresses_may_be_exchanged_and_passed_on(firm: Firm, operator: Operator) -> None:
    people = [await firm.create(login=f"{name}@firma.dk") for name in "abc"]
    await operator.prepare()
    await operator.change_emails("a@firma.dk,b@firma.dk", "b@firma.dk,c@firma.dk", "c@firma.dk,a@firma.dk")
    assert [(await firm.get(one)).email for one in people] == ["b@firma.dk", "c@firma.dk", "a@firma.dk"]
    assert [(await firm.get(one)).login_name for one in people] == ["b@firma.dk", "c@firma.dk", "a@firma.dk"]


async def test_every_problem_is_told_by_its_line_and_nothing_is_changed(firm: Firm, operator: Operator) -> None:
    anna = await firm.create(login="anna@firma.dk")
    await firm.create(login="bo@firma.dk")
    await firm.create(login_name="cecilie@new.example", email="cecilie@firma.dk")
    await operator.prepare()
    with pytest.raises(MappingRefused) as refused:
        await operator.change_emails(
            "anna@firma.dk;bo@firma.dk",
            "nobody@firma.dk;nobody@new.example",
            "bo@FIRMA.dk;cecilie@new.example",
        )
    assert [str(problem) for problem in refused.value.problems] == [
        "line 2: nobody here has the address 'nobody@firma.dk'",
        "line 3: the login name 'cecilie@new.example' belongs to another employee",
    ]
    with pytest.raises(MappingRefused, match=r"line 1: the email 'bo@firma\.dk' belongs to another employee"):
        await operator.change_emails("anna@firma.dk;bo@firma.dk")
    assert await firm.get(anna) == anna


async def test_addresses_change_only_while_the_company_moves(firm: Firm, operator: Operator) -> None:
    """S69: between the preparation and the last link; at any other time they come from Entra."""
    anna, bo = await firm.create(), await firm.create(login="bo@firma.dk")

    async def edit(who: Employee, email: str) -> None:
        await operator.act(lambda tx: edit_employee(tx, who.id, EmployeeEdits(email=email)))

    for attempt in (operator.change_emails("anna@firma.dk;a@new.example"), edit(anna, "a@new.example")):
        assert await code(attempt) is ErrorCode.not_allowed
    there = await operator.moved()
    await edit(anna, "a@new.example")
    assert await operator.change_emails("a@new.example;b@new.example") == ChangedAddresses(1, 0, 0)
    await there.change(bo, title="Kok")
    assert await code(edit(bo, "b2@new.example")) is ErrorCode.not_allowed
    with pytest.raises(MappingRefused, match="is linked to the new tenant already"):
        await operator.change_emails("bo@firma.dk;b2@new.example")
    await there.change(anna, title="Kok")
    assert await code(operator.change_emails("b@new.example;c@new.example")) is ErrorCode.not_allowed


async def test_every_address_may_be_edited_between_preparation_and_cut_over(firm: Firm, operator: Operator) -> None:
    """S69."""
    anna = await firm.create()
    await operator.prepare()
    await operator.act(lambda tx: edit_employee(tx, anna.id, EmployeeEdits(email="a@new.example")))
    assert (await firm.get(anna)).email == "a@new.example"
    title = operator.act(lambda tx: edit_employee(tx, anna.id, EmployeeEdits(given_name="Anne")))
    assert await code(title) is ErrorCode.not_allowed


async def test_a_company_that_has_ended_answers_no_prepared_connection(firm: Firm, operator: Operator) -> None:
    there = operator.reached_by(await operator.prepare())
    await firm.as_owner("update connections set provisioning_enabled = false")
    assert (await there.find()).total == 0
    await operator.act(lambda tx: ending.close(tx, timedelta(days=1)))
    assert await code(there.find()) is ErrorCode.unauthorized


async def test_whoever_waits_for_a_manager_of_the_new_name_is_linked(firm: Firm, operator: Operator) -> None:
    boss = await firm.create(login="boss@firma.dk")
    report = await firm.create(login="r@firma.dk", manager_ref="boss@new.example")
    await operator.prepare()
    await operator.change_emails("boss@firma.dk;boss@new.example")
    assert (await firm.get(report)).manager_id == boss.id


# How much


async def test_a_company_of_five_thousand_moves_in_a_constant_number_of_statements(
    firm: Firm, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = await staff(firm, 5000)
    await firm.as_owner("update employees set external_id = employee_id::text, entra_object_id = gen_random_uuid()")
    names = await firm.as_owner("select email from employees")
    await operator.prepare()
    lines = [f"{row['email']};{row['email'].replace('firma.dk', 'new.example')}" for row in names]

    async def work() -> None:
        await operator.change_emails(*lines)
        await operator.cut_over()

    sent = await sent_by(monkeypatch, work)
    assert len(sent) < 40, [question.name for question, _ in sent]
    plans = await explained(firm, sent, database=operator.database)
    # Everybody is touched: one pass over the company's people is what it takes.
    everybody = {
        "employees.release_links",
        "employees.lock_named",
        "employees.let_go_of_names",
        "employees.rename_many",
    }
    assert scanned(plans).keys() <= everybody
    rows = await firm.as_owner("select count(*) as many from events where kind = 'employee.unlinked'")
    assert rows[0]["many"] == len(people)


async def test_whether_a_company_moves_costs_the_same_for_any_number_of_people(
    firm: Firm, operator: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    await staff(firm, 5000)
    plans = await plans_of(firm, monkeypatch, lambda: operator.act(move_store.is_moving), database=operator.database)
    assert scanned(plans) == {}
