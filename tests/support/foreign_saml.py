"""What a foreign identity provider is told when its responses are recorded: company, request, person. JSON, on stdout.

`scripts/foreign_saml/record.sh` gives it to each of them. The request is the one that our service sends.
"""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sso_gateway.saml.metadata import service_provider_metadata
from sso_gateway.saml.request import redirect_to_idp
from tests.entra.certificates import private_key
from tests.support.saml_corpus.case import FOLDER, genuine, key
from tests.support.saml_responses import ACS, ENTITY_ID, FLOW, ISSUER

LOGIN_URL = "https://idp.example/sso"
FOREIGN = FOLDER / "foreign"


def scene() -> dict[str, object]:
    redirect = redirect_to_idp(
        login_url=LOGIN_URL,
        entity_id=ENTITY_ID,
        acs_url=ACS,
        flow_id=FLOW,
        relay_state="",
        issued_at=datetime.now(UTC),
    )
    recipe = genuine()
    certificate = x509.load_pem_x509_certificate(key("foreign").pem.encode()).public_bytes(Encoding.PEM).decode()
    return {
        "issuer": ISSUER,
        "login_url": LOGIN_URL,
        "entity_id": ENTITY_ID,
        "acs": ACS,
        "flow": FLOW,
        "saml_request": parse_qs(urlsplit(redirect).query)["SAMLRequest"][0],
        "query": urlsplit(redirect).query,
        "our_metadata": service_provider_metadata(entity_id=ENTITY_ID, acs_url=ACS, logout_url=ACS).decode(),
        "name_id": recipe.name_id,
        "claims": dict(recipe.claims),
        "key": _key_pem(),
        "certificate": certificate,
        "folder": str(FOREIGN),
    }


def _key_pem() -> str:
    pem = key("foreign").key_pem
    assert private_key(key("foreign")).key_size == 2048
    return pem[: pem.index("-----BEGIN CERTIFICATE-----")]


if __name__ == "__main__":
    print(json.dumps(scene(), ensure_ascii=False))
