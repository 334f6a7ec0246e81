"""Whose a session is, remembered for a second at most, and forgotten as soon as somebody says that it ended."""

import asyncio
import gc
from collections.abc import Callable
from datetime import timedelta

import pytest

from shared.errors import DomainError, ErrorCode
from shared.schemas.login import Ending, ReadSession, SessionCredential, SignedIn
from sso_gateway.sessions.known import Sessions
from tests.support.clock import Seconds
from tests.support.saml_responses import NOW
from tests.unit.sso_gateway.fake_directory import COMPANY_ID, EMPLOYEE, FakeDirectory

OTHER_COMPANY = "0198c0de-0000-7000-8000-00000000000f"
SESSION = SessionCredential(company_id=COMPANY_ID, session_sha256="aa" * 32)
ELSEWHERE = SessionCredential(company_id=OTHER_COMPANY, session_sha256=SESSION.session_sha256)
"""The same secret under another company's name."""
HIS = [Ending(company_id=COMPANY_ID, employee_id=EMPLOYEE)]
ENDED_ELSEWHERE = [
    Ending(company_id=OTHER_COMPANY, employee_id=None),
    Ending(company_id=OTHER_COMPANY, employee_id=EMPLOYEE),
]
ENDS: list[Callable[[Sessions], None]] = [
    lambda sessions: sessions.forget(SESSION),
    lambda sessions: sessions.forget_ended(HIS),
    lambda sessions: sessions.forget_all(),
]


class SlowDirectory(FakeDirectory):
    """Answers when it is let; what it has read it has read when it was asked. Its sessions are all of one company."""

    def __init__(self) -> None:
        super().__init__()
        self.memory.sessions = {SESSION.session_sha256}
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.asked = asyncio.Event()

    async def read_session(self, request: ReadSession) -> SignedIn:
        found: SignedIn | DomainError
        try:
            if request.session.company_id != COMPANY_ID:
                raise DomainError(ErrorCode.unauthorized, "There is no such session.")
            found = await super().read_session(request)
        except DomainError as error:
            found = error
        self.asked.set()
        await self.may_answer.wait()
        if isinstance(found, DomainError):
            raise found
        return found

    @property
    def questions(self) -> int:
        return self.memory.calls["read_session"]

    def let_the_next_wait(self) -> asyncio.Event:
        """Whoever waits already is let by what is returned, whoever comes by `may_answer`."""
        earlier, self.may_answer = self.may_answer, asyncio.Event()
        self.asked.clear()
        return earlier


@pytest.fixture
def directory() -> SlowDirectory:
    return SlowDirectory()


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def sessions(directory: SlowDirectory, seconds: Seconds) -> Sessions:
    return Sessions(directory, lambda: NOW, now=seconds, most=3)


def another(number: int) -> SessionCredential:
    return SessionCredential(company_id=COMPANY_ID, session_sha256=f"{number:064x}")


