"""The form that Entra's page posts: one SAMLResponse, at most one RelayState, nothing inflated (SAML Bindings section 3.5.4)."""

from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request

from shared.http.body import BodyTooLarge, BodyTooSlow, read_body
from sso_gateway.saml.errors import malformed
from sso_gateway.saml.signature import strict_base64

MAX_BODY_BYTES = 256 * 1024
BODY_S = 15.0
MAX_FIELDS = 10
MAX_RELAY_STATE = 1024
"""The standard says 80 bytes; an administrator's own Relay State for the tile may be longer."""
CONTENT_TYPE = "application/x-www-form-urlencoded"


class PostedResponse(msgspec.Struct, frozen=True):
    unverified_response: bytes
    relay_state: str | None


def check_content_type(request: Request) -> None:
    """Raises SamlRefusal: malformed_response."""
    content_type = request.headers.get("content-type", "")
    if content_type.partition(";")[0].strip().lower() != CONTENT_TYPE:
        raise malformed(CONTENT_TYPE, content_type, status=415)


async def read_form(request: Request) -> bytes:
    """Raises SamlRefusal: malformed_response."""
    try:
        return await read_body(request, MAX_BODY_BYTES, timeout_s=BODY_S)
    except BodyTooLarge:
        raise malformed(f"at most {MAX_BODY_BYTES} bytes", "more", status=413) from None
    except BodyTooSlow:
        raise malformed(f"the whole form within {BODY_S:.0f} seconds", "a part of it", status=408) from None


def read_posted_response(body: bytes) -> PostedResponse:
    """Raises SamlRefusal: malformed_response."""
    try:
        fields = parse_qsl(
            body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:
        raise malformed(f"an HTML form of at most {MAX_FIELDS} fields", "something else") from None
    responses = [value for name, value in fields if name == "SAMLResponse"]
    relay_states = [value for name, value in fields if name == "RelayState"]
    if len(responses) != 1 or len(relay_states) > 1:
        raise malformed(
            "one SAMLResponse and at most one RelayState",
            f"{len(responses)} SAMLResponse, {len(relay_states)} RelayState",
        )
    relay_state = relay_states[0] if relay_states else None
    if relay_state is not None and len(relay_state) > MAX_RELAY_STATE:
        raise malformed(f"a RelayState of at most {MAX_RELAY_STATE} characters", str(len(relay_state)))
    return PostedResponse(strict_base64(responses[0], "SAMLResponse"), relay_state)
