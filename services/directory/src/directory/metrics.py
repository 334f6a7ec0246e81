"""Metrics that directory moves; those common to all services are in `shared.telemetry.metrics`."""

from prometheus_client import Counter, Gauge

LOGIN_DECISIONS = Counter(
    "directory_login_decisions_total",
    "Verified assertions decided on: accepted, or the reason of the refusal",
    ["decision"],
)
WRITES = Counter(
    "directory_writes_total",
    "Changes asked for and committed; unchanged: everything was so already and nothing was written",
    ["entity", "result"],
)
MANAGER_LINKS = Counter(
    "directory_manager_links_total",
    "Manager references: linked at once, deferred until the manager appears, resolved then, cleared by a departure",
    ["result"],
)
GROUP_MEMBERS = Counter(
    "directory_group_members_total",
    "Members of provisioned groups: added, removed, or left out of a request because they have departed",
    ["change"],
)
HELD_CHANGES = Counter(
    "directory_held_changes_total",
    "Deactivations at the mass-change brake: held; asked_again while held or refused; withdrawn by Entra; released, refused by "
    "somebody of the company or an operator; done after a release",
    ["result"],
)
SCHEMA_VERSION = Gauge("identity_schema_version", "Migration applied in the database")
