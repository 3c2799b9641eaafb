from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum
from typing import Any, Literal

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field, JsonValue, field_validator
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import ApiError, InvalidRequest, TooLarge, Unprocessable, UnsupportedMediaType
from shared.http import MAX_BODY_BYTES, create_app, json_answer, read_json
from shared.http.answers import LINGER_BYTES
from shared.text.sse import encode_json
from tests.server import serving


class Colour(StrEnum):
    RED = "red"


class Place(BaseModel):
    line: int = Field(ge=0)


class Body(BaseModel):
    document_id: str
    refresh: bool = False
    count: int = Field(3, ge=1, le=5)
    mode: Literal["suggest", "inline"] = "suggest"
    colour: Colour = Colour.RED
    place: Place | None = None
    places: list[Place] = []
    names: tuple[str, ...] = ()
    score: float = 0.0
    anything: JsonValue = None

    @field_validator("document_id")
    @classmethod
    def _not_blank(cls, value: str) -> str:
        if not value.strip():
            raise ValueError("must not be blank")
        return value


def request_with(body: bytes, **headers: str) -> Request:
    """A request whose body comes in one piece, without a server."""
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    return Request({"type": "http", "method": "POST", "headers": raw}, receive)


async def refused(body: bytes, kind: type[ApiError] = InvalidRequest, **headers: str) -> ApiError:
    with pytest.raises(kind) as caught:
        await read_json(request_with(body, **headers), Body)
    return caught.value


async def test_a_good_body_becomes_the_model() -> None:
    sent = {"document_id": "d", "count": 2, "place": {"line": 0}, "colour": "red", "names": ["a"], "score": 1}
    body = await read_json(request_with(json.dumps(sent).encode()), Body)
    assert body == Body(document_id="d", count=2, place=Place(line=0), names=("a",), score=1.0)


async def test_a_byte_order_mark_is_passed_over() -> None:
    body = await read_json(request_with(b'\xef\xbb\xbf{"document_id": "d"}'), Body)
    assert body.document_id == "d"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        'Application/JSON;charset="UTF-8"',
        "application/vnd.api+json",
    ],
)
async def test_json_is_taken_under_its_names(content_type: str) -> None:
    await read_json(request_with(b'{"document_id": "d"}', content_type=content_type), Body)


@pytest.mark.parametrize(
    "headers",
    [
        {"content_type": "text/plain;charset=UTF-8"},
        {"content_type": "application/x-www-form-urlencoded"},
        {"content_type": "application/json; charset=iso-8859-1"},
        {"content_type": ""},
        {"content_type": "application/json", "content_encoding": "gzip"},
    ],
)
async def test_other_media_types_are_refused_and_the_right_one_named(headers: dict[str, str]) -> None:
    error = await refused(b'{"document_id": "d"}', UnsupportedMediaType, **headers)
    assert "application/json" in error.message or "content-encoding" in error.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The body is empty; expected a JSON object"),
        (b" \n", "The body is empty; expected a JSON object"),
        (b'{"document_id": "\xff"}', "The body is not UTF-8: byte 0xff at offset 17"),
        ('{"document_id": "d"}'.encode("utf-16"), "The body is not UTF-8: byte 0xff at offset 0"),
        (b'{"document_id": "d",\n}', "The body is not JSON: illegal trailing comma before end of object"),
        (b"{'document_id': 'd'}", "The body is not JSON: expecting property name enclosed in double quotes"),
        (b'{"document_id": "d"} x', "The body is not JSON: extra data at line 1, column 22"),
        (b'{"document_id": "a\nb"}', "The body is not JSON: invalid control character at"),
        (b'{"score": NaN}', "The body is not JSON: NaN is not a JSON number"),
        (b'{"score": -Infinity}', "The body is not JSON: -Infinity is not a JSON number"),
        (b'{"score": 1e999}', "The body holds a number out of range: 1e999"),
        (b'{"anything": [' + b"9" * 5000 + b"]}", "The body holds a number that is too long"),
        (b"[1]", "The body should be a JSON object, found a list"),
        (b'"text"', 'The body should be a JSON object, found "text"'),
        (b"null", "The body should be a JSON object, found null"),
        (b'{"anything": ' + b"[" * 101 + b"]" * 101 + b"}", "The body is nested over 100 levels deep"),
        (b'{"anything": ' + b"[" * 100_000 + b"}", "The body is nested over 100 levels deep"),
        (b'{"a":' * 100_000, "The body is nested over 100 levels deep"),
    ],
)
async def test_what_is_no_json_object_is_refused_with_the_place(body: bytes, message: str) -> None:
    error = await refused(body)
    if message.startswith("The body is not JSON: illegal"):  # Python 3.11 and 3.12 word it differently
        assert "at line " in error.message
    else:
        assert error.message.startswith(message)


