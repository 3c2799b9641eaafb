"""/v1/embeddings: OpenAI's API in front of every provider that has them, and never another's vectors."""

import asyncio
import base64
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions import embeddings as embeddings_function
from shared.ai.embedding_calls import in_batches
from shared.embedding_gateway import vector
from shared.errors import ProviderError
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator
from tests.simulator import openai as simulated

URL = "/v1/embeddings"
SMALL = "openai/text-embedding-3-small"


@asynccontextmanager
async def server(
    database_url: str, **environ: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator, Simulator]]:
    async with Simulator() as together, Simulator() as openai:
        variables = {**two_providers(together.base_url, openai.base_url), "AI_MAX_RETRIES": "0", **environ}
        async with marginalia(database_url, variables, function=embeddings_function) as client:
            yield client, together, openai


def floats(text: str) -> list[float]:
    data = base64.b64decode(text)
    return list(struct.unpack(f"<{len(data) // 4}f", data))


def ledger(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select task, provider, model, outcome, input_tokens from public.ai_usage order by started_at"
        ).fetchall()


@pytest.mark.parametrize("provider", ["openai", "together"], ids=["base64 upstream", "floats upstream"])
@pytest.mark.parametrize("encoding", [None, "float", "base64"])
async def test_vectors_come_in_the_encoding_that_is_asked_for(
    encoding: str | None, provider: str, database_url: str
) -> None:
    async with server(database_url) as (client, together, openai):
        upstream = openai if provider == "openai" else together
        body = {"model": f"{provider}/m", "input": ["a fox", "a dog"], "dimensions": 8, "user": "u"}
        response = await client.post(
            URL, json={**body, **({"encoding_format": encoding} if encoding else {})}
        )
        assert response.status_code == 200, response.text
        answer = response.json()
        (request,) = upstream.requests
        expected = simulated.embeddings({**body, "input": ["a fox", "a dog"]})
        for found, wanted in zip(answer["data"], expected["data"], strict=True):
            given = found["embedding"]
            numbers = floats(given) if encoding == "base64" else given
            assert numbers == pytest.approx(wanted["embedding"], abs=1e-6)
            assert (found["object"], found["index"]) == ("embedding", wanted["index"])
        assert (answer["object"], answer["model"]) == ("list", "m")
        assert answer["usage"] == {"prompt_tokens": 4, "total_tokens": 4}
        assert response.headers["x-marginalia-provider"] == provider
        sent = {name: value for name, value in request.json.items() if name != "encoding_format"}
        assert sent == {"model": "m", "input": ["a fox", "a dog"], "dimensions": 8, "user": "u"}
    assert ledger(database_url) == [("gateway", provider, "m", "ok", 4)]


@pytest.mark.parametrize("given", ["a fox", ["a fox"], [1, 2, 3], [[1, 2, 3]]], ids=str)
async def test_one_input_may_be_written_in_any_way(given: Any, database_url: str) -> None:
    async with server(database_url) as (client, _, openai):
        openai.script(_answer(1))
        response = await client.post(URL, json={"model": SMALL, "input": given})
        assert len(response.json()["data"]) == 1
        sent = openai.requests[0].json["input"]
        assert sent == ([[1, 2, 3]] if isinstance(given[0], int | list) else ["a fox"])


