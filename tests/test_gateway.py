"""/v1/chat/completions: OpenAI's API in front of every provider; good answers, and clients that leave."""

import asyncio
import json
from typing import Any

import pytest

from tests.gateway_client import HELLO, MODEL, TEXT, URL, alone, body, data_of, ledger, text_of
from tests.marginalia import with_simulators
from tests.simulator import Reply
from tests.sse_decoder import decode

# --- a good answer --------------------------------------------------------------------------------


async def test_a_whole_answer_comes_as_the_provider_gave_it(database_url: str) -> None:
    given = b'{ "id": "x",  "choices":[{"message":{"content":"Hi"}, "finish_reason":"stop"}], "odd":[1.50]}'
    async with alone(database_url) as (client, together):
        together.reply(Reply(body=given))
        response = await client.post(URL, json=body(temperature=0, seed=7, odd={"a": [1]}))
        assert (response.status_code, response.content) == (200, given)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["x-marginalia-provider"] == "together"
        assert response.headers["x-marginalia-model"] == MODEL
        (request,) = together.requests
        assert request.json == {
            "model": MODEL,
            "messages": HELLO,
            "temperature": 0,
            "seed": 7,
            "odd": {"a": [1]},
        }
        assert ledger(database_url) == [("gateway", "together", MODEL, "ok", False)]


async def test_a_stream_s_events_come_as_the_provider_gave_them(database_url: str) -> None:
    events = [
        '{"id":"a", "choices":[{"index":0,"delta":{"role":"assistant","content":""}}], "odd": 1.50}',
        '{"id":"a","choices":[{"index":0,"delta":{"content":"Hé"},"logprobs":{"content":[]}}]}',
        '{"id":"a","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}',
        '{"id":"a","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1}}',
    ]
    wire = "".join(f"data: {event}\n\n" for event in [*events, "[DONE]"]).encode()
    async with alone(database_url) as (client, together):
        together.reply(Reply(body=wire, content_type="text/event-stream"))
        response = await client.post(URL, json=body(stream=True))
        got = [event.data for event in decode(response.content)]
        assert got == [*events[:3], "[DONE]"]
        assert response.headers["x-marginalia-provider"] == "together"
        assert together.requests[0].json["stream_options"] == {"include_usage": True}
        asking = body(stream=True, stream_options={"include_usage": True, "odd": 1})
        response = await client.post(URL, json=asking, headers={"accept": "application/json"})
        assert [event.data for event in decode(response.content)] == [*events, "[DONE]"]
        assert response.headers["content-type"].startswith("text/event-stream")
        assert together.requests[1].json["stream_options"] == {"include_usage": True, "odd": 1}
        assert ledger(database_url) == [("gateway", "together", MODEL, "ok", True)] * 2


async def test_events_arrive_one_by_one(database_url: str) -> None:
    async with alone(database_url) as (client, together):
        together.reply(Reply(stall_after=2))
        async with client.stream("POST", URL, json=body(stream=True)) as response:
            pieces = response.aiter_bytes()
            seen = b""
            while seen.count(b"data:") < 3:
                seen += await anext(pieces)
            assert b" quick" in seen
        await asyncio.wait_for(together.requests[0].client_left.wait(), 1.0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_several_choices_come_to_their_end(stream: bool, database_url: str) -> None:
    def choice(index: int, finish: str | None, **said: str) -> dict[str, Any]:
        return {"index": index, "delta" if stream else "message": said, "finish_reason": finish}

    if stream:
        parts = [[choice(0, None, content="a")], [choice(0, "stop")], [choice(1, None, content="b")]]
        events = [{"choices": part} for part in [*parts, [choice(1, "length")]]]
        wire = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    else:
        choices = [choice(0, "stop", content="a"), choice(1, "length", content="b")]
        wire = json.dumps({"choices": choices}).encode()
    async with alone(database_url) as (client, together):
        together.reply(Reply(body=wire))
        response = await client.post(URL, json=body(stream=stream, n=2))
        assert response.status_code == 200
        if stream:
            assert [e.data for e in decode(response.content)] == [*map(json.dumps, events), "[DONE]"]
        else:
            assert response.content == wire


async def test_a_tool_call_is_an_answer(database_url: str) -> None:
    call = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    deltas = [{"tool_calls": [call]}, {"tool_calls": [{"index": 0, "function": {"arguments": "{}"}}]}, {}]
    events = [
        {"choices": [{"index": 0, "delta": delta, "finish_reason": None if delta else "tool_calls"}]}
        for delta in deltas
    ]
    wire = "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()
    async with alone(database_url) as (client, together):
        together.reply(Reply(body=wire))
        tools = [{"type": "function", "function": {"name": "f"}}]
        response = await client.post(URL, json=body(stream=True, tools=tools))
        assert data_of(response) == [*events, "[DONE]"]
        assert together.requests[0].json["tools"] == tools


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_filter_s_finish_reason_is_the_answer(stream: bool, database_url: str) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        together.reply(Reply("I", finish="content_filter"))
        response = await client.post(URL, json=body(stream=stream))
        assert response.status_code == 200
        last = data_of(response)[-2] if stream else response.json()
        assert last["choices"][0]["finish_reason"] == "content_filter"
        assert not openai.requests
    assert [row[3] for row in ledger(database_url)] == ["content_filtered"]


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_refusal_is_the_answer(stream: bool, database_url: str) -> None:
    said = {"role": "assistant", "content": None, "refusal": "I would rather not."}
    choice = {"index": 0, "delta" if stream else "message": said, "finish_reason": "stop"}
    async with with_simulators(database_url) as (client, together, openai):
        document = json.dumps({"choices": [choice]})
        together.reply(Reply(body=(f"data: {document}\n\n" if stream else document).encode()))
        response = await client.post(URL, json=body(stream=stream))
        assert response.status_code == 200
        assert "rather not" in response.text
        assert not openai.requests


async def test_a_whole_answer_to_a_stream_request_becomes_a_stream(database_url: str) -> None:
    async with alone(database_url) as (client, together):
        together.reply(Reply(ignore_stream=True))
        events = data_of(await client.post(URL, json=body(stream=True)))
        assert text_of(events) == TEXT
        assert events[-1] == "[DONE]"
        assert events[0]["object"] == "chat.completion.chunk"


# --- clients that leave ---------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(before_headers="stall"),
        Reply(stall_after=0),
        Reply(stall_after=3),
        Reply(body=b'{"a":', hang_at_end=True),
    ],
    ids=["before the head", "before the first token", "after tokens", "in a whole answer"],
)
async def test_a_client_that_leaves_ends_the_provider_s_request(
    reply: Reply, stream: bool, database_url: str
) -> None:
    async with alone(database_url) as (client, together):
        together.reply(reply)
        asking = asyncio.create_task(client.post(URL, json=body(stream=stream)))
        (request,) = await together.wait_for_requests(1)
        await asyncio.sleep(0.05)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        if not request.answered.is_set():
            await asyncio.wait_for(request.client_left.wait(), 1.0)
            await together.wait_for_rest()
    assert [row[3] for row in ledger(database_url)] in (["cancelled"], ["ok"])
