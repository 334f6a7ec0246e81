"""python3-saml as a service provider, for `benchmarks.logins`: strict, its settings made once. With its own lxml and xmlsec."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from onelogin.saml2.auth import OneLogin_Saml2_Auth
from onelogin.saml2.settings import OneLogin_Saml2_Settings

from benchmarks.peer_app import Proven, Told, serve


class Refused(Exception):
    pass


class Python3Saml:
    def __init__(self, told: Told) -> None:
        self._settings = settings_of(told)
        at = urlsplit(told.acs)
        self._request: dict[str, Any] = {
            "https": "on" if at.scheme == "https" else "off",
            "http_host": at.netloc,
            "script_name": at.path,
            "get_data": {},
        }

    def start(self) -> tuple[str, str]:
        auth = OneLogin_Saml2_Auth({**self._request, "post_data": {}}, old_settings=self._settings)
        address = auth.login(return_to="/")
        return auth.get_last_request_id(), address

    def verify(self, form: str, outstanding: Mapping[str, str]) -> Proven:
        """Whether the request was ours is for the caller: the library knows no others than the one it is told."""
        request = {**self._request, "post_data": {"SAMLResponse": form}}
        auth = OneLogin_Saml2_Auth(request, old_settings=self._settings)
        auth.process_response()
        if auth.get_errors() or not auth.is_authenticated():
            raise Refused(auth.get_last_error_reason())
        return Proven(auth.get_nameid(), auth.get_last_response_in_response_to())


def settings_of(told: Told, *, want_messages_signed: bool = False) -> Any:
    return OneLogin_Saml2_Settings(
        {
            "strict": True,
            "sp": {"entityId": told.entity_id, "assertionConsumerService": {"url": told.acs}},
            "idp": {
                "entityId": told.issuer,
                "singleSignOnService": {"url": told.login_url},
                "x509cert": told.certificate,
            },
            "security": {
                "wantAssertionsSigned": True,
                "wantMessagesSigned": want_messages_signed,
                "rejectDeprecatedAlgorithm": True,
            },
        },
        sp_validation_only=False,
    )


if __name__ == "__main__":
    # In threads it does 190 logins a second instead of 300, for twice the processor time.
    serve(Python3Saml, in_threads=False)
