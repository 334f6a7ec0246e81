"""Values: closed, documented, and refused with a sentence that names what is wrong."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from tests.charts.rendering import CHART, CI_FILES, MAJORS, ci, template
from tests.charts.values_table import documented_keys, table

SCHEMA = json.loads((CHART / "values.schema.json").read_text())
OPEN = {"env", "labels", "annotations"}


@pytest.mark.parametrize("major", MAJORS)
def test_without_values_the_chart_lists_what_it_needs(major: str) -> None:
    done = template(major)

    assert done.returncode != 0
    for name in (
        "image.registry",
        "ssoPublicUrl",
        "database.owner.existingSecret",
        "serviceCredentials.sso.existingSecret",
    ):
        assert f"  - {name}" in done.stderr
    assert "docs/operations.md" in done.stderr


WRONG = [
    ("sso.replicas=0", "/sso/replicas"),
    ("sso.replicas=two", "/sso/replicas"),
    ("sso.replica=2", "replica"),
    ("ssoPublicUrl=http://login.example.com", "/ssoPublicUrl"),
    ("scimPublicUrl=https://scim.example.com/", "/scimPublicUrl"),
    ("scimPublicUrl=https://scim.example.com/scim/v2", "/scimPublicUrl"),
    ("image.registry=https://registry.example.com", "/image/registry"),
    ("directory.image.digest=sha256:short", "/directory/image/digest"),
    ("database.owner.url=postgresql://x", "url"),
    ("database.owner.existingSecret=Not_A_Name", "/database/owner/existingSecret"),
    ("sso.env.DATABASE_URL=postgresql://x", "invalid propertyName 'DATABASE_URL'"),
    ("scim.env.SOME_SECRET=x", "invalid propertyName 'SOME_SECRET'"),
    ("scim.env.lower=x", "invalid propertyName 'lower'"),
    ("shutdown.drainSeconds=0", "/shutdown/drainSeconds"),
    ("terminationGracePeriodSeconds=1", "terminationGracePeriodSeconds"),
    ("sso.resources.limits.memory=lots", "/sso/resources/limits/memory"),
    ("migrations.mode=init", "/migrations/mode"),
    ("sweep.schedule=hourly", "/sweep/schedule"),
    ("sweep.schedule=17 * * *", "/sweep/schedule"),
    ("sweep.deadlineSeconds=5", "/sweep/deadlineSeconds"),
    ("sweep.suspend=true", "suspend"),
    ("log.level=TRACE", "/log/level"),
    ("telemetry.otlpEndpoint=collector:4318", "/telemetry/otlpEndpoint"),
    ("serviceMonitors.interval=30 seconds", "/serviceMonitors/interval"),
    ("alerts.expiringDays=10", "/alerts/expiringDays"),
    ("alerts.unreadablePercent=100", "/alerts/unreadablePercent"),
    ("alerts.runbooks=http://x", "/alerts/runbooks"),
    ("ingress.trustedProxies={*}", "/ingress/trustedProxies/0"),
    ("networkPolicy.publicFrom[0].namespace=x", "/networkPolicy/publicFrom/0"),
    ("networkPolicy.applicationFrom[0].namespace=x", "/networkPolicy/applicationFrom/0"),
    ("companies[0].name=contoso", "companies"),
]


@pytest.mark.parametrize(("setting", "where"), WRONG, ids=[setting for setting, _ in WRONG])
def test_a_wrong_value_is_refused_with_its_place(setting: str, where: str) -> None:
    done = template("helm4", "-f", ci("minimal"), "--set", setting)

    assert done.returncode != 0
    assert "values.schema.json" in done.stderr or "don't meet the specifications of the schema" in done.stderr
    assert where in done.stderr


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("database.owner.existingSecret=gateway-database", "a role that owns nothing"),
        ("serviceCredentials.sso.existingSecret=gateway-scim-credential", "a credential of its own"),
        ("openid.clients.existingSecret=gateway-apps", "belong together"),
        ("openid.signingKeys.existingSecret=gateway-signing-keys", "belong together"),
        ("scimPublicUrl=https://login.example.com,ingress.sso.tlsSecret=one", "are one host"),
    ],
)
def test_values_that_contradict_each_other_are_refused(settings: str, sentence: str) -> None:
    done = template("helm4", "-f", ci("minimal"), "--set", settings)

    assert done.returncode != 0
    assert sentence in done.stderr


def objects(node: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of an object, with its JSON path."""
    if isinstance(node, dict):
        if node.get("type") == "object":
            yield path, node
        for key, value in node.items():
            yield from objects(value, f"{path}/{key}")


def test_the_schema_is_closed_and_whole() -> None:
    still_open = {
        path.rsplit("/", 1)[1] for path, node in objects(SCHEMA) if node.get("additionalProperties") is not False
    }

    assert still_open == {*OPEN, "global"}
    references = re.findall(r'"\$ref":\s*"([^"]+)"', json.dumps(SCHEMA))
    assert references
    assert all(reference.startswith("#/$defs/") for reference in references)
    assert all("description" in SCHEMA["$defs"][name] for name in OPEN)


def test_every_value_has_a_comment_and_a_schema() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    keys = documented_keys((CHART / "values.yaml").read_text())

    def schema_knows(path: str) -> bool:
        node = SCHEMA
        for part in path.split("."):
            while "$ref" in node:
                node = SCHEMA["$defs"][node["$ref"].rpartition("/")[2]]
            node = node["properties"].get(part)
            if node is None:
                return False
        return True

    assert {path.split(".")[0] for path in keys} == values.keys()
    assert all(entry.comment for entry in keys.values())
    assert [path for path in keys if not schema_knows(path)] == []


def test_the_table_in_the_readme_is_made_from_values_yaml() -> None:
    assert table((CHART / "values.yaml").read_text()) in (CHART / "README.md").read_text()


def test_no_company_stands_in_any_values() -> None:
    for path in (CHART / "values.yaml", *CI_FILES):
        keys = re.findall(r"^\s*([A-Za-z]+):", path.read_text(), flags=re.MULTILINE)
        assert not {key for key in keys if re.search("compan|tenant|certificate", key, re.IGNORECASE)}
