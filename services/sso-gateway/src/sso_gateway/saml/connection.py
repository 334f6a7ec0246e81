"""A company's sign-on settings, remembered for a short while.

    remembered, younger than the TTL   -> used
    otherwise                          -> fetched, once for everybody who waits for it
    signed by a key that is unknown    -> fetched again at once; a second time only some seconds later, for that company

so that a renewed certificate works with its first login, and garbage cannot make this service ask directory in a storm. Unknown
companies are not remembered at all. The number of companies remembered is bounded; the longest unused goes first.
"""

import asyncio
import base64
import re
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from shared.directory_client import DirectoryClient
from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Connection, GetConnection
from shared.telemetry import context
from shared.telemetry.logs import EventLog
from sso_gateway.saml.keys import TrustedKey, trusted_key
from sso_gateway.saml.profile import Expected

COMPANY = re.compile(r"[a-z0-9](?:[a-z0-9-]{1,61})[a-z0-9]")
MAX_COMPANIES = 10_000
REFETCH_INTERVAL_S = 5.0

log = EventLog("sso-gateway")


@dataclass(frozen=True, slots=True)
class TrustedConnection:
    """A connection with its keys parsed and its addresses spelled out."""

    connection: Connection
    keys: tuple[TrustedKey, ...]
    expected: Expected
    fetched_at: float
    refetched_at: float = float("-inf")
    """When an unknown signer last made us ask."""

    @property
    def logout_url(self) -> str:
        return self.expected.acs_url.removesuffix("/acs") + "/logout"


class Connections:
    """Guards the memory of connections. `now`: seconds of a clock that never goes back."""

    def __init__(
        self,
        client: DirectoryClient,
        public_url: str,
        ttl_s: float,
        *,
        now: Callable[[], float] = time.monotonic,
        max_companies: int = MAX_COMPANIES,
    ) -> None:
        self._client = client
        self._public_url = public_url.rstrip("/")
        self._ttl_s = ttl_s
        self._now = now
        self._max_companies = max_companies
        self._remembered: OrderedDict[str, TrustedConnection] = OrderedDict()
        self._fetching: dict[str, asyncio.Task[TrustedConnection]] = {}

    def __len__(self) -> int:
        return len(self._remembered)

    def __contains__(self, company: object) -> bool:
        """Directory has confirmed it; however long ago."""
        return company in self._remembered

    async def trusted(self, company: str) -> TrustedConnection:
        """Raises DomainError: not_found, unavailable."""
        remembered = self._remembered.get(company)
        if remembered is None or self._now() - remembered.fetched_at >= self._ttl_s:
            remembered = await self._fetch(company)
        else:
            self._remembered.move_to_end(company)
        context.company.set(remembered.connection.company)
        return remembered

    async def refetched(self, known: TrustedConnection) -> TrustedConnection | None:
        """The connection as it is now, if its certificates are others than the `known` ones.

        None where they are the same, or where an unknown signer made us ask a moment ago.
        """
        company = known.connection.company
        remembered = self._remembered.get(company, known)
        if remembered.keys != known.keys:
            return remembered
        if self._now() - remembered.refetched_at < REFETCH_INTERVAL_S:
            return None
        # Written down before asking, so that those who come meanwhile do not ask too.
        self._remembered[company] = replace(remembered, refetched_at=self._now())
        fresh = await self._fetch(company)
        return fresh if fresh.keys != known.keys else None

    def now(self) -> float:
        """For `remember`: the moment before directory is asked."""
        return self._now()

    def other_than(self, known: TrustedConnection) -> TrustedConnection | None:
        """What is remembered meanwhile, where its keys are not those."""
        remembered = self._remembered.get(known.connection.company)
        return remembered if remembered is not None and remembered.keys != known.keys else None

    def remember(self, connection: Connection, *, asked_at: float | None = None) -> TrustedConnection:
        """Take in a connection that came with another answer of directory; what was taken in since it was asked is newer."""
        remembered = self._remembered.get(connection.company)
        if remembered is not None and asked_at is not None and remembered.fetched_at > asked_at:
            return remembered
        unchanged = remembered is not None and remembered.connection == connection
        keys = remembered.keys if remembered is not None and unchanged else _keys(connection)
        refetched_at = remembered.refetched_at if remembered is not None else float("-inf")
        trusted = TrustedConnection(connection, keys, self._expected(connection), self._now(), refetched_at)
        self._remembered[connection.company] = trusted
        self._remembered.move_to_end(connection.company)
        while len(self._remembered) > self._max_companies:
            self._remembered.popitem(last=False)
        return trusted

    async def _fetch(self, company: str) -> TrustedConnection:
        if not COMPANY.fullmatch(company):
            raise DomainError(ErrorCode.not_found, "There is no such company.")
        task = self._fetching.get(company)
        if task is None:
            task = self._fetching[company] = asyncio.create_task(self._ask(company))
            task.add_done_callback(lambda done: self._fetching.pop(company, None))
        # Shielded: that the first to ask goes away must not fail those who wait with him.
        return await asyncio.shield(task)

    async def _ask(self, company: str) -> TrustedConnection:
        asked_at = self._now()
        try:
            connection = await self._client.get_connection(GetConnection(company=company))
        except DomainError as error:
            if error.code is ErrorCode.not_found:
                self._remembered.pop(company, None)
            raise
        return self.remember(connection, asked_at=asked_at)

    def _expected(self, connection: Connection) -> Expected:
        return Expected(
            entity_id=connection.entity_id,
            acs_url=f"{self._public_url}/saml/{connection.company}/acs",
            issuer=connection.issuer,
            tenant_id=connection.tenant_id,
        )


def _keys(connection: Connection) -> tuple[TrustedKey, ...]:
    keys = []
    for certificate in connection.certificates:
        try:
            keys.append(trusted_key(base64.b64decode(certificate.der_base64, validate=True)))
        except ValueError:
            # directory lets none in that cannot be used; one such must not take the others with it.
            log.warning("certificate_unusable", company=connection.company, certificate=certificate.fingerprint)
    return tuple(keys)
