from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import AllProvidersFailed, RateLimited, StoreUnavailable
from shared.http import create_app, event_stream, json_answer, requested_format, run_until_disconnect
from shared.text.sse import STREAM_FORMATS, Delta, Done, ErrorEvent, Item, ResetEvent, Start, StreamMessage
from shared.types import Meta
from tests.server import serving
from tests.sse_decoder import Event, comments, decode

START = Start("r1", "qa", "together", "llama")
DONE = Done(Meta("r1"))
SECONDS = 10  # a bound for what should happen at once

Events = AsyncGenerator[StreamMessage, None]


def streaming(make: Callable[[Request], Events], **options: Any) -> Any:
    """An app whose one endpoint streams what `make` gives."""

    async def endpoint(request: Request) -> Response:
        chosen = requested_format(request, "events")
        return event_stream(request, make(request), format=chosen, now=lambda: 1.0, **options)

    return create_app([Route("/", endpoint, methods=["POST"])], new_request_id=lambda: "r1")


@asynccontextmanager
async def client_of(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(app, **options) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=SECONDS) as client,
    ):
        yield client


async def within(what: Any) -> Any:
    return await asyncio.wait_for(what, SECONDS)


class Watched:
    """A generator's life, for the test to follow."""

    def __init__(self) -> None:
        self.started = asyncio.Event()
        self.closed = asyncio.Event()

    async def forever(self) -> None:
        self.started.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.closed.set()


# --- hanging up ----------------------------------------------------------------------------------

SERVERS = ["httptools", "h11"]


@asynccontextmanager
async def posting(url: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection on which a request with a body was sent; closed at the end, if not before."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.rpartition(":")[2]))
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}")
    yield reader, writer
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


@pytest.mark.parametrize("http", SERVERS)
async def test_a_hang_up_before_the_first_event_closes_the_generator(http: str) -> None:
    life = Watched()

    async def silent(_: Request) -> Events:
        await life.forever()
        yield START

    async with serving(streaming(silent), http=http) as url:
        async with posting(url):
            await within(life.started.wait())
        await within(life.closed.wait())


@pytest.mark.parametrize("http", SERVERS)
async def test_a_hang_up_between_events_closes_the_generator(http: str) -> None:
    life = Watched()

    async def stalling(_: Request) -> Events:
        yield START
        await life.forever()

    async with serving(streaming(stalling), http=http) as url:
        async with posting(url) as (reader, _):
            await within(reader.readuntil(b"event: start"))
            assert not life.closed.is_set()
        await within(life.closed.wait())


@pytest.mark.parametrize("http", SERVERS)
async def test_a_hang_up_while_a_whole_answer_is_awaited_cancels_the_work(http: str) -> None:
    life = Watched()

    async def endpoint(request: Request) -> Response:
        await request.body()
        await run_until_disconnect(request, life.forever())
        return json_answer({})

    app = create_app([Route("/", endpoint, methods=["POST"])])
    async with serving(app, http=http) as url:
        async with posting(url):
            await within(life.started.wait())
        await within(life.closed.wait())


async def test_a_hang_up_while_sending_to_a_slow_client_closes_the_generator() -> None:
    closed = asyncio.Event()
    made = 0
    tasks = set[object]()

    async def endless(_: Request) -> Events:
        nonlocal made
        tasks.add(asyncio.current_task())
        try:
            yield START
            while True:
                yield Delta(0, "x" * 65_536)
                made += 1
        finally:
            tasks.add(asyncio.current_task())
            closed.set()

    async with serving(streaming(endless)) as url:
        async with posting(url) as (reader, _):
            await within(reader.readuntil(b"event: delta"))
            seen = -1
            while made != seen:  # until the buffers are full and the generator rests
                seen = made
                await asyncio.sleep(0.05)
            assert made < 500  # a few MiB in the kernel's buffers and ours
            assert not closed.is_set()
        await within(closed.wait())
    assert len(tasks) == 1  # closed by the answer's own task, not by the garbage collector's


