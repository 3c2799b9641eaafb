"""Streams over the wire: events, errors and ends in every dialect, and what keeps them awake."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.requests import Request

from shared.errors import AllProvidersFailed, RateLimited, StoreUnavailable
from shared.text.sse import STREAM_FORMATS, Delta, ErrorEvent, Item, ResetEvent
from tests.sse_decoder import Event, comments, decode
from tests.streaming_apps import DONE, START, Events, client_of, streaming

# --- events, errors and the end ------------------------------------------------------------------


def events_of(answer: httpx.Response) -> list[tuple[str, Any]]:
    return [(event.name, json.loads(event.data)) for event in decode(answer.content)]


async def test_a_stream_has_the_headers_that_keep_proxies_from_holding_it_back() -> None:
    async def short(_: Request) -> Events:
        yield START
        yield DONE

    async with client_of(streaming(short)) as client:
        answer = await client.post("/")
    assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache, no-transform"
    assert answer.headers["x-accel-buffering"] == "no"
    assert answer.headers["transfer-encoding"] == "chunked"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["x-request-id"] == "r1"


async def test_each_event_is_sent_before_the_next_is_asked_for() -> None:
    heard = asyncio.Queue[str]()

    async def waiting(_: Request) -> Events:
        yield START
        assert await heard.get() == "start"
        yield Delta(0, "a")
        assert await heard.get() == "delta"
        yield DONE

    async with client_of(streaming(waiting)) as client, client.stream("POST", "/") as answer:
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                heard.put_nowait(line.removeprefix("event: "))
    assert heard.get_nowait() == "done"


async def test_an_error_before_the_first_event_is_an_http_answer() -> None:
    async def refused(_: Request) -> Events:
        raise RateLimited("slow down", retry_after=3)
        yield START

    async with client_of(streaming(refused)) as client:
        answer = await client.post("/")
    assert answer.status_code == 429
    assert answer.headers["retry-after"] == "3"
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"]["code"] == "rate_limited"


@pytest.mark.parametrize("error", [None, ValueError("secret")])
async def test_a_generator_that_fails_unexpectedly_before_the_first_event_is_a_500(
    error: Exception | None,
) -> None:
    async def broken(_: Request) -> Events:
        if error is not None:
            raise error
        return
        yield START

    async with client_of(streaming(broken)) as client:
        answer = await client.post("/")
    assert (answer.status_code, answer.json()["error"]["code"]) == (500, "internal_error")
    assert "secret" not in answer.text


async def test_an_error_after_the_first_event_is_the_last_event() -> None:
    async def failing(_: Request) -> Events:
        yield START
        yield Delta(0, "Hel")
        raise AllProvidersFailed("nobody goes on")

    async with client_of(streaming(failing)) as client:
        answer = await client.post("/")
    assert answer.status_code == 200
    names = [name for name, _ in events_of(answer)]
    assert names == ["start", "delta", "error"]
    assert events_of(answer)[-1][1]["error"] == {
        "message": "nobody goes on",
        "type": "upstream_error",
        "param": None,
        "code": "all_providers_failed",
        "request_id": "r1",
    }


@pytest.mark.parametrize("error", [ValueError("secret"), OSError("secret"), StopAsyncIteration("secret")])
async def test_an_unexpected_error_in_a_stream_is_an_event_without_its_message(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def failing(_: Request) -> Events:
        yield START
        raise error

    async with client_of(streaming(failing)) as client:
        answer = await client.post("/")
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/?format=text")
    assert [name for name, _ in events_of(answer)] == ["start", "error"]
    assert events_of(answer)[-1][1]["error"]["code"] == "internal_error"
    assert "secret" not in answer.text + caplog.text
    assert "request_id=r1" in caplog.text


async def test_a_stream_that_stops_without_its_end_is_an_error() -> None:
    async def stopping(_: Request) -> Events:
        yield START
        yield Delta(0, "Hel")

    async with client_of(streaming(stopping)) as client:
        answer = await client.post("/")
    assert [name for name, _ in events_of(answer)] == ["start", "delta", "error"]


@pytest.mark.parametrize("error", [ValueError("secret"), StoreUnavailable("ledger")])
async def test_nothing_follows_the_end_even_if_the_generator_goes_on_or_fails(
    error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    async def talkative(_: Request) -> Events:
        yield START
        yield DONE
        yield Delta(0, "late")
        raise error

    async with client_of(streaming(talkative)) as client:
        answer = await client.post("/")
    assert [name for name, _ in events_of(answer)] == ["start", "done"]
    assert f"{type(error).__name__} request_id=r1" in caplog.text


@pytest.mark.parametrize("broken", [False, True])
async def test_a_generator_has_cleaned_up_before_the_answer_ends(broken: bool) -> None:
    steps: list[str] = []

    async def booking(_: Request) -> Events:
        try:
            yield START
            yield Delta(0, "a")
            yield ResetEvent(0)  # an error in this dialect, found while the generator waits
            yield DONE
        finally:
            await asyncio.sleep(0.01)
            steps.append("booked")
            if broken:
                raise ValueError("secret")

    async with client_of(streaming(booking)) as client:
        answer = await client.post("/?format=openai")
        steps.append("answered")
    assert steps == ["booked", "answered"]
    assert "cannot take back" in last(decode(answer.content))


async def test_an_error_event_from_the_generator_ends_the_stream() -> None:
    body = RateLimited("slow down").to_json("r1")

    async def failing(_: Request) -> Events:
        yield START
        yield ErrorEvent(body)

    async with client_of(streaming(failing)) as client:
        answer = await client.post("/")
        assert events_of(answer)[-1] == ("error", body)
        with pytest.raises(httpx.RemoteProtocolError):
            await client.post("/?format=text")


# --- dialects over the wire ----------------------------------------------------------------------


async def whole(_: Request) -> Events:
    yield START
    yield Delta(0, "Hel")
    yield Delta(0, "lo 😀")
    yield Item(0, "Hello 😀")
    yield DONE


async def cut(_: Request) -> Events:
    yield START
    yield Delta(0, "Hel")
    raise AllProvidersFailed("nobody goes on")


async def taken_back(_: Request) -> Events:
    yield START
    yield Delta(0, "Hel")
    yield ResetEvent(0)
    yield Delta(0, "Good day")
    yield DONE


def last(events: list[Event]) -> str:
    return events[-1].data


@pytest.mark.parametrize("format", STREAM_FORMATS)
async def test_a_whole_answer_ends_well_in_every_dialect(format: str) -> None:
    async with client_of(streaming(whole)) as client:
        answer = await client.post(f"/?format={format}")
    assert answer.headers.get("x-vercel-ai-ui-message-stream") == ("v1" if format == "ui-message" else None)
    if format == "text":
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert answer.text == "Hello 😀"
    elif format == "events":
        assert decode(answer.content)[-1].name == "done"
    else:
        assert last(decode(answer.content)) == "[DONE]"


@pytest.mark.parametrize("format", ["openai", "ui-message", "text"])
@pytest.mark.parametrize("make", [cut, taken_back])
async def test_a_broken_answer_never_ends_well_where_text_cannot_be_taken_back(
    format: str, make: Callable[[Request], Events]
) -> None:
    async with client_of(streaming(make)) as client:
        if format == "text":
            with pytest.raises(httpx.RemoteProtocolError, match="incomplete chunked read"):
                await client.post("/?format=text")
            return
        answer = await client.post(f"/?format={format}")
    assert "[DONE]" not in answer.text
    assert "Good day" not in answer.text
    end = json.loads(last(decode(answer.content)))
    if format == "openai":
        assert end["error"]["code"] == "all_providers_failed"
    else:
        assert end["type"] == "error"


async def test_the_native_dialect_takes_text_back() -> None:
    async with client_of(streaming(taken_back)) as client:
        answer = await client.post("/", headers={"accept": "text/event-stream"})
    assert [name for name, _ in events_of(answer)] == ["start", "delta", "reset", "delta", "done"]


async def test_an_unknown_format_is_an_http_error() -> None:
    async with client_of(streaming(whole)) as client:
        answer = await client.post("/?format=xml")
    assert (answer.status_code, answer.json()["error"]["param"]) == (400, "format")


# --- keep-alive ----------------------------------------------------------------------------------


@pytest.mark.parametrize("format", ["events", "openai", "ui-message"])
async def test_comments_keep_a_silent_stream_awake_and_events_come_whole_between_them(format: str) -> None:
    release = asyncio.Event()

    async def pausing(_: Request) -> Events:
        yield START
        yield Delta(0, "a")
        await release.wait()
        yield Delta(0, "b")
        yield DONE

    received = b""
    async with (
        client_of(streaming(pausing, keep_alive=0.01)) as client,
        client.stream("POST", f"/?format={format}") as answer,
    ):
        async for piece in answer.aiter_raw():
            received += piece
            if len(comments(received)) >= 3:
                release.set()
    assert set(comments(received)) == {"keep-alive"}
    async with client_of(streaming(pausing)) as client:
        uninterrupted = await client.post(f"/?format={format}")
    assert decode(received) == decode(uninterrupted.content)


async def test_a_busy_stream_has_no_comments() -> None:
    async def busy(_: Request) -> Events:
        yield START
        for _ in range(200):
            await asyncio.sleep(0)
            yield Delta(0, "x")
        yield DONE

    async with client_of(streaming(busy, keep_alive=5.0)) as client:
        answer = await client.post("/")
    assert comments(answer.content) == []
