"""Environment of scim-ingest."""

from shared.settings import CommonSettings


class Settings(CommonSettings, frozen=True, kw_only=True):
    """Environment of scim-ingest. Variable names are the field names in capitals."""

    directory_url: str
    """Where directory listens inside the cluster, e.g. http://directory:8000."""
    directory_secret: str
    """Our credential at directory; the same as its SCIM_INGEST_SECRET."""
    public_url: str
    """Address under which Entra reaches us, without path, e.g. https://scim.example.com."""
    max_body_bytes: int = 1024 * 1024
    """Largest request body; a larger one is answered 413."""
    body_timeout_s: float = 15.0
    """Seconds for a request body to arrive; a slower one is answered 408."""
    bulk_max_operations: int = 1000
    """Operations of one bulk request; one with more is answered 413 and nothing of it is done."""
    bulk_time_s: float = 20.0
    """Seconds after which a bulk request begins no further operation and answers; the rest can be sent again."""
    federation_hosts: str = "login.microsoftonline.com"
    """Hosts of Entra tenants whose assertions may be trusted, separated by commas; keys are fetched from these alone, over https.
    Empty: federation is off. `http://127.0.0.1` is for a simulated Entra on this machine."""
