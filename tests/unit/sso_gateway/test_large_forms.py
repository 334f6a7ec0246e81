"""Large and slow forms hold nobody up: a company has two places for them, and they are understood beside the event loop."""

import asyncio
import importlib
import threading
from base64 import b64encode
from collections.abc import AsyncIterator, Callable
from urllib.parse import urlencode

import pytest
from starlette.requests import Request

from sso_gateway.limits import TooManyRequests
from sso_gateway.saml.errors import malformed
from sso_gateway.saml.large import AT_ONCE, LARGE_BYTES, LargeForms
from tests.support.browser import Page
from tests.support.saml_responses import GROUPS, Recipe, respond
from tests.unit.sso_gateway.conftest import Gateway
from tests.unit.sso_gateway.fake_directory import connection

FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
MANY_CLAIMS = tuple((f"urn:claim:{number}", ("value",)) for number in range(1500))


def form(document: bytes) -> bytes:
    return urlencode({"SAMLResponse": b64encode(document).decode()}).encode()


def large(recipe: Recipe | None = None) -> bytes:
    recipe = recipe or Recipe(in_response_to=None)
    body = form(respond(Recipe(in_response_to=None, claims=(*recipe.claims, *MANY_CLAIMS))))
    assert LARGE_BYTES < len(body) < 256 * 1024
    return body


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> dict[str, set[str]]:
    """In which threads form, gate and profile have worked."""
    seen: dict[str, set[str]] = {"form": set(), "gate": set(), "profile": set()}

    def noting(name: str, place: str) -> None:
        module, _, attribute = place.rpartition(".")
        real: Callable[..., object] = getattr(importlib.import_module(module), attribute)

        def noted(*args: object, **kwargs: object) -> object:
            seen[name].add(threading.current_thread().name.partition("_")[0])
            return real(*args, **kwargs)

        monkeypatch.setattr(place, noted)

    noting("form", "sso_gateway.saml.form.read_posted_response")
    noting("gate", "sso_gateway.saml.proof.signed_response")
    noting("profile", "sso_gateway.saml.proof.check")
    return seen


async def test_a_usual_response_is_understood_at_once(gateway: Gateway, threads: dict[str, set[str]]) -> None:
    """Also one with the 150 groups that Entra sends at most, signed twice."""
    groups = tuple(f"{number:08x}-0000-4000-8000-000000000000" for number in range(150))
    document = respond(Recipe(in_response_to=None, signed="both", groups=groups))
    assert GROUPS.encode() in document
    assert (await gateway.post_response(document)).status == 303
    assert threads == {"form": {"MainThread"}, "gate": {"MainThread"}, "profile": {"MainThread"}}


async def test_a_large_one_signs_in_as_well_and_every_stage_of_it_is_beside_the_loop(
    gateway: Gateway, threads: dict[str, set[str]]
) -> None:
    assert (await gateway.post_body(large())).status == 303
    assert threads == {"form": {"large-form"}, "gate": {"large-form"}, "profile": {"large-form"}}


