"""Hands the gate to atheris (libFuzzer). Arguments are libFuzzer's; `--seeds FOLDER` writes the corpus of the tests as inputs."""

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["sso_gateway.saml"]):
    from tests.fuzz import gate, mutations

from tests.support.saml_corpus.case import FOLDER

MAX_SEED_BYTES = 16_384


def write_seeds(folder: Path) -> None:
    """Each document as it is, and once signed by us."""
    folder.mkdir(parents=True, exist_ok=True)
    documents = {file.read_bytes() for file in FOLDER.glob("**/*.xml") if file.stat().st_size < MAX_SEED_BYTES}
    for document in documents:
        for required in gate.MODES:
            for sign in (False, True):
                data = gate.packed(document, required, sign=sign)
                (folder / hashlib.sha1(data, usedforsecurity=False).hexdigest()).write_bytes(data)


def one_input(data: bytes) -> None:
    gate.try_one(data)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    return mutations.mutated(data, max_size, seed, atheris.Mutate)


def main() -> None:
    if sys.argv[1:2] == ["--seeds"]:
        write_seeds(Path(sys.argv[2]))
        return
    # To merge, libFuzzer calls what it takes for the program's name.
    command = f"{sys.executable} -m tests.fuzz"
    atheris.Setup([command, *sys.argv[1:]], one_input, custom_mutator=mutate)
    atheris.Fuzz()


main()
