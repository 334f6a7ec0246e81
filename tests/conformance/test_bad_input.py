"""Input that means harm, or is broken: each a clear SCIM error, in bounded time, and nothing is changed by it.

Time is the processor time of this process, in which the services run too: what else the machine does is not counted.
"""

import asyncio
import json
import time
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import msgspec
import pytest

from scim_ingest.protocol.errors import ScimError
from scim_ingest.protocol.filters import parse_filter
from scim_ingest.protocol.json_body import read_json
from scim_ingest.protocol.user_names import USER_NAMES
from scim_ingest.settings import Settings
from tests.conformance.conftest import Endpoint
from tests.conformance.microsoft import FULL, Microsoft, body_of, refused
from tests.entra.mapping import Json
from tests.entra.scim_client import ScimAnswer

MIB = 1024 * 1024
MAX_BODY = next(int(field.default) for field in msgspec.structs.fields(Settings) if field.name == "max_body_bytes")
MOST_SECONDS = 1.5
JSON = ["Content-Type: application/scim+json"]


@contextmanager
def quickly() -> Iterator[None]:
    began = time.process_time()
    yield
    assert time.process_time() - began < MOST_SECONDS


@pytest.fixture
async def entra(endpoint: Endpoint) -> AsyncIterator[Microsoft]:
    client = Microsoft(endpoint.tenant_url, endpoint.token)
    yield client
    await client.scim.close()


@pytest.fixture
async def user(entra: Microsoft) -> Json:
    return await entra.create(FULL)


def patching(path: str, value: str) -> bytes:
    """A PATCH whose value is written as it stands here."""
    return b'{"Operations": [{"op": "replace", "path": %s, "value": %s}]}' % (json.dumps(path).encode(), value.encode())


NUMBER = "9" * 400
DEEP = "[" * 5000 + "]" * 5000
DEEP_OBJECT = '{"a":' * 5000 + "1" + "}" * 5000
BODIES: list[tuple[str, bytes, str]] = [
    ("NUL in a value", patching("title", r'"a\u0000b"'), "invalidValue"),
    ("NUL in a name", rb'{"Operations": [{"op": "replace", "value": {"tit\u0000le": "x"}}]}', "invalidValue"),
    ("NUL in a path", patching("tit\x00le", '"x"'), "invalidValue"),
    ("NUL as a byte", patching("title", '"x"').replace(b"x", b"\0"), "invalidSyntax"),
    ("half a character", patching("title", r'"\ud800"'), "invalidValue"),
    ("the other half", patching("title", r'"x\udc00\ud83d"'), "invalidValue"),
    ("half a character as bytes", patching("title", '"x"').replace(b"x", b"\xed\xa0\x80"), "invalidSyntax"),
    ("half a character as a name", rb'{"Operations": [{"op": "add", "value": {"\udead": 1}}]}', "invalidValue"),
    ("other control characters", patching("title", r'"\u0007"'), "invalidValue"),
    ("a huge number as a boolean", patching("active", NUMBER), "invalidValue"),
    ("a huge number with a point", patching("title", f"{NUMBER}.5"), "invalidValue"),
    ("a number beyond floats", patching("title", "1e999"), "invalidValue"),
    ("a number of 10,000 digits", patching("title", "9" * 10_000), "invalidValue"),
    ("no number", patching("title", "NaN"), "invalidValue"),
    ("a member twice", rb'{"Operations": [{"op": "replace", "path": "title", "value": "a", "value": "b"}]}', "invalidSyntax"),
    ("a member twice, cased", rb'{"Operations": [{"op": "replace", "value": {"title": "a", "TITLE": "b"}}]}', "invalidSyntax"),
    ("the envelope twice", rb'{"Operations": [], "operations": [{"op": "remove", "path": "title"}]}', "invalidSyntax"),
    ("5,000 lists deep", patching("title", DEEP), "invalidSyntax"),
    ("5,000 objects deep", patching("title", DEEP_OBJECT), "invalidSyntax"),
    ("50,000 lists deep", b"[" * 50_000, "invalidSyntax"),
    ("a path of 100 KB", patching("a." * 50_000, '"x"'), "invalidPath"),
    ("a path of brackets", patching('emails[type eq "' + "[" * 50_000, '"x"'), "invalidPath"),
    ("a value that is too long", patching("title", json.dumps("x" * 100_000)), "invalidValue"),
    ("not JSON", b"userName=anna", "invalidSyntax"),
    ("nothing", b"", "invalidSyntax"),
    ("UTF-16", json.dumps({"Operations": []}).encode("utf-16"), "invalidSyntax"),
    ("cut off", patching("title", '"x"')[:-5], "invalidSyntax"),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["user", "group"])