async def test_nesting_up_to_the_bound_is_fine() -> None:
    await read_json(request_with(b'{"document_id":"d","anything":' + b"[" * 99 + b"]" * 99 + b"}"), Body)


@pytest.mark.parametrize(
    ("fields", "param", "message"),
    [
        ({}, "document_id", "document_id is required"),
        ({"document_id": 5}, "document_id", "document_id should be a valid string, found 5"),
        ({"document_id": None}, "document_id", "document_id should be a valid string, found null"),
        ({"document_id": " "}, "document_id", "document_id: must not be blank"),
        ({"count": "5"}, "count", 'count should be a valid integer, found "5"'),
        ({"count": True}, "count", "count should be a valid integer, found true"),
        ({"count": 2.0}, "count", "count should be a valid integer, found 2.0"),
        ({"count": 9}, "count", "count should be less than or equal to 5, found 9"),
        ({"refresh": 1}, "refresh", "refresh should be a valid boolean, found 1"),
        ({"refresh": "true"}, "refresh", 'refresh should be a valid boolean, found "true"'),
        ({"mode": "x"}, "mode", "mode should be 'suggest' or 'inline', found \"x\""),
        ({"mode": "x" * 99}, "mode", "mode should be 'suggest' or 'inline', found a string of 99 characters"),
        ({"colour": "blue"}, "colour", "colour should be 'red', found \"blue\""),
        ({"place": {"line": -1}}, "place.line", "place.line should be greater than or equal to 0, found -1"),
        ({"place": []}, "place", "place should be an object, found a list"),
        (
            {"places": [{"line": 0}, {"line": {}}]},
            "places[1].line",
            "places[1].line should be a valid integer, found an object",
        ),
        ({"names": ["a", 1]}, "names[1]", "names[1] should be a valid string, found 1"),
    ],
)
async def test_a_wrong_field_is_named_with_what_was_found_and_what_is_allowed(
    fields: dict[str, Any], param: str, message: str
) -> None:
    body = fields if not fields or "document_id" in fields else {"document_id": "d", **fields}
    error = await refused(json.dumps(body).encode())
    assert (error.param, error.message) == (param, message)


async def test_an_unknown_field_is_named_with_the_near_one_before_what_it_left_missing() -> None:
    error = await refused(b'{"documentid": "d"}')
    assert error.param == "documentid"
    assert error.message.startswith(
        "documentid is not a known field; did you mean document_id? Allowed are document_id, refresh, "
    )
    assert error.message.endswith(" (and 1 more)")


async def test_an_unknown_field_inside_an_object_is_compared_with_that_objects_fields() -> None:
    error = await refused(b'{"document_id": "d", "places": [{"line": 1, "linee": 1}]}')
    assert error.param == "places[0].linee"
    assert error.message == "places[0].linee is not a known field; did you mean line? Allowed are line"


@pytest.mark.parametrize(
    ("body", "param", "message"),
    [
        (rb'{"document_id": "a\u0000"}', "document_id", "document_id holds a NUL character (U+0000)"),
        (rb'{"document_id": "\ud83d"}', "document_id", "document_id holds half of a surrogate pair (U+D83D)"),
        (rb'{"document_id": "\ude00\ud83d"}', "document_id", "document_id holds half of a surrogate pair"),
        (rb'{"anything": [{"x": ["", "\udfff"]}]}', "anything[0].x[1]", "anything[0].x[1] holds half"),
        (rb'{"anything": {"\u0000": 1}}', "anything", "anything holds a NUL character"),
        (rb'{"\ud83d": 1}', None, "The body holds half of a surrogate pair"),
    ],
)
async def test_text_that_cannot_be_stored_is_unprocessable_and_its_field_named(
    body: bytes, param: str | None, message: str
) -> None:
    error = await refused(body, Unprocessable)
    assert error.param == param
    assert error.message.startswith(message)


