"""The keys of tenants, remembered: a tenant's are fetched when one is wanted that is not known, and anew after an hour.

A fetch that fails leaves the known keys in use for a day. Whoever waits for one tenant's keys waits for that fetch alone, and one
fetch a tenant is under way at a time; after each, good or bad, comes a pause, so that nobody can make us ask without end. Only
tenants that a company trusts are asked for, and the ones wanted longest ago are forgotten first.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from cryptography.hazmat.primitives.asymmetric import rsa

from scim_ingest import metrics
from scim_ingest.oauth.jwks import Keys, KeysUnreadable, read_keys
from shared.entra_issuer import EntraIssuer
from shared.http.fetching import FetchFailed
from shared.telemetry.logs import EventLog

FRESH_S = 3600.0
STALE_S = 24 * 3600.0
PAUSE_S = 30.0
MAX_TENANTS = 1000


class KeyUnknown(Exception):
    """The tenant has no such key."""


class KeysUnavailable(Exception):
    """Nobody can say at the moment whether the tenant has such a key."""


Fetch = Callable[[EntraIssuer], Awaitable[bytes]]


class _Tenant:
    """What is known of one."""

    def __init__(self) -> None:
        self.keys: Keys = {}
        self.fetched_at: float | None = None
        """The last time that succeeded."""
        self.tried_at: float | None = None
        self.failed = False
        self.fetching: asyncio.Task[None] | None = None


class KeyRing:
    def __init__(
        self,
        fetch: Fetch,
        log: EventLog,
        *,
        clock: Callable[[], float] = time.monotonic,
        max_tenants: int = MAX_TENANTS,
    ) -> None:
        """`clock` in seconds, from any beginning. `fetch` raises FetchFailed, and is bounded in time and size by itself."""
        self._fetch = fetch
        self._log = log
        self._clock = clock
        self._max_tenants = max_tenants
        self._tenants: OrderedDict[str, _Tenant] = OrderedDict()

    async def key(self, issuer: EntraIssuer, kid: str) -> rsa.RSAPublicKey:
        """Raises KeyUnknown, KeysUnavailable."""
        tenant = self._tenant(issuer)
        if kid not in tenant.keys or not self._is_younger(tenant.fetched_at, FRESH_S):
            await self._refresh(issuer, tenant)
        if not self._is_younger(tenant.fetched_at, STALE_S):
            raise KeysUnavailable
        if (key := tenant.keys.get(kid)) is not None:
            return key
        raise KeysUnavailable if tenant.failed else KeyUnknown

    def _tenant(self, issuer: EntraIssuer) -> _Tenant:
        tenant = self._tenants.setdefault(issuer.text, _Tenant())
        self._tenants.move_to_end(issuer.text)
        if len(self._tenants) > self._max_tenants:
            self._tenants.popitem(last=False)
        return tenant

    def _is_younger(self, moment: float | None, age_s: float) -> bool:
        return moment is not None and self._clock() - moment < age_s

    async def _refresh(self, issuer: EntraIssuer, tenant: _Tenant) -> None:
        if tenant.fetching is None:
            if self._is_younger(tenant.tried_at, PAUSE_S):
                return
            tenant.fetching = asyncio.create_task(self._fetch_into(issuer, tenant))
        # Shielded: a request that is given up must not take the others' fetch with it.
        await asyncio.shield(tenant.fetching)

    async def _fetch_into(self, issuer: EntraIssuer, tenant: _Tenant) -> None:
        try:
            tenant.keys = read_keys(await self._fetch(issuer))
        except (FetchFailed, KeysUnreadable) as error:
            reason = error.reason if isinstance(error, FetchFailed) else "unreadable"
            tenant.failed = True
            metrics.KEY_FETCHES.labels("failed").inc()
            self._log.warning("keys_not_fetched", tenant=issuer.tenant_id, reason=reason, known=len(tenant.keys))
        else:
            tenant.failed = False
            tenant.fetched_at = self._clock()
            metrics.KEY_FETCHES.labels("fetched").inc()
            self._log.info("keys_fetched", tenant=issuer.tenant_id, keys=len(tenant.keys))
        finally:
            tenant.tried_at = self._clock()
            tenant.fetching = None