async def test_others_are_answered_while_a_large_one_is_understood(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, began = threading.Event(), threading.Event()

    def stuck(*_: object) -> object:
        began.set()
        assert goes_on.wait(20)
        raise malformed("anything else", "another")

    await gateway.browser.follow(await gateway.post_response(respond(Recipe(in_response_to=None))))
    monkeypatch.setattr("sso_gateway.saml.proof.signed_response", stuck)
    sending = asyncio.create_task(gateway.post_body(large()))
    try:
        assert await asyncio.to_thread(began.wait, 20)
        assert (await gateway.get("/session")).status == 200
        assert (await gateway.get("/login/contoso")).status == 302
        assert not sending.done()
    finally:
        goes_on.set()
    assert (await sending).status == 403


class Slow:
    """Large forms of which the beginning has come and the rest has not."""

    def __init__(self, gateway: Gateway, company: str = "contoso") -> None:
        self._gateway, self._company = gateway, company
        self._ended = asyncio.Event()
        self._sending: list[asyncio.Task[tuple[int, str]]] = []

    async def begin(self, count: int) -> None:
        self._sending += [asyncio.create_task(self._send()) for _ in range(count)]
        await asyncio.sleep(0.2)

    async def end(self) -> list[tuple[int, str]]:
        self._ended.set()
        return await asyncio.gather(*self._sending)

    async def _send(self) -> tuple[int, str]:
        async def pieces() -> AsyncIterator[bytes]:
            yield b"SAMLResponse="
            await self._ended.wait()
            yield b"A" * LARGE_BYTES

        url = f"{self._gateway.url}/saml/{self._company}/acs"
        async with self._gateway.http.post(url, data=pieces(), headers=FORM) as answer:
            return answer.status, (await answer.json())["reason"]


async def test_slow_large_forms_take_a_company_s_places_and_no_other_company_s(gateway: Gateway) -> None:
    gateway.memory.companies["fabrikam"] = connection("fabrikam")
    slow = Slow(gateway)
    await slow.begin(AT_ONCE)
    beside = await gateway.post_body(large(), company="fabrikam")
    assert (beside.status, beside.json["reason"]) == (403, "wrong_audience"), "another company has its own"
    assert (await gateway.post_response(respond(Recipe(in_response_to=None)))).status == 303, "a usual one needs none"
    waiting = asyncio.create_task(gateway.post_body(large()))
    await asyncio.sleep(0.2)
    assert not waiting.done()
    assert await slow.end() == [(403, "malformed_response")] * AT_ONCE
    assert (await waiting).status == 303


async def test_who_finds_no_place_in_time_is_told_when_to_come_again() -> None:
    forms, ended = LargeForms(patience_s=0.05), asyncio.Event()
    announced = Request({"type": "http", "headers": [(b"content-length", b"100000")]})

    async def holds() -> None:
        async with forms.place("contoso", announced):
            await ended.wait()

    holding = [asyncio.create_task(holds()) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)
    with pytest.raises(TooManyRequests) as refused:
        async with forms.place("contoso", announced):
            pass
    assert (refused.value.surface, refused.value.scope, refused.value.retry_after_s) == ("acs", "company", 5)
    for length in (b"%d" % LARGE_BYTES, b"0"):
        async with forms.place("contoso", Request({"type": "http", "headers": [(b"content-length", length)]})):
            pass
    ended.set()
    await asyncio.gather(*holding)


async def test_for_a_company_that_does_not_exist_nothing_large_is_read(gateway: Gateway) -> None:
    slow = Slow(gateway, "no-such")
    await slow.begin(5)
    assert [await one for one in slow._sending] == [(403, "unknown_company")] * 5


async def test_a_form_that_does_not_come_in_time_is_told_so(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sso_gateway.saml.form.BODY_S", 0.3)
    slow = Slow(gateway)
    await slow.begin(AT_ONCE)
    assert [await one for one in slow._sending] == [(408, "malformed_response")] * AT_ONCE
    assert (await gateway.post_body(large())).status == 303, "their places are free again"


@pytest.mark.parametrize(
    "body",
    [
        b"SAMLResponse=" + b"%41" * 80_000,
        b"SAMLResponse=" + b"+" * 250_000,
        b"SAMLResponse=" + b"A" * 250_000,
        b"&" * 250_000,
        b"a=b&" * 60_000,
        b"SAMLResponse=YQ%3D%3D&" * 10_000,
        b"SAMLResponse=YQ%3D%3D&RelayState=" + b"%F0%9F%98%80" * 20_000,
        form(b"<a>" * 30_000),
    ],
    ids=lambda body: body[:20].decode(),
)
async def test_a_large_form_of_any_other_kind_is_malformed(gateway: Gateway, body: bytes) -> None:
    page: Page = await gateway.post_body(body)
    assert (page.status, page.json["reason"]) == (403, "malformed_response")