async def test_a_client_that_takes_nothing_for_long_counts_as_gone() -> None:
    closed = asyncio.Event()

    async def endless(_: Request) -> Events:
        try:
            while True:
                yield Delta(0, "x" * 65_536)
        finally:
            closed.set()

    async with serving(streaming(endless, stalled=0.05)) as url, posting(url):
        await within(closed.wait())


async def test_what_a_generator_does_after_the_end_is_not_cut_short_by_a_hang_up() -> None:
    booked = asyncio.Event()

    async def with_ledger(request: Request) -> Events:
        yield START
        yield DONE
        while (await request.receive())["type"] != "http.disconnect":
            continue
        await asyncio.sleep(0.01)
        booked.set()

    async with serving(streaming(with_ledger)) as url:
        async with posting(url) as (reader, _):
            await within(reader.readuntil(b"event: done"))
        await within(booked.wait())


async def test_a_hang_up_runs_the_cleanup_of_nested_contexts_to_its_end() -> None:
    child, cleaned = Watched(), asyncio.Event()

    async def nested(_: Request) -> Events:
        try:
            async with asyncio.timeout(SECONDS), asyncio.TaskGroup() as group:
                group.create_task(child.forever())
                yield START
                await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0.01)
            cleaned.set()

    async with serving(streaming(nested)) as url:
        async with posting(url) as (reader, _):
            await within(reader.readuntil(b"event: start"))
            await within(child.started.wait())
        await within(cleaned.wait())
        assert child.closed.is_set()


async def test_no_task_is_left_behind_by_streams_that_ended_in_any_way() -> None:
    async def ends(request: Request) -> Events:
        yield START
        match request.headers.get("how"):
            case "error":
                raise RateLimited("slow down")
            case "silence":
                await asyncio.Event().wait()
        yield DONE

    async with client_of(streaming(ends, keep_alive=0.001)) as client:
        await client.post("/")
        before = asyncio.all_tasks()
        for how in ["done", "error", "silence"] * 5:
            async with client.stream("POST", "/", headers={"how": how}) as answer:
                await anext(answer.aiter_raw())
        if left := asyncio.all_tasks() - before:
            _, pending = await asyncio.wait(left, timeout=SECONDS)
            assert pending == set()


async def test_work_that_ends_gives_its_value_or_its_error() -> None:
    async def endpoint(request: Request) -> Response:
        await request.body()

        async def work() -> int:
            if "fail" in request.query_params:
                raise RateLimited("slow down")
            return 42

        return json_answer({"value": await run_until_disconnect(request, work())})

    async with client_of(create_app([Route("/", endpoint, methods=["POST"])])) as client:
        assert (await client.post("/")).json() == {"value": 42}
        assert (await client.post("/?fail")).status_code == 429


async def test_work_that_is_done_is_watched_no_longer() -> None:
    finished = asyncio.Event()

    async def after() -> None:
        await asyncio.sleep(0.01)
        finished.set()

    async def endpoint(request: Request) -> Response:
        await request.body()
        await run_until_disconnect(request, asyncio.sleep(0))
        answer = json_answer({})
        answer.background = BackgroundTask(after)
        return answer

    async with client_of(create_app([Route("/", endpoint, methods=["POST"])])) as client:
        await client.post("/")
        await within(finished.wait())


async def test_a_hang_up_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    life = Watched()

    async def stalling(_: Request) -> Events:
        yield START
        await life.forever()

    async with serving(streaming(stalling)) as url:
        async with posting(url) as (reader, _):
            await within(reader.readuntil(b"event: start"))
        await within(life.closed.wait())
    assert [record.levelname for record in caplog.records if record.levelno > 20] == []
    (line,) = [record.getMessage() for record in caplog.records if record.name == "marginalia.access"]
    assert line.startswith("POST / 499 ")


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
