"""Every point where Entra (or Microsoft's validators) leaves RFC 7643/7644, named, with its source.

The functions here are the only place that bends values. What bends structure (paths, elements) is done where structure is
read, and says so by naming the quirk. `QUIRKS` is the list; each entry has a test of the same name, and says whether a company
in strict mode refuses it (found by `strict.py`).
One that changed something says so to the journal, by its name.
"""

import msgspec

from scim_ingest.protocol.attributes import Attribute
from scim_ingest.protocol.errors import ScimError, ScimType, invalid_value
from scim_ingest.recorder import coerced, ignored

Value = str | bool | None


class Quirk(msgspec.Struct, frozen=True):
    name: str
    what: str
    source: str
    strict: ScimType | None = None
    """What a company in strict mode answers; None: accepted there too, for the standards allow it or do not forbid it."""


_NOBODY_KNOWN = "no sender known; taken because it can mean one thing only"

QUIRKS: tuple[Quirk, ...] = (
    Quirk(
        "operation_in_capitals",
        "op is Add, Replace, Remove",
        "Microsoft: SCIM compliance page, flag off",
        "invalidSyntax",
    ),
    Quirk(
        "operation_without_path",
        "the keys of the value are what changes",
        "aadOptscim062020; scim-patch 132",
        "invalidSyntax",
    ),
    Quirk(
        "boolean_as_text",
        'active is "True" or "False"',
        "Microsoft: SCIM compliance page; customappsso mapping",
        "invalidValue",
    ),
    Quirk(
        "number_as_text",
        "a text is a JSON number, mostly employeeNumber",
        "customappsso jobs with an integer source attribute",
        "invalidValue",
    ),
    Quirk("dotted_keys", "keys of a body are paths", "Microsoft Q&A 1435791; aadOptscim062020", "invalidSyntax"),
    Quirk("urn_keys", "keys of a body carry the schema", "aadOptscim062020", "invalidSyntax"),
    Quirk(
        "bare_enterprise_names",
        "manager, department without URN",
        "Microsoft: SCIM tutorial, examples 2 and 5",
        "invalidSyntax",
    ),
    Quirk(
        "names_without_case", 'emails[type eq "other"].Value', "Microsoft: default mapping table; RFC 7643 section 2.1"
    ),
    Quirk("element_made_when_missing", "a value-filter path makes its element", "RFC 7644 erratum 8097"),
    Quirk("primary_names_the_element", "emails[primary eq true]", "Microsoft's SCIM validator"),
    Quirk("element_as_target", 'a path ends in emails[type eq "work"]', "RFC 7644 section 3.5.2", "invalidPath"),
    Quirk("element_without_type", "an element without type is the work element", "SCIM clients that send no type"),
    Quirk(
        "element_not_kept",
        "elements of other types in a list are overlooked",
        "Microsoft: default mapping table",
        "invalidValue",
    ),
    Quirk(
        "attribute_not_kept",
        "unknown attributes are overlooked",
        "Microsoft: default mapping table; D6",
        "invalidSyntax",
    ),
    Quirk("list_without_brackets", "an object where a list belongs", _NOBODY_KNOWN, "invalidValue"),
    Quirk(
        "manager_as_text", "manager is the bare id", "Microsoft Q&A 188003; Microsoft's SCIM validator", "invalidValue"
    ),
    Quirk("manager_as_list", "manager is [{$ref, value}]", "Microsoft: SCIM tutorial, example 5", "invalidValue"),
    Quirk("manager_with_filter", 'manager[value eq "id"] in a remove', "scim-patch issue 453", "invalidPath"),
    Quirk(
        "reference_by_address",
        "manager or member is {$ref} alone",
        "Microsoft: SCIM tutorial, example 5",
        "invalidValue",
    ),
    Quirk("member_as_text", "members is a list of bare ids", _NOBODY_KNOWN, "invalidValue"),
    Quirk("single_value_in_list", "[{value}] for a single-valued attribute", "Stack Overflow 48438665", "invalidValue"),
    Quirk("empty_text_clears", '"" clears a text, null anything', "Microsoft: SCIM_Null_Update gallery test (2026)"),
    Quirk(
        "empty_text_for_anything",
        '"" clears what is no text',
        "Microsoft: SCIM_Null_Update and Update_Manager gallery tests (2026)",
        "invalidValue",
    ),
    Quirk(
        "remove_with_value", "remove carries the value it removes", "Microsoft: SCIM tutorial, members", "invalidSyntax"
    ),
    Quirk("empty_operations", "Operations is []", "Microsoft's SCIM validator", "invalidSyntax"),
    Quirk("add_is_replace", "add and replace are the same on a single value", "Microsoft Q&A 1373350"),
    Quirk(
        "replace_merges",
        "a replace of name keeps the parts it does not mention",
        "RFC 7644 section 3.5.2.3; the profile replaces the whole",
        "invalidValue",
    ),
    Quirk(
        "foreign_schemas",
        "schemas lists URNs that are no schema",
        "Microsoft: SCIM tutorial, example 2",
        "invalidSyntax",
    ),
    Quirk("schemas_missing", "a body without schemas", _NOBODY_KNOWN, "invalidSyntax"),
    Quirk(
        "members_that_we_own", "id and meta in a body are not ours to take", "Microsoft: SCIM tutorial; RFC 7644 3.3"
    ),
    Quirk(
        "read_only_in_patch",
        "a PATCH of meta or groups is overlooked",
        "Microsoft: default mapping table",
        "mutability",
    ),
    Quirk(
        "deactivation_alone",
        "active: false is done although its neighbours are refused",
        "Chainguard; SCIM-SDK 539; decision D5",
        "invalidValue",
    ),
    Quirk("flags_in_the_query", "?aadOptscim062020 on any URL", "Microsoft: SCIM compliance page"),
    Quirk(
        "value_path_in_filter",
        'a filter goes on behind a bracket: emails[type eq "work"].value eq "…"',
        "Microsoft: SCIM tutorial, requests; the grammar of RFC 7644 has no such form",
    ),
    Quirk("boolean_as_text_in_filter", 'a filter asks active eq "True"', "Microsoft: SCIM compliance page, flag off"),
    Quirk(
        "member_filter_with_value",
        'a path ends in members[value eq "id"].value',
        "draft-zollner-scim-interop-profile: a filter in a path ends in a sub-attribute",
    ),
    Quirk("slashes_in_the_path", "double and trailing slashes", "administrators paste Tenant URLs by hand"),
    Quirk(
        "byte_order_mark",
        "a body begins with one",
        "senders on Windows; RFC 8259 section 8.1 lets a reader overlook it",
    ),
)

