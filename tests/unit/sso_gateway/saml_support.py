"""What the SAML tests share: the company under test and one way to put a response before it."""

from collections.abc import Callable
from datetime import datetime

import pytest
from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.errors import Reason, SamlRefusal
from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.profile import Expected, VerifiedAssertion, check
from tests.support.saml_responses import ACS, ENTITY_ID, ISSUER, NOW, TENANT, Recipe, respond, signing_key

EXPECTED = Expected(entity_id=ENTITY_ID, acs_url=ACS, issuer=ISSUER, tenant_id=TENANT)


def pinned(*names: str) -> list[TrustedKey]:
    return [trusted_key(signing_key(name).der) for name in names or ("contoso",)]


def sign_in(
    document: bytes, signed: SignedMode = "assertion", now: datetime = NOW, keys: list[TrustedKey] | None = None
) -> VerifiedAssertion:
    proven = signed_response(document, pinned() if keys is None else keys, signed, ENTITY_ID)
    return check(proven, EXPECTED, now)


def refusal(
    document: bytes, signed: SignedMode = "assertion", now: datetime = NOW, keys: list[TrustedKey] | None = None
) -> SamlRefusal:
    with pytest.raises(SamlRefusal) as caught:
        sign_in(document, signed, now, keys)
    return caught.value


def reason(document: bytes, signed: SignedMode = "assertion", now: datetime = NOW) -> Reason:
    return refusal(document, signed, now).reason


def edited(change: Callable[[etree._Element], None], recipe: Recipe | None = None) -> bytes:
    """A genuine response, changed after signing."""
    root = etree.fromstring(respond(recipe))
    change(root)
    return etree.tostring(root)
