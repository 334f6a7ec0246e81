"""A group as SCIM shows it, and as a POST or PUT describes it (RFC 7643 section 4.2)."""

from collections.abc import Mapping

import msgspec
from msgspec import UNSET, UnsetType

from scim_ingest.protocol.attributes import GROUP
from scim_ingest.protocol.errors import invalid_syntax, invalid_value, mutability
from scim_ingest.protocol.paths import shown
from scim_ingest.protocol.quirks import member_ids, type_name
from scim_ingest.protocol.resource import Resource, timestamp
from scim_ingest.recorder import coerced
from shared.schemas.group import Group, GroupChanges, NewGroup

READ_ONLY = frozenset({"id", "meta", "schemas"})
_MAX_IGNORED = 20


class GroupBody(msgspec.Struct, frozen=True, kw_only=True):
    """What a POST or PUT says. UNSET: it is not there."""

    display_name: str
    external_id: str | None | UnsetType
    members: list[str] | UnsetType
    ignored: list[str]

    def as_new(self) -> NewGroup:
        return NewGroup(
            display_name=self.display_name,
            external_id=None if self.external_id is UNSET else self.external_id,
            members=[] if self.members is UNSET else self.members,
        )

    def as_replacement(self) -> GroupChanges:
        """Members that are not mentioned stay: RFC 7644 section 3.5.1 leaves that to us, and being in the group may be what lets
        people in. To empty it, say `"members": []`."""
        return GroupChanges(
            display_name=self.display_name,
            external_id=None if self.external_id is UNSET else self.external_id,
            members=self.members,
        )


def read_group(body: object, group_id: str | None = None) -> GroupBody:
    """Raises ScimError: 400 for what is missing, of a wrong type, or another id than the path's."""
    if not isinstance(body, dict):
        raise invalid_syntax(f"The body must be an object; {type_name(body)} came.")
    members = {bare_name(name): value for name, value in body.items()}
    if members.get("id") is not None or members.get("meta") is not None:
        coerced("members_that_we_own")
    check_id(members.get("id"), group_id)
    given = members.get("members", UNSET)
    return GroupBody(
        display_name=display_name(members.get("displayname")),
        external_id=external_id(members["externalid"]) if "externalid" in members else UNSET,
        members=member_ids(given) if given is not UNSET else UNSET,
        ignored=ignored_in(body),
    )


def display_name(value: object) -> str:
    if isinstance(value, str) and value.strip():
        return value
    if value is None or isinstance(value, str):
        raise invalid_value("displayName is mandatory, and cannot be empty.")
    raise invalid_value(f"displayName must be a string; {type_name(value)} came.")


def external_id(value: object) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise invalid_value(f"externalId must be a string; {type_name(value)} came.")
    return value


def check_id(value: object, group_id: str | None) -> None:
    """The same id changes nothing; a new group's is ours to give, and one that is sent is overlooked (S27)."""
    if group_id is not None and value is not None and value != group_id:
        raise mutability("id is given by the server and cannot be changed.")


def ignored_in(members: Mapping[str, object]) -> list[str]:
    """Names of what we do not keep. Accepted, and never silently (decision D6)."""
    known = READ_ONLY | {"displayname", "externalid", "members"}
    return [shown(name) for name, value in members.items() if value is not None and bare_name(name) not in known][
        :_MAX_IGNORED
    ]


def bare_name(name: str) -> str:
    """In lower case, without the Group's URN: both spellings name the same attribute (RFC 7644 section 3.10)."""
    return name.lower().removeprefix(f"{GROUP.lower()}:")


def to_scim_group(group: Group, groups_url: str, users_url: str) -> Resource:
    """Members only where they were asked for, and there are some."""
    shown_group: Resource = {"schemas": [GROUP], "id": group.id, "displayName": group.display_name}
    if group.external_id is not None:
        shown_group["externalId"] = group.external_id
    if group.members:
        shown_group["members"] = [{"value": one, "$ref": f"{users_url}/{one}", "type": "User"} for one in group.members]
    shown_group["meta"] = {
        "resourceType": "Group",
        "created": timestamp(group.created_at),
        "lastModified": timestamp(group.updated_at),
        "location": f"{groups_url}/{group.id}",
        "version": group_version(group),
    }
    return shown_group


def group_version(group: Group) -> str:
    return f'W/"{group.version}"'
