"""Stock pysaml2 as a service provider, for `benchmarks.logins`: its client, configured once, verifying by the xmlsec1 binary."""

from collections.abc import Mapping

from saml2 import BINDING_HTTP_POST, BINDING_HTTP_REDIRECT
from saml2.client import Saml2Client
from saml2.config import SPConfig

from benchmarks.peer_app import Proven, Told, serve


class Pysaml2:
    def __init__(self, told: Told) -> None:
        self._client = Saml2Client(config=config_of(told))
        self._issuer = told.issuer

    def start(self) -> tuple[str, str]:
        request_id, info = self._client.prepare_for_authenticate(
            entityid=self._issuer, relay_state="", binding=BINDING_HTTP_REDIRECT
        )
        return request_id, dict(info["headers"])["Location"]

    def verify(self, form: str, outstanding: Mapping[str, str]) -> Proven:
        response = self._client.parse_authn_request_response(form, BINDING_HTTP_POST, outstanding=outstanding)
        return Proven(response.name_id.text, response.in_response_to)


def config_of(told: Told, *, want_response_signed: bool = False, allow_unsolicited: bool = True) -> SPConfig:
    one_line = "".join(line for line in told.certificate.splitlines() if not line.startswith("-----"))
    metadata = (
        '<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" '
        f'entityID="{told.issuer}"><IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol">'
        '<KeyDescriptor use="signing"><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
        f"<X509Certificate>{one_line}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
        f'<SingleSignOnService Binding="{BINDING_HTTP_REDIRECT}" Location="{told.login_url}"/>'
        "</IDPSSODescriptor></EntityDescriptor>"
    )
    return SPConfig().load(
        {
            "entityid": told.entity_id,
            "xmlsec_binary": "/usr/bin/xmlsec1",
            "metadata": {"inline": [metadata]},
            "accepted_time_diff": 60,
            "allow_unknown_attributes": True,
            "service": {
                "sp": {
                    "endpoints": {"assertion_consumer_service": [(told.acs, BINDING_HTTP_POST)]},
                    "authn_requests_signed": False,
                    "want_assertions_signed": True,
                    "want_response_signed": want_response_signed,
                    "allow_unsolicited": allow_unsolicited,
                }
            },
        }
    )


if __name__ == "__main__":
    serve(Pysaml2, in_threads=True)