def _answer(count: int, tokens: int = 3) -> Reply:
    body = {
        "data": [{"index": n, "embedding": [1.0, n]} for n in reversed(range(count))],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return Reply(body=json.dumps(body).encode(), content_type="application/json")


async def test_more_texts_than_a_provider_takes_at_once_go_in_batches(database_url: str) -> None:
    texts = [f"number {n}" for n in range(600)]
    async with server(database_url) as (client, _, openai):
        response = await client.post(URL, json={"model": SMALL, "input": texts, "dimensions": 4})
        answer = response.json()
        assert [row["index"] for row in answer["data"]] == list(range(600))
        last = simulated.embeddings({"input": texts[-1:], "dimensions": 4})["data"][0]["embedding"]
        assert answer["data"][-1]["embedding"] == pytest.approx(last, abs=1e-6)
        assert sorted(len(request.json["input"]) for request in openai.requests) == [88, 256, 256]
        assert answer["usage"]["prompt_tokens"] == 1200
    assert sum(row[4] for row in ledger(database_url)) == 1200


async def test_the_embedder_built_in_needs_no_key(database_url: str) -> None:
    async with marginalia(database_url, {}, function=embeddings_function) as client:
        body = {"model": "builtin/hashed-words-v1", "input": ["a fox", "a fox", "other"]}
        answer = (await client.post(URL, json=body)).json()
        first, second, third = (row["embedding"] for row in answer["data"])
        assert len(first) == 1536
        assert first == second != third
        packed = (await client.post(URL, json={**body, "encoding_format": "base64"})).json()
        assert floats(packed["data"][0]["embedding"]) == pytest.approx(first)


async def test_a_model_s_name_alone_finds_its_provider(database_url: str) -> None:
    async with server(database_url) as (client, _, _openai):
        response = await client.post(URL, json={"model": "text-embedding-3-small", "input": "a"})
        assert response.headers["x-marginalia-provider"] == "openai"


# --- failures -------------------------------------------------------------------------------------


async def test_vectors_never_come_from_another_model(database_url: str) -> None:
    async with server(database_url) as (client, together, openai):
        openai.script(Reply(status=503))
        response = await client.post(URL, json={"model": SMALL, "input": "a"})
        assert (response.status_code, response.json()["error"]["code"]) == (502, "all_providers_failed")
        assert not together.requests


async def test_another_provider_that_lists_the_very_same_model_takes_over(database_url: str) -> None:
    async with server(database_url) as (client, together, openai):
        together.models = openai.models = ["shared-vectors"]
        asked = {"model": "shared-vectors", "input": "a"}
        assert (await client.post(URL, json=asked)).headers["x-marginalia-provider"] == "together"
        together.script(Reply(status=503))
        response = await client.post(URL, json=asked)
        assert response.status_code == 200
        assert response.headers["x-marginalia-provider"] == "openai"
        assert openai.requests[-1].json["model"] == "shared-vectors"
    assert [row[1:4] for row in ledger(database_url)] == [
        ("together", "shared-vectors", "ok"),
        ("together", "shared-vectors", "server_error"),
        ("openai", "shared-vectors", "ok"),
    ]


async def test_a_failure_that_passes_is_retried(database_url: str) -> None:
    async with server(database_url, AI_MAX_RETRIES="2") as (client, _, openai):
        openai.script(Reply(status=429, headers={"retry-after": "0"}), Reply(before_headers="reset"))
        assert (await client.post(URL, json={"model": SMALL, "input": "a"})).status_code == 200
    assert [row[3] for row in ledger(database_url)] == ["rate_limited", "connect_error", "ok"]


@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (Reply(status=400), 400, "invalid_request"),
        (Reply(status=401), 502, "all_providers_failed"),
        (Reply(status=404), 404, "not_found"),
        (Reply(status=429, headers={"retry-after": "7"}), 429, "rate_limited"),
        (Reply(body=b'{"data": []}'), 502, "all_providers_failed"),
        (Reply(body=b'{"data": [{"embedding": ["a"]}]}'), 502, "all_providers_failed"),
        (Reply(body=b'{"data": [{"embedding": [1e999]}]}'), 502, "all_providers_failed"),
        (Reply(body=b'{"data": [{"embedding": "AAA"}]}'), 502, "all_providers_failed"),
        (Reply(body=b'{"data": [{"embedding": []}]}'), 502, "all_providers_failed"),
    ],
)
async def test_a_failure_has_the_status_that_sdks_expect(
    reply: Reply, status: int, code: str, database_url: str
) -> None:
    async with server(database_url) as (client, _, openai):
        openai.script(reply)
        response = await client.post(URL, json={"model": SMALL, "input": "a"})
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert response.headers.get("retry-after") == ("7" if status == 429 else None)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"input": None}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": [""]}, "input"),
        ({"input": ["a", 7]}, "input"),
        ({"input": ["a", [7]]}, "input"),
        ({"input": [[]]}, "input"),
        ({"input": {"a": 1}}, "input"),
        ({"input": [True]}, "input"),
        ({"input": ["a"] * 2049}, "input"),
        ({"input": [1, 2], "model": "together/m"}, "input"),
        ({"input": [1, 2], "model": "builtin/hashed-words-v1"}, "input"),
        ({"encoding_format": "hex"}, "encoding_format"),
        ({"dimensions": 0}, "dimensions"),
        ({"dimensions": "8"}, "dimensions"),
        ({"dimensions": 8, "model": "builtin/hashed-words-v1"}, "dimensions"),
        ({"model": None}, "model"),
        ({"model": "builtin/other"}, "model"),
        ({"model": "anthropic/claude"}, "model"),
        ({"provider": "nobody"}, "provider"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_a_body_that_cannot_be_answered_is_refused(
    change: dict[str, Any], param: str, database_url: str
) -> None:
    async with server(database_url) as (client, together, openai):
        response = await client.post(URL, json={"model": SMALL, "input": "a", **change})
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request", param)
        assert not [*together.requests, *openai.requests]


async def test_vectors_of_another_length_than_asked_are_not_passed_off(database_url: str) -> None:
    async with server(database_url) as (client, _, openai):
        openai.script(_answer(1))
        response = await client.post(URL, json={"model": SMALL, "input": "a", "dimensions": 8})
        error = response.json()["error"]
        assert (response.status_code, error["param"]) == (400, "dimensions")
        assert "vectors of 2" in error["message"]


async def test_a_client_that_leaves_ends_the_provider_s_request(database_url: str) -> None:
    async with server(database_url) as (client, _, openai):
        openai.script(Reply(before_headers="stall"))
        asking = asyncio.create_task(client.post(URL, json={"model": SMALL, "input": "a"}))
        (request,) = await openai.wait_for_requests(1)
        asking.cancel()
        await asyncio.wait_for(request.client_left.wait(), 1.0)
        await openai.wait_for_rest()
        for _ in range(100):
            if ledger(database_url):
                break
            await asyncio.sleep(0.02)
    assert [row[3] for row in ledger(database_url)] == ["cancelled"]


# --- properties -----------------------------------------------------------------------------------


@given(
    st.one_of(
        st.none(),
        st.text(),
        st.lists(st.one_of(st.floats(), st.integers(), st.booleans(), st.text())),
        st.binary().map(lambda data: base64.b64encode(data).decode()),
    )
)
def test_whatever_a_provider_sends_is_finite_numbers_or_its_mistake(value: Any) -> None:
    try:
        numbers = vector(value)
    except ProviderError:
        return
    assert numbers
    json.dumps(list(numbers), allow_nan=False)


@given(st.lists(st.integers(0, 500_000)), st.integers(1, 20))
def test_batches_hold_everything_in_order_and_within_bounds(sizes: list[int], count: int) -> None:
    batches = list(in_batches(sizes, count, lambda size: size))
    assert [size for batch in batches for size in batch] == sizes
    for batch in batches:
        assert 1 <= len(batch) <= count
        assert len(batch) == 1 or sum(batch) <= 400_000
