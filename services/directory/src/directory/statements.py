"""One SQL statement with a name, and how it is observed: a span where somebody records, and its duration always."""

import time
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from opentelemetry.trace import SpanKind

from shared.telemetry import metrics
from shared.telemetry.tracing import current_span, internal_span


@dataclass(frozen=True, slots=True)
class Statement:
    """One SQL statement with the name of the question it answers: span name and metric labels come from it."""

    name: str
    collection: str
    sql: str

    @property
    def full_name(self) -> str:
        return f"{self.collection}.{self.name}"

    @property
    def verb(self) -> str:
        return self.sql.split(None, 1)[0].upper()


def statement(name: str, sql: str) -> Statement:
    """`statement("employees.find_for_login", "select …")`."""
    collection, _, question = name.partition(".")
    return Statement(question, collection, sql)


class observed:  # noqa: N801  used as `with _observed(...)`
    """Span and duration of one statement; the span only where somebody records."""

    __slots__ = ("_question", "_span", "_started")

    def __init__(self, question: Statement) -> None:
        self._question = question
        self._span: Any = None

    def __enter__(self) -> None:
        question = self._question
        if current_span().is_recording():
            self._span = internal_span(
                f"{question.collection}.{question.name}",
                SpanKind.CLIENT,
                **{
                    "db.system.name": "postgresql",
                    "db.operation.name": question.verb,
                    "db.collection.name": question.collection,
                },
            )
            self._span.__enter__()
        self._started = time.perf_counter()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        metrics.observe_statement(self._question.name, self._question.collection, time.perf_counter() - self._started)
        if self._span is not None:
            self._span.__exit__(kind, error, trace)
