"""What a signed logout message must say to be believed."""

from dataclasses import replace
from datetime import timedelta

import pytest

from sso_gateway.saml.errors import SamlRefusal
from sso_gateway.saml.logout import VerifiedLogout, check_logout_request, check_logout_response
from sso_gateway.saml.profile import CLOCK_SKEW
from sso_gateway.saml.redirect import SignedMessage, read_redirect, signed_message
from tests.support.logout_messages import INDEX, LOGOUT, PAIRWISE, Answer, Logout, redirect
from tests.support.saml_responses import NOW, TENANT, instant, signing_key
from tests.unit.sso_gateway.saml_support import EXPECTED, pinned

EMAIL = "urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress"
UNSPECIFIED = "urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified"


def signed(document: str | bytes) -> SignedMessage:
    return signed_message(read_redirect(redirect(document).query.encode()), pinned())


def logout(document: Logout | str | bytes) -> VerifiedLogout:
    text = document.text() if isinstance(document, Logout) else document
    return check_logout_request(signed(text), EXPECTED, LOGOUT, NOW)


def reason(document: Logout | str | bytes) -> str:
    with pytest.raises(SamlRefusal) as caught:
        logout(document)
    return caught.value.reason.value


def answer_reason(document: Answer | str) -> str:
    text = document.text() if isinstance(document, Answer) else document
    with pytest.raises(SamlRefusal) as caught:
        check_logout_response(signed(text), EXPECTED, LOGOUT, NOW)
    return caught.value.reason.value


def test_entra_s_broadcast_names_the_sign_in_and_a_name_of_its_own() -> None:
    verified = logout(Logout())
    assert (verified.session_indexes, verified.name_id, verified.name_id_format) == ((INDEX,), PAIRWISE, None)
    assert verified.until == NOW + CLOCK_SKEW
    assert verified.signer_fingerprint == signing_key().fingerprint


@pytest.mark.parametrize(
    ("attributes", "name_format"),
    [
        (f' Format="{EMAIL}"', EMAIL),
        (f' Format="{UNSPECIFIED}"', None),
        (f' SPNameQualifier="x" Format="{EMAIL}"', EMAIL),
    ],
)
def test_a_format_counts_unless_it_says_nothing(attributes: str, name_format: str | None) -> None:
    assert logout(Logout(name_id_attributes=attributes)).name_id_format == name_format


@pytest.mark.parametrize("indexes", [(), (INDEX, "_b"), tuple(f"_{number}" for number in range(64))])
def test_there_may_be_several_indexes_or_none(indexes: tuple[str, ...]) -> None:
    assert logout(Logout(indexes=indexes)).session_indexes == indexes


def test_what_microsoft_s_servers_add_is_allowed() -> None:
    end = instant(NOW + timedelta(minutes=5))
    consent = "urn:oasis:names:tc:SAML:2.0:consent:unspecified"
    assert logout(Logout(attributes=f' Consent="{consent}" Destination="{LOGOUT}" NotOnOrAfter="{end}" Reason="user"'))


@pytest.mark.parametrize(("end", "is_over"), [("9999-12-31T23:59:59.9999999Z", False), ("0001-01-01T00:00:00Z", True)])
def test_an_end_at_the_edge_of_time_is_an_end_like_any_other(end: str, is_over: bool) -> None:
    asked = Logout(attributes=f' NotOnOrAfter="{end}"')
    if not is_over:
        assert logout(asked)
        return
    with pytest.raises(SamlRefusal) as refused:
        logout(asked)
    assert refused.value.reason == "expired"