async def test_a_session_is_asked_about_once_a_second(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    for seconds.now in (0.0, 0.5, 0.999):
        assert await sessions.read(SESSION) is not None
    assert directory.questions == 1
    seconds.now = 1.0
    await sessions.read(SESSION)
    assert directory.questions == 2


async def test_it_is_refused_a_second_after_it_ended_whoever_says_nothing(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    """D11, S39."""
    await sessions.read(SESSION)
    directory.memory.sessions.clear()
    seconds.now = 0.99
    assert await sessions.read(SESSION) is not None
    seconds.now = 1.0
    assert await sessions.read(SESSION) is None


async def test_the_second_begins_before_the_question_is_put(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    directory.may_answer.clear()
    asking = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    directory.memory.sessions.clear()
    seconds.now = 0.9
    directory.may_answer.set()
    assert await asking is not None
    seconds.now = 1.0
    assert await sessions.read(SESSION) is None


async def test_no_question_is_joined_that_was_put_a_second_ago(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    directory.may_answer.clear()
    first = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    directory.memory.sessions.clear()
    seconds.now = 1.0
    second = asyncio.create_task(sessions.read(SESSION))
    await asyncio.sleep(0)
    directory.may_answer.set()
    assert await first is not None
    assert await second is None
    assert await sessions.read(SESSION) is None, "and the late answer of the first is not remembered"


async def test_a_late_answer_leaves_the_question_that_was_put_after_it_to_be_overtaken(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    directory.may_answer.clear()
    first = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    let_the_first = directory.let_the_next_wait()
    seconds.now = 1.0
    second = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    let_the_first.set()
    await first
    directory.memory.sessions.clear()
    sessions.forget(SESSION)
    directory.may_answer.set()
    assert await second is not None, "he asked before it ended"
    assert await sessions.read(SESSION) is None


async def test_what_is_known_of_one_company_s_session_is_nothing_to_another_company(sessions: Sessions) -> None:
    """S74."""
    assert await sessions.read(SESSION) is not None
    assert await sessions.read(ELSEWHERE) is None
    assert await sessions.read(SESSION) is not None


async def test_no_question_is_joined_that_was_put_for_another_company(
    sessions: Sessions, directory: SlowDirectory
) -> None:
    """S74."""
    directory.may_answer.clear()
    his, another_company_s = (asyncio.create_task(sessions.read(one)) for one in (SESSION, ELSEWHERE))
    await directory.asked.wait()
    directory.may_answer.set()
    assert await his is not None
    assert await another_company_s is None


async def test_simultaneous_questions_are_one(sessions: Sessions, directory: SlowDirectory) -> None:
    answers = await asyncio.gather(*(sessions.read(SESSION) for _ in range(50)))
    assert all(answers)
    assert directory.questions == 1


async def test_whoever_waits_with_him_is_answered_though_the_first_to_ask_goes_away(
    sessions: Sessions, directory: SlowDirectory
) -> None:
    directory.may_answer.clear()
    first, second = (asyncio.create_task(sessions.read(SESSION)) for _ in range(2))
    await directory.asked.wait()
    first.cancel()
    directory.may_answer.set()
    assert await second is not None


async def test_a_fault_that_nobody_waits_for_any_more_is_nobody_s_fault(
    sessions: Sessions, directory: SlowDirectory
) -> None:
    directory.memory.fail = ErrorCode.unavailable
    directory.may_answer.clear()
    asking = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    asking.cancel()
    loop, told = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: told.append(str(context["message"])))
    try:
        directory.may_answer.set()
        await asyncio.wait({asking})
        del asking  # knows the question
        for _ in range(5):
            await asyncio.sleep(0)
        gc.collect()
    finally:
        loop.set_exception_handler(None)
    assert told == []


@pytest.mark.parametrize("told", [HIS, [Ending(company_id=COMPANY_ID, employee_id=None)]], ids=["his", "everybody's"])
async def test_what_is_said_to_have_ended_is_forgotten_at_once(
    sessions: Sessions, directory: SlowDirectory, told: list[Ending]
) -> None:
    await sessions.read(SESSION)
    directory.memory.sessions.clear()
    sessions.forget_ended(told)
    assert await sessions.read(SESSION) is None


async def test_what_ended_elsewhere_keeps_it(sessions: Sessions, directory: SlowDirectory) -> None:
    await sessions.read(SESSION)
    sessions.forget(ELSEWHERE)
    sessions.forget_ended(ENDED_ELSEWHERE)
    sessions.forget_ended([Ending(company_id=COMPANY_ID, employee_id="emp_0198c0de00007000800000000000000f")])
    await sessions.read(SESSION)
    assert directory.questions == 1


@pytest.mark.parametrize(
    "end",
    [lambda sessions: sessions.forget(another(1)), lambda sessions: sessions.forget_ended(ENDED_ELSEWHERE)],
    ids=["another session", "another company"],
)
async def test_what_ended_elsewhere_lets_the_question_about_it_be_joined(
    sessions: Sessions, directory: SlowDirectory, end: Callable[[Sessions], None]
) -> None:
    directory.may_answer.clear()
    before = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    end(sessions)
    after = asyncio.create_task(sessions.read(SESSION))
    await asyncio.sleep(0)
    directory.may_answer.set()
    assert await before is not None
    assert await after is not None
    assert directory.questions == 1


@pytest.mark.parametrize("end", ENDS, ids=["it", "his", "everything"])
async def test_what_was_remembered_is_refused_as_soon_as_it_is_forgotten(
    sessions: Sessions, directory: SlowDirectory, end: Callable[[Sessions], None]
) -> None:
    """D11, S39."""
    await sessions.read(SESSION)
    directory.memory.sessions.clear()
    end(sessions)
    assert await sessions.read(SESSION) is None


@pytest.mark.parametrize("end", ENDS, ids=["it", "his", "everything"])
async def test_an_answer_that_was_on_its_way_when_it_ended_is_nobody_s_who_asks_later(
    sessions: Sessions, directory: SlowDirectory, end: Callable[[Sessions], None]
) -> None:
    directory.may_answer.clear()
    before = asyncio.create_task(sessions.read(SESSION))
    await directory.asked.wait()
    directory.memory.sessions.clear()
    end(sessions)
    after = asyncio.create_task(sessions.read(SESSION))
    await asyncio.sleep(0)
    directory.may_answer.set()
    assert await before is not None, "he asked before it ended"
    assert await after is None
    assert await sessions.read(SESSION) is None


def signed_in() -> SignedIn:
    return SignedIn(
        company="contoso", employee_id=EMPLOYEE, login_name="anna@contoso.com", email="anna@contoso.com", given_name="Anna",
        family_name="Holm", roles=[], signed_in_at=NOW, expires_at=NOW + timedelta(hours=1),
    )  # fmt: skip


async def test_a_session_opened_here_is_known_for_a_second_from_before_it_was_opened(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    with sessions.opening(SESSION) as opening:
        seconds.now = 0.4
        sessions.opened(opening, signed_in())
    seconds.now = 0.999
    known = await sessions.read(SESSION)
    assert known is not None
    assert known.person.login_name == "anna@contoso.com"
    assert directory.questions == 0
    seconds.now = 1.0
    await sessions.read(SESSION)
    assert directory.questions == 1


OTHER_COMPANY = "0198c0de-0000-7000-8000-00000000000b"


@pytest.mark.parametrize(
    ("end", "questions"),
    [
        pytest.param(lambda sessions: sessions.forget_ended(HIS), 1, id="his sessions"),
        pytest.param(
            lambda sessions: sessions.forget_ended([Ending(company_id=COMPANY_ID, employee_id=None)]), 1, id="all of it"
        ),
        pytest.param(lambda sessions: sessions.forget_all(), 1, id="whatever was missed"),
        pytest.param(
            lambda sessions: sessions.forget_ended([Ending(company_id=OTHER_COMPANY, employee_id=None)]),
            0,
            id="another company's",
        ),
    ],
)
async def test_what_ends_while_a_session_is_opened_is_not_missed(
    sessions: Sessions, directory: SlowDirectory, end: Callable[[Sessions], None], questions: int
) -> None:
    """The word of it may come before the answer that the session is open."""
    with sessions.opening(SESSION) as opening:
        end(sessions)
        sessions.opened(opening, signed_in())
    assert await sessions.read(SESSION) is not None
    assert directory.questions == questions


async def test_what_ended_before_or_after_an_opening_is_no_matter_of_it(
    sessions: Sessions, directory: SlowDirectory
) -> None:
    sessions.forget_all()
    with sessions.opening(SESSION) as opening:
        sessions.opened(opening, signed_in())
    assert await sessions.read(SESSION) is not None
    assert directory.questions == 0
    sessions.forget_ended(HIS)
    await sessions.read(SESSION)
    assert directory.questions == 1


async def test_a_session_that_could_not_be_opened_is_not_known(sessions: Sessions, directory: SlowDirectory) -> None:
    with pytest.raises(DomainError), sessions.opening(SESSION):
        raise DomainError(ErrorCode.unavailable, "directory is away")
    assert (len(sessions), len(sessions._openings)) == (0, 0)


async def test_a_session_that_runs_out_within_the_second_is_refused(directory: SlowDirectory, seconds: Seconds) -> None:
    clock = [NOW]
    sessions = Sessions(directory, lambda: clock[0], now=seconds)
    assert await sessions.read(SESSION) is not None
    clock[0] = NOW + timedelta(days=1)
    assert await sessions.read(SESSION) is None


async def test_so_many_are_remembered_and_no_more(sessions: Sessions, directory: SlowDirectory) -> None:
    directory.memory.sessions |= {another(number).session_sha256 for number in range(100)}
    for number in range(100):
        await sessions.read(another(number))
    assert len(sessions) == 3


async def test_what_had_its_second_takes_no_place(directory: SlowDirectory, seconds: Seconds) -> None:
    sessions = Sessions(directory, lambda: NOW, now=seconds)
    directory.memory.sessions |= {another(number).session_sha256 for number in range(150)}
    for number in range(100):
        await sessions.read(another(number))
    seconds.now = 5.0
    for number in range(100, 150):
        await sessions.read(another(number))
    assert len(sessions) == 50


async def test_who_is_asked_about_again_is_the_newest_that_is_remembered(
    sessions: Sessions, directory: SlowDirectory, seconds: Seconds
) -> None:
    directory.memory.sessions |= {another(number).session_sha256 for number in range(3)}
    for number in range(3):
        await sessions.read(another(number))
    seconds.now = 1.0
    await sessions.read(another(0))
    assert len(sessions) == 1, "the others have had their second"


async def test_nobody_s_sessions_are_not_remembered(sessions: Sessions, directory: SlowDirectory) -> None:
    for _ in range(2):
        assert await sessions.read(another(1)) is None
    assert (directory.questions, len(sessions)) == (2, 0)


async def test_a_fault_is_told_to_all_who_wait_and_remembered_by_none(
    sessions: Sessions, directory: SlowDirectory
) -> None:
    directory.memory.fail = ErrorCode.unavailable
    for outcome in await asyncio.gather(*(sessions.read(SESSION) for _ in range(3)), return_exceptions=True):
        assert isinstance(outcome, DomainError)
    directory.memory.fail = None
    assert await sessions.read(SESSION) is not None
