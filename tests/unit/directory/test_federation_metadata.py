"""Certificates from a whole federation metadata document, as somebody downloads it for the app in Entra."""

import base64
import textwrap
from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from directory.companies.certificates import CertificateRefused, read_certificates
from tests.entra.metadata import federation_metadata
from tests.entra.tenant import Tenant
from tests.support.company import new_tenant
from tests.unit.directory.test_certificates import NOW, certificate

ISSUER = "https://sts.windows.net/11111111-1111-4111-8111-111111111111/"
OLD, NEW = certificate(), certificate()
EXPIRED = certificate(begins=NOW - timedelta(days=900), ends=NOW - timedelta(days=1))


def key(one: x509.Certificate, use: str | None = "signing") -> str:
    text = base64.b64encode(one.public_bytes(Encoding.DER)).decode()
    used = f' use="{use}"' if use else ""
    return (
        f'<KeyDescriptor{used}><KeyInfo xmlns="http://www.w3.org/2000/09/xmldsig#"><X509Data>'
        f"<X509Certificate>{text}</X509Certificate></X509Data></KeyInfo></KeyDescriptor>"
    )


def document(*keys: str, issuer: str = ISSUER, role: str = "IDPSSODescriptor", more: str = "") -> str:
    return (
        f'<?xml version="1.0" encoding="utf-8"?><EntityDescriptor ID="_1" entityID="{issuer}" '
        f'xmlns="urn:oasis:names:tc:SAML:2.0:metadata">{more}<{role}>{"".join(keys)}</{role}></EntityDescriptor>'
    )


def fingerprints(text: str | bytes, issuer: str | None = ISSUER) -> list[str]:
    return [one.fingerprint for one in read_certificates(text, NOW, issuer=issuer)]


def test_every_signing_certificate_of_the_provider_is_taken_once() -> None:
    found = fingerprints(document(key(OLD), key(NEW, None), key(OLD)))
    assert len(found) == 2
    assert fingerprints(document(key(OLD), key(NEW, None)).encode()) == found
    assert fingerprints("\ufeff  \r\n" + textwrap.indent(document(key(OLD), key(NEW, None)), "  ")) == found
    assert fingerprints(document(key(OLD, "encryption"), key(NEW))) == fingerprints(document(key(NEW)))


def test_expired_ones_beside_good_ones_are_left_out_and_alone_they_are_refused() -> None:
    assert fingerprints(document(key(EXPIRED), key(NEW))) == fingerprints(document(key(NEW)))
    with pytest.raises(CertificateRefused, match="it expired on"):
        fingerprints(document(key(EXPIRED)))


def test_entra_s_own_document_is_read() -> None:
    """S61: the metadata as a whole."""
    tenant: Tenant = new_tenant()
    app = tenant.add_app("BitaBIZ", "Company", email_domains=("x.example",))
    text = federation_metadata(tenant, app, "https://login.example/saml2")
    assert len(read_certificates(text, tenant.clock(), issuer=f"https://sts.windows.net/{tenant.tenant_id}/")) >= 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            document(key(NEW), issuer="https://sts.windows.net/22222222-2222-4222-8222-222222222222/"),
            "the company's issuer is",
        ),
        (document(key(NEW), role="SPSSODescriptor"), "no signing certificate of an identity provider"),
        (document(key(NEW), role="RoleDescriptor"), "no signing certificate of an identity provider"),
        (document(), "no signing certificate"),
        (document(key(NEW))[:-20], "cannot be read"),
        ("<html><body>Sign in</body></html>", "no federation metadata"),
        (document(key(NEW), more="<!-- a --><![CDATA[x]]>"), "a document type or CDATA"),
        ('<!DOCTYPE a [<!ENTITY b "c">]>' + document(key(NEW)), "a document type or CDATA"),
        (document(key(NEW).replace("<X509Certificate>", "<X509Certificate>*")), "is not base64"),
        (document(key(NEW), more="<a>" + "x" * 300_000 + "</a>"), "longer than"),
        ("<" * 200_000, "cannot be read"),
        ("<a>" * 60_000, "cannot be read"),
    ],
)
def test_what_is_not_the_app_s_metadata_is_refused_with_the_reason(text: str, why: str) -> None:
    """S61: another issuer's, for one."""
    with pytest.raises(CertificateRefused, match=why) as refused:
        fingerprints(text)
    assert "download" in str(refused.value)
