"""The responses of tests/data/saml as tests read them. A new folder there is a new test; see tests/data/saml/README.md."""

import ssl
import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from lxml import etree

from shared.schemas.login import SignedMode
from sso_gateway.saml.gate import SignedResponse, signed_response
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.profile import VerifiedAssertion, check
from tests.entra.claims import IDENTITY_PROVIDER, METHODS, TENANT_ID
from tests.support.saml_responses import DS, ENTITY_ID, NOW, SAML
from tests.unit.sso_gateway.saml_support import EXPECTED

FOLDER = Path(__file__).parents[2] / "data" / "saml"


@dataclass(frozen=True)
class SamlFile:
    """One document, and the company it comes to."""

    path: Path

    @cached_property
    def about(self) -> dict[str, Any]:
        file = self.path.parent / "case.toml"
        return tomllib.loads(file.read_text(encoding="utf-8")) if file.exists() else {}

    @property
    def signed(self) -> SignedMode:
        signed: SignedMode = self.about.get("signed", "assertion")
        return signed

    @property
    def now(self) -> datetime:
        now: datetime = self.about.get("now", NOW)
        return now

    @property
    def keys(self) -> list[TrustedKey]:
        """What the company has pinned: `keys/<name>.pem`, or a certificate beside the document."""
        return [trusted_key(ssl.PEM_cert_to_DER_cert(pem)) for pem in self.certificates]

    @property
    def certificates(self) -> list[str]:
        texts = [self._pem(name).read_text() for name in self.about.get("trusted", ["contoso"])]
        return [text[text.index("-----BEGIN CERTIFICATE-----") :].strip() for text in texts]

    def _pem(self, name: str) -> Path:
        beside = self.path.parent / f"{name}.pem"
        return beside if beside.exists() else FOLDER / "keys" / f"{name}.pem"

    @cached_property
    def document(self) -> bytes:
        return self.path.read_bytes()

    def prove(self) -> SignedResponse:
        return signed_response(self.document, self.keys, self.signed, ENTITY_ID)

    def sign_in(self) -> VerifiedAssertion:
        return check(self.prove(), EXPECTED, self.now)

    @property
    def name(self) -> str:
        return str(self.path.relative_to(FOLDER).with_suffix(""))


def files(pattern: str) -> list[SamlFile]:
    return [SamlFile(path) for path in sorted(FOLDER.glob(pattern))]


ACCEPTED = files("**/accepted.xml")
REFUSED = files("refused/*/*/refused.xml")

NOT_OF_THE_PERSON = (TENANT_ID, IDENTITY_PROVIDER, METHODS)
"""Claims of the tenant, not of the person: they are told, for an administrator compares them."""
SHORTEST = 4
"""Shorter words occur by chance."""


def private_words(document: bytes) -> set[str]:
    """What of a document may never be told: who somebody is, what he is a member of, and anything of a signature."""
    root = etree.fromstring(document, etree.XMLParser(resolve_entities=False, no_network=True, recover=True))
    if root is None:
        return set()
    words = {element.text or "" for element in root.iter(f"{SAML}NameID")}
    for attribute in root.iter(f"{SAML}Attribute"):
        if attribute.get("Name") not in NOT_OF_THE_PERSON:
            words |= {value.text or "" for value in attribute}
    for element in root.iter(f"{DS}SignatureValue", f"{DS}DigestValue", f"{DS}X509Certificate"):
        words |= {element.text or "", (element.text or "")[:24]}
    return {word for word in words if len(word.strip()) >= SHORTEST}
