"""What several ask for at the same time is done once: the mechanism, then analyses over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from typing import Any, NoReturn

import httpx
import psycopg
import pytest

from shared.single_flight import SharedStreams, SingleFlight
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator


class Work:
    """Counts its runs and waits until it is let go."""

    def __init__(self, result: object = "result") -> None:
        self.runs = 0
        self.cancelled = 0
        self.go = asyncio.Event()
        self._result = result

    async def __call__(self) -> object:
        self.runs += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if isinstance(self._result, Exception):
            raise self._result
        return self._result


async def some_turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_all_who_ask_meanwhile_get_the_one_result() -> None:
    flights, work = SingleFlight[object](), Work()
    waiting = [asyncio.create_task(flights.do("key", work)) for _ in range(5)]
    await some_turns()
    work.go.set()
    assert await asyncio.gather(*waiting) == ["result"] * 5
    assert work.runs == 1


async def test_other_keys_and_later_calls_have_a_run_of_their_own() -> None:
    flights, work = SingleFlight[object](), Work()
    work.go.set()
    await asyncio.gather(flights.do("one", work), flights.do("other", work))
    await flights.do("one", work)
    assert work.runs == 3


async def test_an_error_goes_to_all() -> None:
    flights, work = SingleFlight[object](), Work(ValueError("no"))
    waiting = [asyncio.create_task(flights.do("key", work)) for _ in range(3)]
    await some_turns()
    work.go.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [ValueError] * 3
    assert work.runs == 1


@pytest.mark.parametrize("leaver", [0, 1], ids=["the first", "a later one"])
async def test_one_who_leaves_does_not_disturb_the_others(leaver: int) -> None:
    flights, work = SingleFlight[object](), Work()
    waiting = [asyncio.create_task(flights.do("key", work)) for _ in range(2)]
    await some_turns()
    waiting[leaver].cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting[leaver]
    work.go.set()
    assert await waiting[1 - leaver] == "result"
    assert (work.runs, work.cancelled) == (1, 0)


async def test_when_the_last_one_leaves_the_work_is_cancelled_and_the_next_call_begins_anew() -> None:
    flights, work = SingleFlight[object](), Work()
    waiting = [asyncio.create_task(flights.do("key", work)) for _ in range(2)]
    await some_turns()
    for task in waiting:
        task.cancel()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    assert work.cancelled == 1
    work.go.set()
    assert await flights.do("key", work) == "result"
    assert work.runs == 2


async def test_the_last_one_to_leave_waits_for_the_clean_up_and_nobody_joins_it() -> None:
    flights, cleaned = SingleFlight[object](), asyncio.Event()
    cleaning, later = asyncio.Event(), Work()
    later.go.set()

    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaning.set()
            await cleaned.wait()

    leaving = asyncio.create_task(flights.do("key", careful))
    await some_turns()
    leaving.cancel()
    await cleaning.wait()
    assert await flights.do("key", later) == "result"
    assert not leaving.done()
    cleaned.set()
    with pytest.raises(asyncio.CancelledError):
        await leaving


async def test_an_error_that_nobody_is_left_to_hear_is_not_reported_as_lost() -> None:
    lost: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: lost.append(context))

    async def fails_when_cancelled() -> NoReturn:
        try:
            await asyncio.Event().wait()
        finally:
            raise ValueError("while it is cleaned up")

    leaving = asyncio.create_task(SingleFlight[object]().do("key", fails_when_cancelled))
    await some_turns()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    del leaving
    await some_turns()
    assert lost == []


# --- streams --------------------------------------------------------------------------------------


class Reading:
    """A stream that goes on one message at a time, as it is let."""

    def __init__(self, error: Exception | None = None) -> None:
        self.runs = 0
        self.closed = 0
        self.steps: asyncio.Queue[int | None] = asyncio.Queue()
        self._error = error

    async def __call__(self) -> AsyncGenerator[int, None]:
        self.runs += 1
        try:
            while (step := await self.steps.get()) is not None:
                yield step
            if self._error:
                raise self._error
        finally:
            self.closed += 1


async def heard(stream: AsyncGenerator[int, None], into: list[int]) -> None:
    async with aclosing(stream):
        async for message in stream:
            into.append(message)


async def test_all_who_listen_hear_all_of_one_run_also_who_joins_late() -> None:
    streams, reading = SharedStreams[int](), Reading()
    first: list[int] = []
    late: list[int] = []
    listening = [asyncio.create_task(heard(streams.listen("key", reading), first))]
    for step in (1, 2):
        reading.steps.put_nowait(step)
    await some_turns()
    assert first == [1, 2]
    listening.append(asyncio.create_task(heard(streams.listen("key", reading), late)))
    await some_turns()
    assert late == [1, 2]
    reading.steps.put_nowait(3)
    reading.steps.put_nowait(None)
    await asyncio.gather(*listening)
    assert (first, late, reading.runs) == ([1, 2, 3], [1, 2, 3], 1)


async def test_one_who_stops_listening_disturbs_nobody_and_the_last_one_ends_the_run() -> None:
    streams, reading = SharedStreams[int](), Reading()
    kept: list[int] = []
    listening = [asyncio.create_task(heard(streams.listen("key", reading), into)) for into in ([], kept)]
    await some_turns()
    listening[0].cancel()
    reading.steps.put_nowait(1)
    await some_turns()
    assert (kept, reading.closed) == ([1], 0)
    listening[1].cancel()
    results = await asyncio.gather(*listening, return_exceptions=True)
    assert [type(result) for result in results] == [asyncio.CancelledError] * 2
    assert reading.closed == 1


async def test_a_stream_s_error_goes_to_all_after_what_came_before_it() -> None:
    streams, reading = SharedStreams[int](), Reading(ValueError("no"))
    both: list[list[int]] = [[], []]
    listening = [asyncio.create_task(heard(streams.listen("key", reading), into)) for into in both]
    reading.steps.put_nowait(1)
    reading.steps.put_nowait(None)
    results = await asyncio.gather(*listening, return_exceptions=True)
    assert both == [[1], [1]]
    assert [type(result) for result in results] == [ValueError] * 2


# --- analyses over HTTP --------------------------------------------------------------------------

GUIDE = "# Release guide\n\nReleases go out every Tuesday.\n"
ANALYSIS = {
    "summary": "A guide to releases.",
    "missing_sections": [],
    "improvements": [],
    "scores": {"completeness": 60, "clarity": 80, "structure": 70},
}
SLOW = Reply(json.dumps(ANALYSIS), first_token_delay=0.3)
HANGING = Reply(before_headers="stall")
PATH = "/functions/v1/analyze-document"


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator
    database_url: str

    async def analyse(self, request_id: str, **body: Any) -> httpx.Response:
        headers = {"x-request-id": request_id}
        return await self.client.post(PATH, json=body or {"content": GUIDE}, headers=headers)

    async def rows(self) -> list[tuple[str, str]]:
        """(request, outcome) of the ledger, once there is any."""
        query = "select request_id, outcome from ai_usage order by started_at"
        async with await psycopg.AsyncConnection.connect(self.database_url) as connection:
            async with asyncio.timeout(10):
                while not (rows := await (await connection.execute(query)).fetchall()):
                    await connection.rollback()
                    await asyncio.sleep(0.05)
        return rows


async def the_server_sees_it() -> None:
    """Who comes and goes; nothing tells us so from outside."""
    await asyncio.sleep(0.15)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        together = await stack.enter_async_context(Simulator())
        openai = await stack.enter_async_context(Simulator())
        environ = {**two_providers(together.base_url, openai.base_url), "AI_OFFLINE": "never"}
        client = await stack.enter_async_context(marginalia(database_url, environ))
        yield World(client, together, openai, database_url)


async def test_the_same_text_is_asked_about_once_and_each_answer_is_its_own_request_s(world: World) -> None:
    world.together.reply(SLOW)
    names = [f"request-{number}" for number in range(6)]
    responses = await asyncio.gather(*(world.analyse(name) for name in names))
    assert [response.status_code for response in responses] == [200] * 6
    metas = [response.json()["meta"] for response in responses]
    assert [meta["request_id"] for meta in metas] == names
    assert len(world.together.requests) == 1
    (payer,) = [meta for meta in metas if "shared_with" not in meta]
    assert (payer["attempts"], payer["cost_usd"] > 0) == (1, True)
    for meta in metas:
        if meta is not payer:
            assert (meta["shared_with"], meta["cost_usd"], meta["attempts"]) == (payer["request_id"], 0, 0)
    assert await world.rows() == [(payer["request_id"], "ok")]


async def test_a_stored_document_is_analysed_and_stored_once(world: World) -> None:
    await world.client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE})
    world.together.reply(SLOW)
    responses = await asyncio.gather(
        *(world.analyse(f"request-{number}", document_id="guide.md") for number in range(4))
    )
    assert {response.json()["summary"] for response in responses} == {"A guide to releases."}
    later = (await world.analyse("later", document_id="guide.md")).json()
    assert (later["meta"]["cached"], later["meta"]["request_id"]) == (True, "later")
    assert len(world.together.requests) == 1


async def test_other_text_and_a_refresh_are_asked_about_apart(world: World) -> None:
    world.together.reply(SLOW)
    await asyncio.gather(
        world.analyse("one"),
        world.analyse("other", content=GUIDE + "More.\n"),
        world.analyse("refresh", content=GUIDE, refresh=True),
    )
    assert len(world.together.requests) == 3


async def test_a_failure_is_told_to_all_with_their_own_request_id(world: World) -> None:
    world.together.reply(Reply(status=401, delay=0.2))
    world.openai.reply(Reply(status=403))
    responses = await asyncio.gather(*(world.analyse(f"request-{number}") for number in range(3)))
    errors = [response.json()["error"] for response in responses]
    assert {response.status_code for response in responses} == {502}
    assert [error["request_id"] for error in errors] == ["request-0", "request-1", "request-2"]
    assert {len(error["attempts"]) for error in errors} == {2}
    assert (len(world.together.requests), len(world.openai.requests)) == (1, 1)


async def test_a_client_that_hangs_up_leaves_the_answer_to_the_others(world: World) -> None:
    world.together.reply(SLOW)
    leaving = asyncio.create_task(world.analyse("leaving"))
    await world.together.wait_for_requests(1)
    staying = asyncio.create_task(world.analyse("staying"))
    await the_server_sees_it()
    leaving.cancel()
    answer = (await staying).json()
    assert (answer["meta"]["request_id"], answer["meta"]["shared_with"]) == ("staying", "leaving")
    assert len(world.together.requests) == 1
    assert await world.rows() == [("leaving", "ok")]


async def test_when_the_last_client_hangs_up_the_provider_s_request_ends(world: World) -> None:
    world.together.reply(HANGING)
    clients = [asyncio.create_task(world.analyse(f"request-{number}")) for number in range(3)]
    (request,) = await world.together.wait_for_requests(1)
    await the_server_sees_it()
    for client in clients[:2]:
        client.cancel()
    await the_server_sees_it()
    assert not request.client_left.is_set()
    clients[2].cancel()
    await asyncio.wait_for(request.client_left.wait(), 1.0)
    ((_, outcome),) = await world.rows()
    assert outcome == "cancelled"
