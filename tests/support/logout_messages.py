"""Logout messages as Entra sends them by redirect: percent-encoded in lower case, and signed as they were written."""

import base64
import re
import zlib
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote

from cryptography.hazmat.primitives.asymmetric import padding

from tests.support.saml_responses import ISSUER, METHODS, NOW, RSA_SHA256, SigningKey, instant, signing_key

LOGOUT = "http://127.0.0.1:8080/saml/contoso/logout"
INDEX = "_a2b3c4d5-0000-4000-8000-111122223300"
PAIRWISE = "GM2sJ2xsyk2c1yLk2nkD1yHt8Ef3Q0bqmfW2Z3kq7jI"
SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"


@dataclass(frozen=True)
class Logout:
    """A LogoutRequest."""

    issuer: str = ISSUER
    issued_at: datetime = NOW
    attributes: str = ""
    """More of them, written out."""
    name_id: str = PAIRWISE
    name_id_attributes: str = ""
    indexes: tuple[str, ...] = (INDEX,)
    more: str = ""
    """Behind everything else."""

    def text(self) -> str:
        indexes = "".join(f"<samlp:SessionIndex>{index}</samlp:SessionIndex>" for index in self.indexes)
        return (
            f'<samlp:LogoutRequest ID="_5b0e8a1d-1c2d-4f6a-9a53-1d2c3b4a5f6e" Version="2.0" '
            f'IssueInstant="{instant(self.issued_at)}"{self.attributes} xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">'
            f'<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">{self.issuer}</Issuer>'
            f'<NameID{self.name_id_attributes} xmlns="urn:oasis:names:tc:SAML:2.0:assertion">{self.name_id}</NameID>'
            f"{indexes}{self.more}</samlp:LogoutRequest>"
        )


@dataclass(frozen=True)
class Answer:
    """A LogoutResponse."""

    issuer: str = ISSUER
    issued_at: datetime = NOW
    attributes: str = f' Destination="{LOGOUT}" InResponseTo="_0123456789abcdef0123456789abcdef"'
    status: str = SUCCESS

    def text(self) -> str:
        return (
            f'<samlp:LogoutResponse ID="_f0961a83-d071-4be5-a18c-9ae7b22987a4" Version="2.0" '
            f'IssueInstant="{instant(self.issued_at)}"{self.attributes} xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol">'
            f'<Issuer xmlns="urn:oasis:names:tc:SAML:2.0:assertion">{self.issuer}</Issuer>'
            f'<samlp:Status><samlp:StatusCode Value="{self.status}"/></samlp:Status></samlp:LogoutResponse>'
        )


@dataclass(frozen=True)
class Redirect:
    """A query with its parts to bend. `parts` come in the order of the signature."""

    parts: tuple[tuple[str, str], ...]
    key: SigningKey = field(default_factory=signing_key)
    method: str = RSA_SHA256

    @property
    def signed(self) -> str:
        return "&".join(f"{name}={value}" for name, value in self.parts)

    @property
    def signature(self) -> str:
        value = self.key.private.sign(self.signed.encode(), padding.PKCS1v15(), METHODS[self.method])
        return lower(base64.b64encode(value).decode())

    @property
    def query(self) -> str:
        return f"{self.signed}&Signature={self.signature}"


def redirect(
    document: str | bytes,
    name: str = "SAMLRequest",
    *,
    relay_state: str | None = None,
    key: SigningKey | None = None,
    method: str = RSA_SHA256,
    packed: str | None = None,
) -> Redirect:
    """`packed`: in place of the document deflated and in base64."""
    octets = document.encode() if isinstance(document, str) else document
    parts = [(name, lower(deflated(octets) if packed is None else packed))]
    if relay_state is not None:
        parts.append(("RelayState", lower(relay_state)))
    parts.append(("SigAlg", lower(method)))
    return Redirect(tuple(parts), key or signing_key(), method)


def deflated(document: bytes) -> str:
    compressor = zlib.compressobj(9, wbits=-15)
    return base64.b64encode(compressor.compress(document) + compressor.flush()).decode()


def lower(value: str) -> str:
    """Percent-encoded as Entra does: %2b, never %2B."""
    return re.sub("%[0-9A-F]{2}", lambda found: found[0].lower(), quote(value, safe=""))
