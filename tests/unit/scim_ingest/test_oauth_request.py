"""What a token request says, and each way in which it can be wrong."""

import contextlib
from base64 import b64encode
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scim_ingest.oauth.refusals import OAuthRefusal
from scim_ingest.oauth.request import ASSERTION_TYPE, ByAssertion, BySecret, check_content_type, read_token_request

SECRET = {"grant_type": "client_credentials", "client_id": "firma", "client_secret": "idgwsec_a-b_c"}
ASSERTION = {
    "grant_type": "client_credentials",
    "client_id": "firma",
    "client_assertion_type": ASSERTION_TYPE,
    "client_assertion": "a.b.c",
}


def basic(client_id: str = "firma", secret: str = "idgwsec_a-b_c") -> str:
    return f"Basic {b64encode(f'{client_id}:{secret}'.encode()).decode()}"


def form(base: dict[str, str], **changes: str | None) -> bytes:
    fields = {**base, **changes}
    return urlencode({name: value for name, value in fields.items() if value is not None}).encode()


def refusal(body: bytes, *authorization: str) -> tuple[str, int]:
    with pytest.raises(OAuthRefusal) as refused:
        read_token_request(body, list(authorization))
    assert all(" " <= letter <= "~" and letter not in '"\\' for letter in refused.value.description)
    return refused.value.error, refused.value.status


@pytest.mark.parametrize(
    ("body", "authorization"),
    [
        (form(SECRET), []),
        (form(SECRET, scope="scim"), []),
        (form(SECRET, scope=""), []),
        (form(SECRET, resource="whatever"), []),
        (form(SECRET, client_id=None, client_secret=None), [basic()]),
        (form(SECRET, client_secret=None), [basic()]),
        (form(SECRET), [basic()]),
        (form(SECRET), [basic().replace("Basic ", "basic   ")]),
        (form(SECRET, client_id="", client_secret=""), [basic()]),
        (form(SECRET), [basic(secret="idgwsec_a%2Db%5Fc")]),
        (form(SECRET).replace(b"firma", b"%66irma"), []),
    ],
)
def test_the_secret_in_the_header_in_the_body_or_in_both(body: bytes, authorization: list[str]) -> None:
    assert read_token_request(body, authorization) == BySecret("firma", "idgwsec_a-b_c")


def test_an_assertion_with_or_without_the_client() -> None:
    assert read_token_request(form(ASSERTION, scope="scim"), []) == ByAssertion("firma", "a.b.c")
    assert read_token_request(form(ASSERTION, client_id=None), []) == ByAssertion(None, "a.b.c")


@pytest.mark.parametrize(
    ("body", "authorization", "refused"),
    [
        (b"", [], ("invalid_request", 400)),
        (form(SECRET, grant_type=None), [], ("invalid_request", 400)),
        (form(SECRET, grant_type=""), [], ("invalid_request", 400)),
        (form(SECRET, grant_type="authorization_code"), [], ("unsupported_grant_type", 400)),
        (form(SECRET, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer"), [], ("unsupported_grant_type", 400)),
        (form(SECRET, scope="scim admin"), [], ("invalid_scope", 400)),
        (form(SECRET, scope="SCIM"), [], ("invalid_scope", 400)),
        (form(SECRET, scope="scim.readwrite"), [], ("invalid_scope", 400)),
        (form(SECRET) + b"&client_id=firma", [], ("invalid_request", 400)),
        (form(SECRET) + b"&x=1&x=1", [], ("invalid_request", 400)),
        (form(SECRET) + b"&a=%zz", [], ("invalid_request", 400)),
        (form(SECRET) + b"&a=%", [], ("invalid_request", 400)),
        (form(SECRET) + b"&a=%ff", [], ("invalid_request", 400)),
        (form(SECRET) + b"&a=\xff", [], ("invalid_request", 400)),
        (form(SECRET) + b"&a=%ED%A0%80", [], ("invalid_request", 400)),
        (b"&".join(b"a%d=1" % n for n in range(100)), [], ("invalid_request", 400)),
        (b"{" + b'"grant_type":"client_credentials"}', [], ("invalid_request", 400)),
        (form(SECRET, client_secret=None), [], ("invalid_client", 401)),
        (form(SECRET, client_id=None), [], ("invalid_client", 401)),
        (form(SECRET, client_id="fir\0ma"), [], ("invalid_client", 401)),
        (form(SECRET, client_secret="å"), [], ("invalid_client", 401)),
        (form(SECRET, client_secret="x" * 1000), [], ("invalid_client", 401)),
        (form(SECRET), ["Bearer x"], ("invalid_client", 401)),
        (form(SECRET), ["Basic"], ("invalid_client", 401)),
        (form(SECRET), ["Basic !!!"], ("invalid_client", 401)),
        (form(SECRET), [f"Basic {b64encode(b'firma').decode()}"], ("invalid_client", 401)),
        (form(SECRET), [f"Basic {b64encode(bytes([255, 58, 255])).decode()}"], ("invalid_client", 401)),
        (form(SECRET), [basic(), basic()], ("invalid_client", 401)),
        (form(SECRET), [basic(client_id="other")], ("invalid_request", 400)),
        (form(SECRET), [basic(secret="other")], ("invalid_request", 400)),
        (form(SECRET, client_secret=None), [basic(client_id="other")], ("invalid_request", 400)),
        (form(ASSERTION), [basic()], ("invalid_request", 400)),
        (form(ASSERTION, client_secret="x"), [], ("invalid_request", 400)),
        (form(ASSERTION, client_assertion=None), [], ("invalid_request", 400)),
        (form(ASSERTION, client_assertion_type=None), [], ("invalid_request", 400)),
        (form(ASSERTION, client_assertion_type="saml2-bearer"), [], ("invalid_client", 401)),
    ],
)
def test_each_wrong_request_has_its_oauth_error(
    body: bytes, authorization: list[str], refused: tuple[str, int]
) -> None:
    assert refusal(body, *authorization) == refused


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-Urlencoded; charset=UTF-8",
        "application/x-www-form-urlencoded;",
    ],
)
def test_a_form_is_a_form(content_type: str) -> None:
    check_content_type(content_type)


@pytest.mark.parametrize(
    "content_type", ["", "application/json", "multipart/form-data", "application/x-www-form-urlencoded; charset=latin1"]
)
def test_anything_else_is_invalid_request(content_type: str) -> None:
    with pytest.raises(OAuthRefusal, match="x-www-form-urlencoded"):
        check_content_type(content_type)


@given(st.binary(max_size=300), st.lists(st.text(max_size=60), max_size=2))
def test_whatever_comes_is_read_or_refused(body: bytes, authorization: list[str]) -> None:
    for one in (body, form(SECRET) + b"&" + body):
        with contextlib.suppress(OAuthRefusal):
            read_token_request(one, authorization)
