"""The company manifest: what is right, and everything that can be wrong with it."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from directory.companies.fields import ManifestRefused
from directory.companies.manifest import Manifest, read_manifest
from tests.support.manifests import ABSENT, GOOD, WRONG, manifest

NOW = datetime.now(UTC)


def read(changes: dict[str, Any] | None = None) -> Manifest:
    return read_manifest(yaml.safe_dump(manifest(changes)), NOW)


def problems(text: str | bytes) -> list[str]:
    with pytest.raises(ManifestRefused) as refused:
        read_manifest(text, NOW)
    return [str(problem) for problem in refused.value.problems]


def test_the_manifest_of_the_contract_is_read() -> None:
    contoso = read()
    assert contoso.company == "contoso"
    assert contoso.sso.idp_initiated == "true"
    assert len(contoso.sso.certificates) == 1
    assert contoso.provisioning_enabled


def test_json_is_as_good_as_yaml() -> None:
    assert read_manifest(msgspec.json.encode(GOOD), NOW) == read()


@pytest.mark.parametrize(("path", "value", "sentence"), WRONG)
def test_a_wrong_field_is_named_with_what_was_wanted(path: str, value: object, sentence: str) -> None:
    text = msgspec.json.encode(manifest({path: value}))
    found = problems(text)
    assert any(sentence in problem for problem in found), found


def test_everything_that_is_wrong_is_told_at_once() -> None:
    text = yaml.safe_dump(manifest({"name": "", "language": "xx", "sso.signed": "no", "entra.app_id": "1", "more": 1}))
    assert len(problems(text)) == 5


@pytest.mark.parametrize(
    ("sections", "sso", "provisioning"),
    [
        ({"sso": ABSENT}, False, True),
        ({"provisioning": ABSENT}, True, False),
        ({"sso": ABSENT, "provisioning": ABSENT}, False, False),
    ],
)
def test_a_company_may_run_either_alone(sections: dict[str, Any], sso: bool, provisioning: bool) -> None:
    """S2, D12."""
    made = read(sections)
    assert (made.sso.enabled, made.provisioning_enabled) == (sso, provisioning)


def test_a_required_group_must_be_named() -> None:
    nameless = {"entra.group_id": ABSENT, "entra.group_name": ABSENT, "sso.group_check": "required"}
    assert "entra.group_id or entra.group_name" in problems(yaml.safe_dump(manifest(nameless)))[0]


@pytest.mark.parametrize(
    ("word", "meaning"), [("off", "off"), ("'off'", "off"), ("when_sent", "when_sent"), ("required", "required")]
)
def test_yaml_s_own_reading_of_off_is_understood(word: str, meaning: str) -> None:
    text = yaml.safe_dump(manifest()).replace("group_check: when_sent", f"group_check: {word}")
    assert read_manifest(text, NOW).sso.group_check == meaning


def test_domains_are_compared_in_one_form() -> None:
    made = read({"sso.email_domains": ["Contoso.COM", "contoso.com", "smørrebrød.dk"]})
    assert made.sso.email_domains == ("contoso.com", "xn--smrrebrd-64af.dk")


def test_a_loopback_identity_provider_may_be_tried_without_tls() -> None:
    assert read({"sso.login_url": "http://localhost:8090/x/saml2"}).sso.login_url.startswith("http://localhost")


HOSTILE = [
    ("", "must be a mapping"),
    ("- a\n- b\n", "must be a mapping"),
    ("company: [", "not readable YAML"),
    ("company: contoso\ncompany: fabrikam\n", "stands there twice"),
    ("a: &a [x]\nb: *a\n", "aliases"),
    ("a: " + "[" * 5000 + "]" * 5000, "not readable YAML"),
    ("a:\n" + "".join(" " * depth + "b:\n" for depth in range(1, 40)), "nested deeper"),
    ("!!python/object/apply:os.system ['true']", "not readable YAML"),
    ("company: !!binary aGVsbG8=", "company: wanted text"),
    ("x" * 300_000, "bytes; at most"),
    (b"\xff\xfe\x00", "not UTF-8"),
    ("? [a, b]\n: c\n", "not readable YAML|no such setting"),
    ("1: 2\n", "1: there is no such setting"),
    ("company: \ud800", "not UTF-8|not readable"),
    ("{" * 200, "not readable YAML"),
    ("\x00", "not readable YAML"),
]


@pytest.mark.parametrize(("text", "sentence"), HOSTILE)
def test_a_hostile_manifest_is_a_sentence(text: str | bytes, sentence: str) -> None:
    import re

    found = " ".join(problems(text))
    assert re.search(sentence, found), found


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200))
def test_no_text_makes_reading_fail_otherwise(text: str | bytes) -> None:
    with pytest.raises(ManifestRefused):
        read_manifest(text, NOW)


def test_a_date_is_not_taken_for_a_name() -> None:
    assert read({"name": "2026-11-24"}).name == "2026-11-24"
