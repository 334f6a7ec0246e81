"""Signatures that are missing, broken, by a stranger, too weak, or of another shape than the one profile.

`resigned` cases are signed by the company's own key over the changed SignedInfo: cryptography has nothing to object to them.
"""

from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256

from cryptography.hazmat.primitives import hashes, hmac, serialization
from lxml import etree

from shared.schemas.login import SignedMode
from tests.entra.certificates import one_line, private_key
from tests.entra.signing import DSIG, EXC_C14N
from tests.support.saml_corpus.case import (
    ASSERTION_ID,
    RESPONSE_ID,
    VICTIM,
    Case,
    edited,
    key,
    moved,
    resigned,
    respond,
    with_value,
)
from tests.support.saml_responses import DS, OBJECT_ID, SAML

EXC = f'<Transform Algorithm="{EXC_C14N}"/></Transforms>'
TRANSFORMS = "transforms enveloped-signature, then exclusive canonicalization"
RSA_SHA256 = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"
SHA256 = "http://www.w3.org/2001/04/xmlenc#sha256"


def cases() -> Iterator[Case]:
    yield from _missing()
    yield from _changed()
    yield from _references()
    yield from _transforms()
    yield from _shapes()
    yield from _strangers()
    yield from _algorithms()


def _case(
    reason: str,
    name: str,
    attack: str,
    refused: bytes,
    *,
    accepted: bytes | None = None,
    signed: SignedMode = "assertion",
    wanted: str = "",
) -> Case:
    twin = respond(signed) if accepted is None else accepted
    return Case(reason=reason, name=name, attack=attack, refused=refused, accepted=twin, signed=signed, wanted=wanted)


def _missing() -> Iterator[Case]:
    attack = "signature left out, or one of two"

    def unsigned(name: str, signed: SignedMode, *, assertion: bool, response: bool, wanted: str) -> Case:
        refused = respond(signed, sign_assertion=assertion, sign_response=response)
        return _case("not_signed", name, attack, refused, signed=signed, wanted=wanted)

    of_assertion, of_response = "a signed Assertion", "a signed Response"
    yield unsigned("nothing_signed", "assertion", assertion=False, response=False, wanted=of_assertion)
    yield unsigned("response_alone", "assertion", assertion=False, response=True, wanted=of_assertion)
    yield unsigned("assertion_alone", "response", assertion=True, response=False, wanted=of_response)
    yield unsigned("nothing_of_both", "both", assertion=False, response=False, wanted=of_response)
    yield unsigned("assertion_of_both", "both", assertion=True, response=False, wanted=of_response)
    yield unsigned("response_of_both", "both", assertion=False, response=True, wanted=of_assertion)
    stripped = moved(lambda root: root.remove(root[1]), respond("response"))
    yield _case("not_signed", "stripped", attack, stripped, signed="response", wanted=of_response)
    attack = "void canonicalization"
    emptied = with_value(respond().decode(), "SignatureValue", "").encode()
    yield _case("unknown_signer", "empty_signature_value", attack, emptied)


def _changed() -> Iterator[Case]:
    attack = "anything else done to a signed document"
    for name, old, new in (
        ("object_id", OBJECT_ID, VICTIM),
        ("name_id", ">anna@contoso.com</NameID>", ">bo@contoso.com</NameID>"),
        ("name_id_format", "emailAddress", "persistent"),
        ("audience", "<Audience>https://www.bitabiz.com/contoso", "<Audience>https://www.bitabiz.com/fabrikam"),
        ("end_of_validity", 'T08:59:57.880Z"><Aud', 'T23:59:57.880Z"><Aud'),
        ("session_index", f'SessionIndex="{ASSERTION_ID}"', 'SessionIndex="_evil"'),
        ("another_group", "77777777-aaaa-4aaa-8aaa-000000000001", "77777777-aaaa-4aaa-8aaa-000000000002"),
        ("space_added", ">Anna<", "> Anna<"),
        ("white_space_between", "<Subject>", " <Subject>"),
        ("attribute_added", "<NameID ", '<NameID SPProvidedID="x" '),
    ):
        yield _case("bad_signature", f"changed_{name}", attack, edited(old, new))
    response = edited('Version="2.0" IssueInstant', 'Version="2.0" Consent="urn:x" IssueInstant', respond("response"))
    yield _case("bad_signature", "changed_response", attack, response, signed="response")
    second = edited('Version="2.0" IssueInstant', 'Version="2.0" Consent="urn:x" IssueInstant', respond("both"))
    attack = "signature left out, or one of two"
    yield _case("bad_signature", "second_signature_broken", attack, second, accepted=respond("both"))


