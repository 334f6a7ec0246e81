"""Groups as directory takes and gives them: a name, Entra's id of it, and members.

A group may have tens of thousands of members, so they are read and answered only where they are asked for
(`with_members`), and are employee ids alone.
"""

from datetime import datetime

from msgspec import UNSET, UnsetType

from shared.schemas import Schema
from shared.schemas.employee import ScimCredential
from shared.schemas.search import Expression, Sorting


class Group(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    id: str
    """`grp_…`"""
    display_name: str
    external_id: str | None = None
    members: list[str] | None = None
    """`emp_…`, in the order of the employees' creation; None where they were not asked for."""
    created_at: datetime
    updated_at: datetime
    version: int
    """Rises by one with every change of a name or of the members."""


class NewGroup(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    display_name: str
    external_id: str | None = None
    members: list[str] = []


class GroupChanges(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One request's changes, compiled; applied as a whole or not at all.

    An id stands in `add` or in `remove`, not in both: whoever compiles knows which was said last.
    """

    display_name: str | UnsetType = UNSET
    external_id: str | None | UnsetType = UNSET
    members: list[str] | UnsetType = UNSET
    """These and no others; before `add` and `remove`."""
    add: list[str] = []
    """A member already: stays one."""
    remove: list[str] = []
    """These and only these. No member: nothing to do."""


class CreateGroup(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    group: NewGroup
    with_members: bool = False
    quirk: str | None = None
    """As with `ProvisionEmployee`."""


class GetGroup(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    group_id: str
    with_members: bool = False


class FindGroups(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    where: Expression | None = None
    """Over id, display_name, external_id, member, created_at, updated_at."""
    offset: int = 0
    limit: int = 100
    """Groups at most, 0 to 1001; 0 asks for the total alone."""
    sorting: Sorting | None = None
    after: str | None = None
    """As with `FindEmployees`."""
    with_members: bool = False


class GroupPage(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    total: int
    groups: list[Group]


class ChangeGroup(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    group_id: str
    changes: GroupChanges
    versions: list[int] | None = None
    """It must have one of these; None: whichever."""
    with_members: bool = False
    quirk: str | None = None
    """As with `ProvisionEmployee`."""


class GroupWritten(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What became of a create or a change."""

    group: Group
    changed: bool
    """False: everything was so already, and nothing was written."""
    left_out: list[str] = []
    """Employees who have departed and so were not added; everybody else was."""


class RemoveGroup(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    credential: ScimCredential
    group_id: str
    versions: list[int] | None = None


class GroupRemoved(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    pass
