"""The issuer of an Entra tenant's assertions, and where its keys are. Pure.

    https://login.microsoftonline.com/<tenant>/v2.0    its keys: …/<tenant>/discovery/v2.0/keys

Plain http is for a loopback address alone, where tests and `make run` have their simulated Entra.
"""

import re

import msgspec

LOOPBACK = frozenset({"127.0.0.1", "localhost"})

_ISSUER = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]{0,252}))(?::(?P<port>[0-9]{1,5}))?"
    r"/(?P<tenant>[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12})/v2\.0\Z"
)


class EntraIssuer(msgspec.Struct, frozen=True):
    """Well-formed, which says nothing about whether anybody trusts it."""

    text: str
    scheme: str
    host: str
    tenant_id: str

    @property
    def keys_url(self) -> str:
        return f"{self.text.removesuffix('/v2.0')}/discovery/v2.0/keys"


def entra_issuer(text: str) -> EntraIssuer | None:
    """None for whatever cannot be the issuer of an Entra tenant, byte for byte as it stands in its assertions."""
    found = _ISSUER.match(text)
    if found is None or (found["scheme"] == "http") != (found["host"] in LOOPBACK):
        return None
    if found["scheme"] == "https" and found["port"] is not None:
        return None
    return EntraIssuer(text, found["scheme"], found["host"], found["tenant"])


def audience_key(audience: str) -> str:
    """What audiences are compared by: Entra's settings show `api://…/.default`, its assertions say `api://…`."""
    return audience.removesuffix("/.default")
