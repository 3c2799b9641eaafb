"""A client that hangs up ends the work done for it, and nothing that should outlive it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.errors import RateLimited
from shared.http import create_app, json_answer, run_until_disconnect
from shared.text.sse import Delta
from tests.server import serving
from tests.streaming_apps import DONE, SECONDS, START, Events, client_of, streaming

SERVERS = ["httptools", "h11"]


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
