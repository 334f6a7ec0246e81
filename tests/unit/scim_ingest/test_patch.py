"""A PATCH compiled: every shape that Entra or Microsoft's validators are known to send for users."""

from typing import Any

import pytest
from msgspec import UNSET
from msgspec.structs import asdict

from scim_ingest.protocol.attributes import ATTRIBUTES
from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.patch import compile_patch, operations_of

URN = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
BITABIZ = "urn:ietf:params:scim:schemas:extension:bitabiz:2.0:User"
CORE_URN = "urn:ietf:params:scim:schemas:core:2.0:User"


def changes_of(*operations: dict[str, Any], employee_id: str | None = None) -> dict[str, Any]:
    """Only what is mentioned."""
    compiled = compile_patch(operations, employee_id)
    return {name: value for name, value in asdict(compiled.changes).items() if value is not UNSET}


def refusal_of(*operations: dict[str, Any], employee_id: str | None = None) -> ScimError:
    with pytest.raises(ScimError) as caught:
        compile_patch(operations, employee_id)
    return caught.value


def op(op: str, path: str | None = None, *value: Any) -> dict[str, Any]:
    return {"op": op, **({"path": path} if path else {}), **({"value": value[0]} if value else {})}


ROWS: list[tuple[str, str, Any]] = [
    ("login_name", "userName", "anna@firma.dk"),
    ("external_id", "externalId", "0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef"),
    ("display_name", "displayName", "Anna Ø. Holm"),
    ("formatted_name", "name.formatted", "Anna O'Holm"),
    ("given_name", "name.givenName", "Anna"),
    ("family_name", "name.familyName", "Ærø"),
    ("title", "title", "Økonom"),
    ("active", "active", False),
    ("email", 'emails[type eq "work"].value', "anna@firma.dk"),
    ("email_primary", 'emails[type eq "work"].primary', True),
    ("work_phone", 'phoneNumbers[type eq "work"].value', "+45 70 20"),
    ("mobile_phone", 'phoneNumbers[type eq "mobile"].value', "22 33 (privat)"),
    ("country", 'addresses[type eq "work"].country', "Danmark"),
    ("employee_number", f"{URN}:employeeNumber", "007"),
    ("department", f"{URN}:department", "Salg"),
    ("manager_ref", f"{URN}:manager", "emp_1"),
    ("leave_date", f"{BITABIZ}:leaveDate", "2026-12-31T00:00:00Z"),
]


def test_the_rows_below_are_the_whole_table() -> None:
    assert [field for field, _, _ in ROWS] == [attribute.field for attribute in ATTRIBUTES]


@pytest.mark.parametrize(("field", "path", "value"), ROWS)
@pytest.mark.parametrize("verb", ["add", "replace", "Add", "Replace", "REPLACE"])
def test_every_attribute_is_set_by_its_path(field: str, path: str, value: Any, verb: str) -> None:
    assert changes_of(op(verb, path, value)) == {field: value}


@pytest.mark.parametrize(("field", "path", "value"), ROWS)
@pytest.mark.parametrize("verb", ["add", "Replace"])
def test_every_attribute_is_set_by_a_key_of_a_path_less_value(field: str, path: str, value: Any, verb: str) -> None:
    assert changes_of(op(verb, None, {path: value})) == {field: value}


@pytest.mark.parametrize(("field", "path", "value"), ROWS)
def test_names_count_without_case(field: str, path: str, value: Any) -> None:
    assert changes_of(op("replace", path.upper().replace(" EQ ", " eq "), value)) == {field: value}
    assert changes_of(op("replace", path.lower(), value)) == {field: value}


@pytest.mark.parametrize(("field", "path", "value"), [row for row in ROWS if not row[1].startswith("urn:")])
def test_core_attributes_may_carry_the_core_urn(field: str, path: str, value: Any) -> None:
    assert changes_of(op("replace", f"{CORE_URN}:{path}", value)) == {field: value}


OPTIONAL = [row for row in ROWS if row[0] not in ("login_name", "given_name", "family_name", "email", "active")]


@pytest.mark.parametrize(("field", "path", "value"), OPTIONAL)
def test_optional_attributes_are_cleared_by_remove_null_and_empty_text(field: str, path: str, value: Any) -> None:
    assert changes_of(op("remove", path)) == {field: None}
    assert changes_of(op("Remove", path, value)) == {field: None}
    assert changes_of(op("replace", path, None)) == {field: None}
    assert changes_of(op("replace", path, "")) == {field: None}
    assert changes_of(op("replace", None, {path: None})) == {field: None}


