"""Writes the corpus; see the package."""

import shutil
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from tests.support.saml_corpus import accepted, grammar, octets, signatures, statement, wrapping
from tests.support.saml_corpus.case import FOLDER, Case


def files() -> Iterator[tuple[Path, bytes]]:
    """Every file of the corpus, below `FOLDER`."""
    for one in accepted.cases():
        folder = Path("accepted", one.name)
        yield folder / "accepted.xml", one.document
        yield folder / "case.toml", _toml(signed=one.signed, trusted=one.trusted)
    modules = (octets, grammar, wrapping, signatures, statement)
    for case in chain.from_iterable(module.cases() for module in modules):
        folder = Path("refused", case.reason, case.name)
        yield folder / "refused.xml", case.refused
        yield folder / "accepted.xml", case.accepted
        yield folder / "case.toml", _about(case)


def _about(case: Case) -> bytes:
    wanted = {"wanted": case.wanted} if case.wanted else {}
    return _toml(attack=case.attack, signed=case.signed, trusted=case.trusted, **wanted)


def _toml(**values: str | tuple[str, ...]) -> bytes:
    lines = (f"{name} = {_value(value)}\n" for name, value in values.items())
    return "".join(lines).encode()


def _value(value: str | tuple[str, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    assert '"' not in value
    assert "\\" not in value
    return f'"{value}"'


def main() -> None:
    for kind in ("accepted", "refused"):
        shutil.rmtree(FOLDER / kind, ignore_errors=True)
    written = list(files())
    assert len({path for path, _ in written}) == len(written), "two cases of one name"
    for path, content in written:
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(content)
    print(f"{len(written)} files in {FOLDER}")


if __name__ == "__main__":
    main()
