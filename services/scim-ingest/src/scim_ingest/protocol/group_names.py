"""What attribute names mean in a filter on groups and in `sortBy`."""

from collections.abc import Sequence

from scim_ingest.protocol.attributes import GROUP
from scim_ingest.protocol.errors import invalid_filter, invalid_value
from scim_ingest.protocol.filters import (
    ElementNames,
    FilterOperator,
    Value,
    compare_constant,
    compare_moment,
    compare_schemas,
    compare_text,
    shown,
    unknown,
)
from scim_ingest.protocol.user_names import META
from shared.schemas.search import EVERYBODY, AnyOf, Expression, Negated, Present, Within

_TEXTS = {"id": "id", "displayname": "display_name", "externalid": "external_id"}
_MEMBERS = {"members": "value", "members.value": "value", "members.type": "type"}


class GroupNames:
    """Names in a group. `members eq "emp_…"` is Entra's question whether somebody is in it; any member will do."""

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        known = _without_urn(name)
        if known in META:
            return compare_moment(META[known], name, op, value)
        if known == "meta.resourcetype":
            return compare_constant("group", name, op, value)
        if known == "schemas":
            return compare_schemas([(GROUP, EVERYBODY)], op, value)
        if known in _MEMBERS and value is not None:
            found = _MEMBER.of_one(_MEMBER.compare(_MEMBERS[known], op, value))
            return AnyOf(of=[found, Negated(of=Present(field="member"))]) if op == "ne" else found
        field = _TEXTS.get(known) or ("member" if known in _MEMBERS else None)
        if field is None:
            raise unknown(name)
        return compare_text(field, name, op, value)

    def present(self, name: str) -> Expression:
        known = _without_urn(name)
        if known in {"meta", "meta.resourcetype", "schemas", *META}:
            return EVERYBODY
        field = _TEXTS.get(known) or ("member" if known in _MEMBERS else None)
        if field is None:
            raise unknown(name)
        return EVERYBODY if field in ("id", "display_name") else Present(field=field)

    def elements(self, name: str) -> Sequence[ElementNames]:
        if _without_urn(name) != "members":
            raise invalid_filter(f"'{shown(name)}' has no parts to name in a bracket.")
        return [_MEMBER]


class _MemberNames:
    """Names in one member: who it is."""

    def compare(self, name: str, op: FilterOperator, value: Value) -> Expression:
        if name.lower() == "type":
            return compare_constant("user", "members.type", op, value)
        if name.lower() != "value":
            raise unknown(f"members.{name}")
        return compare_text("value", "members.value", op, value)

    def present(self, name: str) -> Expression:
        if name.lower() not in ("value", "type"):
            raise unknown(f"members.{name}")
        return EVERYBODY

    def elements(self, name: str) -> Sequence[ElementNames]:
        raise invalid_filter("A bracket inside a bracket means nothing.")

    def of_one(self, condition: Expression) -> Expression:
        return Within(field="member", of=condition)


_MEMBER = _MemberNames()
GROUP_NAMES = GroupNames()


def group_sort_field(name: str) -> str:
    """Raises ScimError: 400 invalidValue for what groups cannot be sorted by."""
    known = _without_urn(name.strip())
    field = _TEXTS.get(known) or META.get(known)
    if field is None:
        raise invalid_value(f"Groups cannot be sorted by '{shown(name)}'. See /Schemas.")
    return field


def _without_urn(name: str) -> str:
    lowered = name.lower()
    return lowered.removeprefix(f"{GROUP.lower()}:")
