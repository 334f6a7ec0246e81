"""Whether what somebody wants to change is what he has seen (RFC 7644 section 3.14)."""

from collections.abc import Sequence

from shared.errors import DomainError, ErrorCode


def check_version(version: int, wanted: Sequence[int] | None) -> None:
    """Raises DomainError `version_differs` where only other versions are wanted."""
    if wanted is not None and version not in wanted:
        told = ", ".join(str(one) for one in wanted[:5]) or "none that there is"
        raise DomainError(
            ErrorCode.version_differs, f"It has version {version}; wanted was {told}. Read it again, and decide anew."
        )
