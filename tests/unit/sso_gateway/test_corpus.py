"""Responses in files: drop one into `good/`, or into `bad/<reason>/`, and it is a test.

`name.xml` comes to a company that requires a signed assertion, `name.response.xml` and `name.both.xml` to one that requires
the other modes. All are read at `NOW`, by the company of `tests/support/saml_responses.py`. It trusts `trusted.pem`, whose
private key is gone.
"""

import ssl
from pathlib import Path
from typing import get_args

import pytest

from shared.schemas.login import SignedMode
from sso_gateway.saml.keys import TrustedKey, trusted_key
from tests.support.saml_responses import OBJECT_ID
from tests.unit.sso_gateway.saml_support import refusal, sign_in

CORPUS = Path(__file__).parents[2] / "data" / "saml"
GOOD = sorted((CORPUS / "good").glob("*.xml"))
BAD = sorted((CORPUS / "bad").glob("*/*.xml"))


def keys() -> list[TrustedKey]:
    return [trusted_key(ssl.PEM_cert_to_DER_cert((CORPUS / "trusted.pem").read_text()))]


def mode(file: Path) -> SignedMode:
    suffix = file.name.split(".")[-2]
    found: SignedMode = suffix if suffix in get_args(SignedMode) else "assertion"  # type: ignore[assignment]
    return found


@pytest.mark.parametrize("file", GOOD, ids=lambda file: file.stem)
def test_a_good_response_signs_its_person_in(file: Path) -> None:
    assert sign_in(file.read_bytes(), mode(file), keys=keys()).object_id == OBJECT_ID


@pytest.mark.parametrize("file", BAD, ids=lambda file: f"{file.parent.name}: {file.stem}")
def test_a_bad_response_is_refused_for_its_reason(file: Path) -> None:
    assert refusal(file.read_bytes(), mode(file), keys=keys()).reason == file.parent.name


def test_the_corpus_is_there() -> None:
    assert len(GOOD) >= 14
    assert len(BAD) >= 30