REFUSED_WHEN_STRICT: dict[str, ScimType] = {quirk.name: quirk.strict for quirk in QUIRKS if quirk.strict is not None}


def text_value(attribute: Attribute, value: object) -> str | None:
    """A text as it was sent; None for whatever means "no value".

    Quirks: empty_text_clears, number_as_text, single_value_in_list.
    """
    if type(value) is str:
        if not value:
            coerced("empty_text_for_anything" if attribute.field == "manager_ref" else "empty_text_clears")
        return value or None
    if value is None:
        return None
    if type(value) is int:
        coerced("number_as_text")
        return str(value)
    if isinstance(value, list | dict):
        return text_value(attribute, _only_value(attribute, value))
    raise wrong_type(attribute, "a string", value)


def boolean_value(attribute: Attribute, value: object) -> bool | None:
    """Quirks: boolean_as_text, empty_text_clears, single_value_in_list. Never for attributes that are not boolean."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        if not value:
            coerced("empty_text_for_anything")
            return None
        known = {"true": True, "false": False}.get(value.strip().lower())
        if known is not None:
            coerced("boolean_as_text")
            return known
        raise invalid_value(f"{attribute.path} must be true or false; a different text came.")
    if isinstance(value, list | dict):
        return boolean_value(attribute, _only_value(attribute, value))
    raise wrong_type(attribute, "true or false", value)


def value_of(attribute: Attribute, value: object) -> Value:
    return boolean_value(attribute, value) if attribute.kind == "boolean" else text_value(attribute, value)


def manager_value(value: object) -> object:
    """Who is named as the manager (quirks: manager_as_text, manager_as_list)."""
    if isinstance(value, list) and len(value) == 1:
        coerced("manager_as_list")
        value = value[0]
    if isinstance(value, str) and value:
        coerced("manager_as_text")
    return _reference("manager", value)


_OF_A_REFERENCE = frozenset({"value", "$ref"})


def _reference(name: str, value: object) -> object:
    """The reference in an object without `value`: the last part of its `$ref`. What else it says is told, and not kept."""
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not isinstance(value, dict):
        return value
    members = {str(part).lower(): member for part, member in value.items()}
    for part in members.keys() - _OF_A_REFERENCE:
        # Whoever is in a group is a user, and saying so says nothing.
        if members[part] is not None and (part, str(members[part]).lower()) != ("type", "user"):
            ignored(f"{name}.{part[:60]}")
    if members.get("value") is None and isinstance(reference := members.get("$ref"), str):
        coerced("reference_by_address")
        return reference.rstrip("/").rsplit("/", 1)[-1]
    return members.get("value")


def member_ids(value: object) -> list[str]:
    """Who is named as a member of a group: a list of `{value}`, of `{$ref}`, of ids, or one of these alone.

    A `$ref` of null beside the value is nothing (Microsoft: SCIM tutorial, members).
    """
    if value is None or value == "":
        return []
    found: list[str] = []
    if not isinstance(value, list):
        coerced("list_without_brackets")
        value = [value]
    for one in value:
        if isinstance(one, str):
            coerced("member_as_text")
        named = _reference("members", one)
        if not isinstance(named, str) or not named:
            raise invalid_value(f'A member is named as {{"value": "…"}}; {type_name(one)} came.')
        found.append(named)
    return found


def _only_value(attribute: Attribute, value: object) -> object:
    """Unwraps `[x]` and `{"value": x}` once each (quirk: single_value_in_list)."""
    coerced("single_value_in_list")
    if isinstance(value, list):
        if len(value) > 1:
            raise invalid_value(f"{attribute.path} takes one value; {len(value)} came.")
        value = value[0] if value else None
    if isinstance(value, dict):
        for name, member in value.items():
            if name.lower() not in _OF_A_REFERENCE and member is not None:
                ignored(f"{attribute.path}.{name[:60]}")
        found = [member for name, member in value.items() if name.lower() == "value"]
        if not found and value:
            raise wrong_type(attribute, "a string" if attribute.kind == "string" else "true or false", value)
        value = found[0] if found else None
    if isinstance(value, list | dict):
        raise wrong_type(attribute, "a string" if attribute.kind == "string" else "true or false", value)
    return value


_TYPE_NAMES = {
    bool: "a boolean",
    int: "a number",
    float: "a number",
    str: "a string",
    list: "a list",
    dict: "an object",
}


def type_name(value: object) -> str:
    return _TYPE_NAMES.get(type(value), "null")


def wrong_type(attribute: Attribute, wanted: str, value: object) -> ScimError:
    return invalid_value(f"{attribute.path} must be {wanted}; {type_name(value)} came.")
