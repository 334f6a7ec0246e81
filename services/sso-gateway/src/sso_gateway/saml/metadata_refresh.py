"""A company's certificates from its federation metadata, so that a renewal in Entra is known here without anybody pasting it.

    its hour has come             -> fetched (`metadata_looks.py`), whether anybody signs in or not
    a signer that is not known    -> fetched at once, at most every five minutes a company
                                  -> directory adopts what is new, or tells the company, as the company chose

What is known stays in use while fetching fails, and the company is told why it does. Nothing is fetched from anywhere but the
allowed hosts: the address is made of the company's own tenant and app, never taken from a message.

Source: Entra, "Federation metadata" (app keys by `appid`) and "Signing key rollover" (refresh on an unknown key, with a pause).
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from urllib.parse import urlsplit

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.http.fetching import Fetcher, FetchFailed
from shared.schemas.login import Connection
from shared.schemas.metadata import DueLook, NoteFailedLook, OfferCertificates
from shared.telemetry.logs import EventLog
from sso_gateway import metrics
from sso_gateway.saml.connection import Connections, TrustedConnection

UNKNOWN_EVERY_S = 300.0
MAX_COMPANIES = 10_000
MAX_REASON = 300

log = EventLog("sso-gateway")

App = Connection | DueLook


def metadata_url(app: App) -> str:
    """Where Entra publishes the certificates of this app: beside the address at which people sign in."""
    login = urlsplit(app.login_url)
    path = f"/{app.tenant_id}/federationmetadata/2007-06/federationmetadata.xml?appid={app.app_id}"
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
        self._asked = _Moments()
        """By unknown signers alone: that it was fetched a minute ago for another reason must not keep a new certificate out."""
        self._under_way: dict[str, asyncio.Task[TrustedConnection | None]] = {}

    async def for_unknown_signer(self, trusted: TrustedConnection) -> TrustedConnection | None:
        """The connection as directory has it once the metadata were read; None where they could not be, or were just now."""
        company = trusted.connection.company
        # One that is under way may have been asked for before the certificate was there, by whoever looks every hour.
        while (task := self._under_way.get(company)) is not None and not task.done():
            # Shielded: that the first to ask goes away must not fail those who wait with him.
            found = await asyncio.shield(task)
            if found is not None and found.keys != trusted.keys:
                return found
        if (newer := self._connections.other_than(trusted)) is not None:
            return newer
        if not self._may(trusted.connection):
            return None
        self._asked.note(company, self._now())
        return await asyncio.shield(self._begin(trusted.connection))

    async def look(self, due: DueLook) -> None:
        """Together with a look that is under way already."""
        await asyncio.shield(self._under_way.get(due.company) or self._begin(due))

    async def close(self) -> None:
        for task in list(self._under_way.values()):
            task.cancel()
        await asyncio.gather(*self._under_way.values(), return_exceptions=True)

    def _may(self, connection: Connection) -> bool:
        if connection.metadata == "off" or not self._fetcher.allows_url(metadata_url(connection)):
            return False
        last = self._asked.get(connection.company)
        return last is None or self._now() - last >= UNKNOWN_EVERY_S

    def _begin(self, app: App) -> "asyncio.Task[TrustedConnection | None]":
        task = self._under_way[app.company] = asyncio.create_task(self._refresh(app))
        task.add_done_callback(lambda done: self._over(app.company, done))
        return task

    def _over(self, company: str, done: "asyncio.Task[TrustedConnection | None]") -> None:
        if self._under_way.get(company) is done:
            del self._under_way[company]

    async def _refresh(self, app: App) -> TrustedConnection | None:
        url = metadata_url(app)
        if not self._fetcher.allows_url(url):
            metrics.METADATA_FETCHES.labels("not_allowed").inc()
            await self._failed(app, "host_not_allowed")
            return None
        try:
            document = await self._fetcher.get(url, "metadata")
            offered = await self._client.offer_certificates(
                OfferCertificates(company=app.company, metadata=document.decode("utf-8", "replace"))
            )
        except FetchFailed as failed:
            metrics.METADATA_FETCHES.labels("failed").inc()
            log.warning("metadata_not_fetched", reason=failed.reason)
            await self._failed(app, failed.reason)
            return None
        except DomainError as refused:
            metrics.METADATA_FETCHES.labels("refused").inc()
            log.warning("metadata_refused", code=refused.code.value, reason=refused.detail[:MAX_REASON])
            if refused.code is ErrorCode.invalid_value:
                await self._failed(app, refused.detail)
            return None
        metrics.METADATA_FETCHES.labels(
            "adopted" if offered.adopted else "offered" if offered.offered else "same"
        ).inc()
        if offered.adopted:
            log.info("certificates_adopted", certificates=offered.adopted)
        # Also where nothing was: another pod may have brought the same document a moment before.
        return self._connections.remember(offered.connection)

    async def _failed(self, app: App, reason: str) -> None:
        """Tells directory, unless it is what it knows."""
        reason = reason[:MAX_REASON]
        if isinstance(app, DueLook) and app.failure == reason:
            return
        with suppress(DomainError):  # the next look tells it again
            await self._client.note_failed_look(NoteFailedLook(company=app.company, reason=reason))
