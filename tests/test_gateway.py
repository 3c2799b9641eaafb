"""/v1/chat/completions: OpenAI's API in front of every provider, with the failover of the tasks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from functions import chat_completions
from shared.ai.catalog import Catalog
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator
from tests.sse_decoder import decode

URL = "/v1/chat/completions"
MODEL = "meta-llama/Llama-X"
TEXT = Reply().text
HELLO = [{"role": "user", "content": "Hello?"}]


def body(**more: Any) -> dict[str, Any]:
    return {"model": f"together/{MODEL}", "messages": HELLO, **more}


@asynccontextmanager
async def gateway(
    database_url: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator, Simulator]]:
    """Together, and OpenAI as its fallback."""
    async with Simulator() as together, Simulator() as openai:
        variables = {**two_providers(together.base_url, openai.base_url), **(environ or {})}
        async with marginalia(database_url, variables) as client:
            yield client, together, openai


@asynccontextmanager
async def alone(
    database_url: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator]]:
    """The one function, with Together and no fallback."""
    async with Simulator() as together:
        variables = {
            "TOGETHER_API_KEY": "k",
            "TOGETHER_BASE_URL": together.base_url,
            "AI_FALLBACK_PROVIDER": "none",
            "AI_EMBEDDING_PROVIDER": "builtin",
            **(environ or {}),
        }
        async with marginalia(database_url, variables, function=chat_completions) as client:
            yield client, together


def data_of(response: httpx.Response) -> list[Any]:
    """The stream's events, parsed; `[DONE]` as it stands."""
    found = [event.data for event in decode(response.content)]
    return [data if data == "[DONE]" else json.loads(data) for data in found]


def text_of(events: list[Any]) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        if event != "[DONE]"
        for choice in event.get("choices", ())
    )


def ledger(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select task, provider, model, outcome, streamed from public.ai_usage order by started_at"
        ).fetchall()


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
    async with gateway(database_url) as (client, together, openai):
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
    async with gateway(database_url) as (client, together, openai):
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


# --- whom a body is for ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "provider", "model"),
    [
        ({"model": "together/a/b"}, "together", "a/b"),
        ({"model": "Together/a"}, "together", "a"),
        ({"model": "a/b", "provider": "openai"}, "openai", "a/b"),
        ({"model": "together/x", "provider": "openai"}, "openai", "together/x"),
        ({"provider": "openai"}, "openai", "gpt-4o"),
        ({"model": "together/x", "provider": {"order": ["a"]}}, "together", "x"),
    ],
    ids=str,
)
async def test_a_body_says_whom_it_is_for(
    asked: dict[str, Any], provider: str, model: str, database_url: str
) -> None:
    async with gateway(database_url) as (client, together, openai):
        response = await client.post(URL, json={"messages": HELLO, **asked})
        assert response.headers["x-marginalia-provider"] == provider
        (request,) = (together if provider == "together" else openai).requests
        assert request.json["model"] == model
        assert isinstance(request.json.get("provider", {}), dict)
        assert ("provider" in request.json) == isinstance(asked.get("provider"), dict)


async def test_the_only_provider_there_is_needs_no_name(database_url: str) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(model="a/b"))
        assert response.status_code == 200
        assert together.requests[0].json["model"] == "a/b"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
        ("claude-sonnet-5", None),
    ],
)
async def test_a_model_s_name_alone_finds_its_provider_in_the_catalogue(
    model: str, provider: str | None, database_url: str
) -> None:
    async with gateway(database_url) as (client, together, openai):
        response = await client.post(URL, json=body(model=model))
        if provider is None:
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["param"]) == (503, "not_configured", "model")
            assert "ANTHROPIC_API_KEY" in error["message"]
            return
        assert response.headers["x-marginalia-provider"] == provider
        chats = [r for r in [*together.requests, *openai.requests] if r.method == "POST"]
        assert [chat.json["model"] for chat in chats] == [model]


async def test_a_model_that_only_a_live_list_has_is_found(database_url: str) -> None:
    async with gateway(database_url) as (client, together, openai):
        openai.models = ["brand-new"]
        response = await client.post(URL, json=body(model="brand-new"))
        assert response.headers["x-marginalia-provider"] == "openai"
        assert {request.path for request in together.requests} == {"/v1/models"}


