"""Settings from the environment into a frozen struct.

Variable names are the field names in capitals. `NAME_FILE` names a file that holds the value (a mounted Secret) and may be
given instead of `NAME`. A field's docstring becomes its line in `docs/settings.md`.
"""

import os
import typing
from collections.abc import Mapping
from pathlib import Path

import msgspec


class SettingsError(Exception):
    """The environment does not fit; the text says which variable, what was wanted and what came (secrets unshown)."""


class CommonSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What every service reads."""

    host: str = "0.0.0.0"  # noqa: S104  a pod listens for its Service; `make run` passes 127.0.0.1
    """Address to listen on."""
    port: int = 8000
    """Main port."""
    ops_port: int = -1
    """Port of health, readiness and metrics; main port + 1000 unless given. 0 picks a free one."""
    log_level: str = "INFO"
    """DEBUG, INFO, WARNING or ERROR."""
    log_format: str = "json"
    """json (one object a line) or text (for people)."""
    shutdown_grace_s: int = 20
    """Seconds that requests in flight get to finish after SIGTERM."""
    otel_exporter_otlp_endpoint: str = ""
    """Where spans go (OTLP over HTTP), e.g. http://collector:4318. Empty: spans are not exported."""
    trace_sample_ratio: float = 1.0
    """Share of new traces that are recorded, 0 to 1. A trace that the caller sampled is always continued."""


SettingsT = typing.TypeVar("SettingsT", bound=msgspec.Struct)


def read_settings(kind: type[SettingsT], environment: Mapping[str, str] | None = None) -> SettingsT:
    """Raises SettingsError naming the variable that is missing or wrong."""
    environment = os.environ if environment is None else environment
    values: dict[str, object] = {}
    for field in msgspec.structs.fields(kind):
        text = _lookup(field.name.upper(), environment)
        if text is None:
            if field.required:
                raise SettingsError(
                    f"{field.name.upper()} is not set (a file named by {field.name.upper()}_FILE will do)."
                )
            continue
        try:
            values[field.name] = msgspec.convert(text, field.type, strict=False)
        except msgspec.ValidationError as error:
            raise SettingsError(f"{field.name.upper()} is wrong: {error}.") from None
    return kind(**values)


def _lookup(name: str, environment: Mapping[str, str]) -> str | None:
    if (path := environment.get(f"{name}_FILE")) is not None:
        try:
            return Path(path).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(f"{name}_FILE names {path}, which cannot be read: {error}.") from None
    return environment.get(name)
