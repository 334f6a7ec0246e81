"""The simulator is an independent peer: an error of ours must not be repeated on both sides of the wire."""

import ast
from pathlib import Path

OURS = {"shared", "directory", "scim_ingest", "sso_gateway", "saml2"}


def test_the_simulator_imports_nothing_of_the_services() -> None:
    sources = sorted((Path(__file__).parents[2] / "entra").glob("*.py"))
    assert sources
    for source in sources:
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert not OURS & {name.split(".")[0] for name in names}, source
