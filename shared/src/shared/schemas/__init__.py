"""The words that travel between the services. Strict: an unknown field is a mistake, not an extension."""

import msgspec


class Schema(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of every internal message: immutable, named arguments only."""
