"""A PATCH of a group compiled to one `GroupChanges`, without reading the group first.

    add members [{value}]            remove members [{value}]     those and only those (Entra's legacy form)
    replace members [{value}]        remove members[value eq "…"]
    {displayName, externalId, members} without a path            remove members     all of them (RFC 7644 section 3.5.2.2)

Operations count in order, each on the result of the one before. All or nothing.
"""

import re
from collections.abc import Sequence

import msgspec
from msgspec import UNSET, UnsetType

from scim_ingest import recorder
from scim_ingest.protocol.errors import ScimError, invalid_path, invalid_value, mutability
from scim_ingest.protocol.filters import string_of, tokens_of
from scim_ingest.protocol.group_resource import READ_ONLY, bare_name, check_id, display_name, external_id
from scim_ingest.protocol.patch import MAX_OPERATIONS, read_operation
from scim_ingest.protocol.paths import MAX_LENGTH, shown
from scim_ingest.protocol.quirks import member_ids
from shared.schemas.group import GroupChanges

MAX_MEMBERS = 50_000
"""Named by one request."""
MAX_FILTER = 4096
"""Characters of a path that names members by a filter: 70 of them."""
_MAX_IGNORED = 20
_NAME = re.compile(r"[A-Za-z$][A-Za-z0-9_$.:/-]*\Z")
"""A name of ours or not: what is none is no path, and is not ignored as one that we do not keep."""


class CompiledGroup(msgspec.Struct, frozen=True):
    changes: GroupChanges
    ignored: list[str]


class _Draft:
    """What the operations so far make of the group. `steps`: whether somebody is in it or not, as it was said last."""

    def __init__(self, group_id: str) -> None:
        self.display_name: str | UnsetType = UNSET
        self.external_id: str | None | UnsetType = UNSET
        self.only = False
        self.steps: dict[str, bool] = {}
        self.ignored: list[str] = []
        self._group_id = group_id

    def put(self, name: str, value: object, *, replace: bool) -> None:
        known = bare_name(name)
        if known == "displayname":
            self.display_name = display_name(value)
        elif known == "externalid":
            self.external_id = external_id(value)
        elif known == "members":
            people = member_ids(value)
            if replace:
                self.only, self.steps = True, {}
            self.steps.update(dict.fromkeys(people, True))
        elif known == "id":
            check_id(value, self._group_id)
        else:
            self._ignore(name)

    def remove(self, name: str, value: object) -> None:
        known = bare_name(name)
        if known == "members":
            # A list names whom it removes, and an empty one nobody (quirks: remove_with_value).
            if value is None:
                self.only, self.steps = True, {}
            else:
                self.leave(member_ids(value))
        elif known == "externalid":
            self.external_id = None
        elif known == "displayname":
            raise invalid_value("displayName is mandatory, and cannot be removed.")
        elif known == "id":
            raise mutability("id cannot be removed.")
        else:
            self._ignore(name)

    def leave(self, people: Sequence[str]) -> None:
        self.steps.update(dict.fromkeys(people, False))

    def _ignore(self, name: str) -> None:
        if bare_name(name) in READ_ONLY:
            recorder.coerced("read_only_in_patch")
            return
        recorder.ignored(shown(name))
        if len(self.ignored) < _MAX_IGNORED:
            self.ignored.append(shown(name))

    def changes(self) -> GroupChanges:
        joining = [one for one, joins in self.steps.items() if joins]
        names = {"display_name": self.display_name, "external_id": self.external_id}
        if self.only:
            return GroupChanges(**names, members=joining)  # type: ignore[arg-type]
        leaving = [one for one, joins in self.steps.items() if not joins]
        return GroupChanges(**names, add=joining, remove=leaving)  # type: ignore[arg-type]


def compile_group_patch(operations: Sequence[object], group_id: str) -> CompiledGroup:
    """Raises ScimError, the first one met."""
    if len(operations) > MAX_OPERATIONS:
        raise ScimError(413, f"A PATCH may have {MAX_OPERATIONS} operations; {len(operations)} came.")
    draft = _Draft(group_id)
    if not operations:
        recorder.coerced("empty_operations")
    for position, operation in enumerate(operations, 1):
        op, path, value = read_operation(operation, position)
        _apply(draft, op.lower(), path, value)
        if len(draft.steps) > MAX_MEMBERS:
            raise ScimError(413, f"A PATCH may name {MAX_MEMBERS:,} members; more came. Send several.")
    return CompiledGroup(draft.changes(), draft.ignored)


def _apply(draft: _Draft, op: str, path: str | None, value: object) -> None:
    if path is None:
        assert isinstance(value, dict)  # noqa: S101  read_operation
        for name, member in value.items():
            if name.lower().startswith("urn:"):
                recorder.coerced("urn_keys")
            draft.put(name, member, replace=op == "replace")
    elif "[" in path:
        if len(path) > MAX_FILTER:
            raise invalid_path(
                f"The path is longer than {MAX_FILTER} characters. Name members by a list, or in several operations."
            )
        _filtered(draft, op, path)
    elif len(path) > MAX_LENGTH or not _NAME.match(path.strip()):
        raise _not_a_path(path)
    elif op == "remove":
        draft.remove(path.strip(), value)
    else:
        draft.put(path.strip(), value, replace=op == "replace")


def _filtered(draft: _Draft, op: str, path: str) -> None:
    """`members[value eq "a" or value eq "b"]`, also with `.value` behind it, as the interoperability profile writes filters."""
    tokens = tokens_of(path)
    if tokens[-1][1].lower() == ".value":
        recorder.coerced("member_filter_with_value")
        tokens = tokens[:-1]
    texts = [text.lower() for _, text in tokens]
    inside = tokens[2:-1]
    pieces = [inside[start : start + 4] for start in range(0, len(inside), 4)]
    if bare_name(texts[0]) != "members" or len(texts) < 3 or texts[1] != "[" or texts[-1] != "]" or not pieces:
        raise _not_a_path(path)
    people: list[str] = []
    for number, piece in enumerate(pieces, 1):
        words = [text.lower() for _, text in piece]
        joined = words[3:] == ["or"] if number < len(pieces) else len(words) == 3
        if words[:2] != ["value", "eq"] or not joined or piece[2][0] != "string":
            raise _not_a_path(path)
        people.append(string_of(piece[2][1]))
    if op != "remove":
        raise invalid_path("A member is somebody or is not: there is nothing in him to change. Use add or remove.")
    draft.leave(people)


def _not_a_path(path: str) -> ScimError:
    return invalid_path(f"'{shown(path)}' is no path into a group. Members are named by members[value eq \"…\"].")
