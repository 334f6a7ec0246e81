"""`python -m sso_gateway oidc-keys new|rotate FOLDER`: a first set of signing keys, or the next turn of one.

    new        next, current
    rotate     previous <- current <- next <- a new one

At each moment of a turn the folder holds a whole set: what signs is there, and what signed is still published.
"""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sso_gateway.oidc.signing_keys import KeysUnreadable, read_keys


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="sso-gateway oidc-keys", description="Signing keys of the OpenID Provider.")
    parser.add_argument("turn", choices=("new", "rotate"))
    parser.add_argument("folder", type=Path)
    parsed = parser.parse_args(arguments)
    try:
        new_set(parsed.folder) if parsed.turn == "new" else rotate(parsed.folder)
        keys = read_keys(parsed.folder)
    except (KeysUnreadable, OSError) as error:
        print(error, file=sys.stderr)  # noqa: T201  the operator's terminal
        return 1
    print(f"{parsed.folder} signs with {keys.signing_kid}; published: {', '.join(keys.by_kid)}.")  # noqa: T201
    return 0


def new_set(folder: Path) -> None:
    """Raises KeysUnreadable where there is one already."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if any((folder / f"{slot}.pem").exists() for slot in ("next", "current", "previous")):
        raise KeysUnreadable(f"{folder} has keys already; `oidc-keys rotate` takes the next turn.")
    _write(folder / "next.pem", _new_key())
    _write(folder / "current.pem", _new_key())


def rotate(folder: Path) -> None:
    """Raises KeysUnreadable where the folder has no whole set."""
    read_keys(folder)
    if not (folder / "next.pem").exists():
        raise KeysUnreadable(f"{folder} has no next.pem: nobody would know the key that is to sign now.")
    _write(folder / "previous.pem", (folder / "current.pem").read_bytes())
    _write(folder / "current.pem", (folder / "next.pem").read_bytes())
    _write(folder / "next.pem", _new_key())


def _new_key() -> bytes:
    return ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _write(path: Path, pem: bytes) -> None:
    """Readable by its owner only, and never half written."""
    part = path.with_suffix(".part")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(pem)
    part.replace(path)
