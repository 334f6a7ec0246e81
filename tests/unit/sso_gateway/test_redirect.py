"""The signature of a message by redirect: over the very octets that were sent, and nothing that could be read in two ways."""

import base64
import re
import tracemalloc
import zlib
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest

from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.redirect import (
    MAX_MESSAGE_BYTES,
    SignedMessage,
    carries_response,
    read_redirect,
    signed_message,
)
from tests.support.logout_messages import Logout, Redirect, deflated, lower, redirect
from tests.support.saml_responses import METHODS, signing_key
from tests.unit.sso_gateway.saml_support import pinned

SHA1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1"
GENUINE = redirect(Logout().text())


def proven(query: str | bytes, *keys: str) -> SignedMessage:
    return signed_message(read_redirect(query if isinstance(query, bytes) else query.encode()), pinned(*keys))


def reason(query: str | bytes, *keys: str) -> str:
    with pytest.raises(SamlRefusal) as caught:
        proven(query, *keys)
    return caught.value.reason.value


def test_a_genuine_message_is_the_document_that_was_signed() -> None:
    signed = proven(GENUINE.query)
    assert "%2f" in GENUINE.query
    assert not re.search("%[0-9A-F]*[A-F]", GENUINE.query), "in lower case, as Entra writes it"
    assert signed.document.decode() == Logout().text()
    assert (signed.signer.fingerprint, signed.algorithm) == (signing_key().fingerprint, "rsa-sha256")


@pytest.mark.parametrize("method", [method for method in METHODS if method != SHA1])
def test_sha_256_384_and_512_count(method: str) -> None:
    assert proven(redirect(Logout().text(), method=method).query).algorithm == f"rsa-sha{method[-3:]}"


def test_every_key_of_the_company_counts() -> None:
    message = redirect(Logout().text(), key=signing_key("next"))
    assert proven(message.query, "contoso", "next").signer.fingerprint == signing_key("next").fingerprint


def test_where_the_signature_stands_is_not_said() -> None:
    """Microsoft's servers have put it before SigAlg."""
    (message, packed), (algorithm, uri) = GENUINE.parts
    assert proven(f"{message}={packed}&Signature={GENUINE.signature}&{algorithm}={uri}").document
    assert proven(f"Signature={GENUINE.signature}&{GENUINE.signed}").document


def test_a_relay_state_is_signed_with_the_rest() -> None:
    assert proven(redirect(Logout().text(), relay_state="x/y z").query).document
    assert proven(redirect(Logout().text(), relay_state="").query).document


def test_what_is_longer_than_any_logout_is_refused_though_it_is_signed() -> None:
    assert proven(redirect(Logout().text(), relay_state="x" * 4096).query).document
    assert reason(redirect(Logout().text(), relay_state="x" * 8192).query) == "malformed_response"


def test_a_sender_that_encodes_in_upper_case_is_understood_too() -> None:
    (message, packed), (algorithm, uri) = GENUINE.parts
    upper = Redirect(((message, quote(unquote(packed), safe="")), (algorithm, quote(unquote(uri), safe=""))))
    assert proven(upper.query).document


Bend = Callable[[Redirect], str]


def _swapped(one: Redirect) -> str:
    message, algorithm = (f"{name}={value}" for name, value in one.parts)
    return f"{algorithm}&{message}&Signature={one.signature}"


