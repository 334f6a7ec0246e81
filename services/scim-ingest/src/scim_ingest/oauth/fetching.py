"""Fetching a tenant's keys, from allowed hosts alone."""

from shared.entra_issuer import EntraIssuer
from shared.http.fetching import TIMEOUT_S, Fetcher, Hosts


class KeyFetcher(Fetcher):
    """`is_on`: whether any tenant's assertions may be trusted. Opened once per process (`async with`)."""

    def __init__(self, allowed: Hosts, *, timeout_s: float = TIMEOUT_S) -> None:
        super().__init__(allowed, accept="application/json", timeout_s=timeout_s)

    def allows(self, issuer: EntraIssuer) -> bool:
        return (issuer.scheme, issuer.host) in self._allowed

    async def fetch(self, issuer: EntraIssuer) -> bytes:
        """Raises FetchFailed."""
        return await self.get(issuer.keys_url, "keys")
