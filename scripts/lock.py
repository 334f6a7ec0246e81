"""`make lock`: resolves the workspace again and writes the locks, every dependency with hashes, no address anywhere."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    export = ["uv", "export", "--no-emit-workspace", "--no-header", "--no-annotate", "--all-groups", "--all-packages"]
    try:
        subprocess.run(["uv", "lock", "--upgrade"], cwd=ROOT, check=True)
        subprocess.run([*export, "--quiet", "-o", "requirements.lock"], cwd=ROOT, check=True)
    finally:
        (ROOT / "uv.lock").unlink(missing_ok=True)  # it records addresses, which must not be committed
    subprocess.run([sys.executable, "scripts/lock_services.py"], cwd=ROOT, check=True)
    print("Locks written. Run `make test`, and say in the commit what was upgraded.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
