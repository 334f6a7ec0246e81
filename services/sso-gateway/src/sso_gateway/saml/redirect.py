"""A message that comes by HTTP-Redirect: the raw query string in, exactly the document that a trusted key has signed out.

    raw query -> SAMLRequest or SAMLResponse, RelayState?, SigAlg in this order, Signature among them; each once, nothing else
              -> signature over the very octets that were sent, never decoded and encoded again
              -> inflated with a cap, and only once it is proven

Entra percent-encodes in lower case and signs what it wrote: whoever encodes again gets other octets. Where Signature stands is
not said; Microsoft's servers have put it before SigAlg. Pure: no clock, no network.
Source: SAML 2.0 Bindings section 3.4.4.1; SAML-Toolkits/ruby-saml #627 and java-saml #225 (what Microsoft sends).
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import unquote_to_bytes

from sso_gateway.saml.errors import Reason, SamlRefusal, malformed
from sso_gateway.saml.keys import TrustedKey
from sso_gateway.saml.signature import SIGNATURE_HASHES, strict_base64, thumbprints, verifies

MAX_QUERY_BYTES = 8 * 1024
"""A logout has about one kilobyte of it."""
MAX_MESSAGE_BYTES = 32 * 1024
MAX_PARAMETERS = 4

_PARAMETER = re.compile(rb"([A-Za-z]{1,20})=([!$'-;=?-~]*(?:%[0-9A-Fa-f]{2}[!$'-;=?-~]*)*)")
_PROOF = object()

MessageName = Literal["SAMLRequest", "SAMLResponse"]


@dataclass(frozen=True, slots=True)
class UnverifiedRedirect:
    """Raw values, as they stand in the address."""

    name: MessageName
    message: bytes = field(repr=False)
    algorithm: bytes | None
    signature: bytes | None
    signed_octets: bytes = field(repr=False)
    """The query without Signature."""


@dataclass(frozen=True, slots=True)
class SignedMessage:
    """What a trusted key has signed. Only `signed_message` makes these."""

    document: bytes = field(repr=False)
    signer: TrustedKey
    algorithm: str
    proof: object = field(repr=False)

    def __post_init__(self) -> None:
        if self.proof is not _PROOF:
            raise TypeError("a SignedMessage comes out of signed_message() only")


def carries_response(query: bytes) -> bool:
    """Whether it looks like an answer to a message of ours; so that a broken one is told from a broken request."""
    names = {part.partition(b"=")[0] for part in query.split(b"&", 2 * MAX_PARAMETERS)}
    return b"SAMLResponse" in names and b"SAMLRequest" not in names


def read_redirect(query: bytes) -> UnverifiedRedirect:
    """Raises SamlRefusal: malformed_response."""
    if len(query) > MAX_QUERY_BYTES:
        raise malformed(f"a query of at most {MAX_QUERY_BYTES} bytes", f"{len(query)} bytes")
    parameters = [_PARAMETER.fullmatch(part) for part in query.split(b"&", MAX_PARAMETERS)]
    found = [(parameter[1].decode(), parameter[2]) for parameter in parameters if parameter is not None]
    if len(found) < len(parameters):
        raise malformed(f"at most {MAX_PARAMETERS} parameters, percent-encoded", "others")
    names = [name for name, _ in found]
    values = dict(found)
    name: MessageName = "SAMLResponse" if "SAMLResponse" in values else "SAMLRequest"
    order = [name, *(["RelayState"] if "RelayState" in values else []), *(["SigAlg"] if "SigAlg" in values else [])]
    if [one for one in names if one != "Signature"] != order or names.count("Signature") > 1:
        wanted = "SAMLRequest or SAMLResponse, RelayState, SigAlg, in this order and once, and one Signature"
        raise malformed(wanted, ", ".join(names))
    octets = b"&".join(f"{one}=".encode() + values[one] for one in order)
    return UnverifiedRedirect(name, values[name], values.get("SigAlg"), values.get("Signature"), octets)


def signed_message(unverified: UnverifiedRedirect, trusted: Sequence[TrustedKey]) -> SignedMessage:
    """Prove the message, or refuse it.

    A signature that no trusted key made and a message that was changed look the same here: both are `unknown_signer`.

    Raises:
        SamlRefusal: not_signed, weak_algorithm, unknown_signer, malformed_response.
    """
    if unverified.signature is None:
        raise SamlRefusal(Reason.not_signed, "a signed message", f"{unverified.name} without Signature")
    if unverified.algorithm is None:
        raise malformed("SigAlg beside Signature", "none")
    algorithm = unquote_to_bytes(unverified.algorithm).decode("ascii", "replace")
    signature_hash = SIGNATURE_HASHES.get(algorithm)
    if signature_hash is None:
        raise SamlRefusal(Reason.weak_algorithm, "RSA with SHA-256 or better", algorithm)
    signature = _decoded(unverified.signature, "Signature")
    for key in trusted:
        if verifies(key, signature, unverified.signed_octets, signature_hash):
            document = _inflated(_decoded(unverified.message, unverified.name))
            return SignedMessage(document, key, f"rsa-{signature_hash.name}", _PROOF)
    raise SamlRefusal(Reason.unknown_signer, thumbprints(trusted), "another key, or a message changed after signing")


def _decoded(value: bytes, where: str) -> bytes:
    return strict_base64(unquote_to_bytes(value).decode("ascii", "replace"), where)


def _inflated(deflated: bytes) -> bytes:
    """DEFLATE without a header, whole, and nothing behind it. Never holds more than the cap (ruby-saml CVE-2025-25293)."""
    inflater = zlib.decompressobj(wbits=-15)
    try:
        document = inflater.decompress(deflated, MAX_MESSAGE_BYTES + 1)
    except zlib.error:
        raise malformed("a message compressed with DEFLATE", "other octets") from None
    if len(document) > MAX_MESSAGE_BYTES:
        raise malformed(f"a message of at most {MAX_MESSAGE_BYTES} bytes", "more")
    if not inflater.eof or inflater.unused_data:
        raise malformed("one whole message compressed with DEFLATE", "a part, or more")
    return document
