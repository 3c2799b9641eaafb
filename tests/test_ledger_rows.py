"""What each attempt leaves in the ledger, through a whole server and real providers on loopback."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx
import pytest

from shared.ai.prices import cost_usd
from shared.types import LOCAL_TENANT_ID, Usage
from tests.faults.fronts import ANALYSIS, SUGGESTION
from tests.faults.playing import unhurried
from tests.ledger_rows import LedgerRow, ledger_rows
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator

CHAT = "/v1/chat/completions"
FAST = "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"
QUESTION = "What did the fox do at the fence today?"
GIVEN = len(QUESTION.split())
LONG = "word " * 400


def chat(*, stream: bool = True, model: str = f"together/{FAST}", **more: Any) -> dict[str, Any]:
    return {"model": model, "stream": stream, "messages": [{"role": "user", "content": QUESTION}], **more}


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator
    rows: Sequence[LedgerRow] = field(default_factory=list)  # once the server has ended


@asynccontextmanager
async def world(database_url: str, **variables: str) -> AsyncIterator[World]:
    """Together, and OpenAI as its fallback; no wait between attempts is real."""
    async with Simulator() as together, Simulator() as openai:
        environ = {**two_providers(together.base_url, openai.base_url), **variables}
        async with marginalia(database_url, environ, pace=unhurried([])) as client:
            here = World(client, together, openai)
            yield here
        here.rows = ledger_rows(database_url)


async def left(here: World, path: str, body: dict[str, Any], simulator: Simulator, *, words: int) -> None:
    """Ask, and hang up once that many words have been sent."""
    asking = asyncio.create_task(here.client.post(path, json=body))
    (request,) = await simulator.wait_for_requests(1)
    for _ in range(1000):
        if request.tokens_sent >= words:
            break
        await asyncio.sleep(0.005)
    asking.cancel()
    with suppress(asyncio.CancelledError):
        await asking
    await asyncio.wait_for(request.client_left.wait(), 5)


async def test_a_row_says_what_the_provider_counted_and_what_it_costs(database_url: str) -> None:
    async with world(database_url) as here:
        here.together.reply(Reply("One two three four.", cached=3, reasoning=5, token_delay=0.005))
        await here.client.post(CHAT, json=chat(), headers={"x-request-id": "the-request"})
    (row,) = here.rows
    assert (row.tenant_id, row.request_id, row.task) == (LOCAL_TENANT_ID, "the-request", "gateway")
    assert (row.told, row.model) == (("together", "first", "ok"), FAST)
    assert (row.tokens, row.cached_tokens, row.reasoning_tokens) == ((GIVEN, 9), 3, 5)
    assert (row.estimated, row.own_key, row.streamed) == (False, False, True)
    assert row.cost_usd == cost_usd("together", FAST, Usage(GIVEN, 9, 3, 5))
    assert row.cost_usd == Decimal(GIVEN + 9) * Decimal("0.18") / 1_000_000
    assert row.first_token_ms is not None
    assert 0 < row.first_token_ms < row.duration_ms
    assert row.tokens_per_second == pytest.approx(9 * 1000 / row.duration_ms)


async def test_a_model_without_a_price_costs_nobody_knows_what(database_url: str) -> None:
    async with world(database_url) as here:
        await here.client.post(CHAT, json=chat(model="together/of-my-own"))
        await here.client.post(CHAT, json=chat(model="openai/gpt-4o", stream=False))
    unknown, known = here.rows
    assert (unknown.cost_usd, unknown.tokens) == (None, (GIVEN, 9))
    assert known.cost_usd == Decimal(GIVEN) * Decimal("2.5e-6") + 9 * Decimal("10e-6")
    assert (unknown.streamed, known.streamed) == (True, False)


@pytest.mark.parametrize("whole", [False, True], ids=["stream", "whole"])
async def test_a_provider_that_does_not_count_is_estimated_and_flagged(
    database_url: str, whole: bool
) -> None:
    async with world(database_url) as here:
        here.together.reply(Reply("word " * 8, usage=False))
        await here.client.post(CHAT, json=chat(stream=not whole))
    (row,) = here.rows
    assert row.told == ("together", "first", "ok")
    assert row.estimated
    assert row.tokens == (-(-len(QUESTION) // 4), -(-8 * len("word ") // 4))
    assert row.cost_usd is not None


@pytest.mark.parametrize("front", ["gateway", "suggestion"])
async def test_a_stream_that_is_left_counts_what_was_asked_and_what_had_come(
    database_url: str, front: str
) -> None:
    path, body = (CHAT, chat()) if front == "gateway" else (SUGGESTION.path, dict(SUGGESTION.body))
    async with world(database_url) as here:
        here.together.reply(Reply(LONG, token_delay=0.005))
        await left(here, path, body, here.together, words=12)
        sent = here.together.requests[0].tokens_sent
    (row,) = here.rows
    assert row.told == ("together", "first", "cancelled")
    assert row.estimated
    assert row.input_tokens >= -(-len(QUESTION) // 4) if front == "gateway" else row.input_tokens > 20
    assert 11 <= row.output_tokens <= -(-sent * len("word ") // 4)
    assert row.cost_usd is not None
    assert row.cost_usd > 0


async def test_a_request_that_is_left_in_silence_counts_what_was_asked(database_url: str) -> None:
    async with world(database_url) as here:
        here.together.reply(Reply(before_headers="stall"))
        await left(here, CHAT, chat(), here.together, words=0)
    (row,) = here.rows
    assert (row.told, row.estimated) == (("together", "first", "cancelled"), True)
    assert row.tokens == (-(-len(QUESTION) // 4), 0)
    assert row.first_token_ms is None


async def test_silence_for_too_long_counts_what_was_asked(database_url: str) -> None:
    async with world(database_url, AI_FIRST_TOKEN_TIMEOUT="0.2") as here:
        here.together.reply(Reply(before_headers="stall"))
        await here.client.post(CHAT, json=chat())
    silent, fallback = here.rows
    assert (silent.told, silent.estimated) == (("together", "first", "timeout"), True)
    assert silent.tokens == (-(-len(QUESTION) // 4), 0)
    assert (fallback.told, fallback.estimated) == (("openai", "fallback", "ok"), False)


async def test_what_a_provider_refuses_costs_nothing(database_url: str) -> None:
    async with world(database_url) as here:
        here.together.script(Reply(status=503), Reply(status=401))
        await here.client.post(CHAT, json=chat())
    refused, again, fallback = here.rows
    assert [row.told for row in here.rows] == [
        ("together", "first", "server_error"),
        ("together", "retry", "auth_error"),
        ("openai", "fallback", "ok"),
    ]
    assert (refused.tokens, refused.estimated, refused.cost_usd) == ((0, 0), False, Decimal(0))
    assert again.tokens == (0, 0)
    assert fallback.tokens == (GIVEN, 9)


async def test_nobody_there_costs_nothing(database_url: str) -> None:
    async with world(database_url, TOGETHER_BASE_URL="http://127.0.0.1:1/v1") as here:
        await here.client.post(CHAT, json=chat())
    unreached = [row for row in here.rows if row.provider == "together"]
    assert {(row.outcome, row.tokens, row.estimated) for row in unreached} == {
        ("connect_error", (0, 0), False)
    }
    assert here.rows[-1].told == ("openai", "fallback", "ok")


@pytest.mark.parametrize("silent", [Reply(before_headers="stall"), Reply(stall_after=0)], ids=["", "begun"])
async def test_the_loser_of_a_race_is_billed(database_url: str, silent: Reply) -> None:
    async with world(database_url, AI_HEDGE_AFTER_MS="30") as here:
        here.together.reply(silent)
        await here.client.post(CHAT, json=chat())
    loser, winner = here.rows
    assert (loser.told, winner.told) == (("together", "first", "cancelled"), ("openai", "hedge", "ok"))
    assert (loser.estimated, loser.tokens) == (True, (-(-len(QUESTION) // 4), 0))
    assert (winner.estimated, winner.tokens) == (False, (GIVEN, 9))


async def test_a_repair_is_billed_with_what_it_repairs(database_url: str) -> None:
    async with world(database_url) as here:
        here.together.script(Reply("No JSON at all."), Reply(ANALYSIS.text))
        answer = await here.client.post(ANALYSIS.path, json=ANALYSIS.body)
    assert answer.json()["meta"]["attempts"] == 2
    first, repair = here.rows
    assert (first.told, repair.told) == (
        ("together", "first", "malformed_output"),
        ("together", "repair", "ok"),
    )
    billed = [request.billed or {} for request in here.together.requests]
    assert [row.tokens for row in here.rows] == [
        (usage["prompt_tokens"], usage["completion_tokens"]) for usage in billed
    ]
    meta = answer.json()["meta"]
    assert meta["usage"]["input_tokens"] == first.input_tokens + repair.input_tokens
    assert Decimal(str(meta["cost_usd"])) == (first.cost_usd or 0) + (repair.cost_usd or 0)


async def test_a_stream_that_broke_counts_what_came_of_it(database_url: str) -> None:
    text = "The fox sat by the wood and saw the fence, and the dog behind it, and was content with that."
    async with world(database_url) as here:
        here.together.reply(Reply(text, cut_after=12, token_delay=0.002))
        here.openai.reply(Reply(text))
        await here.client.post(CHAT, json=chat())
    cut, fallback = here.rows
    assert (cut.told, fallback.told) == (("together", "first", "cut"), ("openai", "fallback", "ok"))
    assert (cut.estimated, cut.input_tokens) == (True, -(-len(QUESTION) // 4))
    assert 0 < cut.output_tokens <= len(text) // 4
    assert (fallback.estimated, fallback.output_tokens) == (False, len(Reply(text).tokens))


async def test_embeddings_are_rows_too(database_url: str) -> None:
    async with world(database_url, AI_EMBEDDING_PROVIDER="openai") as here:
        here.openai.script(Reply(status=500))
        answer = await here.client.post(
            "/functions/v1/index-document",
            json={"document_id": "a", "markdown_content": "# Tea\n\nBrew it slowly.\n"},
        )
        assert answer.status_code == 200
        (billed,) = [request.billed for request in here.openai.requests if request.billed]
    failed, good = here.rows
    assert (failed.told, good.told) == (("openai", "first", "server_error"), ("openai", "retry", "ok"))
    assert (good.task, good.model, good.estimated) == ("embedding", "text-embedding-3-small", False)
    assert (good.tokens, failed.tokens) == ((billed["prompt_tokens"], 0), (0, 0))
    assert good.cost_usd == billed["prompt_tokens"] * Decimal("0.02") / 1_000_000


async def test_an_embedding_that_is_left_counts_what_was_asked(database_url: str) -> None:
    async with world(database_url, AI_EMBEDDING_PROVIDER="openai") as here:
        here.openai.reply(Reply(before_headers="stall"))
        here.openai.script(Reply(before_headers="stall"))
        body = {"document_id": "a", "markdown_content": "# Tea\n\nBrew it slowly.\n"}
        await left(here, "/functions/v1/index-document", body, here.openai, words=0)
    (row,) = here.rows
    assert (row.told, row.estimated) == (("openai", "first", "cancelled"), True)
    assert row.input_tokens > 3


async def test_a_tool_call_that_nobody_counted_has_its_question_estimated(database_url: str) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    chunk = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
    async with world(database_url) as here:
        data = f"data: {json.dumps(chunk)}\n\ndata: [DONE]\n\n".encode()
        here.together.reply(Reply(body=data, content_type="text/event-stream"))
        await here.client.post(CHAT, json=chat())
    (row,) = here.rows
    assert (row.told, row.estimated) == (("together", "first", "ok"), True)
    assert row.input_tokens == -(-len(QUESTION) // 4)


@pytest.mark.parametrize("front", ["gateway", "suggestion"])
async def test_what_a_filter_ended_is_billed_as_the_provider_counts_it(database_url: str, front: str) -> None:
    path, body = (CHAT, chat()) if front == "gateway" else (SUGGESTION.path, dict(SUGGESTION.body))
    async with world(database_url) as here:
        here.together.reply(Reply(finish="content_filter", cached=2, token_delay=0.001))
        await here.client.post(path, json=body)
        (billed,) = [request.billed or {} for request in here.together.requests]
    (row,) = here.rows
    assert (row.told, row.estimated) == (("together", "first", "content_filtered"), False)
    assert row.tokens == (billed["prompt_tokens"], billed["completion_tokens"])
    assert row.cached_tokens == 2


async def test_a_running_usage_counts_when_the_stream_breaks_after_it(database_url: str) -> None:
    async with world(database_url) as here:
        here.together.reply(Reply(LONG, usage_after=10, cut_after=20, token_delay=0.001))
        here.openai.reply(Reply(LONG))
        await here.client.post(CHAT, json=chat())
        billed = here.together.requests[0].billed
    assert json.loads(json.dumps(billed))["completion_tokens"] == 10
    cut, _ = here.rows
    assert (cut.told, cut.estimated, cut.tokens) == (("together", "first", "cut"), False, (GIVEN, 10))