@pytest.mark.parametrize(("field", "path", "value"), [row for row in ROWS if row not in OPTIONAL])
def test_mandatory_attributes_cannot_be_cleared(field: str, path: str, value: Any) -> None:
    for operation in (
        op("remove", path),
        op("replace", path, None),
        op("replace", path, ""),
        op("add", None, {path: None}),
    ):
        refused = refusal_of(operation)
        assert (refused.status, refused.scim_type) == (400, "invalidValue")
        assert path in refused.detail


@pytest.mark.parametrize("path", ["name", "emails", 'emails[type eq "work"]', CORE_URN])
def test_clearing_what_holds_a_mandatory_attribute_is_refused(path: str) -> None:
    assert refusal_of(op("remove", path)).scim_type == "invalidValue"


def test_a_blank_login_name_is_no_login_name() -> None:
    assert refusal_of(op("replace", "userName", "   ")).scim_type == "invalidValue"


@pytest.mark.parametrize("text", ["True", "true", "TRUE"])
def test_true_as_text_is_true(text: str) -> None:
    assert changes_of(op("Replace", "active", text)) == {"active": True}


@pytest.mark.parametrize("text", ["False", "false", "FALSE"])
def test_false_as_text_is_false_with_and_without_path(text: str) -> None:
    assert changes_of(op("Replace", "active", text)) == {"active": False}
    assert changes_of(op("Replace", None, {"active": text})) == {"active": False}


def test_true_as_text_stays_text_where_the_schema_says_text() -> None:
    assert changes_of(op("Replace", "title", "True")) == {"title": "True"}


@pytest.mark.parametrize("value", ["yes", "0", 0, 1, 2.5, {"a": 1}, [True, False]])
def test_what_is_not_a_boolean_is_refused_for_active(value: Any) -> None:
    refused = refusal_of(op("replace", "active", value))
    assert refused.scim_type == "invalidValue"
    assert "active" in refused.detail


def test_flag_on_values_are_read_as_paths() -> None:
    assert changes_of(
        op("replace", 'emails[type eq "work"].value', "bjfe@contoso.com"),
        op(
            "replace",
            None,
            {
                "displayName": "Bjfe",
                "name.givenName": "Kkom",
                "name.familyName": "Unua",
                f"{URN}:employeeNumber": "Aklq",
            },
        ),
    ) == {
        "email": "bjfe@contoso.com",
        "display_name": "Bjfe",
        "given_name": "Kkom",
        "family_name": "Unua",
        "employee_number": "Aklq",
    }


def test_nested_objects_of_a_path_less_value_are_merged() -> None:
    assert changes_of(
        op("add", None, {"name": {"givenName": "A"}, URN: {"department": "D", "manager": {"value": "emp_2"}}}),
        op(
            "add",
            None,
            {"emails": [{"type": "work", "value": "a@b.dk"}], "phoneNumbers": [{"type": "mobile", "value": "1"}]},
        ),
    ) == {"given_name": "A", "department": "D", "manager_ref": "emp_2", "email": "a@b.dk", "mobile_phone": "1"}


def test_replacing_a_list_clears_the_elements_it_does_not_hold() -> None:
    assert changes_of(op("replace", "phoneNumbers", [{"type": "mobile", "value": "1"}])) == {
        "mobile_phone": "1",
        "work_phone": None,
    }
    assert changes_of(op("add", "phoneNumbers", [{"type": "mobile", "value": "1"}])) == {"mobile_phone": "1"}
    assert changes_of(op("replace", "phoneNumbers", [])) == {"mobile_phone": None, "work_phone": None}
    assert changes_of(op("add", "phoneNumbers", [])) == {}


def test_replacing_the_addresses_without_a_work_address_is_refused() -> None:
    assert refusal_of(op("replace", "emails", [{"type": "home", "value": "x@y.dk"}])).scim_type == "invalidValue"


def test_replacing_an_element_clears_what_it_does_not_hold() -> None:
    assert changes_of(op("replace", 'emails[type eq "work"]', {"value": "a@b.dk"})) == {
        "email": "a@b.dk",
        "email_primary": None,
    }
    assert changes_of(op("add", 'emails[type eq "work"]', {"value": "a@b.dk"})) == {"email": "a@b.dk"}
    assert changes_of(op("replace", 'phoneNumbers[type eq "mobile"]', "22")) == {"mobile_phone": "22"}


def test_parts_of_one_element_may_come_in_several_operations() -> None:
    assert changes_of(
        op("Add", 'emails[type eq "work"].value', "a@b.dk"),
        op("Add", 'emails[type eq "work"].primary', "True"),
        op("Add", 'emails[type eq "work"].type', "work"),
    ) == {"email": "a@b.dk", "email_primary": True}


