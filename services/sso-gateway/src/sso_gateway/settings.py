"""Environment of sso-gateway."""

from shared.settings import CommonSettings


class Settings(CommonSettings, frozen=True, kw_only=True):
    """Environment of sso-gateway. Variable names are the field names in capitals."""

    directory_url: str
    """Where directory listens inside the cluster, e.g. http://directory:8000."""
    directory_secret: str
    """The service credential that directory knows sso-gateway by."""
    public_url: str
    """Where browsers reach this service, e.g. https://login.bitabiz.com; the beginning of every address given to Entra."""
    login_ttl_s: int = 600
    """Seconds between sending someone to Entra and their return. Entra's own prompts (MFA) happen in between."""
    session_ttl_s: int = 1_206_000
    """Seconds a session lasts, 335 hours unless given. Suspension and sign-out end it at once, whatever is left."""
    connection_ttl_s: int = 30
    """Seconds a company's sign-on settings are remembered. A new certificate is noticed sooner, by the first use of it."""
    metadata_hosts: str = "login.microsoftonline.com"
    """Hosts from which a company's federation metadata may be fetched, separated by commas; over https alone. Empty: nothing is
    fetched. `http://127.0.0.1` is for a simulated Entra on this machine."""
    forwarded_allow_ips: str = ""
    """Addresses of the ingress whose X-Forwarded-For and -Proto are believed; empty believes nobody."""
