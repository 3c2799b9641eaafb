"""The simulator keeps its word: what it is told to send is what a client sees."""

import asyncio
import json
import os
import signal
import sys
from typing import Any

import httpx
import pytest

from tests.simulator import Reply, Simulator

ASK = {"model": "m", "messages": [{"role": "user", "content": "What does it do?"}]}
STREAM = {**ASK, "stream": True, "stream_options": {"include_usage": True}}


async def post(sim: Simulator, body: Any, path: str = "/chat/completions") -> httpx.Response:
    async with httpx.AsyncClient() as client:
        return await client.post(sim.base_url + path, json=body)


def chunks(response: httpx.Response) -> list[Any]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [line if line == "[DONE]" else json.loads(line) for line in lines]


async def test_a_completion_is_openai_s() -> None:
    async with Simulator() as sim:
        sim.reply_text("It jumps high.")
        answer = (await post(sim, ASK)).json()
        assert answer["choices"][0]["message"]["content"] == "It jumps high."
        assert (answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) == (4, 3)


async def test_a_stream_is_the_same_text_in_chunks() -> None:
    async with Simulator() as sim:
        sim.reply_text("It jumps high.")
        *deltas, finish, usage, done = chunks(await post(sim, STREAM))
        assert "".join(chunk["choices"][0]["delta"]["content"] for chunk in deltas) == "It jumps high."
        assert finish["choices"][0]["finish_reason"] == "stop"
        assert usage["usage"]["completion_tokens"] == 3
        assert done == "[DONE]"


async def test_a_schema_is_answered_with_json_that_has_its_shape() -> None:
    schema = {
        "type": "object",
        "properties": {
            "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
            "ok": {"type": "boolean"},
        },
        "$defs": {"item": {"type": "object", "properties": {"kind": {"enum": ["a", "b"]}}}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    async with Simulator() as sim:
        answer = (await post(sim, {**ASK, "response_format": form})).json()
        assert json.loads(answer["choices"][0]["message"]["content"]) == {
            "items": [{"kind": "a"}],
            "ok": True,
        }


async def test_scripted_replies_come_first_and_once_each() -> None:
    async with Simulator() as sim:
        sim.script(Reply(status=503), Reply(status=429, headers={"retry-after": "7"}))
        answers = [await post(sim, ASK) for _ in range(3)]
        assert [answer.status_code for answer in answers] == [503, 429, 200]
        assert answers[1].headers["retry-after"] == "7"


async def test_replies_may_depend_on_the_request() -> None:
    async with Simulator(lambda request: request["model"].upper()) as sim:
        assert (await post(sim, ASK)).json()["choices"][0]["message"]["content"] == "M"


async def test_requests_are_kept_as_they_came() -> None:
    async with Simulator() as sim:
        await post(sim, ASK)
        (request,) = sim.requests
        assert (request.method, request.path, request.json) == ("POST", "/v1/chat/completions", ASK)
        assert request.prompt == "What does it do?"
        assert request.answered.is_set()


@pytest.mark.parametrize("reply", [Reply(cut_after=2), Reply(reset_after=2), Reply(before_headers="reset")])
async def test_a_break_is_a_break_for_the_client(reply: Reply) -> None:
    async with Simulator() as sim:
        sim.reply(reply)
        with pytest.raises(httpx.TransportError):
            await post(sim, STREAM)


async def test_a_client_that_leaves_is_seen_leaving() -> None:
    async with Simulator() as sim:
        sim.reply(Reply(stall_after=1))
        task = asyncio.create_task(post(sim, STREAM))
        (request,) = await sim.wait_for_requests(1)
        assert not request.client_left.is_set()
        task.cancel()
        await asyncio.wait_for(request.client_left.wait(), 1.0)
        await sim.wait_for_rest()
        assert not request.answered.is_set()


async def test_many_requests_on_one_connection_lose_no_byte() -> None:
    async with Simulator() as sim, httpx.AsyncClient() as client:
        for _ in range(50):
            answer = await client.post(f"{sim.base_url}/chat/completions", json=STREAM)
            assert answer.text.endswith("data: [DONE]\n\n")
        assert len(sim.requests) == 50


async def test_a_gzipped_stream_is_one() -> None:
    async with Simulator() as sim:
        sim.reply(Reply(gzip=True))
        answer = await post(sim, STREAM)
        assert answer.headers["content-encoding"] == "gzip"
        assert chunks(answer)[-1] == "[DONE]"


async def test_similar_texts_have_similar_vectors() -> None:
    async with Simulator() as sim:
        texts = ["the quick fox", "the quick dog", "something else"]
        data = (await post(sim, {"model": "e", "input": texts, "dimensions": 64}, "/embeddings")).json()[
            "data"
        ]
        a, b, c = (row["embedding"] for row in data)
        assert len(a) == 64
        assert sum(x * y for x, y in zip(a, b, strict=True)) > sum(x * y for x, y in zip(a, c, strict=True))


async def test_models_are_listed() -> None:
    async with Simulator() as sim, httpx.AsyncClient() as client:
        answer = (await client.get(f"{sim.base_url}/models")).json()
        assert [model["id"] for model in answer["data"]] == sim.models


async def test_it_runs_by_hand_and_ends_on_a_signal() -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.simulator", "--text", "By hand.",
        stdout=asyncio.subprocess.PIPE, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        url = (await asyncio.wait_for(process.stdout.readline(), 20.0)).decode().strip()
        async with httpx.AsyncClient() as client:
            answer = (await client.post(f"{url}/chat/completions", json=ASK)).json()
        assert answer["choices"][0]["message"]["content"] == "By hand."
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 10.0) == 0