def test_operations_count_in_order() -> None:
    assert changes_of(op("replace", "title", "A"), op("remove", "title"), op("add", "title", "B")) == {"title": "B"}
    assert changes_of(op("replace", "title", "A"), op("remove", "title")) == {"title": None}
    # The result is what must hold: cleared and set again is not cleared.
    assert changes_of(op("remove", "userName"), op("add", "userName", "a@b.dk")) == {"login_name": "a@b.dk"}


MANAGER_FORMS: list[Any] = [
    "emp_1",
    {"value": "emp_1"},
    {"$ref": "https://x/Users/emp_1", "value": "emp_1"},
    {"$ref": None, "value": "emp_1", "displayName": "Chef"},
    [{"value": "emp_1"}],
    [{"$ref": "http://host/scim/Users/emp_1", "value": "emp_1"}],
    [{"$ref": None, "value": "emp_1"}],
    {"$ref": "https://x/scim/v2/firma/Users/emp_1"},
    ["emp_1"],
]


@pytest.mark.parametrize("value", MANAGER_FORMS)
@pytest.mark.parametrize("path", [f"{URN}:manager", "manager", f"{URN}:manager.value", "manager.value"])
def test_the_manager_may_come_in_any_form_and_under_any_name(value: Any, path: str) -> None:
    assert changes_of(op("Add", path, value)) == {"manager_ref": "emp_1"}
    assert changes_of(op("replace", None, {path: value})) == {"manager_ref": "emp_1"}


@pytest.mark.parametrize("value", ["", None, {"value": ""}, {"value": None}, [{"value": ""}], [], {}, [None]])
def test_an_empty_manager_clears_him(value: Any) -> None:
    assert changes_of(op("Replace", f"{URN}:manager", value)) == {"manager_ref": None}


@pytest.mark.parametrize(
    "operation",
    [
        op("remove", f"{URN}:manager"),
        op("Remove", "manager", "emp_1"),
        op("Remove", f"{URN}:manager", [{"value": "emp_1"}]),
        op("remove", f"{URN}:manager.value"),
        op("remove", f'{URN}:manager[value eq "emp_1"]'),
        op("remove", 'manager[value eq "emp_1"].value'),
        op("remove", 'manager[$ref eq "emp_1"]'),
    ],
)
def test_a_manager_is_removed_in_any_form(operation: dict[str, Any]) -> None:
    assert changes_of(operation) == {"manager_ref": None}


@pytest.mark.parametrize("value", [["emp_1", "emp_2"], 2.5, True, {"value": ["a", "b"]}, {"x": "y", "value": 1.5}])
def test_what_is_no_reference_is_refused_as_manager(value: Any) -> None:
    assert refusal_of(op("replace", "manager", value)).scim_type == "invalidValue"


@pytest.mark.parametrize("value", [True, 1.5, {"x": "y"}, ["a", "b"], [["a"]]])
def test_what_is_not_a_text_is_refused_by_name_and_type(value: Any) -> None:
    refused = refusal_of(op("replace", "title", value))
    assert refused.scim_type == "invalidValue"
    assert "title" in refused.detail


def test_primary_names_the_only_element() -> None:
    assert changes_of(op("replace", "emails[primary eq true].value", "a@b.dk")) == {"email": "a@b.dk"}
    assert changes_of(op("replace", 'emails[primary eq "True"].value', "a@b.dk")) == {"email": "a@b.dk"}
    assert changes_of(op("replace", 'emails[type eq "work" and primary eq true].value', "a@b.dk")) == {
        "email": "a@b.dk"
    }
    assert changes_of(op("replace", "emails.value", "a@b.dk")) == {"email": "a@b.dk"}
    assert changes_of(op("replace", "addresses.country", "DK")) == {"country": "DK"}


@pytest.mark.parametrize(
    "path",
    [
        'emails[value eq "a@b.dk"].value',
        'emails[value co "a"].value',
        'emails[not (type eq "work")].value',
        'emails[type eq "work" or type eq "home"].value',
        'emails[type eq "work" and type eq "home"].value',
        "emails[primary eq false].value",
        "phoneNumbers[primary eq true].value",
        "phoneNumbers.value",
        "emails[].value",
    ],
)
def test_a_filter_that_does_not_say_which_element_has_no_target(path: str) -> None:
    refused = refusal_of(op("replace", path, "x"))
    assert (refused.status, refused.scim_type) in ((400, "noTarget"), (400, "invalidPath"))


