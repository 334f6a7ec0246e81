"""What an app asks of `/oauth2/authorize`, and what is wrong with it. Pure.

    client or redirect address not known    -> PageRefusal: there is nobody to answer to, and nothing is sent anywhere
    anything else                           -> AppRefusal: back to the app, with its state (RFC 6749 section 4.1.2.1)

Parameters that nobody here knows are ignored (RFC 6749 section 3.1), and one without a value is as if it were not there. Each
comes once.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, urlencode

from shared.ids import employee_from_text
from sso_gateway.oidc.clients import Client, Clients
from sso_gateway.return_path import MAX_LENGTH as MAX_RETURN
from sso_gateway.saml.connection import COMPANY

PATH = "/oauth2/authorize"
MAX_QUERY = 8 * 1024
MAX_FIELDS = 100
AFTER = "signed_in_after"
"""Of our own: put into the address that a login comes back to, where a fresh one was demanded. Seconds since 1970."""
AS = "signed_in_as"
"""In place of `id_token_hint` there: the id alone of whom it named, for an ID token tells more, and an address is kept."""
_ROOM = len(f"&{AFTER}=") + 12
_ROOM_FOR_HINT = len(f"&{AS}=&company=") + 36 + 63

_CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}\Z")
_SECONDS = re.compile(r"[0-9]{1,10}\Z")
_PRINTABLE = re.compile(r"[\x20-\x7e]{1,512}\Z")
PROMPTS = frozenset({"none", "login", "select_account", "consent"})
"""`consent`: these are BitaBIZ' own apps, which nobody is asked about."""
_LEFT_OUT = frozenset({"prompt", "max_age", "login_hint", "id_token_hint", AFTER, AS})
_OURS = (
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "nonce", "code_challenge",
    "code_challenge_method", "prompt", "max_age", "company", "login_hint", "id_token_hint", "request", "request_uri",
    "registration", AFTER, AS,
)  # fmt: skip
_NOT_SUPPORTED = {
    "request": "request_not_supported",
    "request_uri": "request_uri_not_supported",
    "registration": "registration_not_supported",
}
ERRORS = frozenset(
    {
        "invalid_request",
        "invalid_scope",
        "unauthorized_client",
        "unsupported_response_type",
        "login_required",
        *_NOT_SUPPORTED.values(),
    }
)