async def test_a_bad_body_is_refused_and_nothing_is_changed(entra: Microsoft, user: Json, kind: str) -> None:
    made = user if kind == "user" else await entra.create_group("Alle")
    path = f"/Users/{user['id']}" if kind == "user" else f"/Groups/{made['id']}"
    for name, body, scim_type in BODIES:
        if kind == "group":
            body = body.replace(b'"title"', b'"displayName"').replace(b'"TITLE"', b'"DISPLAYNAME"')
            body = body.replace(b'"active"', b'"displayName"')
        with quickly():
            answer = await entra.scim.raw("PATCH", path, body)
        assert answer.status == 400, (name, answer.text[:300])
        assert len(refused(answer, 400, answer.json["scimType"])) < 400, name
        if kind == "user":
            assert answer.json["scimType"] == scim_type, name
        assert (await entra.scim.get(path)).json == made, name


async def test_a_number_of_more_than_64_bits_is_a_text_where_text_is_meant(entra: Microsoft, user: Json) -> None:
    """Kept digit by digit, as employeeNumber may come as a number (quirks: number_as_text)."""
    answer = await entra.scim.raw("PATCH", f"/Users/{user['id']}", patching("employeeNumber", "9" * 30))
    assert answer.status == 200
    assert "9" * 30 in answer.text


CREATES: list[bytes] = [
    json.dumps(body_of(FULL)).replace("Adele", r"A\u0000dele").encode(),
    json.dumps(body_of(FULL)).replace("Adele", r"A\ud800dele").encode(),
    json.dumps(body_of(FULL)).replace('"userName"', '"username": "x", "userName"').encode(),
    json.dumps(body_of(FULL)).replace('"Adele"', DEEP).encode(),
    json.dumps({**body_of(FULL), "x" * 300_000: 1, "userName": None, "displayName": ""}).encode(),
    json.dumps([body_of(FULL)]).encode(),
    json.dumps(
        {**body_of(FULL), "emails": [{"type": "work", "value": "x"}] * 10_000, "userName": "", "displayName": None}
    ).encode(),
    json.dumps({"displayName": "G", "members": [{"value": "\x00"}], "userName": None}).encode(),
]


@pytest.mark.parametrize("verb", ["POST", "PUT"])
@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
async def test_a_bad_description_makes_nobody(entra: Microsoft, user: Json, verb: str, kind: str) -> None:
    path = (
        kind
        if verb == "POST"
        else f"{kind}/{user['id'] if kind == '/Users' else (await entra.create_group('A'))['id']}"
    )
    before = (await entra.scim.get(kind)).json
    for body in CREATES:
        with quickly():
            answer = await entra.scim.raw(verb, path, body)
        assert answer.status == 400, answer.text[:300]
        refused(answer, 400, answer.json["scimType"])
    assert (await entra.scim.get(kind)).json == before


LONG = 'userName eq "' + "x" * 100_000 + '"'
FILTERS: list[str] = [
    LONG,
    "(" * 4000,
    "not (" * 800,
    'userName eq "' + "\\" * 4000,
    " and ".join(['userName eq "x"'] * 240),
    "emails[" * 500,
    'userName eq "a\\u0000"',
    'userName eq "\\ud800"',
    'userName eq "a\x00"',
    "userName eq " + "9" * 4000,
    "id gt 1e99999",
    'meta.created gt "99999-01-01T00:00:00Z"',
    'userName eq "a" and',
    "userName",
    '"',
    "",
]


