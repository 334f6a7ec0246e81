"""What the environment says about a run."""

import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Options:
    """Ports and folders of one copy; two copies differ in both."""

    port_base: int
    folder: Path
    demo: bool
    database_url: str
    """A server of the user's own; empty for the embedded one."""
    database_app_url: str
    tcp: bool

    @property
    def ports(self) -> dict[str, int]:
        """Every port this copy listens on, by what listens there."""
        base = self.port_base
        named = {"sso-gateway": base, "scim-ingest": base + 1, "directory": base + 2}
        ops = {f"{name} (ops)": port + 1000 for name, port in named.items()}
        simulator = {"entra simulator": base + 10} if self.demo else {}
        return {**named, **ops, **simulator, **({"postgresql": base + 20} if self.tcp else {})}

    def url(self, service: str) -> str:
        # The simulator lives on another site than our services, as Entra does: cookie rules are then as in life.
        host = "localhost" if service == "entra simulator" else "127.0.0.1"
        return f"http://{host}:{self.ports[service]}"


class OptionsWrong(Exception):
    """A variable does not fit; one sentence."""


def read_options(environment: Mapping[str, str] | None = None) -> Options:
    environment = os.environ if environment is None else environment
    text = environment.get("PORT_BASE", "8080")
    if not text.isdigit() or not 1024 <= int(text) <= 64000:
        raise OptionsWrong(f"PORT_BASE must be a number from 1024 to 64000; came '{text}'.")
    return Options(
        port_base=int(text),
        folder=Path(environment.get("LOCAL_DIR") or ".local").absolute(),
        demo=environment.get("DEMO", "1") not in {"0", "no", "false"},
        database_url=environment.get("DATABASE_URL", ""),
        database_app_url=environment.get("DATABASE_APP_URL", ""),
        tcp=environment.get("PG_TCP", "0") not in {"", "0"},
    )


def kept_secrets(folder: Path) -> dict[str, str]:
    """Service credentials and the application role's password: made once, kept for the owner's eyes only."""
    path = folder / "secrets.env"
    wanted = ("SCIM_INGEST_SECRET", "SSO_GATEWAY_SECRET", "DATABASE_APP_PASSWORD", "DATABASE_APP_ROLE")
    found = read_env(path) if path.exists() else {}
    if any(name not in found for name in wanted):
        made = {name: secrets.token_urlsafe(24) for name in wanted}
        made["DATABASE_APP_ROLE"] = f"identity_gateway_{secrets.token_hex(4)}"
        found = {**made, **found}
        write_env(path, found)
    return found


def read_env(path: Path) -> dict[str, str]:
    lines = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines() if "=" in line)
    return {name: value for name, _, value in lines}


def write_env(path: Path, values: Mapping[str, str]) -> None:
    """Readable by its owner only, and never half written."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        file.writelines(f"{name}={value}\n" for name, value in values.items())
    part.replace(path)
