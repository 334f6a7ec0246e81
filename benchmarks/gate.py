"""One verification as the service does it, gate and profile; and the responses of Entra that it is measured with."""

import base64
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sso_gateway.saml.gate import signed_response
from sso_gateway.saml.keys import trusted_key
from sso_gateway.saml.profile import Expected, check
from tests.entra.saml import recipe_for, respond
from tests.support.company import new_tenant

ACS = "https://login.example.com/saml/contoso/acs"
ENTITY_ID = "https://www.bitabiz.com/contoso"
REQUEST_ID = "_0123456789abcdef0123456789abcdef"

Signed = Literal["assertion", "both"]


@dataclass(frozen=True)
class Case:
    """A response, and what its company trusts."""

    document: bytes
    signed: Signed
    certificate: str
    """PEM."""
    issuer: str
    tenant_id: str

    @property
    def form(self) -> str:
        """As it stands in the posted form."""
        return base64.b64encode(self.document).decode("ascii")


def case(now: datetime, *, groups: int = 0, signed: Signed = "assertion") -> Case:
    """What Entra answers Anna: 5 KB, with 150 groups 15."""
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
    recipe = recipe_for(tenant, app, tenant.person(person.object_id), now=now, in_response_to=REQUEST_ID)
    document = respond(msgspec.structs.replace(recipe, sign_response=signed == "both"))
    return Case(document, signed, app.certificates[0].pem, tenant.issuer, tenant.tenant_id)


def verifier(now: datetime, *, groups: int = 0) -> Callable[[], object]:
    """Call the result to verify once; the company trusts one certificate."""
    return verifier_of(case(now, groups=groups), now)


def verifier_of(given: Case, now: datetime) -> Callable[[], object]:
    der = x509.load_pem_x509_certificate(given.certificate.encode()).public_bytes(Encoding.DER)
    keys = [trusted_key(der)]
    expected = Expected(entity_id=ENTITY_ID, acs_url=ACS, issuer=given.issuer, tenant_id=given.tenant_id)
    form = given.form

    def once() -> object:
        return check(signed_response(base64.b64decode(form), keys, given.signed, ENTITY_ID), expected, now)

    once()
    return once