@pytest.mark.parametrize(
    "path",
    ["emails[", "emails]", 'emails[type eq "work"', 'emails[type eq "work].value', "a b", ".value", "userName.", "0", "a..b",
     'emails[type eq "work"]value', 'emails[type eq "work"].value.x y', "[type eq 1]", "æble", "x" * 600, f"{URN}:a b"],
)  # fmt: skip
def test_what_is_not_a_path_is_refused(path: str) -> None:
    assert refusal_of(op("replace", path, "x")).scim_type in ("invalidPath", "noTarget")


CUSTOM = "urn:ietf:params:scim:schemas:extension:CustomExtensionName:2.0:User:tag"
UNKNOWN: list[tuple[str, Any, str]] = [
    ("nickName", "Babs", "nickName"),
    ('emails[type eq "other"].Value', "x", 'emails[type eq "other"].Value'),
    ('addresses[type eq "other"].Formatted', "x", 'addresses[type eq "other"].Formatted'),
    ('addresses[type eq "work"].streetAddress', "x", "addresses[…].streetAddress"),
    ('roles[primary eq "True"].value', "x", "roles[…].value"),
    ('roles[value eq "secret"].display', "x", "roles[…].display"),
    ("roles", [{"value": '{"id":"06b07648","value":"Admin"}'}], "roles"),
    (f"{URN}:costCenter", "x", f"{URN}:costCenter"),
    (CUSTOM, "x", CUSTOM),
    ("name.middleName", "x", "name.middleName"),
    ("groups", [], "groups"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "name"), UNKNOWN)
def test_what_we_do_not_keep_is_ignored_and_reported_without_values(path: str, value: Any, name: str) -> None:
    compiled = compile_patch([op("Add", path, value), op("Replace", "title", "T")])
    assert compiled.changes.title == "T"
    assert compiled.ignored == [name]
    assert compile_patch([op("Replace", None, {path: value, "title": "T"})]).ignored == [name]
    assert compile_patch([op("Remove", path)]).ignored == [name]


def test_unknown_parts_and_elements_inside_known_ones_are_reported() -> None:
    compiled = compile_patch(
        [
            op("replace", "name", {"givenName": "A", "honorificPrefix": "Dr"}),
            op(
                "add",
                "emails",
                [{"type": "home", "value": "h@x.dk"}, {"type": "work", "value": "w@x.dk", "display": "W"}],
            ),
            op("add", None, {URN: {"division": "D"}}),
        ]
    )
    assert compiled.ignored == ["name.honorificPrefix", 'emails[type eq "home"]', "emails.display", f"{URN}:division"]
    assert compiled.changes.email == "w@x.dk"


def test_of_two_work_addresses_the_primary_one_counts_and_the_other_is_reported() -> None:
    compiled = compile_patch(
        [
            op(
                "replace",
                "emails",
                [{"type": "work", "value": "a@x.dk"}, {"type": "Work", "value": "b@x.dk", "primary": "True"}],
            )
        ]
    )
    assert (compiled.changes.email, compiled.changes.email_primary) == ("b@x.dk", True)
    assert compiled.ignored == ['emails[type eq "work"]']


def test_remove_with_a_value_removes_only_the_elements_named() -> None:
    assert changes_of(op("Remove", "phoneNumbers", [{"type": "mobile", "value": "1"}])) == {"mobile_phone": None}
    assert changes_of(op("remove", "phoneNumbers")) == {"work_phone": None, "mobile_phone": None}
    assert changes_of(op("remove", 'phoneNumbers[type eq "work"]')) == {"work_phone": None}


def test_the_enterprise_schema_may_be_addressed_as_a_whole() -> None:
    assert changes_of(op("replace", URN, {"department": "D", "Manager": "emp_1"})) == {
        "department": "D",
        "manager_ref": "emp_1",
    }
    assert changes_of(op("remove", URN)) == {"employee_number": None, "department": None, "manager_ref": None}


def test_a_single_value_may_come_in_a_list() -> None:
    assert changes_of(op("Replace", "title", [{"$ref": None, "value": "T"}])) == {"title": "T"}
    assert changes_of(op("Replace", "active", [{"$ref": None, "value": "False"}])) == {"active": False}


def test_a_number_is_kept_as_its_text() -> None:
    assert changes_of(op("Add", f"{URN}:employeeNumber", 4711)) == {"employee_number": "4711"}


