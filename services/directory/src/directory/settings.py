"""Environment of directory: the serving process and the operator's commands."""

import msgspec

from shared.settings import CommonSettings


class DatabaseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What `directory migrate`, `directory company …` and `directory sweep` read."""

    database_url: str
    """PostgreSQL, as the owner of the tables. Never given to the serving process."""
    database_app_url: str = ""
    """PostgreSQL, as the application's login role; `directory migrate` makes sure that the role exists."""
    sso_public_url: str = "http://127.0.0.1:8080"
    """Where browsers reach sso-gateway, for the values to paste into Entra."""
    scim_public_url: str = "http://127.0.0.1:8081"
    """Where Entra reaches scim-ingest, for the values to paste into Entra."""
    entity_id_base: str = "https://www.bitabiz.com"
    """A company's Identifier is this and the company's name."""


class Settings(CommonSettings, frozen=True, kw_only=True):
    """Environment of `directory serve`. Variable names are the field names in capitals."""

    database_app_url: str
    """PostgreSQL, as a login role that is a member of identity_app and nothing more."""
    database_pool_min: int = 2
    """Connections kept open."""
    database_pool_max: int = 10
    """Connections at most."""
    scim_ingest_secret: str
    """The service credential of scim-ingest, at least 16 characters."""
    sso_gateway_secret: str
    """The service credential of sso-gateway, at least 16 characters."""