async def test_a_bad_filter_is_refused(entra: Microsoft, user: Json) -> None:
    """As a query and in a search by POST."""
    for kind in ("/Users", "/Groups"):
        for text in FILTERS:
            with quickly():
                answer = await entra.scim.get(kind, filter=text)
            # Of 100 KB the address itself is too long.
            assert refused(answer, 414) if text is LONG else refused(answer, 400, "invalidFilter"), text[:50]
            with quickly():
                posted = await entra.scim.post(f"{kind}/.search", {"filter": text})
            # The body is read first, and it must not hold what is no text.
            assert refused(posted, 400, "invalidValue" if "\x00" in text else "invalidFilter"), text[:50]


QUERIES = [
    "startIndex=99999999999999999999", "count=99999999999999999999", "count=1e3", "count=-", "startIndex=%00", "count=0x10",
    "filter=%", "filter=%zz", "filter=%ff", "filter=%ed%a0%80", "cursor=%00", "cursor=" + "A" * 5000, "sortBy=" + "x" * 5000,
    "sortBy=%00", "filter=a&filter=b", "&".join(f"a{number}=1" for number in range(60)), "attributes=id&excludedAttributes=id",
]  # fmt: skip


@pytest.mark.parametrize("kind", ["/Users", "/Groups"])
async def test_a_bad_query_is_refused(entra: Microsoft, kind: str) -> None:
    for query in QUERIES:
        with quickly():
            answer = await entra.scim.raw("GET", f"{kind}?{query}")
        assert answer.status == 400, (query[:60], answer.text)
        refused(answer, 400, answer.json["scimType"])


SEARCHES: list[Json] = [
    {"startIndex": int(NUMBER)}, {"startIndex": -int(NUMBER)}, {"count": int(NUMBER)}, {"count": -int(NUMBER)},
    {"startIndex": 2**63}, {"startIndex": 2**64}, {"count": 2**64}, {"startIndex": 1e300}, {"attributes": ["x" * 300_000]},
    {"attributes": ["x"] * 50_000}, {"sortBy": "x" * 300_000}, {"cursor": "x" * 300_000}, {"filter": {"a": 1}},
]  # fmt: skip


@pytest.mark.parametrize("path", ["/Users/.search", "/Groups/.search", "/.search"])
async def test_a_search_with_numbers_beyond_all_bounds_is_answered_or_refused(
    entra: Microsoft, user: Json, path: str
) -> None:
    for request in SEARCHES:
        with quickly():
            answer = await entra.scim.post(path, request)
        if answer.status != 200:
            assert answer.status == 400, (str(request)[:60], answer.text[:300])
            refused(answer, 400, answer.json["scimType"])


PATHS = [
    "/Users/%00", "/Users/%ff", "/Users/%ed%a0%80", "/Users/" + "x" * 20_000, "/Users/..%2f..%2fetc", "/Users/emp_%30",
    "/Users//x/y", "/Users/%25%30%30", "/Groups/%00", "/Schemas/%00", "/Schemas/" + "urn:" * 5000, "/ResourceTypes/%ff",
    "/x" * 5000, "/%00",
]  # fmt: skip


@pytest.mark.parametrize("verb", ["GET", "PATCH", "PUT", "DELETE"])
async def test_a_bad_address_is_not_found(entra: Microsoft, verb: str) -> None:
    body = (
        None
        if verb in ("GET", "DELETE")
        else json.dumps({**body_of(FULL), "displayName": "x", "Operations": []}).encode()
    )
    for path in PATHS:
        with quickly():
            answer = await entra.scim.raw(verb, path, body)
        assert answer.status in (404, 405), (path[:60], answer.text[:300])
        refused(answer, answer.status)


