"""E-mail domains: when two spellings are one domain. Pure.

`Smørrebrød.DK`, `smørrebrød.dk.` and `xn--smrrebrd-64af.dk` are one (IDNA 2008 with the mapping of UTS 46, as browsers and mail
programs write them). A sub-domain is another domain, which a company must name for itself.
"""

import re

import idna

MAX_LENGTH = 253
_DOMAIN = re.compile(r"(?=.{4,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]{2,63}")


def domain_key(text: str) -> str | None:
    """The domain in lower-case ASCII, without the dot that may end it; None for what is none."""
    text = text.strip()
    if len(text) > MAX_LENGTH + 1:
        return None
    try:
        key = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError:
        return None
    key = key.removesuffix(".")
    return key if _DOMAIN.fullmatch(key) else None


def domain_of(address: str) -> str | None:
    """The domain of an e-mail address: whatever stands before the last '@' says nothing."""
    return domain_key(address.rpartition("@")[2])