def _references() -> Iterator[Case]:
    attack = "Reference games"
    for name, uri in (
        ("empty", ""),
        ("bare", "#"),
        ("elsewhere", "#_other"),
        ("response", f"#{RESPONSE_ID}"),
        ("xpointer_root", "#xpointer(/)"),
        ("xpointer_id", f"#xpointer(id('{ASSERTION_ID}'))"),
        ("external", "https://evil.example/assertion.xml"),
        ("file", "file:///etc/passwd"),
        ("without_hash", ASSERTION_ID),
        ("percent_encoded", f"#%5F{ASSERTION_ID[1:]}"),
    ):
        refused = resigned(f'URI="#{ASSERTION_ID}"', f'URI="{uri}"')
        yield _case(
            "bad_signature", f"reference_{name}", attack, refused, wanted="a signature of the element it stands in"
        )
    missing = resigned(f' URI="#{ASSERTION_ID}"', "")
    yield _case("malformed_response", "reference_without_uri", attack, missing, wanted="Reference with URI")
    document = respond().decode()
    reference = document[document.index("<Reference ") : document.index("</Reference>") + len("</Reference>")]
    for name, second in (("same", reference), ("other", reference.replace(ASSERTION_ID, "_other"))):
        refused = resigned("</Reference>", f"</Reference>{second}")
        yield _case(
            "malformed_response", f"two_references_{name}", attack, refused, wanted="nothing more in SignedInfo"
        )
    refused = resigned("</SignedInfo>", "<Manifest/></SignedInfo>")
    yield _case("malformed_response", "manifest", attack, refused, wanted="nothing more in SignedInfo")
    typed = resigned("<Reference ", f'<Reference Type="{DSIG}Object" ')
    yield _case("malformed_response", "reference_type", attack, typed, wanted="Reference with known attributes only")