async def sent(endpoint: Endpoint, head: list[str], *pieces: bytes) -> tuple[bytes, int]:
    """What is answered to bytes as they are, and how many pieces were taken before it."""
    parts, taken = urlsplit(endpoint.tenant_url), 0
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [
        f"POST {parts.path}/Users HTTP/1.1",
        f"Host: {parts.netloc}",
        f"Authorization: Bearer {endpoint.token}",
        *head,
    ]
    answering = asyncio.ensure_future(reader.readuntil(b"}"))
    try:
        writer.write("\r\n".join(lines).encode())
        for piece in pieces:
            if answering.done():
                break
            writer.write(piece)
            await writer.drain()
            taken += 1
        return await asyncio.wait_for(answering, 20), taken
    except (ConnectionError, asyncio.IncompleteReadError):
        # Who goes on sending after he was answered may be reset before he has read it.
        return b"", taken
    finally:
        answering.cancel()
        writer.close()


@pytest.mark.parametrize("piece", [b"x" * 65_536, b"A: b\r\n" * 11_000], ids=["one", "many"])
async def test_headers_without_end_are_cut_off(endpoint: Endpoint, piece: bytes) -> None:
    """Of 64 MB not more is taken than fits into half a megabyte and the sockets between."""
    with quickly():
        answer, taken = await sent(endpoint, ["X-Long: x"] if piece[:1] == b"x" else ["X: y", ""], *[piece] * 1000)
    assert answer == b"" or answer.startswith(b"HTTP/1.1 431")
    assert taken < 500


@pytest.mark.parametrize("announced", [True, False])
async def test_a_body_of_ten_megabytes_is_413(endpoint: Endpoint, announced: bool) -> None:
    """Announced it is refused unread; otherwise as soon as it is too long."""
    piece = b'{"a": "' + b"x" * 65_529
    with quickly():
        if announced:
            answer, _ = await sent(endpoint, [*JSON, f"Content-Length: {10 * MIB}", "", ""])
        else:
            chunk = b"%x\r\n%s\r\n" % (len(piece), piece)
            answer, _ = await sent(endpoint, [*JSON, "Transfer-Encoding: chunked", "", ""], *[chunk] * 160)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 413")
    assert json.loads(body)["status"] == "413"


async def test_a_megabyte_of_anything_is_answered_quickly(entra: Microsoft, user: Json) -> None:
    """As large as a body may be."""
    for filler in (b"[],", b"{},", b'"",', b"1,", b'{"a":{}},', b'{"op":"add","path":"title","value":"x"},'):
        listed = (filler * (MAX_BODY // len(filler)))[: MAX_BODY - 100].rpartition(b",")[0]
        began = time.process_time()
        answer: ScimAnswer = await entra.scim.raw("PATCH", f"/Users/{user['id']}", b'{"Operations": [' + listed + b"]}")
        assert time.process_time() - began < 4
        refused(answer, 413) if answer.status == 413 else refused(answer, 400, "invalidSyntax")


WORST: list[bytes] = [
    b"[" * MAX_BODY, b"[" + b"[]," * (MAX_BODY // 3 - 1) + b"1]", b"[" + b"{}," * (MAX_BODY // 3 - 1) + b"1]",
    b"[" + b'"",' * (MAX_BODY // 3 - 1) + b"1]", b"[" + b"1," * (MAX_BODY // 2 - 2) + b"1]",
    b"{" + b",".join(b'"%d":0' % number for number in range(90_000)) + b"}", b'"' + rb"\u00e6" * (MAX_BODY // 6 - 1) + b'"',
    b"[" + b'{"a":[{"b":""}]},' * (MAX_BODY // 17 - 1) + b"1]",
]  # fmt: skip


@pytest.mark.parametrize("body", WORST, ids=lambda body: body[:12].decode())
def test_the_largest_body_takes_bounded_memory(body: bytes) -> None:
    """Objects that Python makes of a body are larger than its bytes; never more than a hundred times."""
    assert len(body) <= MAX_BODY
    tracemalloc.start()
    try:
        with suppress(ScimError):
            read_json(body)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100 * MIB


@pytest.mark.parametrize("text", FILTERS[:6], ids=lambda text: text[:12])
def test_a_filter_takes_bounded_memory(text: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ScimError):
            parse_filter(text, USER_NAMES)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
