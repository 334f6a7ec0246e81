"""Responses of Lasso, the C library of Debian, one for each configuration: the scene comes on standard input.

Runs under Debian's own Python, for which Lasso's binding is built.
"""

import base64
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import lasso

METADATA = """<EntityDescriptor xmlns="urn:oasis:names:tc:SAML:2.0:metadata" entityID="{issuer}">
<IDPSSODescriptor protocolSupportEnumeration="urn:oasis:names:tc:SAML:2.0:protocol"><KeyDescriptor use="signing">
<KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data><X509Certificate>{certificate}</X509Certificate></X509Data></KeyInfo>
</KeyDescriptor><SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect" Location="{login_url}"/>
</IDPSSODescriptor></EntityDescriptor>"""
EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
SHA1, SHA256, SHA512 = (
    lasso.SIGNATURE_METHOD_RSA_SHA1,
    lasso.SIGNATURE_METHOD_RSA_SHA256,
    lasso.SIGNATURE_METHOD_RSA_SHA512,
)
CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "default": {},
    "unsolicited": {"asked": False},
    "no_claims": {"claims": False},
    "sha1": {"method": SHA1},
    "sha512": {"method": SHA512},
}


def respond(scene: dict[str, Any], *, asked: bool = True, claims: bool = True, method: int = SHA256) -> bytes:
    body = "".join(line for line in scene["certificate"].splitlines() if "-----" not in line)
    metadata = METADATA.format(issuer=scene["issuer"], login_url=scene["login_url"], certificate=body)
    server = lasso.Server.newFromBuffers(metadata, scene["key"], None, scene["certificate"])
    server.signatureMethod = method
    server.addProviderFromBuffer(lasso.PROVIDER_ROLE_SP, scene["our_metadata"])
    login = lasso.Login(server)
    if asked:
        login.processAuthnRequestMsg(scene["query"])
    else:
        login.initIdpInitiatedAuthnRequest(scene["entity_id"])
        login.request.protocolBinding = lasso.SAML2_METADATA_BINDING_POST
        login.request.nameIdPolicy.format = EMAIL
        login.request.nameIdPolicy.allowCreate = True
        login.processAuthnRequestMsg(None)
    login.validateRequestMsg(True, True)
    at, begin, end = (moment(minutes) for minutes in (0, -5, 60))
    login.buildAssertion(lasso.SAML2_AUTHN_CONTEXT_PASSWORD, at, None, begin, end)
    assertion = login.assertion
    assertion.subject.nameId.format = EMAIL
    assertion.subject.nameId.content = scene["name_id"]
    assertion.subject.nameId.nameQualifier = assertion.subject.nameId.spNameQualifier = None
    if claims:
        assertion.attributeStatement = [statement(scene["claims"])]
    login.buildAuthnResponseMsg()
    return base64.b64decode(login.msgBody)


def moment(minutes: int) -> str:
    """Lasso dates the assertion itself, by the clock of the machine."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")


def statement(claims: dict[str, list[str]]) -> Any:
    made = lasso.Saml2AttributeStatement()
    made.attribute = [attribute(name, values) for name, values in claims.items()]
    return made


def attribute(name: str, values: list[str]) -> Any:
    made = lasso.Saml2Attribute()
    made.name = name
    made.attributeValue = [value(text) for text in values]
    return made


def value(text: str) -> Any:
    node = lasso.MiscTextNode.newWithString(text)
    node.textChild = True
    made = lasso.Saml2AttributeValue()
    made.any = [node]
    return made


def main() -> None:
    scene = json.load(sys.stdin)
    for name, options in CONFIGURATIONS.items():
        folder = Path(scene["folder"], "lasso", name)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "response.xml").write_bytes(respond(scene, **options))


main()
