"""How long a session lasts: as long as the company allows, and while it is used; what is open already included."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from directory.logins import operations as logins
from directory.oidc import operations as oidc
from directory.settings import DatabaseSettings
from directory.sweep import sweep
from shared.errors import DomainError, ErrorCode
from shared.schemas.employee import Employee
from shared.schemas.login import ReadSession, SessionCredential
from shared.schemas.oidc import IssueCode
from tests.support.clock import SettableClock
from tests.support.firm import Firm, Urls, uuid_of
from tests.support.sign_ins import SignIns

FOURTEEN_DAYS_S = 1_206_000
MINUTE = timedelta(minutes=1)


class Anna:
    """Signed in, at a time that stands until a test moves it."""

    def __init__(self, firm: Firm, sign_ins: SignIns, clock: SettableClock, employee: Employee) -> None:
        self.firm = firm
        self.sign_ins = sign_ins
        self.employee = employee
        self._clock = clock

    async def company(self, **settings: int) -> None:
        for column, value in settings.items():
            await self.firm.as_owner(f"update companies set {column} = {value}")  # noqa: S608  the test's own

    async def signs_in(self) -> SessionCredential:
        return await self.sign_ins.session_of(self.employee, ttl_s=FOURTEEN_DAYS_S)

    def after(self, duration: timedelta) -> None:
        self._clock.set(self._clock() + duration)

    async def is_signed_in(self, session: SessionCredential) -> bool:
        try:
            await logins.read_session(self.firm.database, ReadSession(session=session))
        except DomainError as error:
            return error.code is not ErrorCode.unauthorized
        return True

    async def seen_at(self) -> datetime | None:
        [row] = await self.firm.as_owner("select seen_at from sessions")
        seen: datetime | None = row["seen_at"]
        return seen


@pytest.fixture
async def anna(firm: Firm, firm_clock: SettableClock) -> AsyncIterator[Anna]:
    sign_ins = await SignIns.of(firm, firm_clock)
    employee = await firm.create(external_id=str(uuid4()))
    firm_clock.set(datetime.now(UTC).replace(microsecond=0))
    yield Anna(firm, sign_ins, firm_clock, employee)
    firm_clock.set(None)


async def test_a_session_lasts_fourteen_days_unless_the_company_wants_less(anna: Anna) -> None:
    await anna.company(session_hours=335)
    session = await anna.signs_in()
    anna.after(timedelta(hours=335) - MINUTE)
    assert await anna.is_signed_in(session), "nobody asks whether it was used"
    anna.after(MINUTE)
    assert not await anna.is_signed_in(session)


async def test_a_company_s_hours_end_a_session_however_busy(anna: Anna) -> None:
    await anna.company(session_hours=8)
    session = await anna.signs_in()
    told = await logins.read_session(anna.firm.database, ReadSession(session=session))
    assert told.expires_at - told.signed_in_at == timedelta(hours=8)
    for _ in range(8 * 6 - 1):
        anna.after(10 * MINUTE)
        assert await anna.is_signed_in(session)
    anna.after(10 * MINUTE)
    assert not await anna.is_signed_in(session)


async def test_hours_that_are_made_fewer_count_for_open_sessions_at_once(anna: Anna) -> None:
    session = await anna.signs_in()
    anna.after(timedelta(hours=9))
    assert await anna.is_signed_in(session)
    await anna.company(session_hours=8)
    assert not await anna.is_signed_in(session)


async def test_a_session_that_rests_for_longer_than_the_idle_limit_has_ended(anna: Anna) -> None:
    await anna.company(idle_minutes=30)
    session = await anna.signs_in()
    for _ in range(12):
        anna.after(25 * MINUTE)
        assert await anna.is_signed_in(session), "it is used"
    anna.after(30 * MINUTE)
    assert not await anna.is_signed_in(session)
    await anna.company(idle_minutes=0)
    assert await anna.is_signed_in(session), "nothing has ended it but the limit"


async def test_a_rested_session_is_nobody_s_anywhere(anna: Anna, firm_urls: Urls) -> None:
    await anna.company(idle_minutes=30)
    session = await anna.signs_in()
    code: dict[str, Any] = {"code_challenge": "0" * 64, "ttl_s": 60, "company": None, "employee_id": None}
    asked = IssueCode(
        session=session, client_id="app", redirect_uri="https://app.example/", scopes=["openid"], nonce=None,
        signed_in_after=None, code_sha256=uuid4().hex * 2, **code,
    )  # fmt: skip
    assert (await oidc.issue_code(anna.firm.database, asked)).reason is None
    anna.after(30 * MINUTE)
    assert (await oidc.issue_code(anna.firm.database, asked)).reason == "no_session"
    bo = await anna.firm.create(login="bo@firma.dk", external_id=str(uuid4()))
    opened = await anna.sign_ins.open(await anna.sign_ins.accept(bo), instead_of=session)
    assert opened.opened, "there is nobody between whom and Bo to choose"
    assert len(await anna.firm.as_owner("select from sessions where employee_id = $1", uuid_of(anna.employee))) <= 1
    # The sweep has the machine's clock.
    await anna.firm.as_owner("update sessions set signed_in_at = signed_in_at - interval '61 minutes'")
    await sweep(DatabaseSettings(database_url=firm_urls.owner))
    kept = await anna.firm.as_owner("select employee_id from sessions")
    assert uuid_of(anna.employee) not in {row["employee_id"] for row in kept}


async def test_use_is_written_down_now_and_then_and_not_with_each_request(anna: Anna) -> None:
    await anna.company(idle_minutes=60)
    session = await anna.signs_in()
    anna.after(2 * MINUTE)
    assert await anna.is_signed_in(session)
    assert await anna.seen_at() is None, "a twentieth of the limit is three minutes"
    anna.after(2 * MINUTE)
    assert await anna.is_signed_in(session)
    first = await anna.seen_at()
    assert first is not None
    anna.after(2 * MINUTE)
    assert await anna.is_signed_in(session)
    assert await anna.seen_at() == first
    anna.after(2 * MINUTE)
    assert await anna.is_signed_in(session)
    assert await anna.seen_at() == first + 4 * MINUTE


async def test_without_an_idle_limit_it_is_known_to_five_minutes_when_somebody_was_here(anna: Anna) -> None:
    session = await anna.signs_in()
    anna.after(5 * MINUTE)
    assert await anna.is_signed_in(session)
    assert await anna.seen_at() is None
    anna.after(MINUTE)
    assert await anna.is_signed_in(session)
    assert await anna.seen_at() is not None
