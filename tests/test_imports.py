"""The architecture's promises about who imports what, read from the source."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = {
    "shared": ROOT / "shared/src/shared",
    "directory": ROOT / "services/directory/src/directory",
    "scim_ingest": ROOT / "services/scim-ingest/src/scim_ingest",
    "sso_gateway": ROOT / "services/sso-gateway/src/sso_gateway",
}
PURE = [
    "directory/cycles/judgement.py",
    "directory/cycles/notes.py",
    "directory/employees/lifecycle.py",
    "directory/employees/matching.py",
    "directory/employees/keys.py",
    "directory/employees/approvers.py",
    "directory/employees/countries.py",
    "directory/approvers/rules.py",
    "directory/approvers/circles.py",
    "directory/approvers/overview.py",
    "directory/employees/record.py",
    "directory/employees/revisions.py",
    "directory/groups/record.py",
    "directory/imports/columns.py",
    "directory/imports/csv_rows.py",
    "directory/imports/dates.py",
    "directory/imports/decoding.py",
    "directory/imports/planning.py",
    "directory/imports/remarks.py",
    "directory/journal/entries.py",
    "directory/events/chain.py",
    "directory/events/fields.py",
    "directory/events/folding.py",
    "directory/events/schema.py",
    "directory/api/queries.py",
    "directory/api/openapi.py",
    "directory/logins/decision.py",
    "directory/companies/manifest.py",
    "directory/companies/certificates.py",
    "sso_gateway/saml/gate.py",
    "sso_gateway/saml/logout.py",
    "sso_gateway/saml/profile.py",
    "sso_gateway/saml/redirect.py",
    "shared/rate.py",
    "scim_ingest/notes.py",
    "scim_ingest/recorder.py",
    "scim_ingest/redaction.py",
    "shared/entra_issuer.py",
    "shared/rsa_keys.py",
    "scim_ingest/oauth/assertion.py",
    "scim_ingest/oauth/jwks.py",
    "scim_ingest/oauth/metadata.py",
    "scim_ingest/oauth/request.py",
    "scim_ingest/protocol/bulk.py",
    "scim_ingest/protocol/bulk_order.py",
    "scim_ingest/protocol/patch.py",
    "scim_ingest/protocol/paths.py",
    "scim_ingest/protocol/filters.py",
    "scim_ingest/protocol/attributes.py",
    "scim_ingest/protocol/quirks.py",
    "scim_ingest/protocol/resource.py",
]
IO = {"asyncpg", "starlette", "aiohttp", "os", "socket", "asyncio", "requests"}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def files(package: str) -> list[Path]:
    found = sorted(SOURCES[package].rglob("*.py"))
    assert found
    return found


@pytest.mark.parametrize("package", ["shared", "scim_ingest", "sso_gateway"])
def test_only_directory_can_reach_the_database(package: str) -> None:
    for path in files(package):
        assert not {name.split(".")[0] for name in imported(path)} & {"asyncpg", "psycopg", "directory"}, path


@pytest.mark.parametrize(("package", "other"), [("scim_ingest", "sso_gateway"), ("sso_gateway", "scim_ingest")])
def test_the_edges_do_not_know_each_other(package: str, other: str) -> None:
    for path in files(package):
        assert other not in {name.split(".")[0] for name in imported(path)}, path


def test_directory_calls_nobody() -> None:
    for path in files("directory"):
        names = set(imported(path))
        assert "shared.directory_client" not in names, path
        assert not {name.split(".")[0] for name in names} & {"aiohttp", "httpx", "requests"}, path


def test_only_database_py_makes_transactions() -> None:
    """`CompanyTx(` and `CompanyScope(` are written in one file: there is no other way to a connection."""
    for path in files("directory"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        made = {
            node.func.id for node in ast.walk(tree) if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        } & {"CompanyTx", "CompanyScope"}
        assert not made or path.name == "database.py", path


@pytest.mark.parametrize("name", PURE)
def test_a_pure_module_does_no_input_or_output(name: str) -> None:
    package, _, rest = name.partition("/")
    path = SOURCES[package] / rest
    assert not {module.split(".")[0] for module in imported(path)} & IO, path


def test_no_verifier_but_our_own_is_in_the_product() -> None:
    for path in files("sso_gateway"):
        names = set(imported(path))
        assert not {name.split(".")[0] for name in names} & {"xmlsec", "signxml"}, path
        assert not {name for name in names if name.startswith(("saml2.sigver", "saml2.response", "saml2.client"))}, path
