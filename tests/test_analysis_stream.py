"""Analyses as streams, and long documents in parts: over HTTP, asked of simulated providers."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest

from shared.services import Pace
from shared.tasks.analysis import OUTLINE, outline_of
from shared.tasks.asking import Subject
from tests.marginalia import events_of, marginalia, two_providers
from tests.simulator import Reply, Simulator
from tests.sse_decoder import decode

PATH = "/functions/v1/analyze-document"
SHORT = "# Plan\n\nParagraph 0 says something. We ship on Tuesday.\n"
SCORES = {"completeness": 60, "clarity": 80, "structure": 70}


def long_text(sections: int) -> str:
    return "".join(
        f"## Section {n}\n\nParagraph {n} says something. " + "Word " * 900 + "\n\n" for n in range(sections)
    )


LONG = long_text(60)


def review(request: dict[str, Any]) -> str:
    """One finding on the first numbered paragraph of the part."""
    found = re.search(r"Paragraph (\d+) says something", request["messages"][-1]["content"])
    assert found
    finding = {"severity": 2, "category": "clarity", "message": "Say what.", "replacement": None}
    return json.dumps(
        {
            "summary": f"It begins at {found[1]}.",
            "missing_sections": [],
            "improvements": [{**finding, "quote": found[0]}],
            "scores": SCORES,
        }
    )


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator
    database_url: str

    async def stream(self, **body: Any) -> list[tuple[str, Any]]:
        response = await self.client.post(PATH, json={**body, "stream": True})
        assert response.status_code == 200, response.text
        return await events_of(response)


async def no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def open_world(
    database_url: str, environ: Mapping[str, str], pace: Pace | None = None
) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        together = await stack.enter_async_context(Simulator(review))
        openai = await stack.enter_async_context(Simulator(review))
        variables = {**two_providers(together.base_url, openai.base_url), **environ}
        pace = pace or Pace(sleep=no_sleep)
        client = await stack.enter_async_context(marginalia(database_url, variables, pace=pace))
        yield World(client, together, openai, database_url)


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with open_world(database_url, {"AI_OFFLINE": "never"}) as opened:
        yield opened


# --- the stream ----------------------------------------------------------------------------------


async def test_each_part_is_told_with_its_findings_and_the_end_holds_the_whole(world: World) -> None:
    events = await world.stream(content=LONG)
    names = [name for name, _ in events]
    told = [data for name, data in events if name == "progress"]
    done = events[-1][1]
    assert names == ["start", *["progress"] * len(told), "delta", "done"]
    assert {one["parts"] for one in told} == {done["meta"]["parts"]} == {len(told)}
    assert [one["done"] for one in told] == list(range(1, len(told) + 1))
    assert {one["part"] for one in told} == set(range(1, len(told) + 1))
    in_order = sorted(told, key=lambda one: one["part"])
    assert [finding for one in in_order for finding in one["improvements"]] == done["improvements"]
    assert len(done["improvements"]) == len(told) > 2
    assert events[0][1]["provider"] == done["meta"]["provider"] == "together"


async def test_a_part_is_told_while_another_is_still_being_read(world: World) -> None:
    def slow_at_the_beginning(request: dict[str, Any]) -> str | Reply:
        hangs = "Paragraph 0 says" in request["messages"][-1]["content"]
        return Reply(review(request), stall_after=1) if hangs else review(request)

    world.together.respond(slow_at_the_beginning)
    body = {"content": LONG, "stream": True}
    async with asyncio.timeout(10), world.client.stream("POST", PATH, json=body) as response:
        lines = response.aiter_lines()
        while not (await anext(lines)).startswith("event: progress"):
            pass
        told = json.loads((await anext(lines)).removeprefix("data: "))
    assert told["part"] != 1
    assert told["improvements"]


async def test_streaming_or_not_the_analysis_is_the_same(world: World) -> None:
    whole = (await world.client.post(PATH, json={"content": LONG})).json()
    streamed = (await world.stream(content=LONG))[-1][1]
    for one in (whole, streamed):
        del one["meta"]["request_id"]
    assert whole == streamed


async def test_a_stored_analysis_streams_as_well(world: World) -> None:
    await world.client.put("/functions/v1/documents/plan", json={"markdown_content": SHORT})
    first = await world.stream(document_id="plan")
    again = await world.stream(document_id="plan")
    assert [name for name, _ in again] == ["start", "delta", "done"]
    assert again[0][1]["provider"] == "together"
    assert (again[-1][1]["meta"]["cached"], again[-1][1]["meta"]["cost_usd"]) == (True, 0)
    assert again[-1][1]["improvements"] == first[-1][1]["improvements"]
    assert len(world.together.requests) == 1


async def test_an_error_before_the_first_event_is_an_http_answer(world: World) -> None:
    for simulator in (world.together, world.openai):
        simulator.reply(Reply(status=401))
    response = await world.client.post(PATH, json={"content": LONG, "stream": True})
    assert (response.status_code, response.json()["error"]["code"]) == (502, "all_providers_failed")
    empty = await world.client.post(PATH, json={"content": " ", "stream": True})
    unknown = await world.client.post(PATH, json={"document_id": "nowhere", "stream": True})
    assert (empty.status_code, unknown.status_code) == (422, 404)


async def test_an_error_after_it_is_the_last_event(world: World) -> None:
    for simulator in (world.together, world.openai):
        simulator.reply(Reply("This is no JSON at all.", token_delay=0.01))
    events = await world.stream(content=SHORT)
    assert events[-1][0] == "error"
    assert events[-1][1]["error"]["code"] == "malformed_output"


async def test_where_nobody_can_be_asked_the_stream_is_degraded(database_url: str) -> None:
    async with marginalia(database_url) as client:
        response = await client.post(PATH, json={"content": "# Plan\n\nTODO: write it.\n", "stream": True})
        events = await events_of(response)
    assert [name for name, _ in events] == ["start", "progress", "delta", "done"]
    assert events[-1][1]["meta"]["degraded"] is True
    assert events[1][1]["improvements"] == events[-1][1]["improvements"] != []


async def test_streams_of_the_same_text_share_one_run_and_all_hear_its_progress(world: World) -> None:
    def slow(request: dict[str, Any]) -> Reply:
        return Reply(review(request), first_token_delay=0.2)

    world.together.respond(slow)
    first = asyncio.create_task(world.stream(content=LONG))
    await world.together.wait_for_requests(1)
    streams = await asyncio.gather(first, *(world.stream(content=LONG) for _ in range(2)))
    parts = streams[0][-1][1]["meta"]["parts"]
    assert len(world.together.requests) == parts
    for events in streams:
        assert sum(name == "progress" for name, _ in events) == parts
        assert events[0][1]["request_id"] == events[-1][1]["meta"]["request_id"]
    assert sum("shared_with" not in events[-1][1]["meta"] for events in streams) == 1


async def test_a_client_that_hangs_up_in_the_middle_ends_all_requests_to_the_provider(world: World) -> None:
    world.together.reply(Reply('{"summary": "It', stall_after=1))
    body = {"content": long_text(240), "stream": True}
    async with world.client.stream("POST", PATH, json=body) as response:
        lines = response.aiter_lines()
        while not (await anext(lines)).startswith("event: start"):
            pass
        asked = len(await world.together.wait_for_requests(8))
    async with asyncio.timeout(1.0):
        for request in world.together.requests:
            await request.client_left.wait()
    await asyncio.sleep(0.2)
    assert len(world.together.requests) == asked  # those that waited for their turn were never asked
    assert world.openai.requests == []


@pytest.mark.parametrize("format", ["openai", "ui-message", "text"])
async def test_other_dialects_say_the_summary_and_carry_the_progress(world: World, format: str) -> None:
    response = await world.client.post(f"{PATH}?format={format}", json={"content": LONG, "stream": True})
    whole = (await world.stream(content=LONG))[-1][1]
    body = await response.aread()
    if format == "text":
        assert body.decode() == whole["summary"]
        return
    chunks = [json.loads(event.data) for event in decode(body) if event.data != "[DONE]"]
    assert body.endswith(b"data: [DONE]\n\n")
    if format == "openai":
        said = "".join(chunk["choices"][0]["delta"].get("content", "") for chunk in chunks)
        told = [
            chunk["marginalia"]["progress"] for chunk in chunks if "progress" in chunk.get("marginalia", {})
        ]
        result = chunks[-1]["marginalia"]
    else:
        said = "".join(chunk.get("delta", "") for chunk in chunks)
        told = [chunk["data"] for chunk in chunks if chunk["type"] == "data-progress"]
        result = chunks[-1]["messageMetadata"]
    assert said == whole["summary"]
    assert len(told) == whole["meta"]["parts"]
    assert result["improvements"] == whole["improvements"]


# --- one budget over all parts -------------------------------------------------------------------


async def test_all_parts_share_the_retries(database_url: str) -> None:
    environ = {"AI_OFFLINE": "never", "AI_FALLBACK_PROVIDER": "none", "AI_MAX_RETRIES": "2"}
    failed = 0

    def fails_often(request: dict[str, Any]) -> str | Reply:
        nonlocal failed
        failed += 1
        return Reply(status=503) if failed in (1, 3) else review(request)

    async with open_world(database_url, environ) as world:
        world.together.respond(fails_often)
        answer = (await world.client.post(PATH, json={"content": LONG})).json()
        parts = answer["meta"]["parts"]
        assert answer["meta"]["attempts"] == len(world.together.requests) == parts + 2
        failed = 0
        world.together.requests.clear()
        world.together.respond(lambda request: Reply(status=503))
        refused = await world.client.post(PATH, json={"content": LONG, "refresh": True})
        assert refused.status_code == 502
        assert len(world.together.requests) <= 8 + 2  # one for each part that was being read


async def test_every_part_may_take_the_fallback_without_retries(database_url: str) -> None:
    environ = {"AI_OFFLINE": "never", "AI_MAX_RETRIES": "0"}
    async with open_world(database_url, environ) as world:
        world.together.reply(Reply(status=401))
        answer = (await world.client.post(PATH, json={"content": LONG})).json()
        assert answer["meta"]["provider"] == "openai"
        assert len(world.openai.requests) == answer["meta"]["parts"]


async def test_all_parts_share_the_deadline(database_url: str) -> None:
    environ = {"AI_OFFLINE": "never", "AI_FALLBACK_PROVIDER": "none"}
    skew = 0.0

    def late_after_the_first_round(request: dict[str, Any]) -> str | Reply:
        nonlocal skew
        skew = 0.0 if len(world.together.requests) < 8 else 100.0
        return review(request) if len(world.together.requests) <= 8 else Reply(before_headers="stall")

    pace = Pace(clock=lambda: time.monotonic() + skew, sleep=no_sleep)
    async with open_world(database_url, environ, pace) as world:
        world.together.respond(late_after_the_first_round)
        response = await world.client.post(PATH, json={"content": long_text(240)})
        assert (response.status_code, response.json()["error"]["code"]) == (504, "provider_timeout")
        assert 8 <= len(world.together.requests) <= 16


# --- large documents -----------------------------------------------------------------------------


async def test_a_document_of_a_megabyte_is_read_to_its_last_word(world: World) -> None:
    text = long_text(220)
    assert len(text) > 1_000_000
    answer = (await world.client.post(PATH, json={"content": text}, timeout=60)).json()
    sent = "".join(request.prompt for request in world.together.requests)
    assert all(f"Paragraph {n} says something" in sent for n in range(220))
    assert len(re.findall(r"\bWord\b", sent)) == text.count("Word ")
    assert answer["meta"]["parts"] == len(world.together.requests) == len(answer["improvements"]) > 15
    for finding in answer["improvements"]:
        position = finding["anchor"]["position"]
        assert text[position["start"] : position["end"]] == finding["anchor"]["quote"]["exact"]


async def test_each_part_is_read_with_the_outline_of_the_whole(world: World) -> None:
    await world.client.post(PATH, json={"content": LONG})
    assert all("\nSection 59\n" in request.prompt for request in world.together.requests)
    world.together.requests.clear()
    await world.client.post(PATH, json={"content": SHORT})
    assert 'label="outline"' not in world.together.requests[0].prompt


@pytest.mark.parametrize("levels", [1, 2, 3])
def test_an_outline_has_as_many_levels_as_fit(levels: int) -> None:
    lines = [f"{'#' * (1 + n % levels)} Name {n}" for n in range(300)]
    text = outline_of(Subject.unsaved("\n\n".join(lines)))
    assert len(text) <= OUTLINE + 2
    assert text.startswith("Name 0")
    assert ("Name 1\n" in text) == (levels == 1 or "  Name 1" in text)


async def test_every_request_of_every_part_is_a_row_of_the_ledger(world: World) -> None:
    events = await world.stream(content=LONG)
    meta = events[-1][1]["meta"]
    query = "select count(*), sum(output_tokens), sum(cost_usd) from ai_usage where outcome = 'ok'"
    async with await psycopg.AsyncConnection.connect(world.database_url, autocommit=True) as connection:
        async with asyncio.timeout(10):
            while True:
                row = await (await connection.execute(query)).fetchone()
                if row and row[0] == meta["parts"]:
                    break
                await asyncio.sleep(0.05)
    assert row[1] == meta["usage"]["output_tokens"]
    assert float(row[2]) == pytest.approx(meta["cost_usd"])
