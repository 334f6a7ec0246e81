"""Where an app may be answered: which addresses may be registered, and whether an asked one is registered. Pure.

https://portal.example/callback     exactly
http://127.0.0.1/callback           any port: a native app takes what is free (RFC 8252 section 7.3); so too [::1]
com.example.app:/callback           a scheme of the app's own, in reverse-domain form (RFC 8252 section 7.1)
"""

import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import SplitResult, urlencode, urlsplit

MAX_LENGTH = 500
_PLAIN = re.compile(r"[A-Za-z0-9\-._~:/?\[\]@!$&()*+,;=%]+\Z")
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)+[a-z](?:[a-z0-9-]*[a-z0-9])?\Z")
_OWN_SCHEME = re.compile(r"[a-z][a-z0-9+-]*(?:\.[a-z0-9+-]+)+\Z")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|\[::1\])(?::([0-9]{1,5}))?(/.*|\Z)")

Kind = Literal["https", "loopback", "own_scheme"]


class RedirectWrong(Exception):
    """Such an address cannot be registered; one sentence."""


def kind_of(address: str) -> Kind:
    """Raises RedirectWrong for an address that no app can be answered at."""
    if len(address) > MAX_LENGTH or not _PLAIN.match(address):
        raise RedirectWrong(
            f"{address!r} is longer than {MAX_LENGTH} characters, has a fragment or holds what no address may."
        )
    if _LOOPBACK.match(address):
        _check_port(address)
        return "loopback"
    scheme, colon, rest = address.partition(":")
    if not colon:
        raise RedirectWrong(f"{address!r} has no scheme, as https: or com.example.app: would be.")
    if scheme == "https":
        _check_https(address)
        return "https"
    if scheme == "http":
        raise RedirectWrong(f"{address!r} is not encrypted; http is for http://127.0.0.1 and http://[::1] alone.")
    if not _OWN_SCHEME.match(scheme):
        raise RedirectWrong(
            f"{address!r} has a scheme that anybody may use; an app's own is a domain of its maker's turned round, "
            "as in com.example.app:/callback."
        )
    if not rest.startswith("/"):
        raise RedirectWrong(f"{address!r} has no path; write it as {scheme}:/callback.")
    return "own_scheme"


def _split(address: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError as error:
        raise RedirectWrong(f"{address!r} is no address: {error}.") from None
    return parts


def _check_port(address: str) -> None:
    if _split(address).port == 0:
        raise RedirectWrong(f"{address!r} names port 0; leave the port out, any will do.")


def _check_https(address: str) -> None:
    parts = _split(address)
    if "@" in parts.netloc or not _HOST.match(parts.hostname or ""):
        raise RedirectWrong(f"{address!r} must name a host by its domain, without user or wildcard.")
    if parts.netloc != parts.netloc.lower():
        raise RedirectWrong(f"{address!r} must have its host in lower case, as browsers send it.")


def is_registered(asked: str, registered: Iterable[str]) -> bool:
    """Compared as they are, character by character; but for the port of a loopback address."""
    known = set(registered)
    return asked in known or _without_port(asked) in known


def _without_port(asked: str) -> str | None:
    """A loopback address as it is registered: without a port. None for every other."""
    found = _LOOPBACK.match(asked)
    if found is None or not _PLAIN.match(asked) or found[2] is None:
        return None
    return f"http://{found[1]}{found[3]}" if 0 < int(found[2]) < 65_536 else None


def origin_of(address: str) -> str | None:
    """What a browser names as the origin of an app that lives there; None where it is no page."""
    return "/".join(address.split("/", 3)[:3]) if kind_of(address) == "https" else None


def with_answer(address: str, answer: Mapping[str, str | None]) -> str:
    """The address with the answer behind its own query; None: not said."""
    query = urlencode({name: value for name, value in answer.items() if value is not None})
    return f"{address}{'&' if '?' in address else '?'}{query}" if query else address
