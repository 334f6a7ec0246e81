"""Environment of sso-gateway."""

from typing import Annotated

import msgspec

from shared.schemas.login import SessionSeconds
from shared.settings import CommonSettings

PerSecond = Annotated[float, msgspec.Meta(ge=0, le=100_000)]


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
    session_ttl_s: SessionSeconds = 1_206_000
    """Seconds a session lasts, 335 hours unless given, two weeks at most. Suspension and sign-out end it at once, whatever is
    left."""
    connection_ttl_s: int = 30
    """Seconds a company's sign-on settings are remembered. A new certificate is noticed sooner, by the first use of it."""
    metadata_hosts: str = "login.microsoftonline.com"
    """Hosts from which a company's federation metadata may be fetched, separated by commas; over https alone. Empty: nothing is
    fetched. `http://127.0.0.1` is for a simulated Entra on this machine."""
    forwarded_allow_ips: str = ""
    """Addresses of the ingress whose X-Forwarded-For and -Proto are believed; empty believes nobody. `*` would believe whatever a
    browser writes there itself."""
    login_rate_per_company: PerSecond = 200
    """Logins of one company that may be started on one pod a second, and as many answered; ten seconds' worth at once, beyond
    that 429. Where its people have signed in from lately has a rate of its own beside everybody else's. 0: no limit."""
    login_rate_per_address: PerSecond = 50
    """The same from one client address (IPv6: one /64). Counts only where the client's address is known: behind https it is by
    `FORWARDED_ALLOW_IPS`. 0: no limit."""

    oidc_clients: str = ""
    """The apps that may sign people in, as JSON (docs/openid.md); as a rule a mounted file, named by `OIDC_CLIENTS_FILE`. Empty:
    the OpenID Provider is off."""
    oidc_keys_dir: str = ""
    """Folder with the provider's signing keys: `current.pem`, `next.pem` and `previous.pem`, P-256 each. A change is noticed
    without a restart. `python -m sso_gateway oidc-keys` makes and rotates them."""
    oidc_rate_per_company: PerSecond = 500
    """Codes and refresh tokens of one company that may be presented on one pod a second, ten seconds' worth at once. Where its
    apps have been let in from lately has a rate of its own beside everybody else's. 0: no limit."""
    traces_every_s: Annotated[float, msgspec.Meta(gt=0, le=60)] = 1.0
    """Seconds after which refused answers are handed over to the login traces, at the latest."""

    @property
    def knows_addresses(self) -> bool:
        """Whether a request's address is the client's. Somebody else ends TLS; unless he is believed, all come from him."""
        return bool(self.forwarded_allow_ips) or not self.public_url.startswith("https://")