async def test_a_provider_of_one_s_own_is_found_by_its_models_and_has_vectors(
    database_url: str, tmp_path: Path
) -> None:
    async with Simulator() as own:
        own.models = ["acme-chat", "acme-vectors"]
        rows = ("[acme]", f'base_url = "{own.base_url}"', 'models = { quality = "acme-chat" }')
        table = "\n".join([*rows, 'embedding_model = "acme-vectors"'])
        (tmp_path / "own.toml").write_text(table, encoding="utf-8")
        environ = {"AI_CUSTOM_PROVIDERS": str(tmp_path / "own.toml"), "ACME_API_KEY": "k"}
        async with gateway(database_url, environ) as (client, _, _openai):
            response = await client.post(URL, json=body(model="acme-chat"))
            assert response.headers["x-marginalia-provider"] == "acme"
            made = await client.post("/v1/embeddings", json={"model": "acme-vectors", "input": "a"})
            assert made.headers["x-marginalia-provider"] == "acme"
            listed = (await client.get("/v1/models")).json()["data"]
            assert "acme/acme-chat" in {model["id"] for model in listed}


async def test_of_several_providers_that_list_a_model_the_first_is_asked(database_url: str) -> None:
    async with gateway(database_url) as (client, together, openai):
        together.models = openai.models = ["brand-new"]
        response = await client.post(URL, json=body(model="brand-new"))
        assert response.headers["x-marginalia-provider"] == "together"


async def test_a_model_that_nobody_lists_is_not_found_and_near_names_are_told(database_url: str) -> None:
    async with gateway(database_url) as (client, together, openai):
        openai.models = ["gpt-4o", "gpt-4o-mini"]
        response = await client.post(URL, json=body(model="gpt-4o-mimi"))
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (404, "not_found", "model")
        assert "openai/gpt-4o-mini" in error["message"]
        assert not [r for r in [*together.requests, *openai.requests] if r.method == "POST"]


async def test_lists_that_do_not_come_hold_up_nobody_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalog.first, "__kwdefaults__", {"wait": 0.05})
    async with gateway(database_url) as (client, together, openai):
        together.script(Reply(before_headers="stall"))
        openai.script(Reply(before_headers="stall"))
        response = await client.post(URL, json=body(model="who-knows"))
        assert response.status_code == 404


async def test_a_provider_s_name_that_is_part_of_another_s_model_is_not_asked_in_vain(
    database_url: str,
) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(model="openai/gpt-oss-120b"))
        assert response.headers["x-marginalia-provider"] == "together"
        assert together.requests[0].json["model"] == "openai/gpt-oss-120b"


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, True),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, False),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            False,
        ),
    ],
    ids=["text", "tools", "a picture"],
)
async def test_a_fallback_that_cannot_take_what_is_sent_is_not_asked(
    change: dict[str, Any], asked: bool, database_url: str
) -> None:
    environ = {"AI_MAX_RETRIES": "0", "OPENAI_QUALITY_MODEL": "gpt-3.5-turbo"}
    async with gateway(database_url, environ) as (client, together, openai):
        together.reply(Reply(status=503))
        response = await client.post(URL, json=body(**change))
        assert bool(openai.requests) is asked
        assert response.status_code == (200 if asked else 502)


async def test_a_provider_without_a_key_is_not_configured(database_url: str) -> None:
    async with alone(database_url) as (client, _):
        response = await client.post(URL, json=body(provider="groq", model="a"))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "not_configured")
        assert "GROQ_API_KEY" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": "together/a\r\nb: c"}, "model"),
        ({"model": "together/" + "a" * 300}, "model"),
        ({"provider": "nobody"}, "provider"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
        ({"response_format": "json"}, "response_format"),
        ({"n": 0}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
    ],
    ids=str,
)
async def test_a_body_that_cannot_be_sent_on_is_refused(
    change: dict[str, Any], param: str, database_url: str
) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(**change))
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request", param)
        assert together.requests == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}", 400),
        (b"x" * 5000, 413),
    ],
    ids=["empty", "cut", "list", "not utf-8", "deep", "large"],
)
async def test_a_body_that_is_no_object_is_refused(
    content: bytes, status: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_completions, "MAX_BODY_BYTES", 4999)
    async with alone(database_url) as (client, _):
        response = await client.post(URL, content=content, headers={"content-type": "application/json"})
        assert response.status_code == status
        assert response.json()["error"]["code"] == ("invalid_request" if status == 400 else "too_large")


async def test_a_picture_of_some_megabytes_passes_through(database_url: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (5 << 20)}}
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(messages=[{"role": "user", "content": [picture]}]))
        assert response.status_code == 200
        assert together.requests[0].json["messages"][0]["content"] == [picture]


