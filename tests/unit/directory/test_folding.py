"""Events to an employee, and the schema of events."""

from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_spec_validator import validate

from directory.api.openapi import openapi_document
from directory.employees.record import OWNED, OWNER_OF_SOURCE, EmployeeRecord, differences, owned
from directory.events.catalogue import EventKind
from directory.events.fields import COUNTING, EMPLOYEE, SHAPES, TYPES, tells
from directory.events.folding import fold
from directory.events.schema import events_schema
from shared.ids import EmployeeId, new_employee_id
from shared.schemas.history import EmployeeView, EventActor, HistoryEvent
from tests.unit.directory.employee_records import NOW, employee

ANNA = new_employee_id()


def event(kind: str, changes: dict[str, Any], *, hours: int = 0, forgotten: bool = False) -> HistoryEvent:
    """As the database gives it back: `changes` have been JSON."""
    return HistoryEvent(
        sequence=hours + 1, at=NOW + timedelta(hours=hours), kind=kind, employee_id=None,
        actor=EventActor(kind="system", id="test"), request_id="", trace_id="",
        changes=msgspec.json.decode(msgspec.json.encode(changes, enc_hook=str)), forgotten=forgotten,
    )  # fmt: skip


def created(**values: Any) -> HistoryEvent:
    record = employee(employee_id=ANNA, **values)
    has = [name for name in OWNED if getattr(record, name) is not None]
    record = owned(record, OWNER_OF_SOURCE[record.source], has, NOW)
    return event("employee.created", differences(None, record))


def folded(*events: HistoryEvent) -> EmployeeView:
    found = fold(ANNA, events)
    assert found is not None
    return found


def test_nobody_is_there_before_his_first_event() -> None:
    assert fold(ANNA, []) is None
    assert fold(ANNA, [event("session.opened", {})]) is None


def test_the_first_event_sets_everything_and_his_source_owns_it() -> None:
    anna = folded(created(title="Kok"))
    assert (anna.state, anna.login_name, anna.title, anna.version) == ("active", "anna@firma.dk", "Kok", 1)
    assert anna.created_at == anna.updated_at == NOW
    assert anna.owners == dict.fromkeys(("login_name", "email", "given_name", "family_name", "title"), "entra")
    assert folded(created(source="manual")).owners["email"] == "hr"


def test_later_events_set_what_they_tell_and_count() -> None:
    anna = folded(
        created(title="Kok"),
        event("employee.changed", {"title": {"before": "Kok", "after": None}}, hours=1),
        event("session.opened", {}, hours=2),
        event(
            "employee.suspended",
            {
                "state": {"before": "active", "after": "suspended"},
                "termination_date": {"before": None, "after": "2026-03-01"},
            },
            hours=3,
        ),
    )
    assert (anna.state, anna.title, str(anna.termination_date), anna.version) == ("suspended", None, "2026-03-01", 3)
    assert (anna.created_at, anna.updated_at) == (NOW, NOW + timedelta(hours=3))


def test_owners_are_merged_and_may_be_nobody() -> None:
    owners = {"before": {"title": "entra", "policy": None}, "after": {"title": "hr", "policy": "hr"}}
    lost = {"before": {"policy": "hr"}, "after": {"policy": None}}
    anna = folded(
        created(title="Kok"),
        event("employee.changed", {"owners": owners}, hours=1),
        event("employee.changed", {"owners": lost}, hours=2),
    )
    assert (anna.owners["title"], anna.owners["email"], "policy" in anna.owners) == ("hr", "entra", False)


def test_a_departure_clears_the_names_and_who_owned_them() -> None:
    anna = folded(
        created(external_id="x"), event("employee.departed", {"state": {"before": "active", "after": "departed"}})
    )
    assert (anna.state, anna.login_name, anna.email, anna.external_id) == ("departed", None, None, None)
    assert not {"login_name", "email"} & set(anna.owners)
    assert anna.given_name == "Anna"


