"""Metrics common to the three services, under the names of OpenTelemetry's stable conventions.

Company is never a label: ten thousand of them would make a scrape stop every login (it is in logs and spans).
"""

import time
from types import TracebackType
from typing import Self

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    REGISTRY,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)

disable_created_metrics()  # type: ignore[no-untyped-call]

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)

HTTP_SERVER_DURATION = Histogram(
    "http_server_request_duration_seconds",
    "Time to answer a request; route is the template, never the path",
    ["http_request_method", "http_route", "http_response_status_code"],
    buckets=_SECONDS,
)
HTTP_SERVER_ACTIVE = Gauge("http_server_active_requests", "Requests in flight", ["service"])
HTTP_CLIENT_DURATION = Histogram(
    "http_client_request_duration_seconds",
    "Time of an internal call to directory",
    ["operation", "http_response_status_code"],
    buckets=_SECONDS,
)
DB_OPERATION_DURATION = Histogram(
    "db_client_operation_duration_seconds",
    "Time of one SQL statement",
    ["db_operation_name", "db_collection_name"],
    buckets=_SECONDS,
)
DB_CONNECTIONS = Gauge(
    "db_client_connection_count", "Connections of the pool to PostgreSQL", ["db_client_connection_state"]
)
DB_CONNECTIONS_MAX = Gauge("db_client_connection_max", "Connections the pool may open")
DB_CONNECTION_WAIT = Histogram(
    "db_client_connection_wait_time_seconds", "Waiting for a connection of the pool", buckets=_SECONDS
)
RATE_LIMITED = Counter(
    "identity_rate_limited_total",
    "Requests answered 429; surface: scim, login (its start), acs, token (what apps call); scope: company, address, or a token "
    "of which it is not known whose it is",
    ["surface", "scope"],
)
BUILD_INFO = Gauge("identity_build_info", "Always 1; what is running", ["service", "version", "python_version"])
EVENT_LOOP_LAG = Histogram(
    "identity_event_loop_lag_seconds",
    "How late the event loop wakes a sleeper, sampled twice a second",
    buckets=_SECONDS,
)


class http_client_call:  # noqa: N801  used as `with http_client_call(...)`
    """Times one internal call; `status` stays 0 when no answer came."""

    def __init__(self, operation: str) -> None:
        self._operation = operation
        self.status = 0

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _child(HTTP_CLIENT_DURATION, (self._operation, str(self.status))).observe(time.perf_counter() - self._started)


_children: dict[tuple[int, tuple[str, ...]], Histogram] = {}


def _child(histogram: Histogram, labels: tuple[str, ...]) -> Histogram:
    # `labels()` costs more than `observe()`; the label sets are few and closed, so remember them.
    key = (id(histogram), labels)
    child = _children.get(key)
    if child is None:
        child = _children[key] = histogram.labels(*labels)
    return child


def observe_request(method: str, route: str, status: int, seconds: float) -> None:
    _child(HTTP_SERVER_DURATION, (method, route, str(status))).observe(seconds)


def observe_statement(operation: str, collection: str, seconds: float) -> None:
    _child(DB_OPERATION_DURATION, (operation, collection)).observe(seconds)


def exposition() -> tuple[bytes, str]:
    """Body and content type of `/metrics`."""
    return generate_latest(REGISTRY), CONTENT_TYPE_LATEST


__all__ = [
    "BUILD_INFO",
    "RATE_LIMITED",
    "Counter",
    "Gauge",
    "Histogram",
    "exposition",
    "http_client_call",
    "observe_request",
    "observe_statement",
]
