"""How Entra's provisioning service gets an access token: by a client secret, or by an assertion of its own (RFC 7523).

Where the secret goes is the administrator's choice: in the header, in the body, or in both.
"""

from base64 import b64encode
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote_plus

import aiohttp
import msgspec

if TYPE_CHECKING:
    from tests.entra.workload import Workload

SecretIn = Literal["header", "body", "both"]
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class TokenSettings(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the administrator pastes; without a secret the workload identity is used."""

    token_endpoint: str
    client_id: str
    client_secret: str = ""
    secret_in: SecretIn = "body"
    scope: str = ""


class TokenAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """`token` is empty where none came; `status` 0: no HTTP answer."""

    status: int
    text: str
    token: str = ""


class _Answer(msgspec.Struct, frozen=True):
    access_token: str
    token_type: str
    expires_in: int


async def request_token(settings: TokenSettings, workload: "Workload | None" = None) -> TokenAnswer:
    form, headers = _request(settings, workload)
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in form.items())
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    try:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=60)) as session,
            session.post(
                settings.token_endpoint, data=body.encode(), headers=headers, allow_redirects=False
            ) as response,
        ):
            status, text = response.status, (await response.read()).decode(errors="replace")
    except (aiohttp.ClientError, TimeoutError, ValueError, OSError) as error:
        return TokenAnswer(status=0, text=f"no answer: {type(error).__name__}")
    if status != 200:
        return TokenAnswer(status=status, text=text)
    try:
        answer = msgspec.json.decode(text, type=_Answer)
    except msgspec.DecodeError as error:
        return TokenAnswer(status=status, text=f"no token: {error}")
    if answer.token_type.lower() != "bearer" or answer.expires_in <= 0:
        return TokenAnswer(status=status, text="no bearer token")
    return TokenAnswer(status=status, text="", token=answer.access_token)


def _request(settings: TokenSettings, workload: "Workload | None") -> tuple[dict[str, str], dict[str, str]]:
    form, headers = {"grant_type": "client_credentials"}, {}
    if not settings.client_secret:
        form |= {
            "client_id": settings.client_id,
            "client_assertion_type": ASSERTION_TYPE,
            "client_assertion": workload.assertion() if workload else "",
        }
    else:
        if settings.secret_in in ("header", "both"):
            pair = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
            headers["Authorization"] = f"Basic {b64encode(pair.encode()).decode()}"
        if settings.secret_in in ("body", "both"):
            form |= {"client_id": settings.client_id, "client_secret": settings.client_secret}
    if settings.scope:
        form["scope"] = settings.scope
    return form, headers