REFUSED: dict[str, tuple[Logout | str | bytes, str]] = {
    "another tenant's issuer": (Logout(issuer=f"https://sts.windows.net/{TENANT[::-1]}/"), "wrong_issuer"),
    "an issuer that only an answer may have": (
        Logout(issuer=f"https://login.microsoftonline.com/{TENANT}/"),
        "wrong_issuer",
    ),
    "an issuer with a space": (Logout(issuer=f" {EXPECTED.issuer}"), "wrong_issuer"),
    "another company's address": (
        Logout(attributes=f' Destination="{LOGOUT.replace("contoso", "fabrikam")}"'),
        "wrong_destination",
    ),
    "an empty destination": (Logout(attributes=' Destination=""'), "wrong_destination"),
    "too old": (Logout(issued_at=NOW - timedelta(minutes=5, seconds=1)), "expired"),
    "too early": (Logout(issued_at=NOW + timedelta(minutes=2, seconds=1)), "not_yet_valid"),
    "over": (Logout(attributes=f' NotOnOrAfter="{instant(NOW - timedelta(seconds=60))}"'), "expired"),
    "an end that is none": (Logout(attributes=' NotOnOrAfter="soon"'), "malformed_response"),
    "a year that is none": (Logout().text().replace(f"{NOW:%Y-}", "0000-"), "malformed_response"),
    "no instant": (Logout().text().replace("IssueInstant", "Consent"), "malformed_response"),
    "an old version": (Logout().text().replace('Version="2.0"', 'Version="1.1"'), "malformed_response"),
    "an ID that begins with a digit": (Logout().text().replace('ID="_', 'ID="1'), "malformed_response"),
    "an ID with a space": (Logout().text().replace('ID="_', 'ID="_ '), "malformed_response"),
    "no NameID": (Logout().text().replace("NameID", "Issuer"), "malformed_response"),
    "a NameID of the wrong namespace": (
        Logout()
        .text()
        .replace('<NameID xmlns="urn:oasis:names:tc:SAML:2.0:assertion">', "<samlp:NameID>")
        .replace("</NameID>", "</samlp:NameID>"),
        "malformed_response",
    ),
    "an empty NameID": (Logout(name_id=""), "malformed_response"),
    "a NameID without end": (Logout(name_id="a" * 257), "malformed_response"),
    "a NameID with a control character": (Logout(name_id="a&#x9;b"), "malformed_response"),
    "an empty index": (Logout(indexes=("",)), "malformed_response"),
    "an index that is none": (Logout(indexes=("a b",)), "malformed_response"),
    "too many indexes": (Logout(indexes=(INDEX,) * 65), "malformed_response"),
    "a second NameID": (
        Logout(more='<NameID xmlns="urn:oasis:names:tc:SAML:2.0:assertion">x</NameID>'),
        "malformed_response",
    ),
    "an index before the NameID": (
        Logout(indexes=()).text().replace("<NameID", f"<samlp:SessionIndex>{INDEX}</samlp:SessionIndex><NameID"),
        "malformed_response",
    ),
    "extensions": (Logout(more="<samlp:Extensions/>"), "malformed_response"),
    "text in between": (Logout(more="text"), "malformed_response"),
    "an attribute more": (Logout(attributes=' x="y"'), "malformed_response"),
    "an answer": (Answer().text(), "malformed_response"),
    "a DTD": ("<!DOCTYPE x [<!ENTITY y 'z'>]>" + Logout().text(), "malformed_response"),
    "an entity": (Logout(name_id="&y;"), "malformed_response"),
    "a comment in the name": (Logout(name_id="anna<!---->@contoso.com"), "malformed_response"),
    "CDATA": (Logout(name_id="<![CDATA[anna]]>"), "malformed_response"),
    "a processing instruction": (Logout(more="<?x?>"), "malformed_response"),
    "a byte order mark": (b"\xef\xbb\xbf" + Logout().text().encode(), "malformed_response"),
    "UTF-16": (Logout().text().encode("utf-16"), "malformed_response"),
    "a NUL": (Logout(name_id="a\0b").text().encode(), "malformed_response"),
    "half a document": (Logout().text()[:-5], "malformed_response"),
    "deep nesting": ("<x>" * 3000 + "</x>" * 3000, "malformed_response"),
    "many namespaces": (Logout(attributes="".join(f' xmlns:n{n}="urn:x"' for n in range(80))), "malformed_response"),
    "another namespace": (Logout(attributes=' xmlns:x="urn:x"'), "malformed_response"),
    "nothing": ("", "malformed_response"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_signed_request_that_does_not_mean_us_here_and_now_is_refused(case: str) -> None:
    document, expected = REFUSED[case]
    assert reason(document) == expected


@pytest.mark.parametrize("minutes", [-5, 2])
def test_the_allowed_ages_are_allowed(minutes: int) -> None:
    assert logout(Logout(issued_at=NOW + timedelta(minutes=minutes)))


@pytest.mark.parametrize("host", ["sts.windows.net", "login.microsoftonline.com"])
def test_an_answer_comes_from_either_of_microsoft_s_two_names_for_the_tenant(host: str) -> None:
    check_logout_response(signed(Answer(issuer=f"https://{host}/{TENANT}/").text()), EXPECTED, LOGOUT, NOW)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(issuer=f"https://login.microsoftonline.com/{TENANT[::-1]}/"), "wrong_issuer"),
        (Answer(issuer="https://login.microsoftonline.com/"), "wrong_issuer"),
        (Answer(attributes=' Destination="https://evil.example/"'), "wrong_destination"),
        (Answer(issued_at=NOW - timedelta(hours=1)), "expired"),
        (Answer(status="urn:oasis:names:tc:SAML:2.0:status:Responder"), "idp_refused"),
        (Logout().text(), "malformed_response"),
    ],
)
def test_an_answer_that_confirms_nothing_is_told_so(answer: Answer | str, expected: str) -> None:
    assert answer_reason(answer) == expected


def test_a_success_within_a_failure_is_none() -> None:
    success = '<samlp:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/>'
    nested = success.replace("/>", f">{success}</samlp:StatusCode>")
    assert answer_reason(Answer().text().replace(success, nested)) == "idp_refused"


def test_only_the_check_makes_a_verified_logout() -> None:
    with pytest.raises(TypeError):
        replace(logout(Logout()), proof=object())
