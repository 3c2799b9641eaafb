"""A newer request of a session ends the older one, and what it had asked."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import httpx
import pytest

from shared.errors import RevisionSuperseded
from shared.tasks.sessions import Sessions
from tests.marginalia import events_of, marginalia, two_providers
from tests.simulator import Reply, Simulator

KEY = ("tenant", "session")


async def test_waiting_ends_when_a_newer_request_comes() -> None:
    sessions = Sessions()
    ended = asyncio.Event()

    async def older() -> None:
        with sessions.turn(KEY, 1) as turn:
            try:
                await turn.wait(asyncio.Event().wait())
            finally:
                ended.set()

    task = asyncio.create_task(older())
    await asyncio.sleep(0)
    with sessions.turn(KEY, 2) as newer:
        with pytest.raises(RevisionSuperseded):
            await task
        assert await newer.wait(asyncio.sleep(0, "result")) == "result"
    assert task.cancelling() == 0


async def test_a_request_that_is_not_waiting_ends_at_its_next_step() -> None:
    sessions = Sessions()
    with sessions.turn(KEY, 1) as older, sessions.turn(KEY, 1), pytest.raises(RevisionSuperseded):
        await older.wait(asyncio.get_running_loop().create_future())


async def test_an_older_revision_that_comes_late_is_refused() -> None:
    sessions = Sessions()
    with (
        sessions.turn(KEY, 5) as newer,
        pytest.raises(RevisionSuperseded),
        sessions.turn(KEY, 4),
    ):
        pass
    assert await newer.wait(asyncio.sleep(0, "goes on")) == "goes on"


async def test_other_sessions_tenants_and_requests_without_one_are_left_alone() -> None:
    sessions = Sessions()
    with (
        sessions.turn(KEY, 1) as one,
        sessions.turn(("tenant", "other"), 2),
        sessions.turn(("other", "session"), 2),
        sessions.turn(None, 2),
    ):
        assert await one.wait(asyncio.sleep(0, "goes on")) == "goes on"


async def test_a_cancellation_from_outside_stays_one() -> None:
    with Sessions().turn(KEY, 1) as turn:
        task = asyncio.create_task(turn.wait(asyncio.Event().wait()))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def body(revision: int) -> dict[str, Any]:
    cursor = {"line": 0, "character": 6}
    return {"content": "Hello ", "cursor_position": cursor, "session": "one", "revision": revision}


async def ask(client: httpx.AsyncClient, revision: int) -> httpx.Response:
    return await client.post("/functions/v1/generate-suggestions", json=body(revision))


async def test_over_http_the_older_request_gets_409_and_its_provider_is_left(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        environ = two_providers(together.base_url, openai.base_url)
        async with marginalia(database_url, environ) as client:
            together.script(Reply(before_headers="stall"), Reply("world."))
            older = asyncio.create_task(ask(client, 1))
            await together.wait_for_requests(1)
            newer = await events_of(await ask(client, 2))
            refused = await older
            await asyncio.wait_for(together.requests[0].client_left.wait(), 1)
    assert (refused.status_code, refused.json()["error"]["code"]) == (409, "revision_superseded")
    assert newer[-1][0] == "done"
    assert openai.requests == []


async def test_over_http_a_stream_that_has_begun_ends_in_an_error_event(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        environ = two_providers(together.base_url, openai.base_url)
        async with marginalia(database_url, environ) as client:
            together.script(Reply("the big round world is here and stays.", stall_after=6), Reply("world."))
            url = "/functions/v1/generate-suggestions"
            async with client.stream("POST", url, json=body(1)) as older:
                lines = older.aiter_lines()
                while not (await anext(lines)).startswith("event: delta"):
                    pass
                await ask(client, 2)
                rest = [line async for line in lines]
            await asyncio.wait_for(together.requests[0].client_left.wait(), 1)
    last = json.loads([line for line in rest if line.startswith("data:")][-1].removeprefix("data:"))
    assert "event: error" in rest
    assert last["error"]["code"] == "revision_superseded"
