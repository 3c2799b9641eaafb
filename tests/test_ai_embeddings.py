"""Vectors from a provider: their shape, their order, their cost, and what happens when it fails."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from shared.ai.client import Client
from shared.ai.embeddings import ProviderEmbedder
from shared.errors import AllProvidersFailed, ProviderTimeout
from shared.providers import PROVIDERS, Provider, Target
from shared.settings import Limits
from shared.types import Attempt, CallContext, Outcome, Task, Usage
from tests.simulator import Reply, Simulator

CONTEXT = CallContext("request-1", "tenant-1", Task.EMBEDDING)
OPENAI, LOCAL = PROVIDERS["openai"], PROVIDERS["local"]


@asynccontextmanager
async def embedding(
    sim: Simulator, row: Provider = OPENAI, **options: Any
) -> AsyncIterator[tuple[ProviderEmbedder, list[Attempt]]]:
    rows: list[Attempt] = []
    client = Client()

    async def no_sleep(_: float) -> None: ...

    try:
        yield (
            ProviderEmbedder(
                client,
                Target(row, row.embedding_model or "", sim.base_url, "k"),
                record=rows.append,
                sleep=no_sleep,
                chance=lambda: 0.5,
                **options,
            ),
            rows,
        )
    finally:
        await client.aclose()


@pytest.mark.parametrize("row", [OPENAI, LOCAL], ids=["base64", "floats"])
async def test_vectors_have_length_one_and_stand_in_the_order_of_the_texts(row: Provider) -> None:
    texts = ["the quick fox", "a lazy dog", "the quick dog", ""]
    async with Simulator() as sim, embedding(sim, row) as (embedder, _):
        vectors = await embedder.embed(texts, context=CONTEXT)
        assert vectors.shape == (4, 1536)
        assert vectors.dtype == np.float32
        assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
        alone = await embedder.embed(texts[1:2], context=CONTEXT)
        assert np.allclose(alone[0], vectors[1])
        assert vectors[0] @ vectors[2] > vectors[0] @ vectors[1]
        assert ("encoding_format" in sim.requests[0].json) == row.embedding_base64


async def test_shorter_vectors_are_padded_with_zeros() -> None:
    async with Simulator() as sim, embedding(sim, dimensions=256) as (embedder, _):
        vectors = await embedder.embed(["a b c"], context=CONTEXT)
        assert sim.requests[0].json["dimensions"] == 256
        assert vectors.shape == (1, 1536)
        assert not vectors[0, 256:].any()
        assert np.isclose(np.linalg.norm(vectors[0]), 1.0)


async def test_no_texts_ask_nobody() -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        assert (await embedder.embed([], context=CONTEXT)).shape == (0, 1536)
        assert (sim.requests, rows) == ([], [])


async def test_many_texts_go_in_batches_and_each_batch_is_a_row() -> None:
    texts = [f"text number {n}" for n in range(25)]
    async with Simulator() as sim, embedding(sim, replace(OPENAI, embedding_batch=10)) as (embedder, rows):
        vectors = await embedder.embed(texts, context=CONTEXT)
        assert sorted(len(request.json["input"]) for request in sim.requests) == [5, 10, 10]
        assert len(rows) == 3
        assert sum(row.usage.input_tokens for row in rows) == 75
        assert sum((row.cost_usd or Decimal(0) for row in rows), Decimal(0)) == Decimal("0.0000015")
        assert {row.task for row in rows} == {Task.EMBEDDING}
        last = await embedder.embed(texts[-1:], context=CONTEXT)
        assert np.allclose(vectors[-1], last[0])


async def test_long_texts_make_small_batches() -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, _):
        await embedder.embed(["word " * 50_000] * 3, context=CONTEXT)
        assert [len(request.json["input"]) for request in sim.requests] == [1, 1, 1]


async def test_a_failure_is_retried_and_recorded() -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        sim.script(Reply(status=500), Reply(before_headers="reset"))
        assert (await embedder.embed(["a"], context=CONTEXT)).shape == (1, 1536)
        assert [row.outcome for row in rows] == [Outcome.SERVER_ERROR, Outcome.CONNECT_ERROR, Outcome.OK]
        assert [row.usage for row in rows[:2]] == [Usage(), Usage()]


@pytest.mark.parametrize(("status", "asked"), [(401, 1), (400, 1), (503, 4)])
async def test_a_provider_that_keeps_failing_is_given_up(status: int, asked: int) -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        sim.script(*[Reply(status=status)] * 9)
        with pytest.raises(AllProvidersFailed) as caught:
            await embedder.embed(["a"], context=CONTEXT)
        assert len(sim.requests) == len(rows) == len(caught.value.attempts) == asked


async def test_a_silent_provider_ends_in_a_timeout() -> None:
    async with Simulator() as sim, embedding(sim, limits=Limits(timeout=0.1)) as (embedder, rows):
        sim.script(Reply(before_headers="stall"))
        with pytest.raises(ProviderTimeout):
            await embedder.embed(["a"], context=CONTEXT)
        assert [row.outcome for row in rows] == [Outcome.TIMEOUT]
        await sim.wait_for_rest()


def answer(*vectors: Any, **more: Any) -> Reply:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    return Reply(body=json.dumps({"data": data, **more}).encode())


@pytest.mark.parametrize(
    "reply",
    [
        answer(),
        answer([1.0], [1.0]),
        answer([]),
        answer("not base64!"),
        answer("AAAA"),
        answer(["x"]),
        answer(None),
        answer([1.0] * 1537),
        answer([float("nan")]),
        answer([[1.0, 2.0], [3.0]]),
        Reply(body=b"[]"),
        Reply(body=b"{}"),
        Reply(body=b"no json"),
        Reply(body=b'{"error": {"message": "m"}}'),
        Reply(body=b"<html>", content_type="text/html"),
    ],
)
async def test_anything_but_vectors_is_a_failure(reply: Reply) -> None:
    async with Simulator() as sim, embedding(sim, limits=Limits(max_retries=0)) as (embedder, rows):
        sim.script(reply)
        with pytest.raises(AllProvidersFailed):
            await embedder.embed(["a"], context=CONTEXT)
        assert rows[0].outcome in (Outcome.PROTOCOL_ERROR, Outcome.SERVER_ERROR)


async def test_vectors_out_of_order_are_put_in_order() -> None:
    body = {"data": [{"index": 1, "embedding": [0.0, 2.0]}, {"index": 0, "embedding": [3.0, 0.0]}]}
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        sim.script(Reply(body=json.dumps(body).encode()))
        vectors = await embedder.embed(["a", "b"], context=CONTEXT)
        assert vectors[:, :2].tolist() == [[1.0, 0.0], [0.0, 1.0]]
        assert rows[0].usage.estimated  # it did not say


async def test_cancelling_ends_every_request() -> None:
    async with Simulator() as sim, embedding(sim, replace(OPENAI, embedding_batch=1)) as (embedder, rows):
        sim.script(*[Reply(before_headers="stall")] * 9)
        task = asyncio.create_task(embedder.embed(list("abcdef"), context=CONTEXT))
        await sim.wait_for_requests(4)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await sim.wait_for_rest()
        assert [row.outcome for row in rows] == [Outcome.CANCELLED] * 4


async def test_texts_that_are_being_embedded_are_not_sent_again() -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        sim.reply(Reply(first_token_delay=0.05))
        two = [embedder.embed(["a", "b"], context=replace(CONTEXT, request_id=f"r{n}")) for n in range(2)]
        other = embedder.embed(["a", "b"], context=replace(CONTEXT, tenant_id="tenant-2"))
        first, second, _ = await asyncio.gather(*two, other)
        assert np.array_equal(first, second)
        assert [row.tenant_id for row in rows] == ["tenant-1", "tenant-2"]
        await embedder.embed(["a", "b"], context=CONTEXT)
        assert len(sim.requests) == 3  # nothing is kept once it is done


async def test_one_who_leaves_does_not_end_what_another_waits_for() -> None:
    async with Simulator() as sim, embedding(sim) as (embedder, rows):
        sim.reply(Reply(first_token_delay=0.1))
        left, stayed = (asyncio.create_task(embedder.embed(["a"], context=CONTEXT)) for _ in range(2))
        await sim.wait_for_requests(1)
        left.cancel()
        assert (await stayed).shape == (1, 1536)
        assert [row.outcome for row in rows] == [Outcome.OK]


def test_the_name_of_the_model_tells_vectors_apart() -> None:
    def name(row: Provider, dimensions: int) -> str:
        target = Target(row, row.embedding_model or "", "http://127.0.0.1:1", None)
        return ProviderEmbedder(Client(), target, dimensions=dimensions, record=print).model

    assert name(OPENAI, 1536) == "openai/text-embedding-3-small"
    assert name(OPENAI, 512) == "openai/text-embedding-3-small@512"
    assert name(LOCAL, 512) == "local/nomic-embed-text"
