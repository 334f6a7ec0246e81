"""Who may still begin a login or answer one, in this process: the address first, and only then the company.

    an address beyond its rate    -> refused, and costs the company nothing
    a company beyond its rate     -> refused; those who come from where somebody of it has signed in lately have a rate of
                                     their own beside the strangers'

So one address, whatever it sends, spends what is its own; and many addresses together can spend a company's strangers'
allowance, but neither another company's nor that of the places its people work from. A session is no login: whoever has one
notices nothing. Starting a login and answering one (`surface`) are counted apart.

An address is personal data: it is kept as a hash under a key of this process, in memory, and stands in no log and no label.
"""

import hashlib
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Literal

from starlette.requests import Request

from shared.rate import NOTHING, Rate, Refused, Spent, spend
from sso_gateway.network import network_of

BURST_S = 10.0
"""So many seconds' worth pass at once: an office that opens its browsers at eight, and their tabs."""
MAX_ADDRESSES = 10_000
"""The longest silent one is forgotten first, and then begins anew."""
MAX_INVENTED = 10_000
"""Names of companies that nobody has confirmed (yet): invented ones push out one another, and no company."""
MAX_COMPANIES = 40_000
"""Twice for each company that is remembered, on each surface."""
MAX_FAMILIAR = 20_000
"""Addresses from which somebody of a company has signed in."""

Surface = Literal["login", "acs", "token"]
Scope = Literal["company", "address"]


class TooManyRequests(Exception):
    def __init__(self, surface: Surface, scope: Scope, retry_after_s: int) -> None:
        super().__init__(f"{surface}: too many requests of one {scope}")
        self.surface = surface
        self.scope = scope
        self.retry_after_s = retry_after_s


class _Allowances:
    """What each has spent. Bounded; 0 a second limits nobody and remembers nothing."""

    def __init__(self, per_s: float, most: int) -> None:
        self._rate = Rate(per_s, BURST_S, queue_s=0.0)
        self._most = most
        self._spent: OrderedDict[object, Spent] = OrderedDict()

    def __len__(self) -> int:
        return len(self._spent)

    def spend(self, key: object, now: float) -> int:
        """Seconds until the next is admitted; 0: this one is."""
        if self._rate.per_s == 0:
            return 0
        self._forget_even(now)
        self._spent[key], turn = spend(self._spent.get(key, NOTHING), self._rate, now)
        self._spent.move_to_end(key)
        if len(self._spent) > self._most:
            self._spent.popitem(last=False)
        return turn.retry_after_s if isinstance(turn, Refused) else 0

    def _forget_even(self, now: float) -> None:
        # Whoever has earned everything back is as one who never came. Two at a time: that is more than can be added.
        for _ in range(2):
            oldest = next(iter(self._spent), None)
            if oldest is None or self._spent[oldest].even_at > now:
                return
            del self._spent[oldest]


class Limits:
    """Guards the allowances. Rates are requests a second; `clock`: seconds that never go back."""

    def __init__(
        self,
        *,
        per_company: float,
        per_address: float,
        grants_per_company: float = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self._key = secrets.token_bytes(16)
        self._addresses = _Allowances(per_address, MAX_ADDRESSES)
        self._companies = _Allowances(per_company, MAX_COMPANIES)
        self._invented = _Allowances(per_company, MAX_INVENTED)
        self._grants = _Allowances(grants_per_company, MAX_COMPANIES)
        self._familiar: OrderedDict[bytes, None] = OrderedDict()

    def admit_address(self, surface: Surface, request: Request) -> None:
        """Raises TooManyRequests."""
        if retry_after_s := self._addresses.spend((surface, self._hashed(request)), self._clock()):
            raise TooManyRequests(surface, "address", retry_after_s)

    def admit_unconfirmed(self, surface: Surface, request: Request, *, exists: bool) -> None:
        """For what costs a question to directory where its company is not known to exist, and is not counted otherwise.

        Raises TooManyRequests.
        """
        if not exists:
            self.admit_address(surface, request)

    def admit_company(self, surface: Surface, company: str, request: Request, *, exists: bool) -> None:
        """For a request whose address was admitted. Raises TooManyRequests."""
        allowances = self._companies if exists else self._invented
        familiar = self._hashed(request, company) in self._familiar
        if retry_after_s := allowances.spend((surface, company, familiar), self._clock()):
            raise TooManyRequests(surface, "company", retry_after_s)

    def admit_grant(self, company_id: str, request: Request) -> None:
        """For a code or refresh token that says to be of this company. Raises TooManyRequests."""
        familiar = self._hashed(request, company_id) in self._familiar
        if retry_after_s := self._grants.spend((company_id, familiar), self._clock()):
            raise TooManyRequests("token", "company", retry_after_s)

    def let_in(self, company_id: str, request: Request) -> None:
        """An app was, on behalf of somebody of the company."""
        self.signed_in(company_id, request)

    def signed_in(self, company: str, request: Request) -> None:
        """Somebody of the company has proven from here who he is, and was let in."""
        place = self._hashed(request, company)
        self._familiar[place] = None
        self._familiar.move_to_end(place)
        if len(self._familiar) > MAX_FAMILIAR:
            self._familiar.popitem(last=False)

    def size(self) -> int:
        """Entries that are kept."""
        return sum(len(one) for one in (self._addresses, self._companies, self._invented, self._grants)) + len(
            self._familiar
        )

    def _hashed(self, request: Request, company: str = "") -> bytes:
        host = request.client.host if request.client else ""
        return hashlib.blake2b(network_of(host) + company.encode(), key=self._key, digest_size=16).digest()
