"""Metrics that scim-ingest moves; those common to all services are in `shared.telemetry.metrics`."""

from typing import Literal

from prometheus_client import Counter, Gauge, Histogram

Operation = Literal[
    "user_create",
    "user_get",
    "user_list",
    "user_patch",
    "user_replace",
    "user_delete",
    "group_create",
    "group_get",
    "group_list",
    "group_patch",
    "group_replace",
    "group_delete",
    "search",
    "bulk",
    "schema",
    "config",
    "token",
    "other",
]
Grant = Literal["secret", "assertion", "none"]
"""By what a token request proves its client; none: it could not be read."""
Result = Literal[
    "read",
    "created",
    "updated",
    "partial",
    "unchanged",
    "reactivated",
    "linked",
    "deactivated",
    "deleted",
    "not_found",
    "conflict",
    "invalid",
    "unauthorized",
    "held",
    "rate_limited",
    "error",
]

REQUESTS = Counter("scim_requests_total", "SCIM requests answered, by what became of them", ["operation", "result"])
DURATION = Histogram(
    "scim_request_duration_seconds",
    "Time to answer a SCIM request; Entra gives up at 60 s",
    ["operation"],
    buckets=(0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0),
)
REJECTIONS = Counter("scim_rejections_total", "SCIM requests refused, by reason", ["reason"])
PATCH_OPERATIONS = Counter(
    "scim_patch_operations_total", "PATCH operations, by verb and by how Entra wrote them", ["op", "dialect"]
)
ATTRIBUTE_CHANGES = Counter(
    "scim_attribute_changes_total", "Attributes mentioned by requests that changed something", ["attribute"]
)
DEACTIVATIONS_ALONE = Counter(
    "scim_deactivations_alone_total", "Deactivations applied although the rest of their PATCH was refused"
)
QUIRKS_MET = Counter(
    "scim_quirks_met_total",
    "Writing requests that leave the standards, by the first point where: a company in strict mode refuses them",
    ["quirk"],
)
BULK_NOT_BEGUN = Counter(
    "scim_bulk_not_begun_total",
    "Operations of bulk requests that were not begun, because the time for the request was over",
)
JOURNAL = Counter(
    "scim_journal_exchanges_total",
    "Exchanges for the journal: written, refused (nobody's credential), again (directory could not take them yet), unfit; "
    "no_room and lost are not kept anywhere",
    ["outcome"],
)
JOURNAL_WAITING = Gauge("scim_journal_waiting", "Exchanges in memory that directory has not been given yet")
RATE_QUEUE = Histogram(
    "scim_rate_queue_seconds",
    "Requests that waited for their turn because their company sent faster than its rate, by how long",
    buckets=(0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0),
)
TOKEN_REQUESTS = Counter(
    "scim_token_requests_total",
    "Requests for an access token, by what proves the client (secret, assertion) and result: issued, or the OAuth error",
    ["grant", "result"],
)
KEY_FETCHES = Counter(
    "scim_key_fetches_total",
    "Fetches of an Entra tenant's public keys, for federation: fetched, failed (the known keys stay in use for a day)",
    ["result"],
)

_RESULT_OF_STATUS: dict[int, Result] = {
    401: "unauthorized",
    403: "unauthorized",
    404: "not_found",
    409: "conflict",
    429: "rate_limited",
}
_REASON_OF_TYPE = {
    "uniqueness": "uniqueness",
    "invalidValue": "invalid_value",
    "invalidPath": "invalid_path",
    "invalidFilter": "invalid_filter",
    "noTarget": "no_target",
    "mutability": "mutability",
    "invalidVers": "version",
    "invalidCursor": "invalid_cursor",
    "invalidCount": "invalid_count",
}
_REASON_OF_STATUS = {
    401: "token_unknown",
    403: "company_suspended",
    412: "version",
    413: "body_too_large",
    429: "rate_limited",
}

ATTRIBUTE_LABELS = {
    "login_name": "userName",
    "given_name": "givenName",
    "family_name": "familyName",
    "title": "title",
    "department": "department",
    "manager_ref": "manager",
    "active": "active",
    "email": "email",
    "mobile_phone": "mobile",
    "work_phone": "phone",
    "country": "country",
}
"""The eleven attributes of the product's mapping; every other is `other`."""


def result_of_refusal(status: int) -> Result:
    return _RESULT_OF_STATUS.get(status, "invalid" if status < 500 else "error")


def reason_of_refusal(status: int, scim_type: str | None) -> str:
    return _REASON_OF_TYPE.get(scim_type or "", _REASON_OF_STATUS.get(status, "other"))
