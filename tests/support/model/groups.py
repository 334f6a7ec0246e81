"""What Entra does to groups, and what being in the company's own one means (docs/groups.md)."""

from typing import Any
from uuid import UUID

from tests.support.model.company import Company, Group
from tests.support.model.people import Person, Refused, Turn, key, object_id
from tests.support.model.provisioning import check

Values = dict[str, Any]


def create(company: Company, turn: Turn, names: Values, members: list[str], new_id: UUID) -> tuple[Group, list[str]]:
    """The group, and who was left out because he has departed."""
    _check(names)
    joining, left_out = _employees(company, set(members))
    group = Group(new_id, names["display_name"], names.get("external_id"), turn.now, turn.now)
    _check_free(company, group)
    group.members = dict.fromkeys(joining, turn.now)
    company.groups.append(group)
    company.tell_of(group, turn, "group.created", _difference((None, None), _names(group)))
    _tell_members(company, turn, group, joining, [])
    return group, left_out


def change(company: Company, turn: Turn, text: str, changes: Values) -> tuple[Group, bool, list[str]]:
    """The group, whether anything changed, and who was left out."""
    names: Values = {name: changes[name] for name in ("display_name", "external_id") if name in changes}
    only, add, remove = changes.get("members"), changes.get("add", []), changes.get("remove", [])
    _check(names)
    if any(not one.startswith("emp_") for one in [*(only or []), *add]):
        raise Refused("invalid_value")
    if set(add) & set(remove):
        raise Refused("invalid_request")
    group = found(company, text)
    now = {_text(one) for one in group.members}
    wanted = {*(now if only is None else only), *add} - set(remove)
    joining, left_out = _employees(company, wanted - now)
    leaving = sorted(one for one in group.members if _text(one) not in wanted)
    after = Group(group.group_id, group.display_name, group.external_id, group.created_at, turn.now, group.version + 1)
    after.display_name = names.get("display_name", group.display_name)
    after.external_id = names.get("external_id", group.external_id)
    _check_free(company, after)
    renamed = _difference(_names(group), _names(after))
    if not (renamed or joining or leaving):
        return group, False, left_out
    stay = {one: since for one, since in group.members.items() if one not in leaving}
    after.members = stay | dict.fromkeys(joining, turn.now)
    company.groups[company.groups.index(group)] = after
    if renamed:
        company.tell_of(after, turn, "group.changed", renamed)
    _tell_members(company, turn, after, joining, leaving)
    _end_access(company, turn, group, leaving)
    return after, True, left_out


def remove(company: Company, turn: Turn, text: str) -> None:
    group = found(company, text)
    company.groups.remove(group)
    company.tell_of(group, turn, "group.removed", _difference(_names(group), (None, None)))
    _end_access(company, turn, group, list(group.members))


def remove_all(company: Company, turn: Turn) -> int:
    """What the company's former tenant said about groups goes with it. How many there were."""
    gone = sorted(company.groups, key=lambda one: one.group_id)
    company.groups = []
    for group in gone:
        company.tell_of(group, turn, "group.removed", _difference(_names(group), (None, None)))
    return len(gone)


def find(company: Company, field: str, value: str) -> list[Group]:
    def meant(group: Group) -> bool:
        if field == "display_name":
            return key(group.display_name) == key(value)
        if field == "member":
            return value in {_text(one) for one in group.members}
        return group.external_id == value

    return sorted((one for one in company.groups if meant(one)), key=lambda one: one.group_id)


def found(company: Company, text: str) -> Group:
    known = next((one for one in company.groups if one.text == text), None)
    if known is None:
        raise Refused("not_found")
    return known


def is_the_company_s(company: Company, group: Group) -> bool:
    """Two object ids decide alone; where one is missing, the name does."""
    own_id, own_name = company.settings.group
    its_id = object_id(group.external_id)
    if own_id is not None and its_id is not None:
        return own_id == its_id
    return own_name is not None and key(own_name) == key(group.display_name)


def is_in_the_company_s(company: Company, person: Person) -> bool:
    return any(person.employee_id in one.members for one in company.groups if is_the_company_s(company, one))


def _end_access(company: Company, turn: Turn, group: Group, gone: list[UUID]) -> None:
    """S75: where being a member is required, there is no other reason to let somebody in."""
    if company.settings.group_check == "required" and is_the_company_s(company, group):
        company.end_sessions(turn, [company.by_id(one) for one in gone], "left_group")


def _check(names: Values) -> None:
    check(names)
    if not names.get("display_name", "a name").strip():
        raise Refused("invalid_value")


def _check_free(company: Company, group: Group) -> None:
    its_id = object_id(group.external_id)
    others = [one for one in company.groups if one.group_id != group.group_id]
    if any(key(one.display_name) == key(group.display_name) for one in others):
        raise Refused("already_exists")
    if group.external_id is not None and any(
        one.external_id == group.external_id or (its_id is not None and object_id(one.external_id) == its_id)
        for one in others
    ):
        raise Refused("external_id_taken")


def _employees(company: Company, wanted: set[str]) -> tuple[list[UUID], list[str]]:
    """Who can join, and who has departed; nothing is done where one of them is no employee of this company."""
    known = [one for one in company.people if one.text in wanted]
    if len(known) < len(wanted):
        raise Refused("invalid_value")
    joining = sorted(one.employee_id for one in known if one.present)
    return joining, sorted(one.text for one in known if not one.present)


def _tell_members(company: Company, turn: Turn, group: Group, added: list[UUID], removed: list[UUID]) -> None:
    told = {"added": [_text(one) for one in added], "removed": [_text(one) for one in removed]}
    if added or removed:
        members = {what: people for what, people in told.items() if people}
        company.tell_of(group, turn, "group.members_changed", {"members": members})


def _names(group: Group) -> tuple[str | None, str | None]:
    return group.display_name, group.external_id


def _difference(before: tuple[str | None, str | None], after: tuple[str | None, str | None]) -> Values:
    both = zip(("display_name", "external_id"), before, after, strict=True)
    return {name: {"before": old, "after": new} for name, old, new in both if old != new}


def _text(employee_id: UUID) -> str:
    return f"emp_{employee_id.hex}"