async def test_a_whole_surrogate_pair_in_escapes_is_one_character() -> None:
    body = await read_json(request_with(rb'{"document_id": "\ud83d\ude00"}'), Body)
    assert body.document_id == "😀"


def status_of(body: bytes) -> int:
    try:
        asyncio.run(read_json(request_with(body), Body))
    except ApiError as error:
        encode_json(error.to_json("r")).encode()
        return error.status
    return 200


@given(st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
@settings(max_examples=200, deadline=None)
def test_any_bytes_give_a_model_or_an_api_error(body: bytes) -> None:
    assert status_of(body) in (200, 400, 422)


JSON_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(categories=None, codec=None)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(
    st.dictionaries(st.sampled_from(list(Body.model_fields)) | st.text(max_size=5), JSON_VALUES, max_size=5)
)
@settings(max_examples=200, deadline=None)
def test_any_json_object_gives_a_model_or_an_api_error(body: dict[str, Any]) -> None:
    assert status_of(json.dumps(body).encode()) in (200, 400, 422)


# --- over the wire -------------------------------------------------------------------------------


async def accept(request: Request) -> Response:
    body = await read_json(request, Body)
    return json_answer({"length": len(body.document_id)})


@asynccontextmanager
async def connection() -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    async with serving(create_app([Route("/", accept, methods=["POST"])])) as url:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        try:
            yield reader, writer
        finally:
            writer.close()


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, str], dict[str, Any]]:
    head = (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
    body = await reader.readexactly(int(headers["content-length"]))
    return int(head[0].split()[1]), headers, json.loads(body)


async def test_two_mebibytes_are_taken_and_one_byte_more_is_not() -> None:
    filler = "x" * (MAX_BODY_BYTES - len('{"document_id":""}'))
    body = json.dumps({"document_id": filler}, separators=(",", ":"))
    assert len(body) == MAX_BODY_BYTES
    app = create_app([Route("/", accept, methods=["POST"])])
    async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
        assert (await client.post("/", content=body)).json() == {"length": len(filler)}
        answer = await client.post("/", content=body + " ")
    assert answer.status_code == TooLarge.status
    assert answer.json()["error"]["code"] == "too_large"
    assert answer.headers["access-control-allow-origin"] == "*"


async def test_a_body_announced_as_too_large_is_refused_before_it_is_sent() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2097153\r\nExpect: 100-continue\r\n\r\n")
        status, headers, body = await read_answer(reader)
    assert (status, body["error"]["code"], headers["connection"]) == (413, "too_large", "close")


async def test_a_chunked_body_is_counted_while_it_comes() -> None:
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for _ in range(33):  # the last one crosses the bound; the body never ends
            writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
        status, headers, body = await read_answer(reader)
    assert (status, body["error"]["code"], headers["connection"]) == (413, "too_large", "close")


async def test_an_endless_body_is_not_read_endlessly() -> None:
    sent = 0
    async with connection() as (_, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with suppress(ConnectionError):
            while sent < 10 * LINGER_BYTES:
                writer.write(b"10000\r\n" + b" " * 65536 + b"\r\n")
                await writer.drain()
                sent += 65536
    assert sent < 4 * LINGER_BYTES


async def test_a_body_in_many_pieces_split_inside_characters_is_put_together() -> None:
    body = json.dumps({"document_id": "żółw 😀"}, ensure_ascii=False).encode()
    async with connection() as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in body:
            writer.write(b"1\r\n" + bytes([byte]) + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        status, _, answer = await read_answer(reader)
    assert (status, answer) == (200, {"length": 6})


async def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_no_error_behind(
    caplog: pytest.LogCaptureFixture,
) -> None:
    seen, left = asyncio.Event(), asyncio.Event()

    async def endpoint(request: Request) -> Response:
        seen.set()
        try:
            return await accept(request)
        finally:
            left.set()

    async with serving(create_app([Route("/", endpoint, methods=["POST"])])) as url:
        _, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
        writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await asyncio.wait_for(seen.wait(), 10)
        writer.close()
        await asyncio.wait_for(left.wait(), 10)
    assert [record for record in caplog.records if record.levelname == "ERROR"] == []
