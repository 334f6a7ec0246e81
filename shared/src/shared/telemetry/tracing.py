"""Traces by our own thin hand: one server span per request, one client span per internal call, one span per SQL statement.

W3C trace context travels from the edge to directory. Without an endpoint to export to, nothing is recorded, yet every
request has a trace id, for logs and refusal pages name it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, Sampler, TraceIdRatioBased
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from shared import VERSION
from shared.telemetry import context


class _Tracing:
    """The process' tracer; quiet until configured."""

    def __init__(self) -> None:
        self.provider = TracerProvider(sampler=ALWAYS_OFF)
        self.tracer = self.provider.get_tracer("identity-gateway")


_tracing = _Tracing()


def configure_tracing(
    service: str,
    *,
    endpoint: str = "",
    ratio: float = 1.0,
    trust_caller: bool = False,
    processor: SpanProcessor | None = None,
) -> None:
    """Set up the process' tracer; call it once at start.

    `trust_caller`: follow the caller's sampling decision (directory, behind our own edges). An edge decides for itself,
    by the trace id, so that a stranger's header cannot switch recording on. `processor`: for tests, instead of an endpoint.
    """
    ratio_sampler = TraceIdRatioBased(ratio)
    sampler: Sampler = ParentBased(ratio_sampler) if trust_caller else ratio_sampler
    if not endpoint and processor is None:
        sampler = ALWAYS_OFF
    resource = Resource.create({"service.name": service, "service.version": VERSION})
    provider = TracerProvider(sampler=sampler, resource=resource)
    if processor is not None:
        provider.add_span_processor(processor)
    elif endpoint:
        provider.add_span_processor(_exporting_processor(endpoint))
    _tracing.provider = provider
    _tracing.tracer = provider.get_tracer("identity-gateway", VERSION)


def _exporting_processor(endpoint: str) -> SpanProcessor:
    # Imported here: the exporter pulls in `requests`, which costs 0.2 s at start and is rarely wanted on a developer's machine.
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint.rstrip("/") + "/v1/traces"))


def shutdown_tracing() -> None:
    """Flush what is recorded; at process end."""
    _tracing.provider.shutdown()


def parse_traceparent(header: str | None) -> SpanContext | None:
    """W3C Trace Context level 1, version 00; anything else starts a new trace."""
    if header is None or len(header) != 55 or header[:3] != "00-":
        return None
    version, trace_id, span_id, flags = header[:2], header[3:35], header[36:52], header[53:]
    if (header[35], header[52]) != ("-", "-") or version != "00" or header != header.lower():
        return None
    try:
        parsed = SpanContext(
            trace_id=int(trace_id, 16), span_id=int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16))
        )
    except ValueError:
        return None
    return parsed if parsed.is_valid else None


def traceparent(span_context: SpanContext) -> str:
    return f"00-{span_context.trace_id:032x}-{span_context.span_id:016x}-{span_context.trace_flags & 1:02x}"


@contextmanager
def server_span(name: str, incoming: str | None) -> Iterator[Span]:
    """The span of one request, continuing the caller's trace if it named one."""
    parent = parse_traceparent(incoming)
    outer = (
        trace.set_span_in_context(NonRecordingSpan(parent), otel_context.Context())
        if parent
        else otel_context.Context()
    )
    span = _tracing.tracer.start_span(name, context=outer, kind=SpanKind.SERVER)
    token = otel_context.attach(trace.set_span_in_context(span, outer))
    try:
        yield span
    finally:
        otel_context.detach(token)
        span.end()


@contextmanager
def background_span(name: str) -> Iterator[Span]:
    """Of what is nobody's request: a trace of its own, in which stands what is called inside."""
    span = _tracing.tracer.start_span(name, context=otel_context.Context())
    token = otel_context.attach(trace.set_span_in_context(span, otel_context.Context()))
    try:
        yield span
    finally:
        otel_context.detach(token)
        span.end()


@contextmanager
def client_span(name: str) -> Iterator[Mapping[str, str]]:
    """The span of one internal call; gives the headers to send."""
    from shared.telemetry import context as request_context

    span = _tracing.tracer.start_span(name, kind=SpanKind.CLIENT)
    headers = {"traceparent": traceparent(span.get_span_context())}
    if request_id := request_context.request_id.get():
        headers["X-Request-Id"] = request_id
    try:
        yield headers
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        span.end()


@contextmanager
def internal_span(name: str, kind: SpanKind = SpanKind.INTERNAL, **attributes: str | int | bool) -> Iterator[Span]:
    span = _tracing.tracer.start_span(name, kind=kind, attributes=attributes)
    try:
        yield span
    except BaseException as error:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        raise
    finally:
        span.end()


def current_span() -> Span:
    return trace.get_current_span()


def name_attempt(attempt_id: str) -> None:
    """From here on, logs, the request's span and a refusal name the login attempt."""
    context.attempt.set(attempt_id)
    if (span := current_span()).is_recording():
        span.set_attribute("identity.attempt.id", attempt_id)


def current_trace_id() -> str:
    """32 hexadecimal digits; empty outside a request."""
    found = trace.get_current_span().get_span_context()
    return f"{found.trace_id:032x}" if found.is_valid else ""
