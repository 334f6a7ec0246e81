"""How the steps of a login are measured, and how the page looks that ends one early."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from starlette.requests import Request
from starlette.responses import Response

from shared.telemetry.tracing import internal_span
from sso_gateway import metrics
from sso_gateway.gateway import Gateway, log
from sso_gateway.reasons import LOGIN_REASONS
from sso_gateway.saml.errors import SamlRefusal


def refused(
    gateway: Gateway,
    request: Request,
    reason: str,
    refusal: SamlRefusal | None = None,
    *,
    status: int = 403,
    flow: str = "sp_initiated",
) -> Response:
    label = str(reason) if reason in LOGIN_REASONS else "other"
    metrics.REJECTIONS.labels(label).inc()
    metrics.LOGINS.labels("rejected", flow, "web").inc()
    if label == "replayed":
        metrics.REPLAYS.inc()
    log.info("login_refused", reason=label)
    wanted, got = (refusal.wanted, refusal.got) if refusal else (None, None)
    return gateway.pages.refusal(request, str(reason), status=status, wanted=wanted, got=got)


@contextmanager
def stage(stage: str) -> Iterator[None]:
    started = time.perf_counter()
    with internal_span(f"login {stage}"):
        try:
            yield
        finally:
            metrics.DURATION.labels(stage).observe(time.perf_counter() - started)
