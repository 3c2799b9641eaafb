"""A client that hangs up over HTTP: the provider's request ends within a second, and the row is written."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from types import ModuleType

import httpx
import psycopg
import pytest

from functions import analyze_document, chat_completions, generate_suggestions
from shared.services import Pace
from tests.faults.fronts import ANALYSIS, CHAT, CHAT_STREAM, FIRST, SUGGESTION, Front
from tests.faults.playing import REQUEST_ID, environment, outcomes, unhurried
from tests.faults.table import FAULTS
from tests.marginalia import marginalia
from tests.simulator import Reply, SeenRequest, Simulator

AT_ONCE = 1.0  # seconds in which the provider's request must end
FRONTS = (SUGGESTION, ANALYSIS, CHAT_STREAM, CHAT)
BEGUN = (SUGGESTION, ANALYSIS, CHAT_STREAM)  # the provider is asked for a stream
ALONE: Mapping[str, ModuleType] = {
    SUGGESTION.name: generate_suggestions,
    ANALYSIS.name: analyze_document,
    CHAT_STREAM.name: chat_completions,
    CHAT.name: chat_completions,
}


@dataclass
class World:
    client: httpx.AsyncClient
    first: Simulator
    second: Simulator
    database_url: str

    def ask(self, front: Front) -> asyncio.Task[str]:
        return asyncio.create_task(front.ask(self.client, REQUEST_ID))

    async def row(self) -> list[str]:
        """The ledger's outcomes, as soon as there are any, while the server still runs."""
        for _ in range(200):
            if found := await asyncio.to_thread(outcomes, self.database_url):
                return list(found)
            await asyncio.sleep(0.05)
        return []


@asynccontextmanager
async def world(
    database_url: str, *, function: ModuleType | None = None, pace: Pace | None = None
) -> AsyncIterator[World]:
    """Afterwards no connection and no task is left."""
    before = asyncio.all_tasks()
    async with Simulator() as first, Simulator() as second:
        environ = environment(FAULTS["503 for ever"], first, second, "openai")
        async with marginalia(database_url, environ, function=function, pace=pace) as client:
            yield World(client, first, second, database_url)
        await first.wait_for_rest()
        await second.wait_for_rest()
    for _ in range(100):  # what is closed is gone some turns later
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before


async def hang_up(asking: asyncio.Task[str]) -> None:
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking


async def asked(simulator: Simulator) -> SeenRequest:
    """The request that it was asked, once what it says at once has come through."""
    (request,) = await simulator.wait_for_requests(1)
    await asyncio.sleep(0.06)
    return request


MOMENTS = {
    "before headers": Reply(before_headers="stall"),
    "before the first token": Reply(first_token_delay=30.0),
    "after the first token": Reply(token_delay=0.02, stall_after=100),
}


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("alone", [False, True], ids=["whole server", "handler alone"])
async def test_the_provider_s_request_ends_and_its_row_is_written(
    front: Front, moment: str, alone: bool, database_url: str
) -> None:
    function = ALONE[front.name] if alone else None
    async with world(database_url, function=function) as here:
        here.first.reply(replace(MOMENTS[moment], text=front.text * 20))
        asking = here.ask(front)
        request = await asked(here.first)
        assert (request.tokens_sent > 0) == (moment == "after the first token")
        await hang_up(asking)
        await asyncio.wait_for(request.client_left.wait(), AT_ONCE)
        assert await here.row() == ["cancelled"]
        assert not here.second.requests


@pytest.mark.parametrize("front", BEGUN, ids=lambda front: front.name)
async def test_so_does_that_of_a_fallback_in_mid_stream(front: Front, database_url: str) -> None:
    async with world(database_url) as here:
        here.first.reply(Reply(front.text, cut_after=20, token_delay=0.002))
        here.second.reply(Reply(before_headers="stall"))
        asking = here.ask(front)
        (request,) = await here.second.wait_for_requests(1)
        await hang_up(asking)
        await asyncio.wait_for(request.client_left.wait(), AT_ONCE)
    assert outcomes(database_url) == ["cut", "cancelled"]


@pytest.mark.parametrize("front", FRONTS, ids=lambda front: front.name)
async def test_nobody_is_asked_again_for_a_client_that_has_left(front: Front, database_url: str) -> None:
    async with world(database_url) as here:
        here.first.reply(Reply(status=429, headers={"retry-after": "3"}))
        asking = here.ask(front)
        await here.first.wait_for_requests(1)
        assert await here.row() == ["rate_limited"]
        await hang_up(asking)
    assert (len(here.first.requests), here.second.requests) == (1, [])


async def test_a_probe_that_is_hung_up_on_does_not_keep_the_next_one_out(database_url: str) -> None:
    async with world(database_url, pace=unhurried([])) as here:
        here.first.reply(Reply(status=401))
        here.second.reply(Reply(status=503))
        while len(here.second.requests) < 6:  # both answers failed: the breaker is open
            assert await SUGGESTION.ask(here.client, REQUEST_ID) == "502 all_providers_failed"
        here.second.reply(Reply(before_headers="stall"))
        seen = len(here.second.requests)
        asking = here.ask(SUGGESTION)
        probe = (await here.second.wait_for_requests(seen + 1))[-1]
        await hang_up(asking)
        await asyncio.wait_for(probe.client_left.wait(), AT_ONCE)
        here.second.reply(Reply(SUGGESTION.text))
        assert await SUGGESTION.ask(here.client, REQUEST_ID) == "fallback"


async def test_a_stream_that_is_left_is_charged_for_what_was_sent(database_url: str) -> None:
    async with world(database_url) as here:
        here.first.reply(Reply(SUGGESTION.text * 20, token_delay=0.01))
        asking = here.ask(SUGGESTION)
        await asked(here.first)
        await hang_up(asking)
    query = "select provider, input_tokens > 0, output_tokens > 0, estimated from ai_usage"
    with psycopg.connect(database_url) as connection:
        assert connection.execute(query).fetchall() == [(FIRST, True, True, True)]
