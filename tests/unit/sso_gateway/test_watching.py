"""What directory tells its watchers about sessions that have ended, and what becomes of it when it tells nothing."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest

from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Ending, Endings, SessionCredential, WatchEndings
from sso_gateway.sessions.known import Sessions
from sso_gateway.sessions.watching import PATIENCE_S, watching
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.fake_directory import COMPANY_ID, EMPLOYEE, FakeDirectory

SESSION = SessionCredential(company_id=COMPANY_ID, session_sha256="aa" * 32)
HIS = Ending(company_id=COMPANY_ID, employee_id=EMPLOYEE)
ELSEWHERE = Ending(company_id="0198c0de-0000-7000-8000-00000000000f", employee_id=None)

HEARD = Endings(cursor="2", listening=True, endings=[ELSEWHERE])
MISSED = Endings(cursor="1", listening=True, missed=True)
AWAY = DomainError(ErrorCode.unavailable, "as the test wants it")
Answer = Endings | DomainError


class Told(FakeDirectory):
    """Tells its watcher one answer after the other, and then nothing any more."""

    def __init__(self) -> None:
        super().__init__()
        self.memory.sessions = {SESSION.session_sha256}
        self.answers: asyncio.Queue[Answer] = asyncio.Queue()
        self.cursors: list[str] = []
        self.silent = asyncio.Event()

    async def watch_endings(self, request: WatchEndings) -> Endings:
        self.cursors.append(request.cursor)
        if self.answers.empty():
            self.silent.set()
        answer = await self.answers.get()
        if isinstance(answer, DomainError):
            raise answer
        return answer

    async def tell(self, *answers: Answer) -> None:
        """Until all of them are taken in."""
        if answers:
            self.silent.clear()
        for answer in answers:
            self.answers.put_nowait(answer)
        async with asyncio.timeout(5):
            await self.silent.wait()


@pytest.fixture
def directory() -> Told:
    return Told()


@pytest.fixture
def sessions(directory: Told) -> Sessions:
    return Sessions(directory, lambda: NOW, now=lambda: 0.0)


@pytest.fixture
def slept() -> list[float]:
    return []


@pytest.fixture
async def watched(directory: Told, sessions: Sessions, slept: list[float]) -> AsyncIterator[None]:
    async with _watching(directory, sessions, slept):
        yield


@asynccontextmanager
async def _watching(directory: Told, sessions: Sessions, slept: list[float]) -> AsyncIterator[None]:
    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    async with watching(directory, sessions, sleep=sleep):
        yield


@pytest.mark.usefixtures("watched")
async def test_what_has_ended_is_forgotten_and_nothing_else(directory: Told, sessions: Sessions) -> None:
    await directory.tell(MISSED)
    await sessions.read(SESSION)
    await directory.tell(HEARD)
    assert len(sessions) == 1
    await directory.tell(Endings(cursor="3", listening=True, endings=[HIS]))
    assert len(sessions) == 0


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize("answer", [MISSED, AWAY], ids=["something was missed", "directory is away"])
@pytest.mark.parametrize("before", [(), (MISSED, HEARD)], ids=["it begins", "it went on"])
async def test_when_something_may_have_been_missed_everything_is_forgotten(
    directory: Told, sessions: Sessions, before: Sequence[Answer], answer: Answer
) -> None:
    await directory.tell(*before)
    await sessions.read(SESSION)
    await directory.tell(answer)
    assert len(sessions) == 0


@pytest.mark.usefixtures("watched")
async def test_it_goes_on_hearing_where_it_was_when_directory_went_away(directory: Told) -> None:
    await directory.tell(MISSED, HEARD, AWAY, AWAY)
    assert directory.cursors == ["", "1", "2", "2", "2"]


@pytest.mark.usefixtures("watched")
@pytest.mark.parametrize(
    ("answers", "sleeps"),
    [
        ([AWAY, AWAY, AWAY, AWAY], [*PATIENCE_S, PATIENCE_S[-1]]),
        ([MISSED, HEARD, HEARD], []),
        ([MISSED, HEARD, AWAY, AWAY, AWAY, AWAY], [*PATIENCE_S[1:], PATIENCE_S[-1]]),
        ([MISSED, HEARD, MISSED, MISSED, MISSED], list(PATIENCE_S[1:])),
        ([MISSED, AWAY, HEARD, AWAY, HEARD], [PATIENCE_S[1]]),
    ],
    ids=["away from the first", "all well", "went away", "two that send it back and forth", "comes back"],
)
async def test_directory_is_asked_again_at_once_and_then_less_and_less_often(
    directory: Told, slept: list[float], answers: Sequence[Answer], sleeps: list[float]
) -> None:
    await directory.tell(*answers)
    assert slept == sleeps


async def test_it_is_told_once_that_nothing_is_heard(
    directory: Told, sessions: Sessions, caplog: pytest.LogCaptureFixture
) -> None:
    async with _watching(directory, sessions, []):
        await directory.tell(MISSED, HEARD, AWAY, AWAY)
        assert caplog.messages.count("endings_not_watched") == 1
        await directory.tell(HEARD, AWAY)
        assert caplog.messages.count("endings_not_watched") == 2
