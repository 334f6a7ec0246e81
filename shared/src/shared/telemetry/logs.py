"""Log events: a name in the past tense and fields, one JSON object a line.

No personal data beyond ids: never names, addresses, tokens, bodies or assertions.
"""

import logging
import sys
import traceback
from datetime import UTC, datetime

import msgspec

from shared.telemetry import context
from shared.telemetry.tracing import current_trace_id

_encoder = msgspec.json.Encoder(enc_hook=str)


class EventLog:
    """`log.info("employee_suspended", employee="emp_…")`."""

    def __init__(self, service: str) -> None:
        self._logger = logging.getLogger(service)

    def debug(self, event: str, **fields: object) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: object) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: object) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: bool = False, **fields: object) -> None:
        self._write(logging.ERROR, event, fields, exc_info=exc_info)

    def _write(self, level: int, event: str, fields: dict[str, object], *, exc_info: bool = False) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, event, extra={"fields": fields}, exc_info=exc_info)


class JsonFormatter(logging.Formatter):
    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, object] = {
            "ts": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "service": self._service,
            "event": record.getMessage(),
            **_context_fields(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = _without_messages(record.exc_info[1])
        return _encoder.encode(line).decode("utf-8", "replace")


class TextFormatter(logging.Formatter):
    """For people in front of `make run`."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).strftime("%H:%M:%S")
        fields = {**_context_fields(), **getattr(record, "fields", {})}
        fields.pop("trace_id", None)
        if "request_id" in fields:
            fields["request_id"] = str(fields["request_id"])[:8]
        text = f"{moment} {record.levelname:<7} {record.getMessage()}"
        if fields:
            text += "  " + " ".join(f"{name}={value}" for name, value in fields.items())
        if record.exc_info:
            text += "\n" + _without_messages(record.exc_info[1])
        return text


def _without_messages(error: BaseException | None) -> str:
    """Types and places of an exception and its causes. Messages quote values (PostgreSQL's name the duplicate key)."""
    parts: list[str] = []
    while error is not None:
        places = (
            f"  {frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(error.__traceback__)
        )
        parts.append("\n".join((f"{type(error).__module__}.{type(error).__qualname__}", *places)))
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    return "\ncaused by ".join(parts)


def _context_fields() -> dict[str, object]:
    found: dict[str, object] = {}
    if request_id := context.request_id.get():
        found["request_id"] = request_id
    if trace_id := current_trace_id():
        found["trace_id"] = trace_id
    if company := context.company.get():
        found["company"] = company
    if attempt := context.attempt.get():
        found["attempt"] = attempt
    return found


def configure_logs(service: str, *, level: str, log_format: str) -> None:
    """Send everything, also what libraries log, to standard error in one format."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if log_format == "text" else JsonFormatter(service))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger(service).setLevel(level.upper())