BENT: dict[str, tuple[Bend, str]] = {
    "encoded again, in upper case": (
        lambda one: re.sub("%[0-9a-f]{2}", lambda found: found[0].upper(), one.signed) + f"&Signature={one.signature}",
        "unknown_signer",
    ),
    "message decoded": (
        lambda one: one.query.replace(one.parts[0][1], unquote(one.parts[0][1])),
        "unknown_signer",
    ),
    "encoded twice": (
        lambda one: one.signed.replace("%", "%25") + f"&Signature={one.signature}",
        "weak_algorithm",
    ),
    "one letter upper": (lambda one: one.query.replace("%3a", "%3A", 1), "unknown_signer"),
    "reordered": (_swapped, "malformed_response"),
    "message doubled": (lambda one: f"{one.parts[0][0]}={one.parts[0][1]}&{one.query}", "malformed_response"),
    "algorithm doubled": (lambda one: f"{one.query}&SigAlg={one.parts[-1][1]}", "malformed_response"),
    "signature doubled": (lambda one: f"{one.query}&Signature={one.signature}", "malformed_response"),
    "signature another time": (lambda one: f"Signature=&{one.query}", "malformed_response"),
    "relay state inserted": (lambda one: one.query.replace("&SigAlg", "&RelayState=x&SigAlg"), "unknown_signer"),
    "empty relay state inserted": (lambda one: one.query.replace("&SigAlg", "&RelayState=&SigAlg"), "unknown_signer"),
    "relay state behind": (lambda one: f"{one.query}&RelayState=x", "malformed_response"),
    "relay state in front": (lambda one: f"RelayState=x&{one.query}", "malformed_response"),
    "both messages": (lambda one: f"SAMLResponse=x&{one.query}", "malformed_response"),
    "told as a response": (lambda one: one.query.replace("SAMLRequest", "SAMLResponse"), "unknown_signer"),
    "an unknown parameter": (lambda one: f"{one.query}&x=1", "malformed_response"),
    "an empty parameter": (lambda one: f"{one.query}&", "malformed_response"),
    "many parameters": (lambda one: f"{one.query}" + "&x=1" * 1000, "malformed_response"),
    "a name in lower case": (lambda one: one.query.replace("SAMLRequest", "samlrequest"), "malformed_response"),
    "a name encoded": (lambda one: one.query.replace("SAMLRequest", "SAML%52equest"), "malformed_response"),
    "semicolons": (lambda one: one.query.replace("&", ";"), "not_signed"),
    "message cut": (lambda one: one.query.replace(one.parts[0][1], one.parts[0][1][:-4]), "unknown_signer"),
    "message empty": (lambda one: one.query.replace(one.parts[0][1], ""), "unknown_signer"),
    "signature cut": (
        lambda one: (
            f"{one.signed}&Signature={lower(base64.b64encode(base64.b64decode(unquote(one.signature))[:-4]).decode())}"
        ),
        "unknown_signer",
    ),
    "signature shorter": (
        lambda one: f"{one.signed}&Signature={lower(base64.b64encode(b'x' * 255).decode())}",
        "unknown_signer",
    ),
    "signature empty": (lambda one: f"{one.signed}&Signature=", "unknown_signer"),
    "signature of spaces": (lambda one: f"{one.signed}&Signature=%20%20", "malformed_response"),
    "signature in bad base64": (lambda one: f"{one.query}%2d", "malformed_response"),
    "no signature": (lambda one: one.signed, "not_signed"),
    "no algorithm": (
        lambda one: f"{one.parts[0][0]}={one.parts[0][1]}&Signature={one.signature}",
        "malformed_response",
    ),
    "neither": (lambda one: f"{one.parts[0][0]}={one.parts[0][1]}", "not_signed"),
    "no message": (lambda one: f"SigAlg={one.parts[-1][1]}&Signature={one.signature}", "malformed_response"),
    "another algorithm said": (lambda one: one.query.replace("rsa-sha256", "rsa-sha512"), "unknown_signer"),
    "HMAC said": (lambda one: one.query.replace("rsa-sha256", "hmac-sha256"), "weak_algorithm"),
    "half a percent": (lambda one: one.query.replace("%3a", "%3", 1), "malformed_response"),
    "a line break": (lambda one: one.query.replace("&SigAlg", "\n&SigAlg"), "malformed_response"),
    "another letter": (lambda one: one.query.replace("&SigAlg", "é&SigAlg"), "malformed_response"),
    "a fragment": (lambda one: f"{one.query}#x", "malformed_response"),
    "nothing": (lambda one: "", "malformed_response"),
    "a megabyte": (lambda one: f"{one.query}&RelayState={'x' * 1_000_000}", "malformed_response"),
}


@pytest.mark.parametrize("bend", BENT)
def test_whatever_was_done_to_the_query_it_is_refused(bend: str) -> None:
    change, expected = BENT[bend]
    query = change(GENUINE)
    assert query != GENUINE.query
    assert reason(query) == expected


def test_any_octet_that_is_another_one_is_refused() -> None:
    # Not the very last ones: base64 ends in bits that mean nothing.
    for place in range(len(GENUINE.query) - 12):
        other = "A" if GENUINE.query[place] != "A" else "B"
        assert reason(f"{GENUINE.query[:place]}{other}{GENUINE.query[place + 1 :]}"), place


def test_any_beginning_of_it_is_refused() -> None:
    for end in range(len(GENUINE.query) - 8):
        assert reason(GENUINE.query[:end]), end


def test_another_key_and_another_company_s_is_refused() -> None:
    for name in ("stranger", "fabrikam"):
        assert reason(redirect(Logout().text(), key=signing_key(name)).query) == "unknown_signer"
    assert reason(GENUINE.query, "fabrikam") == "unknown_signer"
    with pytest.raises(SamlRefusal, match="none is stored"):
        signed_message(read_redirect(GENUINE.query.encode()), [])


def test_sha_1_is_too_weak_however_well_signed() -> None:
    assert reason(redirect(Logout().text(), method=SHA1).query) == "weak_algorithm"


def test_a_message_that_is_signed_but_no_deflate_is_refused() -> None:
    for packed in (
        "",
        "####",
        "AAAA\r\n!",
        base64.b64encode(b"<x/>").decode(),
        base64.b64encode(zlib.compress(b"<x/>")).decode(),
    ):
        assert reason(redirect("", packed=packed).query) == "malformed_response", packed
    cut = base64.b64encode(base64.b64decode(deflated(b"<x/>" * 500))[:-2]).decode()
    more = base64.b64encode(base64.b64decode(deflated(b"<x/>")) + b"more").decode()
    for packed in (cut, more):
        assert reason(redirect("", packed=packed).query) == "malformed_response"


def test_a_bomb_is_never_held_in_memory() -> None:
    """5 MB in 7 KB, signed by the company's own key."""
    bomb, keys = read_redirect(redirect(b" " * 5_000_000).query.encode()), pinned()
    tracemalloc.start()
    with pytest.raises(SamlRefusal, match="at most 32768 bytes"):
        signed_message(bomb, keys)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20 * MAX_MESSAGE_BYTES


def test_a_bomb_that_nobody_signed_is_not_even_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zlib, "decompressobj", lambda **_: pytest.fail("inflated before it was proven"))
    assert reason(redirect(b" " * 5_000_000, key=signing_key("stranger")).query) == "unknown_signer"


def test_an_answer_is_told_from_a_request_however_broken() -> None:
    assert carries_response(b"SAMLResponse=x")
    assert carries_response(b"&&SAMLResponse=%&SigAlg")
    assert not carries_response(b"SAMLRequest=x&SAMLResponse=y")
    assert not carries_response(b"x=SAMLResponse")


def test_only_the_proof_makes_a_signed_message() -> None:
    with pytest.raises(TypeError):
        SignedMessage(b"<x/>", pinned()[0], "rsa-sha256", object())
