"""Approvers: what Setup admin asks about them and decides.

Words (`shared.approval`) explain why somebody approves and what is wrong; names are shown to people of the same company only.
"""

from datetime import datetime
from typing import Literal

from shared.approval import DirectStatus, ProblemKind, Reason
from shared.schemas import Schema
from shared.schemas.login import SessionCredential

Role = Literal[
    "setup_admin", "global_payroll_admin", "local_payroll_admin", "hr_statistics", "approver", "self_approver"
]
"""Granted by hand. Approver by having reports is derived and never granted (decision D9)."""


class Approver(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody who approves for an employee, and why."""

    employee_id: str
    name: str
    reason: Reason


class DirectApprover(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Roles > Direct approver: who it is, who said so, since when, and whether it counts."""

    status: DirectStatus
    employee_id: str | None
    name: str | None
    reference: str | None
    """The manager as he was named; he may be unknown to us."""
    source: Literal["entra", "hr", "csv"] | None
    """Who named him."""
    since: datetime | None
    """Since when he is linked as manager, or the reference waits."""


class ApprovalProblem(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    kind: ProblemKind
    about: str | None
    """Whose state it is; None: nobody's."""


class ExplainApprovers(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str
    """Id or login name."""


class ExplainedApprovers(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who approves for an employee, and what he himself may approve."""

    employee_id: str
    name: str
    follows_entra_managers: bool
    approvers: list[Approver]
    direct: DirectApprover
    problems: list[ApprovalProblem]
    circle: list[str]
    """The members of the circle of managers he is in, from him on; empty: he is in none."""
    only_direct_approver: bool
    roles: list[str]
    """Granted by hand."""
    approver_by_reports: bool
    """He has reports: the role Approver that nobody granted."""
    departments: list[str]
    """Those he approves for."""


class ListApprovalProblems(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    kinds: list[ProblemKind] = []
    """These only; empty: all."""
    after: str | None = None
    """`next` of the page before."""
    limit: int = 100
    """Rows at most, 1 to 1000."""


class AffectedEmployee(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One problem of one employee. `about` is whose state it is, or the first member of a circle."""

    kind: ProblemKind
    employee_id: str
    name: str
    about: str | None
    about_name: str | None


class ApprovalProblems(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    follows_entra_managers: bool
    affected: dict[str, int]
    """Kind -> how many employees, over all pages and kinds."""
    problems: list[AffectedEmployee]
    next: str | None
    """Ask with it for the rows after these; None: these were the last."""


class PreviewFollowing(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What would change if the company followed Entra's managers, or followed them no more."""

    session: SessionCredential
    follow_entra_managers: bool
    after: str | None = None
    limit: int = 100


class ChangedApprovers(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    employee_id: str
    name: str
    before: list[Approver]
    after: list[Approver]


class FollowingPreview(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    follows_entra_managers: bool
    """As it is now."""
    changed: int
    """For how many employees others would approve, over all pages."""
    changes: list[ChangedApprovers]
    next: str | None


class ChangeRole(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Grant or revoke a role; with departments, what an Approver approves for."""

    session: SessionCredential
    person: str
    """Id or login name."""
    role: str
    departments: list[str] = []


class SetOnlyDirectApprover(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    session: SessionCredential
    person: str
    """Id or login name."""
    only_direct_approver: bool


class Roles(Schema, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What somebody has after the change."""

    employee_id: str
    roles: list[str]
    departments: list[str]
    only_direct_approver: bool
    changed: bool
    """False: it was so already, and nothing was written."""