def _transforms() -> Iterator[Case]:
    attack = "transforms"
    xslt = '<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform"/>'
    for name, algorithm in (
        ("xslt", "http://www.w3.org/TR/1999/REC-xslt-19991116"),
        ("xpath", "http://www.w3.org/TR/1999/REC-xpath-19991116"),
        ("xpath_filter", "http://www.w3.org/2002/06/xmldsig-filter2"),
        ("base64", f"{DSIG}base64"),
        ("decrypt", "http://www.w3.org/2002/07/decrypt#XML"),
        ("inclusive_c14n", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        ("with_comments", f"{EXC_C14N}WithComments"),
        ("enveloped_twice", f"{DSIG}enveloped-signature"),
        ("unknown", "urn:other"),
        ("none", ""),
    ):
        refused = resigned(EXC, EXC.replace(EXC_C14N, algorithm))
        yield _case("malformed_response", f"transform_{name}", attack, refused, wanted=TRANSFORMS)
    enveloped = f'<Transform Algorithm="{DSIG}enveloped-signature"/>'
    swapped = resigned(enveloped + EXC, EXC.removesuffix("</Transforms>") + enveloped + "</Transforms>")
    yield _case("malformed_response", "transforms_swapped", attack, swapped, wanted=TRANSFORMS)
    one = "Transform in Transforms"
    yield _case("malformed_response", "no_exclusive", attack, resigned(EXC, "</Transforms>"), wanted=one)
    yield _case("malformed_response", "no_enveloped", attack, resigned(enveloped, ""), wanted=one)
    third = resigned(EXC, EXC.replace("</Transforms>", EXC))
    yield _case("malformed_response", "three_transforms", attack, third, wanted="nothing more in Transforms")
    inner = "only the namespaces of SAML 2.0 and XML Signature"
    opened = EXC.replace("/></Transforms>", f">{xslt}</Transform></Transforms>")
    yield _case("malformed_response", "stylesheet", attack, resigned(EXC, opened), wanted=inner)
    inclusive = f'><InclusiveNamespaces xmlns="{EXC_C14N}" PrefixList="samlp"/></Transform></Transforms>'
    opened = EXC.replace("/></Transforms>", inclusive)
    yield _case("malformed_response", "inclusive_namespaces", attack, resigned(EXC, opened), wanted=inner)
    method = f'<CanonicalizationMethod Algorithm="{EXC_C14N}"'
    for name, algorithm in (
        ("inclusive", "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"),
        ("c14n_1_1", "http://www.w3.org/2006/12/xml-c14n11"),
        ("with_comments", f"{EXC_C14N}WithComments"),
        ("unknown", "urn:other"),
    ):
        refused = resigned(method, method.replace(EXC_C14N, algorithm))
        yield _case("malformed_response", f"canonicalization_{name}", attack, refused, wanted=EXC_C14N)


def _shapes() -> Iterator[Case]:
    attack = "DigestValue and SignedInfo tricks"
    for name, old, new, wanted in (
        ("two_signed_infos", "</SignedInfo>", "</SignedInfo><SignedInfo/>", "SignatureValue in Signature"),
        ("two_digest_values", "</Reference>", "<DigestValue/></Reference>", "nothing more in Reference"),
        ("element_in_digest", "</DigestValue>", "<Object/></DigestValue>", "text alone in DigestValue"),
        ("space_in_digest", "<DigestValue>", "<DigestValue> ", "strict base64 in DigestValue"),
        ("junk_in_digest", "<DigestValue>", "<DigestValue>*", "strict base64 in DigestValue"),
        ("padding_in_digest", "</DigestValue>", "=</DigestValue>", "strict base64 in DigestValue"),
        ("space_in_value", "<SignatureValue>", "<SignatureValue> ", "strict base64 in SignatureValue"),
        (
            "letters_of_another_script",
            "<SignatureValue>",
            "<SignatureValue>\N{FULLWIDTH LATIN CAPITAL LETTER A}",
            "strict",
        ),
        ("two_signature_values", "<KeyInfo>", "<SignatureValue/><KeyInfo>", "nothing more in Signature"),
        ("object", "</KeyInfo>", "</KeyInfo><Object/>", "nothing more in Signature"),
        (
            "signature_with_id",
            f'<Signature xmlns="{DSIG}">',
            f'<Signature xmlns="{DSIG}" Id="x">',
            "Signature with known",
        ),
        (
            "hmac_output_length",
            'rsa-sha256"/>',
            'rsa-sha256"><HMACOutputLength/></SignatureMethod>',
            "nothing more in Sig",
        ),
    ):
        yield _case("malformed_response", name, attack, edited(old, new), wanted=wanted)
    nothing = with_value(respond().decode(), "DigestValue", b64encode(sha256(b"").digest()).decode())
    empty = resigned("<SignedInfo>", "<SignedInfo>", nothing.encode())
    yield _case("bad_signature", "digest_of_nothing", "void canonicalization", empty)
    none = resigned("<SignedInfo>", "<SignedInfo>", with_value(respond().decode(), "DigestValue", "").encode())
    yield _case("bad_signature", "digest_empty", "void canonicalization", none)
    short = with_value(respond().decode(), "DigestValue", b64encode(sha256(b"x").digest()[:1]).decode())
    cut = resigned("<SignedInfo>", "<SignedInfo>", short.encode())
    yield _case("bad_signature", "digest_cut", attack, cut)


def _strangers() -> Iterator[Case]:
    attack = "certificate or key in KeyInfo"
    stranger = respond(signer="stranger")
    yield _case("unknown_signer", "another_key", attack, stranger)
    yield _case("unknown_signer", "another_key_of_response", attack, respond("response", "stranger"), signed="response")
    yield _case("unknown_signer", "another_key_of_both", attack, respond("both", "stranger"), signed="both")
    lent = stranger.replace(one_line(key("stranger")).encode(), one_line(key()).encode())
    yield _case("unknown_signer", "pinned_certificate_lent", attack, lent)
    bare = moved(lambda root: root[-1][1].remove(root[-1][1][2]), stranger)
    yield _case("unknown_signer", "no_key_info", attack, bare)
    unreadable = with_value(stranger.decode(), "X509Certificate", "not base64").encode()
    yield _case("unknown_signer", "unreadable_certificate", attack, unreadable)
    yield _case("unknown_signer", "not_yet_stored", attack, respond(signer="next"))
    yield _case("unknown_signer", "inner_by_a_stranger", attack, _two_signers("stranger", "contoso"), signed="both")
    yield _case("unknown_signer", "outer_by_a_stranger", attack, _two_signers("contoso", "stranger"), signed="both")
    only = "X509Data in KeyInfo"
    for name, inside in (
        (
            "key_value",
            "<KeyValue><RSAKeyValue><Modulus>AQAB</Modulus><Exponent>AQAB</Exponent></RSAKeyValue></KeyValue>",
        ),
        ("key_name", "<KeyName>contoso</KeyName>"),
        ("retrieval_method", '<RetrievalMethod URI="https://evil.example/key"/>'),
    ):
        refused = edited("<KeyInfo>", f"<KeyInfo>{inside}", stranger)
        yield _case("malformed_response", f"key_info_{name}", attack, refused, wanted=only)
    attack = "another company's assertion, same tenant and issuer"
    yield _case("unknown_signer", "key_of_another_company", attack, respond(signer="fabrikam"))
    attack = "anything else done to a signed document"
    value = b64encode(private_key(key()).public_key().public_bytes(*_DER)[:256]).decode()
    yield _case(
        "unknown_signer", "made_up_value", attack, with_value(respond().decode(), "SignatureValue", value).encode()
    )
    longer = edited("<SignatureValue>", "<SignatureValue>AAAA")
    yield _case("unknown_signer", "longer_value", attack, longer)
    yield _case("unknown_signer", "signed_info_changed", attack, edited("<Reference ", "\n<Reference "))


_DER = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _two_signers(inner: str, outer: str) -> bytes:
    """The Response is signed by another key than the Assertion in it."""
    document = etree.fromstring(respond("assertion", inner))
    assertion = etree.tostring(document[-1], encoding="unicode")
    start, end = "<Assertion ", "</samlp:Response>"

    def graft(response: str) -> str:
        return response[: response.index(start)] + assertion + response[response.index(end) :]

    return respond("response", outer, edit_response=graft)


def _algorithms() -> Iterator[Case]:
    attack = "algorithm confusion"
    method = f'<SignatureMethod Algorithm="{RSA_SHA256}"/>'
    for name, algorithm in (
        ("rsa_md5", "http://www.w3.org/2001/04/xmldsig-more#rsa-md5"),
        ("rsa_ripemd160", "http://www.w3.org/2001/04/xmldsig-more#rsa-ripemd160"),
        ("rsa_sha224", "http://www.w3.org/2001/04/xmldsig-more#rsa-sha224"),
        ("dsa_sha1", f"{DSIG}dsa-sha1"),
        ("ecdsa_sha256", "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256"),
        ("pss", "http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1"),
        ("upper_case", RSA_SHA256.upper()),
        ("none", ""),
    ):
        refused = resigned(method, method.replace(RSA_SHA256, algorithm))
        yield _case("weak_algorithm", name, attack, refused, wanted="RSA with SHA-256 or better")
    yield _case("weak_algorithm", "sha1", attack, respond(algorithm="sha1"), wanted="RSA with SHA-256 or better")
    sha1 = respond("response", algorithm="sha1")
    yield _case(
        "weak_algorithm", "sha1_of_response", attack, sha1, signed="response", wanted="RSA with SHA-256 or better"
    )
    yield _case("weak_algorithm", "hmac_with_the_public_key", attack, _hmac(), wanted="RSA with SHA-256 or better")
    digest = f'<DigestMethod Algorithm="{SHA256}"/>'
    for name, algorithm in (
        ("sha1", f"{DSIG}sha1"),
        ("md5", "http://www.w3.org/2001/04/xmldsig-more#md5"),
        ("sha224", "http://www.w3.org/2001/04/xmldsig-more#sha224"),
        ("none", ""),
    ):
        refused = resigned(digest, digest.replace(SHA256, algorithm))
        yield _case("weak_algorithm", f"digest_{name}", attack, refused, wanted="digest SHA-256 or SHA-512")
    hash_mismatch = edited("#rsa-sha256", "#rsa-sha512")
    yield _case("unknown_signer", "method_does_not_fit_the_value", attack, hash_mismatch)


def _hmac() -> bytes:
    """The certificate is public: whoever takes it for the key of an HMAC takes anybody's word."""
    algorithm = "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256"
    document = resigned(RSA_SHA256, algorithm)
    signed_info = etree.fromstring(document).find(f"{SAML}Assertion/{DS}Signature/{DS}SignedInfo")
    assert signed_info is not None
    code = hmac.HMAC(key().pem.encode(), hashes.SHA256())
    code.update(etree.tostring(signed_info, method="c14n", exclusive=True, with_tail=False))
    return with_value(document.decode(), "SignatureValue", b64encode(code.finalize()).decode()).encode()