def test_an_event_that_was_overtaken_tells_when_it_was() -> None:
    earlier = "2026-03-01T11:59:59.000000Z"
    anna = folded(created(), event("employee.changed", {"updated_at": {"before": None, "after": earlier}}, hours=1))
    assert anna.updated_at == datetime(2026, 3, 1, 11, 59, 59, tzinfo=UTC)
    assert anna.created_at == NOW


def test_whoever_was_erased_is_gone_and_a_kind_of_a_later_release_changes_nothing() -> None:
    assert fold(ANNA, [created(), event("employee.erased", {})]) is None
    emptied = event("employee.created", {}, forgotten=True)
    assert fold(ANNA, [emptied, event("employee.departed", {}, forgotten=True), event("employee.erased", {})]) is None
    assert (
        folded(created(), event("employee.promoted_to_customer", {"title": {"before": None, "after": "x"}})).version
        == 1
    )


values = st.one_of(st.none(), st.text(max_size=8))


@given(
    st.lists(
        st.dictionaries(st.sampled_from(["title", "department", "country", "policy"]), values, max_size=3), max_size=8
    )
)
def test_folding_differences_gives_the_record_back(steps: list[dict[str, str | None]]) -> None:
    record = employee(employee_id=EmployeeId(ANNA))
    events = [event("employee.created", differences(None, record))]
    for number, step in enumerate(steps, start=1):
        after = owned(msgspec.structs.replace(record, **step), "hr", step, NOW)
        if changes := differences(record, after):
            events.append(event("employee.changed", changes, hours=number))
        record = after
    anna = folded(*events)
    for name in ("title", "department", "country", "policy", "given_name", "state"):
        assert getattr(anna, name) == getattr(record, name)
    assert {name: held.owner for name, held in record.owners.items()}.items() <= anna.owners.items()
    assert anna.version == len(events)


# The catalogue


def test_everything_that_an_employee_is_and_history_tells_is_in_the_resource() -> None:
    unsaid = {"id", "created_at", "version"}
    assert set(EmployeeView.__struct_fields__) == EMPLOYEE | unsaid
    of_directory_alone = {"employee_id", "released_sha256", "awaits_link_since", "suspended_on", "spent_leave_date"}
    assert set(EmployeeRecord.__struct_fields__) - of_directory_alone == EMPLOYEE | unsaid - {"id"}


@pytest.mark.parametrize("kind", EventKind)
def test_every_field_that_a_kind_may_tell_has_a_type(kind: EventKind) -> None:
    assert tells(kind) <= {*TYPES, *SHAPES}
    told = tells(kind) & EMPLOYEE - {"updated_at"}
    assert (kind.value in COUNTING) == bool(told and kind.value.startswith("employee."))


def test_the_schema_accepts_what_is_told_and_nothing_else() -> None:
    schema = events_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    good = msgspec.to_builtins(created(title="Kok", roles=("setup_admin",)))
    validator.validate(good)
    for bad in (
        {**good, "kind": "employee.vanished"},
        {**good, "changes": {"shoe_size": {"before": None, "after": 1}}},
        {**good, "changes": {"title": {"after": "x"}}},
        {**good, "changes": {"state": {"before": None, "after": "asleep"}}},
        {**good, "kind": "session.opened"},
    ):
        assert not validator.is_valid(bad)


def test_the_applications_openapi_document_is_valid_and_names_every_parameter() -> None:
    document = openapi_document()
    validate(document)
    events = document["paths"]["/v1/companies/{company}/events"]["get"]
    assert [one["name"] for one in events["parameters"]] == ["company", "after", "hash", "wait", "limit", "kinds"]
    assert set(document["paths"]) == {
        f"/v1/companies/{{company}}{path}"
        for path in ("/employees", "/employees/{employee_id}", "/employees/{employee_id}/history", "/events")
    }
