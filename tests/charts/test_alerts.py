"""The chart's alerts in Debian's promtool: each is one that Prometheus understands, fires, stays silent, and has a runbook."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.rendering import ROOT, Document, ci, of_kind, rendered

PROMTOOL = shutil.which("promtool")
RUNBOOKS = ROOT / "docs" / "runbooks"
HEADINGS = ["Meaning", "Impact", "Diagnosis", "Mitigation", "Prevention"]

EXPIRING = 'directory_certificates_expiring_companies{{namespace="{namespace}", pod="{pod}", within_days="{days}"}}'
COMPANIES = 'directory_metadata_companies{{namespace="{namespace}", pod="{pod}", standing="{standing}"}}'


def expiring(values: str, days: int = 14, *, pod: str = "a", namespace: str = "identity") -> dict[str, str]:
    return {"series": EXPIRING.format(namespace=namespace, pod=pod, days=days), "values": values}


def companies(*, namespace: str = "identity", **standings: int) -> list[dict[str, str]]:
    """The same from two processes of directory, all the while."""
    return [
        {"series": COMPANIES.format(namespace=namespace, pod=pod, standing=standing), "values": f"{count}x300"}
        for pod in "ab"
        for standing, count in standings.items()
    ]


CASES: dict[str, tuple[str, str, list[dict[str, str]], bool]] = {
    "a certificate ends": ("IdgwIdpCertificateExpiring", "61m", [expiring("1x100"), expiring("1x100", pod="b")], True),
    "it was mended": ("IdgwIdpCertificateExpiring", "61m", [expiring("1x30 0x70")], False),
    "it ends later": ("IdgwIdpCertificateExpiring", "61m", [expiring("0x100"), expiring("1x100", 30)], False),
    "it ends elsewhere": ("IdgwIdpCertificateExpiring", "61m", [expiring("1x100", namespace="other")], False),
    "nobody looks": ("IdgwMetadataOverdue", "16m", companies(overdue=1, failing=0, in_time=900), True),
    "a moment passed": ("IdgwMetadataOverdue", "14m", companies(overdue=1, failing=0, in_time=900), False),
    "all is looked at": ("IdgwMetadataOverdue", "4h", companies(overdue=0, failing=900, in_time=0), False),
    "many are unreadable": ("IdgwMetadataUnreadable", "121m", companies(overdue=0, failing=101, in_time=899), True),
    "one in ten is not many": ("IdgwMetadataUnreadable", "4h", companies(overdue=0, failing=100, in_time=900), False),
    "an hour is not long": ("IdgwMetadataUnreadable", "119m", companies(overdue=0, failing=900, in_time=0), False),
    "there are no companies": ("IdgwMetadataUnreadable", "4h", companies(overdue=0, failing=0, in_time=0), False),
    "unreadable elsewhere": (
        "IdgwMetadataUnreadable",
        "4h",
        [*companies(overdue=0, failing=0, in_time=9), *companies(namespace="other", overdue=0, failing=9, in_time=0)],
        False,
    ),
}


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    assert PROMTOOL is not None, "CI must have promtool; scripts/test-tools.sh installs it"
    return subprocess.run([PROMTOOL, *arguments], capture_output=True, text=True, check=False)


def rule(*extra: str) -> Document:
    [found] = of_kind(rendered(ci("production"), *extra), "PrometheusRule")
    return found


def alerts(*extra: str) -> list[dict[str, Any]]:
    return [alert for group in rule(*extra)["spec"]["groups"] for alert in group["rules"]]


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump(rule()["spec"]))
    return file


def test_prometheus_understands_every_rule(rules: Path) -> None:
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", rules)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(alerts())} rules found" in done.stdout


@pytest.mark.parametrize("case", CASES)
def test_an_alert_fires_when_it_should_and_only_then(rules: Path, tmp_path: Path, case: str) -> None:
    name, moment, series, fires = CASES[case]
    [meant] = [one for one in alerts() if one["alert"] == name]
    # promtool would have the texts word by word; here it is whether it fires.
    silent = yaml.safe_load(rules.read_text())
    for group in silent["groups"]:
        for one in group["rules"]:
            del one["annotations"]
    rules.write_text(yaml.safe_dump(silent))
    expected = [{"exp_labels": meant["labels"]}] if fires else []
    tests = {
        "rule_files": [str(rules)],
        "evaluation_interval": "1m",
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [{"eval_time": moment, "alertname": name, "exp_alerts": expected}],
            }
        ],
    }
    file = tmp_path / "tests.yaml"
    file.write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", file)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_that_fires_it_and_one_that_does_not() -> None:
    shown = {(name, fires) for name, _, _, fires in CASES.values()}
    assert shown == {(one["alert"], fires) for one in alerts() for fires in (True, False)}


def test_every_alert_says_what_it_is_and_has_a_runbook_and_every_runbook_an_alert() -> None:
    pages = {}
    for one in alerts():
        assert one["labels"].keys() == {"severity", "component"}
        assert one["labels"]["severity"] in {"page", "ticket"}
        assert one["annotations"].keys() == {"summary", "description", "runbook_url"}
        base, page = one["annotations"]["runbook_url"].rsplit("/", 1)
        assert base == "https://runbooks.example.com/identity-gateway"
        pages[page] = one["alert"]
    assert pages.keys() == {path.name for path in RUNBOOKS.glob("*.md")} - {"README.md"}
    index = (RUNBOOKS / "README.md").read_text()
    for page, alert in pages.items():
        text = (RUNBOOKS / page).read_text()
        assert text.startswith(f"# {alert}\n\nFirst query: `"), page
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == HEADINGS, page
        assert f"| `{alert}` |" in index
        assert f"]({page})" in index


def test_an_alert_and_a_runbook_ask_for_metrics_that_there_are() -> None:
    known = set(re.findall(r"^\| `([a-z_]+)`", (ROOT / "docs" / "metrics.md").read_text(), re.MULTILINE))
    asked = [one["expr"] for one in alerts()]
    asked += [path.read_text() for path in RUNBOOKS.glob("*.md")]
    found = {name for text in asked for name in re.findall(r"\b(?:directory|sso|scim)_[a-z_]+(?=[{\[)])", text)}
    assert len(found) >= 3
    assert found <= known


def test_where_nothing_is_fetched_unreadable_metadata_is_no_alert() -> None:
    assert "IdgwMetadataUnreadable" in {one["alert"] for one in alerts()}
    assert "IdgwMetadataUnreadable" not in {one["alert"] for one in alerts("--set", "federation.hosts=null")}


def test_the_thresholds_are_the_chart_s_values() -> None:
    told = json.dumps(alerts("--set", "alerts.expiringDays=30,alerts.unreadablePercent=25"))
    assert 'within_days=\\"30\\"' in told
    assert "> 25 *" in told
    assert of_kind(rendered(ci("minimal")), "PrometheusRule") == []