# --- failover -------------------------------------------------------------------------------------


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=503),
        Reply(status=401),
        Reply(status=404),
        Reply(before_headers="reset"),
        Reply(cut_after=0),
    ],
    ids=["503", "401", "404", "reset", "cut"],
)
async def test_a_provider_that_fails_is_followed_by_the_fallback_with_its_own_model(
    reply: Reply, stream: bool, database_url: str
) -> None:
    async with gateway(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        together.reply(reply)
        asked = body(stream=stream, max_tokens=7, tools=[{"type": "function"}])
        response = await client.post(URL, json=asked)
        assert response.status_code == 200
        assert response.headers["x-marginalia-provider"] == "openai"
        assert response.headers["x-marginalia-model"] == "gpt-4o"
        (request,) = openai.requests
        assert request.json["model"] == "gpt-4o"
        assert request.json["max_completion_tokens"] == 7
        assert "max_tokens" not in request.json
        assert request.json["tools"] == [{"type": "function"}]
        if stream:
            assert text_of(data_of(response)) == TEXT
        else:
            assert response.json()["model"] == "gpt-4o"


async def test_a_model_of_a_tier_falls_back_to_the_same_tier(database_url: str) -> None:
    environ = {"TOGETHER_FAST_MODEL": "small", "OPENAI_FAST_MODEL": "smaller", "AI_MAX_RETRIES": "0"}
    async with gateway(database_url, environ) as (client, together, openai):
        together.reply(Reply(status=503))
        await client.post(URL, json=body(model="together/small"))
        assert openai.requests[0].json["model"] == "smaller"


async def test_a_silent_provider_is_overtaken_though_no_token_can_be_waited_for(database_url: str) -> None:
    async with gateway(database_url, {"AI_FIRST_TOKEN_TIMEOUT": "0.1"}) as (client, together, _):
        together.reply(Reply(before_headers="stall"))
        response = await client.post(URL, json=body())
        assert response.headers["x-marginalia-provider"] == "openai"
        await asyncio.wait_for(together.requests[0].client_left.wait(), 1.0)
    assert [row[1:4:2] for row in ledger(database_url)] == [("together", "timeout"), ("openai", "ok")]


async def test_a_slow_whole_answer_is_not_given_up(database_url: str) -> None:
    async with gateway(database_url, {"AI_FIRST_TOKEN_TIMEOUT": "0.1"}) as (client, together, openai):
        together.reply(Reply(delay=0.4))
        openai.reply(Reply(before_headers="stall"))
        response = await client.post(URL, json=body())
        assert response.headers["x-marginalia-provider"] == "together"
        await asyncio.wait_for(openai.requests[0].client_left.wait(), 1.0)
    assert [row[1:4:2] for row in ledger(database_url)] == [("together", "ok"), ("openai", "cancelled")]


BREAKS = {
    "cut": Reply(cut_after=4),
    "reset": Reply(reset_after=4, token_delay=0.005),
    "end": Reply(end_after=4),
    "stall": Reply(stall_after=4),
    "error": Reply(error_after=4, token_delay=0.005),
    "malformed": Reply(malformed_after=(4, 5), token_delay=0.005),
}


@pytest.mark.parametrize("reply", BREAKS.values(), ids=BREAKS)
async def test_another_provider_goes_on_where_a_stream_broke(reply: Reply, database_url: str) -> None:
    environ = {"AI_IDLE_TIMEOUT": "0.2", "AI_FIRST_TOKEN_TIMEOUT": "2"}
    async with gateway(database_url, environ) as (client, together, openai):
        together.reply(reply)
        asked = body(stream=True, stream_options={"include_usage": True})
        events = data_of(await client.post(URL, json=asked))
        assert text_of(events) == TEXT
        assert events[-1] == "[DONE]"
        *chunks, finish, usage = events[:-1]
        assert finish["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
        assert finish["marginalia"] == {"provider": "openai", "model": "gpt-4o"}
        assert finish["model"] == "gpt-4o"
        assert usage["usage"]["completion_tokens"] > 0
        assert {chunk["id"] for chunk in chunks} == {finish["id"]}
        assert (len(together.requests), len(openai.requests)) == (1, 1)


async def error_at_the_end(client: httpx.AsyncClient, asked: dict[str, Any]) -> dict[str, Any]:
    """The in-band error of a stream that began well."""
    response = await client.post(URL, json=asked)
    assert response.status_code == 200
    *_, last = data_of(response)
    error: dict[str, Any] = last["error"]
    return error


@pytest.mark.parametrize(
    "more",
    [{"tools": [{"type": "function"}]}, {"n": 2}, {"logprobs": True}, {"audio": {"voice": "alloy"}}],
    ids=str,
)
async def test_what_is_more_than_one_text_is_not_joined(more: dict[str, Any], database_url: str) -> None:
    async with gateway(database_url) as (client, together, openai):
        together.reply(Reply(cut_after=4))
        error = await error_at_the_end(client, body(stream=True, **more))
        assert error["code"] == "all_providers_failed"
        assert [attempt["provider"] for attempt in error["attempts"]] == ["together"]
        assert not openai.requests


async def test_a_text_that_does_not_go_on_from_there_is_an_error_in_the_stream(database_url: str) -> None:
    async with gateway(database_url) as (client, together, openai):
        together.reply(Reply(cut_after=4))
        openai.reply(Reply("Something else."))
        error = await error_at_the_end(client, body(stream=True))
        assert error["code"] == "all_providers_failed"
        assert "taken back" in error["message"]


async def test_a_stream_that_nobody_can_go_on_with_ends_in_an_error(database_url: str) -> None:
    async with alone(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together):
        together.reply(Reply(cut_after=4))
        error = await error_at_the_end(client, body(stream=True))
        assert (error["code"], error["type"]) == ("all_providers_failed", "upstream_error")


async def test_json_is_not_begun_by_one_and_ended_by_another_with_a_prefill(database_url: str) -> None:
    text = json.dumps({"answer": "a rather long text, so that it would be worth a prefill", "more": [1, 2]})
    environ = {"AI_FALLBACK_PROVIDER": "openrouter", "OPENROUTER_API_KEY": "k"}
    async with Simulator() as third:
        environ["OPENROUTER_BASE_URL"] = third.base_url
        async with gateway(database_url, environ) as (client, together, _):
            together.reply(Reply(text, cut_after=9))
            third.reply(Reply(text))
            asked = body(stream=True, response_format={"type": "json_object"})
            events = data_of(await client.post(URL, json=asked))
            assert text_of(events) == text
            assert third.requests[0].json["messages"] == HELLO
            third.requests.clear()
            events = data_of(await client.post(URL, json=body(stream=True)))
            assert text_of(events) == text
            assert third.requests[0].json["messages"][-1]["role"] == "assistant"


# --- errors ---------------------------------------------------------------------------------------


def error(status: int, *, headers: Mapping[str, str] | None = None, **fields: Any) -> Reply:
    document = {"error": {"message": "simulated", "type": "t", "param": None, "code": None, **fields}}
    return Reply(status=status, body=json.dumps(document).encode(), headers=headers or {})


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("reply", "status", "code"),
    [
        (error(400, message="n is too large", param="n"), 400, "invalid_request"),
        (error(400, code="context_length_exceeded"), 400, "context_length_exceeded"),
        (error(400, code="content_filter"), 400, "content_filtered"),
        (error(404, code="model_not_found"), 404, "not_found"),
        (error(401), 502, "all_providers_failed"),
        (error(429, headers={"retry-after": "7"}), 429, "rate_limited"),
        (error(503), 502, "all_providers_failed"),
        (error(408), 504, "provider_timeout"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
async def test_an_error_has_the_status_that_sdks_expect(
    reply: Reply, status: int, code: str, stream: bool, database_url: str
) -> None:
    async with alone(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together):
        together.reply(reply)
        response = await client.post(URL, json=body(stream=stream))
        assert (response.status_code, response.json()["error"]["code"]) == (status, code)
        assert response.headers.get("retry-after") == ("7" if status == 429 else None)
        assert len(together.requests) == 1


async def test_what_a_provider_finds_wrong_is_told_to_who_wrote_it_and_not_routed_around(
    database_url: str,
) -> None:
    async with gateway(database_url) as (client, together, openai):
        together.reply(error(400, message="temperature is 3; at most 2", param="temperature"))
        response = await client.post(URL, json=body(temperature=3))
        found = response.json()["error"]
        assert (response.status_code, found["param"]) == (400, "temperature")
        assert found["message"] == "temperature is 3; at most 2"
        assert not openai.requests


async def test_what_a_fallback_finds_wrong_does_not_hide_why_it_was_asked(database_url: str) -> None:
    async with gateway(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        together.reply(error(503))
        openai.reply(error(400))
        response = await client.post(URL, json=body())
        assert (response.status_code, response.json()["error"]["code"]) == (502, "all_providers_failed")


async def test_offline_only_asks_nobody(database_url: str) -> None:
    async with gateway(database_url, {"AI_OFFLINE": "only"}) as (client, together, _):
        response = await client.post(URL, json=body())
        assert response.json()["error"]["code"] == "not_configured"
        assert not together.requests


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
