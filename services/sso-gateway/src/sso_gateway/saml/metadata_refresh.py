"""A company's certificates from its federation metadata, so that a renewal in Entra is known here without anybody pasting it.

    a signer that is not known  -> fetched at once, at most every five minutes a company
    a login, an hour later      -> fetched behind it
                                -> directory adopts what is new, or tells the company, as the company chose

What is known stays in use while fetching fails. Nothing is fetched for a company that nobody signs in to, and nothing from
anywhere but the allowed hosts: the address is made of the company's own tenant and app, never taken from a message.

Source: Entra, "Federation metadata" (app keys by `appid`) and "Signing key rollover" (refresh on an unknown key, with a pause).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from shared.directory_client import DirectoryClient
from shared.errors import DomainError
from shared.http.fetching import Fetcher, FetchFailed
from shared.schemas.login import Connection, OfferCertificates
from shared.telemetry.logs import EventLog
from sso_gateway import metrics
from sso_gateway.saml.connection import Connections, TrustedConnection

UNKNOWN_EVERY_S = 300.0
FRESH_S = 3600.0
MAX_COMPANIES = 10_000

log = EventLog("sso-gateway")


def metadata_url(connection: Connection) -> str:
    """Where Entra publishes the certificates of this app: beside the address at which people sign in."""
    login = urlsplit(connection.login_url)
    path = f"/{connection.tenant_id}/federationmetadata/2007-06/federationmetadata.xml?appid={connection.app_id}"
    return f"{login.scheme}://{login.netloc}{path}"


class _Moments(OrderedDict[str, float]):
    """When it was last, by company; those longest ago are forgotten first."""

    def note(self, company: str, moment: float) -> None:
        self[company] = moment
        self.move_to_end(company)
        if len(self) > MAX_COMPANIES:
            self.popitem(last=False)


class MetadataRefresh:
    """`now`: seconds of a clock that never goes back."""

    def __init__(
        self,
        fetcher: Fetcher,
        client: DirectoryClient,
        connections: Connections,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetcher = fetcher
        self._client = client
        self._connections = connections
        self._now = now
        self._looked = _Moments()
        self._asked = _Moments()
        """For an unknown signer: that it was fetched a minute ago for another reason must not keep a new certificate out."""
        self._under_way: dict[str, asyncio.Task[TrustedConnection | None]] = {}

    async def for_unknown_signer(self, trusted: TrustedConnection) -> TrustedConnection | None:
        """The connection with certificates that were not trusted before; None where there are none, or it was tried just now."""
        company = trusted.connection.company
        task = self._under_way.get(company)
        if task is None:
            if (newer := self._connections.other_than(trusted)) is not None:
                return newer
            if not self._may(trusted.connection, self._asked, UNKNOWN_EVERY_S):
                return None
            self._asked.note(company, self._now())
            task = self._begin(trusted.connection)
        # Shielded: that the first to ask goes away must not fail those who wait with him.
        return await asyncio.shield(task)

    def behind(self, trusted: TrustedConnection) -> None:
        """After a login: nobody waits for it."""
        if trusted.connection.company not in self._under_way and self._may(trusted.connection, self._looked, FRESH_S):
            self._begin(trusted.connection)

    async def close(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _may(self, connection: Connection, moments: "_Moments", every_s: float) -> bool:
        if connection.metadata == "off" or not self._fetcher.allows_url(metadata_url(connection)):
            return False
        last = moments.get(connection.company)
        return last is None or self._now() - last >= every_s

    def _begin(self, connection: Connection) -> "asyncio.Task[TrustedConnection | None]":
        company = connection.company
        self._looked.note(company, self._now())
        task = self._under_way[company] = asyncio.create_task(self._refresh(connection))
        task.add_done_callback(lambda done: self._under_way.pop(company, None))
        return task

    async def _refresh(self, connection: Connection) -> TrustedConnection | None:
        try:
            document = await self._fetcher.get(metadata_url(connection), "metadata")
            offered = await self._client.offer_certificates(
                OfferCertificates(company=connection.company, metadata=document.decode("utf-8", "replace"))
            )
        except FetchFailed as failed:
            metrics.METADATA_FETCHES.labels("failed").inc()
            log.warning("metadata_not_fetched", reason=failed.reason)
            return None
        except DomainError as refused:
            metrics.METADATA_FETCHES.labels("refused").inc()
            log.warning("metadata_refused", code=refused.code.value, reason=refused.detail[:300])
            return None
        metrics.METADATA_FETCHES.labels(
            "adopted" if offered.adopted else "offered" if offered.offered else "same"
        ).inc()
        if not offered.adopted:
            return None
        log.info("certificates_adopted", certificates=offered.adopted)
        return self._connections.remember(offered.connection)
