"""Both Helm majors lint and render every example, and every manifest is what Kubernetes says it must be."""

import json
from datetime import UTC, datetime
from pathlib import Path

import jsonschema
import kubernetes_validate
import pytest
import yaml

from shared.schemas.login import SignedIn
from sso_gateway.sessions.forward_auth_routes import identity_headers
from tests.charts.rendering import CHART, CI_FILES, MAJORS, Document, ci, helm, rendered, rendered_text, template

KUBERNETES = ("1.30", "1.34", "1.37")
CUSTOM = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): "servicemonitor_v1.json",
    ("monitoring.coreos.com/v1", "PrometheusRule"): "prometheusrule_v1.json",
}

every_example = pytest.mark.parametrize("values", CI_FILES, ids=lambda path: path.stem)
both_helms = pytest.mark.parametrize("major", MAJORS)


def problems(document: Document, version: str) -> list[str]:
    """An unknown kind is a problem, never passed over."""
    custom = CUSTOM.get((document["apiVersion"], document["kind"]))
    try:
        if custom:
            jsonschema.validate(document, json.loads((Path(__file__).parent / "schemas" / custom).read_text()))
        else:
            kubernetes_validate.validate(document, version, strict=True)
    except (
        jsonschema.ValidationError,
        kubernetes_validate.ValidationError,
        kubernetes_validate.SchemaNotFoundError,
    ) as error:
        return [f"{document['kind']} {document['metadata']['name']}: {getattr(error, 'message', error)}"]
    return []


@both_helms
@every_example
def test_helm_lints_every_example_strictly(major: str, values: Path) -> None:
    done = helm(major, "lint", "--strict", CHART, "-f", values)

    assert done.returncode == 0, done.stdout + done.stderr


@every_example
def test_both_helm_majors_render_the_same_bytes_each_time(values: Path) -> None:
    first = rendered_text(values, major="helm4")

    assert template("helm4", "-f", values).stdout == first
    assert rendered_text(values, major="helm3") == first


@pytest.mark.parametrize("version", KUBERNETES)
@every_example
def test_every_manifest_is_valid(values: Path, version: str) -> None:
    documents = rendered(values, "--kube-version", f"{version}.0")

    assert documents
    assert [problem for document in documents for problem in problems(document, version)] == []


def test_the_validation_sees_a_typo_a_wrong_type_and_an_unknown_kind() -> None:
    production = {document["kind"]: document for document in rendered(ci("production"))}
    deployment, monitor, service = (production[kind] for kind in ("Deployment", "ServiceMonitor", "Service"))
    deployment["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    monitor["spec"]["endpoints"][0]["interval"] = "30 seconds"
    service["spec"]["ports"][0]["port"] = "eight thousand"

    assert all(problems(document, "1.34") for document in (deployment, monitor, service))
    assert problems({"apiVersion": "example.com/v1", "kind": "Unheard", "metadata": {"name": "x"}}, "1.34")


def test_the_forward_auth_page_names_a_service_and_annotations_that_fit() -> None:
    """What a reader copies: the service's name and port as the chart renders them, every header that `/auth` tells."""
    page = (CHART.parents[1] / "docs" / "forward-auth.md").read_text()
    block = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    [service] = [
        one for one in rendered(ci("minimal")) if one["kind"] == "Service" and one["metadata"]["name"].endswith("-sso")
    ]
    prefix = "nginx.ingress.kubernetes.io/"
    name = service["metadata"]["name"].replace("r-", "RELEASE-", 1)
    [port] = [port["port"] for port in service["spec"]["ports"] if port["name"] == "http"]
    assert block[f"{prefix}auth-url"].startswith(f"http://{name}.NAMESPACE.svc.cluster.local:{port}/auth?")
    anybody = SignedIn(
        company="", employee_id="", login_name="", email="", given_name="", family_name="", roles=[],
        signed_in_at=datetime.now(UTC), expires_at=datetime.now(UTC),
    )  # fmt: skip
    assert block[f"{prefix}auth-response-headers"].split(",") == list(identity_headers(anybody))
    assert block[f"{prefix}auth-signin"].endswith("/login?return_to=$escaped_request_uri")
    assert block[f"{prefix}auth-signin-redirect-param"] == "return_to"


@both_helms
def test_a_kubernetes_that_is_too_old_is_refused(major: str) -> None:
    done = template(major, "-f", ci("minimal"), "--kube-version", "1.29.0")

    assert done.returncode != 0
    assert "1.30" in done.stderr


def test_the_release_fits_its_secret_many_times_over() -> None:
    chart = sum(path.stat().st_size for path in CHART.rglob("*") if path.is_file())

    assert len(rendered_text(ci("production"))) + chart < 200_000
