"""The images: linted, unprivileged, and holding what their own part of the lock says and no more."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.charts.rendering import ROOT, ci, pod_templates, rendered

SERVICES = ("directory", "scim-ingest", "sso-gateway")
every_service = pytest.mark.parametrize("service", SERVICES)


def dockerfile(service: str) -> str:
    return (ROOT / "services" / service / "Dockerfile").read_text()


def pins(lock: Path) -> dict[str, set[str]]:
    """`name==version` → its hashes."""
    found: dict[str, set[str]] = {}
    for block in re.split(r"\n(?=\S)", lock.read_text()):
        if pin := re.match(r"[A-Za-z0-9._-]+==[^\s;]+", block):
            found[pin.group()] = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
    return found


@every_service
def test_hadolint_has_nothing_to_say(service: str) -> None:
    binary = Path(sys.executable).with_name("hadolint")
    done = subprocess.run(
        [binary, f"services/{service}/Dockerfile"], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr


@every_service
def test_a_service_installs_a_part_of_the_lock_with_its_hashes(service: str) -> None:
    whole, part = pins(ROOT / "requirements.lock"), pins(ROOT / "services" / service / "requirements.lock")

    assert len(part) > 20
    assert part.keys() <= whole.keys(), "run `make lock`"
    assert all(hashes and hashes <= whole[pin] for pin, hashes in part.items())


def test_only_directory_can_speak_to_postgresql() -> None:
    def names(service: str) -> set[str]:
        return {pin.partition("==")[0] for pin in pins(ROOT / "services" / service / "requirements.lock")}

    assert "asyncpg" in names("directory")
    assert "asyncpg" not in names("scim-ingest") | names("sso-gateway")
    assert "pytest" not in names("directory") | names("scim-ingest") | names("sso-gateway")


def test_locks_name_no_address() -> None:
    locks = [ROOT / "requirements.lock", *ROOT.glob("services/*.lock"), *ROOT.glob("services/*/*.lock")]

    assert len(locks) == 5
    assert not [
        lock for lock in locks if re.search(r"://|--(extra-)?index|--find-links|^-e", lock.read_text(), re.MULTILINE)
    ]


@every_service
def test_an_image_runs_as_the_charts_user_on_the_charts_ports(service: str) -> None:
    text = dockerfile(service)
    pods = pod_templates(rendered(ci("minimal")))
    users = {pod["spec"]["securityContext"]["runAsUser"] for pod in pods}
    ports = {port["containerPort"] for pod in pods for c in pod["spec"]["containers"] for port in c.get("ports", [])}

    assert re.findall(r"^USER (.+)$", text, re.MULTILINE) == [f"{users.pop()}:10001"]
    assert not users
    (exposed,) = re.findall(r"^EXPOSE (.+)$", text, re.MULTILINE)
    assert {int(port) for port in exposed.split()} == ports


@every_service
def test_an_image_starts_its_service_without_a_shell(service: str) -> None:
    (entry,) = re.findall(r"^ENTRYPOINT (.+)$", dockerfile(service), re.MULTILINE)
    command = json.loads(entry)
    package = service.replace("-", "_")

    assert command in (["/app/bin/directory"], ["/app/bin/python", "-m", package])
    assert (ROOT / "services" / service / "src" / package).is_dir()
    assert dockerfile(service).count("--require-hashes") == 2
    assert re.search(r"^ARG BASE_IMAGE=python:3\.13-slim-\w+$", dockerfile(service), re.MULTILINE)