class PageRefusal(Exception):
    """Told to the person, on a page of ours; `reason` is one of the interfaces' list."""

    def __init__(self, reason: str, got: str | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.got = got


@dataclass(frozen=True, slots=True)
class ReturnAddress:
    """Proven to be the client's."""

    client: Client
    redirect_uri: str
    state: str | None


class AppRefusal(Exception):
    """Told to the app."""

    def __init__(self, back: ReturnAddress, error: str, description: str) -> None:
        super().__init__(error)
        self.back = back
        self.error = error
        self.description = description


@dataclass(frozen=True, slots=True)
class Hint:
    """Who is wanted: of an ID token, or of the address that a login came back to."""

    employee_id: str
    company: str | None


@dataclass(frozen=True, slots=True)
class Asked:
    back: ReturnAddress
    scopes: tuple[str, ...]
    nonce: str | None
    code_challenge: str
    """As it came: base64url of a SHA-256."""
    prompt: frozenset[str]
    max_age_s: int | None
    company: str | None
    login_hint: str | None
    id_token_hint: str | None
    signed_in_as: str | None
    signed_in_after: datetime | None
    fields: tuple[tuple[str, str], ...]
    """Those that a login comes back with."""

    def come_back(self, signed_in_after: datetime | None = None, hint: Hint | None = None) -> str:
        """The path that asks the same again, without what has been done by then."""
        more = dict(self.fields)
        if hint is not None:
            more[AS] = hint.employee_id
            if hint.company is not None:
                more.setdefault("company", hint.company)
        if after := signed_in_after or self.signed_in_after:
            more[AFTER] = str(int(after.timestamp()))
        return f"{PATH}?{urlencode(more)}"


def demands_fresh_login(return_to: str) -> bool:
    """Whether a login comes back to an app that wants the person to show himself anew."""
    path, _, query = return_to.partition("?")
    return path == PATH and f"{AFTER}=" in query


def read(query: bytes, clients: Clients) -> Asked:
    """Raises PageRefusal, AppRefusal."""
    fields, twice = _fields(query)
    back = _return_address(fields, twice, clients)
    if twice:
        raise AppRefusal(back, "invalid_request", f"These parameters came twice: {', '.join(sorted(twice))}.")
    for name, error in _NOT_SUPPORTED.items():
        if name in fields:
            raise AppRefusal(back, error, f"The parameter {name} is not supported; send each parameter by itself.")
    _check_response(fields, back)
    asked = Asked(
        back=back,
        scopes=_scopes(fields, back),
        nonce=_printable(fields, "nonce", back),
        code_challenge=_code_challenge(fields, back),
        prompt=_prompt(fields, back),
        max_age_s=_seconds(fields, "max_age", back),
        company=_company(fields, back),
        login_hint=_printable_of(fields, "login_hint", back),
        id_token_hint=fields.get("id_token_hint"),
        signed_in_as=_employee(fields, back),
        signed_in_after=_moment(_seconds(fields, AFTER, back)),
        fields=tuple((name, value) for name, value in fields.items() if name not in _LEFT_OUT),
    )
    room = _ROOM + (_ROOM_FOR_HINT if asked.id_token_hint or asked.signed_in_as else 0)
    if len(asked.come_back()) > MAX_RETURN - room:
        most = "The parameters are too long together; a shorter state is what helps as a rule."
        raise AppRefusal(back, "invalid_request", most)
    return asked


def _fields(query: bytes) -> tuple[dict[str, str], set[str]]:
    """Those that mean something, and which of them came more than once."""
    try:
        pairs = parse_qsl(query.decode("ascii"), max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError:
        raise PageRefusal("invalid_request") from None
    if len(query) > MAX_QUERY:
        raise PageRefusal("invalid_request")
    fields, twice = dict[str, str](), set[str]()
    for name, value in pairs:
        if name in fields:
            twice.add(name)
        if name in _OURS:
            fields[name] = value
    return fields, twice


def _return_address(fields: dict[str, str], twice: set[str], clients: Clients) -> ReturnAddress:
    client = clients.get(fields.get("client_id"))
    if client is None or "client_id" in twice:
        raise PageRefusal("unknown_client", fields.get("client_id"))
    address = fields.get("redirect_uri", "")
    if "redirect_uri" in twice or not client.may_return_to(address):
        raise PageRefusal("wrong_redirect", address or None)
    return ReturnAddress(client, address, None if "state" in twice else fields.get("state"))


def _check_response(fields: dict[str, str], back: ReturnAddress) -> None:
    kind = fields.get("response_type")
    if kind is None:
        raise AppRefusal(back, "invalid_request", "response_type is missing; it must be code.")
    if kind != "code":
        raise AppRefusal(back, "unsupported_response_type", "response_type must be code.")
    if fields.get("response_mode", "query") != "query":
        raise AppRefusal(back, "invalid_request", "response_mode must be query, or left out.")
    if "authorization_code" not in back.client.grants:
        raise AppRefusal(back, "unauthorized_client", "This client may not sign people in.")


def _scopes(fields: dict[str, str], back: ReturnAddress) -> tuple[str, ...]:
    """What the client may ask for; what nobody knows is left out, and the token's `scope` says what is left."""
    asked = fields.get("scope", "").split(" ")
    if "openid" not in asked:
        raise AppRefusal(back, "invalid_scope", "scope must hold openid.")
    return tuple(scope for scope in back.client.scopes if scope in asked)


def _code_challenge(fields: dict[str, str], back: ReturnAddress) -> str:
    challenge = fields.get("code_challenge")
    if challenge is None:
        raise AppRefusal(back, "invalid_request", "code_challenge is missing: PKCE is demanded of every client.")
    if fields.get("code_challenge_method") != "S256":
        raise AppRefusal(back, "invalid_request", "code_challenge_method must be S256.")
    if not _CHALLENGE.match(challenge):
        raise AppRefusal(back, "invalid_request", "code_challenge must be 43 characters of base64url.")
    return challenge


def _prompt(fields: dict[str, str], back: ReturnAddress) -> frozenset[str]:
    found = frozenset(fields.get("prompt", "").split())
    if not found <= PROMPTS:
        raise AppRefusal(back, "invalid_request", "prompt must be of none, login, select_account and consent.")
    if "none" in found and len(found) > 1:
        raise AppRefusal(back, "invalid_request", "prompt=none goes with no other value.")
    return found


def _company(fields: dict[str, str], back: ReturnAddress) -> str | None:
    company = fields.get("company")
    if company is not None and not COMPANY.fullmatch(company):
        raise AppRefusal(
            back, "invalid_request", "company must be a company's name, in lower case, as in its addresses."
        )
    return company


def _employee(fields: dict[str, str], back: ReturnAddress) -> str | None:
    value = fields.get(AS)
    if value is not None and employee_from_text(value) is None:
        raise AppRefusal(back, "invalid_request", f"{AS} must be an employee's id, as in sub.")
    return value


def _printable(fields: dict[str, str], name: str, back: ReturnAddress) -> str | None:
    value = fields.get(name)
    if value is not None and not _PRINTABLE.match(value):
        raise AppRefusal(back, "invalid_request", f"{name} must be 1 to 512 printable ASCII characters.")
    return value


def _printable_of(fields: dict[str, str], name: str, back: ReturnAddress) -> str | None:
    value = fields.get(name)
    if value is not None and (len(value) > 254 or not value.isprintable()):
        raise AppRefusal(back, "invalid_request", f"{name} must be at most 254 printable characters.")
    return value


def _seconds(fields: dict[str, str], name: str, back: ReturnAddress) -> int | None:
    value = fields.get(name)
    if value is None:
        return None
    if not _SECONDS.match(value):
        raise AppRefusal(back, "invalid_request", f"{name} must be a number of seconds.")
    return int(value)


def _moment(seconds: int | None) -> datetime | None:
    return datetime.fromtimestamp(seconds, UTC) if seconds is not None else None
