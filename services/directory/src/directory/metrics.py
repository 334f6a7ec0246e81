"""Metrics that directory moves; those common to all services are in `shared.telemetry.metrics`."""

from prometheus_client import Counter, Gauge

LOGIN_DECISIONS = Counter(
    "directory_login_decisions_total",
    "Verified assertions decided on: accepted, or the reason of the refusal",
    ["decision"],
)
SCHEMA_VERSION = Gauge("identity_schema_version", "Migration applied in the database")