def test_values_are_kept_exactly_as_sent() -> None:
    for value in (" ", " x ", "Ærø  ", "a\tb", "\u0301e", "😀", 'O\'Brien #1 "q"'):
        assert changes_of(op("Replace", "title", value)) == {"title": value}


def test_an_empty_list_of_operations_changes_nothing() -> None:
    assert changes_of() == {}
    assert operations_of({"schemas": [], "Operations": []}) == []


def test_the_order_and_case_of_the_envelope_do_not_matter() -> None:
    assert operations_of({"x": 1, "operations": [1], "schemas": []}) == [1]


@pytest.mark.parametrize("body", [[], "x", None, 3, {}, {"Operations": {}}, {"Operations": None}, {"op": "add"}])
def test_a_wrong_envelope_is_invalid_syntax(body: Any) -> None:
    with pytest.raises(ScimError) as caught:
        operations_of(body)
    assert caught.value.scim_type == "invalidSyntax"


@pytest.mark.parametrize(
    ("operation", "scim_type"),
    [
        ("x", "invalidSyntax"),
        ({}, "invalidSyntax"),
        ({"op": "move", "path": "title", "value": "x"}, "invalidSyntax"),
        ({"op": 1, "path": "title", "value": "x"}, "invalidSyntax"),
        ({"op": "add", "path": 3, "value": "x"}, "invalidSyntax"),
        ({"op": "add", "path": "title"}, "invalidSyntax"),
        ({"op": "replace", "value": "x"}, "invalidValue"),
        ({"op": "remove"}, "noTarget"),
        ({"op": "remove", "value": {"title": "x"}}, "noTarget"),
        ({"op": "replace", "path": "name", "value": "x"}, "invalidValue"),
        ({"op": "replace", "path": "emails", "value": "x"}, "invalidValue"),
        ({"op": "replace", "path": "emails", "value": ["x"]}, "invalidValue"),
        ({"op": "replace", "path": URN, "value": "x"}, "invalidValue"),
    ],
)
def test_a_wrong_operation_is_refused(operation: Any, scim_type: str) -> None:
    with pytest.raises(ScimError) as caught:
        compile_patch([operation])
    assert (caught.value.status, caught.value.scim_type) == (400, scim_type)


def test_the_own_id_may_be_sent_but_not_changed() -> None:
    assert changes_of(op("replace", "id", "emp_1"), employee_id="emp_1") == {}
    assert changes_of(op("replace", None, {"id": "emp_1", "meta": {"x": 1}}), employee_id="emp_1") == {}
    for operation in (op("replace", "id", "emp_2"), op("add", None, {"ID": "emp_2"}), op("remove", "id")):
        assert refusal_of(operation, employee_id="emp_1").scim_type == "mutability"


def test_read_only_members_are_left_alone() -> None:
    assert changes_of(op("replace", "meta.created", "x"), op("replace", "schemas", []), op("add", "groups", [])) == {}


def test_a_deactivation_is_applied_even_when_the_rest_is_wrong() -> None:
    compiled = compile_patch(
        [op("replace", "title", True), op("Replace", "active", "False"), op("remove", "userName"), op("add", "a b", 1)]
    )
    assert asdict(compiled.changes)["active"] is False
    assert changes_of(op("replace", "title", True), op("replace", "active", False)) == {"active": False}
    assert [error.scim_type for error in compiled.refused] == ["invalidValue", "invalidPath", "invalidValue"]


def test_a_deactivation_inside_a_path_less_value_is_applied_even_when_the_rest_is_wrong() -> None:
    assert changes_of(op("replace", None, {"title": 2.5, "active": "False", "name": "x"})) == {"active": False}


def test_a_wrong_patch_that_activates_is_refused() -> None:
    assert refusal_of(op("replace", "active", True), op("replace", "title", True)).scim_type == "invalidValue"
    assert refusal_of(op("replace", "active", False), op("replace", "active", True), op("remove", None)).status == 400


def test_too_many_operations_are_refused() -> None:
    assert refusal_of(*[op("add", "title", "x")] * 1001).status == 413


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        (op("replace", "title", "x"), ("replace", "rfc")),
        (op("Replace", "title", "x"), ("replace", "entra_caps")),
        (op("Replace", "active", "False"), ("replace", "entra_string_bool")),
        (op("replace", None, {"name.givenName": "x"}), ("replace", "entra_dotted")),
        (op("add", None, {"active": "True", "name.givenName": "x"}), ("add", "entra_string_bool")),
    ],
)
def test_the_dialect_is_told_for_metrics(operation: dict[str, Any], expected: tuple[str, str]) -> None:
    assert compile_patch([operation]).dialects == [expected]
