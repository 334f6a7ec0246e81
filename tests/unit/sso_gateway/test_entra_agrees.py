"""The simulator's responses, which this package's own builder knows nothing of, pass the gate and say what they should."""

import ssl
from datetime import UTC, datetime

import msgspec
import pytest

from shared.schemas.login import SignedMode
from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.keys import trusted_key
from sso_gateway.saml.profile import Expected, check
from tests.entra.saml import recipe_for, respond
from tests.entra.tenant import Tenant
from tests.support.saml_responses import ACS, ENTITY_ID, FLOW

NOW = datetime.now(UTC)


@pytest.mark.parametrize("in_response_to", [FLOW, None])
@pytest.mark.parametrize("signed", ["assertion", "response", "both"])
def test_every_way_the_simulator_signs_is_understood(signed: SignedMode, in_response_to: str | None) -> None:
    tenant = Tenant("11111111-1111-4111-8111-111111111111", "Test", "contoso.com")
    app = tenant.add_app("BitaBIZ", "Contoso A/S", email_domains=("contoso.com",))
    app = tenant.configure(app, identifier=ENTITY_ID, reply_url=ACS)
    anna = tenant.add_person("anna@contoso.com", "Åse Ærø", given_name="Åse", surname="Ærø", mail="anna@contoso.com")
    tenant.assign(app, anna.object_id)
    recipe = recipe_for(tenant, app, anna, now=NOW, in_response_to=in_response_to)
    recipe = msgspec.structs.replace(
        recipe, sign_assertion=signed in ("assertion", "both"), sign_response=signed in ("response", "both")
    )
    certificate = tenant.apps[app.app_id].certificates[0]
    key = trusted_key(ssl.PEM_cert_to_DER_cert(certificate.pem))
    proven = signed_response(respond(recipe), [key], signed, ENTITY_ID)
    expected = Expected(entity_id=ENTITY_ID, acs_url=ACS, issuer=tenant.issuer, tenant_id=tenant.tenant_id)

    verified = check(proven, expected, NOW)

    assert (verified.object_id, verified.name_id) == (anna.object_id, "anna@contoso.com")
    assert verified.in_response_to == in_response_to
    assert key.thumbprint == certificate.thumbprint
