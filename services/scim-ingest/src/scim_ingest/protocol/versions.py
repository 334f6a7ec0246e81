"""ETags and the conditions on them (RFC 7644 section 3.14, RFC 9110 section 13). Entra sends none; others do.

A tag is the version that every resource shows as `meta.version`, weak: `W/"3"`.
"""

import re

_TAG = re.compile(r'(?:W/)?"([1-9][0-9]{0,17})"', re.ASCII)


def wanted_versions(if_match: str | None) -> list[int] | None:
    """Of `If-Match`: the resource must have one of these. None: any will do. What is no tag of ours is met by no version."""
    if if_match is None or if_match.strip() == "*":
        return None
    return _versions(if_match)


def is_known(if_none_match: str | None, version: int) -> bool:
    """Of `If-None-Match`: whoever asks has this version already."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or version in _versions(if_none_match)


def _versions(header: str) -> list[int]:
    # Bounded: a header is as long as the server lets it be, and nobody needs more. A comma stands in no tag of ours.
    tags = (_TAG.fullmatch(tag.strip()) for tag in header[:4096].split(",")[:64])
    return [int(tag[1]) for tag in tags if tag is not None]
