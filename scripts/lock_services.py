"""Writes what each image installs: services/<name>/requirements.lock, the part of requirements.lock that one service needs
under Python 3.13 with the very hashes that stand there, and services/build.lock, the build backend. Part of `make lock`.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SERVICES = ("directory", "scim-ingest", "sso-gateway")


def compiled(*arguments: str, stdin: str | None = None) -> str:
    command = ["uv", "pip", "compile", "-q", "--universal", "--python-version", "3.13", "--no-header", "--no-annotate"]
    return subprocess.run(
        [*command, *arguments], cwd=ROOT, input=stdin, check=True, capture_output=True, text=True
    ).stdout


def blocks(lock: str) -> dict[str, str]:
    """Name → its lines in a lock: the pin, its marker, its hashes."""
    return {block.partition("==")[0]: block for block in re.split(r"\n(?=[a-z0-9])", lock.strip())}


def main() -> None:
    whole = blocks((ROOT / "requirements.lock").read_text())
    for service in SERVICES:
        needed = blocks(
            compiled("--no-emit-package", "shared", "-c", "requirements.lock", f"services/{service}/pyproject.toml")
        )
        part = "\n".join(whole[name] for name in sorted(needed))
        (ROOT / "services" / service / "requirements.lock").write_text(f"{part}\n")
    backend = compiled("--generate-hashes", "-", stdin="uv-build>=0.13,<0.14\n")
    (ROOT / "services" / "build.lock").write_text(backend)


if __name__ == "__main__":
    main()
