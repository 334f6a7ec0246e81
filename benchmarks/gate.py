"""One verification as the service does it: gate and profile over the usual response of 5 KB."""

import base64
from collections.abc import Callable
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.keys import trusted_key
from sso_gateway.saml.profile import Expected, check
from tests.entra.saml import recipe_for, respond
from tests.support.company import new_tenant

ACS = "https://login.example.com/saml/contoso/acs"
ENTITY_ID = "https://www.bitabiz.com/contoso"


def verifier(now: datetime, *, groups: int = 0) -> Callable[[], object]:
    """Call the result to verify once; the company trusts one certificate."""
    tenant = new_tenant()
    app = tenant.add_app("BitaBIZ", "Contoso")
    tenant.configure(app, identifier=ENTITY_ID, reply_url=ACS, groups_claim=groups > 0)
    person = tenant.add_person(
        "anna@contoso.com", "Anna Holm", given_name="Anna", surname="Holm", mail="anna@contoso.com"
    )
    tenant.assign(app, person.object_id)
    for number in range(groups - 1):
        group = tenant.add_group(f"Group {number}")
        tenant._set_members(group, (person.object_id,))
    app = tenant.apps[app.app_id]
    document = respond(recipe_for(tenant, app, tenant.person(person.object_id), now=now, in_response_to="_flow"))
    der = x509.load_pem_x509_certificate(app.certificates[0].pem.encode()).public_bytes(Encoding.DER)
    keys = [trusted_key(der)]
    expected = Expected(entity_id=ENTITY_ID, acs_url=ACS, issuer=tenant.issuer, tenant_id=tenant.tenant_id)
    form = base64.b64encode(document)

    def once() -> object:
        return check(signed_response(base64.b64decode(form), keys, "assertion", ENTITY_ID), expected, now)

    once()
    return once
