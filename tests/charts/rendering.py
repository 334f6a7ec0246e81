"""The real Helm over our chart: render, lint, and short ways to the rendered documents.

Helm's own folders are scratch and KUBECONFIG names nothing, so a developer's cluster is never touched.
"""

import copy
import functools
import os
import platform
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
CHART = ROOT / "charts" / "identity-gateway"
CI_FILES = sorted((CHART / "ci").glob("*.yaml"))
MAJORS = ("helm3", "helm4")
SERVING = ("directory", "scim", "sso")

Document = dict[str, Any]


@functools.cache
def helm_folder() -> Path:
    """Where the two binaries are. Skips where packages carry none; fails where they should but cannot be had."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        pytest.skip("the packaged Helm runs on Linux x86-64 only")
    done = subprocess.run([ROOT / "scripts" / "helm.sh"], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(done.stderr)
    return ROOT / ".tools"


@functools.cache
def _environment() -> dict[str, str]:
    scratch = tempfile.mkdtemp(prefix="helm-")
    homes = {name: f"{scratch}/{name}" for name in ("HELM_CACHE_HOME", "HELM_CONFIG_HOME", "HELM_DATA_HOME")}
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
    return {**kept, **homes, "KUBECONFIG": f"{scratch}/none"}


def helm(major: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    binary = helm_folder() / major
    return subprocess.run([binary, *arguments], capture_output=True, text=True, check=False, env=_environment())


def template(major: str, *arguments: str | Path, release: str = "r") -> subprocess.CompletedProcess[str]:
    return helm(major, "template", release, CHART, "--namespace", "identity", *arguments)


@functools.cache
def _text(major: str, values: Path, extra: tuple[str, ...]) -> str:
    done = template(major, "-f", values, *extra)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rendered_text(values: Path, *extra: str, major: str = "helm4") -> str:
    return _text(major, values, extra)


@functools.cache
def _documents(major: str, values: Path, extra: tuple[str, ...]) -> list[Document]:
    return [document for document in yaml.safe_load_all(_text(major, values, extra)) if document]


def rendered(values: Path, *extra: str, major: str = "helm4") -> list[Document]:
    return copy.deepcopy(_documents(major, values, extra))


def of_kind(documents: list[Document], kind: str) -> list[Document]:
    return [document for document in documents if document["kind"] == kind]


def component(document: Document) -> str:
    return str(document["metadata"]["labels"]["app.kubernetes.io/component"])


def by_component(documents: list[Document], kind: str) -> dict[str, Document]:
    found = {component(document): document for document in of_kind(documents, kind)}
    assert len(found) == len(of_kind(documents, kind)), f"two {kind}s for one component"
    return found


def pod_templates(documents: list[Document]) -> list[Document]:
    specs = [document["spec"] for document in documents if document["kind"] in ("Deployment", "Job")]
    specs += [document["spec"]["jobTemplate"]["spec"] for document in of_kind(documents, "CronJob")]
    return [spec["template"] for spec in specs]


def ci(name: str) -> Path:
    return CHART / "ci" / f"{name}.yaml"
