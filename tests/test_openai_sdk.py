"""The unmodified OpenAI SDK against a running server: what it sends, what it makes of what it gets."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionMessageParam, ChatCompletionToolParam
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared import errors
from shared.http.app import create_app
from tests.marginalia import marginalia
from tests.server import serving
from tests.simulator import Reply, Simulator

TEXT = Reply().text
MODEL = "openai/gpt-4o"
HELLO: list[ChatCompletionMessageParam] = [{"role": "user", "content": "Hello there?"}]
TOOLS: list[ChatCompletionToolParam] = [
    {"type": "function", "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}}}
]


@dataclass
class Setup:
    client: openai.AsyncOpenAI
    base_url: str
    upstream: Simulator

    @property
    def chats(self) -> list[Any]:
        return [request.json for request in self.upstream.requests if request.method == "POST"]

    def patient(self, **options: Any) -> openai.AsyncOpenAI:
        """A client that retries as the SDK does by default."""
        return self.client.with_options(max_retries=2, **options)


@asynccontextmanager
async def sdk(database_url: str, **environ: str) -> AsyncIterator[Setup]:
    """A client without retries of its own, a server on a port, and OpenAI behind it without a fallback."""
    async with Simulator() as upstream:
        variables = {
            "OPENAI_API_KEY": "openai-key",
            "OPENAI_BASE_URL": upstream.base_url,
            "AI_FALLBACK_PROVIDER": "none",
            "AI_EMBEDDING_PROVIDER": "builtin",
            "AI_MAX_RETRIES": "0",
            **environ,
        }
        async with marginalia(database_url, variables) as http:
            base_url = f"{http.base_url}/v1"
            async with openai.AsyncOpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
                yield Setup(client, base_url, upstream)


# --- chat -----------------------------------------------------------------------------------------


async def test_a_chat_is_answered(database_url: str) -> None:
    async with sdk(database_url) as setup:
        answer = await setup.client.chat.completions.create(
            model=MODEL, messages=HELLO, temperature=0, seed=7, extra_body={"odd": 1}
        )
        assert answer.choices[0].message.content == TEXT
        assert answer.choices[0].finish_reason == "stop"
        assert answer.usage is not None
        assert answer.usage.completion_tokens == len(TEXT.split())
        (sent,) = setup.chats
        assert sent == {"model": "gpt-4o", "messages": HELLO, "temperature": 0, "seed": 7, "odd": 1}
        assert setup.upstream.requests[0].headers["authorization"] == "Bearer openai-key"


async def test_the_answer_s_headers_say_who_served_it(database_url: str) -> None:
    async with sdk(database_url) as setup:
        raw = await setup.client.chat.completions.with_raw_response.create(model=MODEL, messages=HELLO)
        assert raw.headers["x-marginalia-provider"] == "openai"
        assert raw.headers["x-marginalia-model"] == "gpt-4o"
        assert raw.request_id == raw.headers["x-request-id"] != ""
        assert raw.parse().choices[0].message.content == TEXT


@pytest.mark.parametrize("usage", [False, True], ids=["plain", "with usage"])
async def test_a_stream_comes_chunk_by_chunk(usage: bool, database_url: str) -> None:
    async with sdk(database_url) as setup:
        options: Any = {"stream_options": {"include_usage": True}} if usage else {}
        stream = await setup.client.chat.completions.create(
            model=MODEL, messages=HELLO, stream=True, **options
        )
        chunks = [chunk async for chunk in stream]
        text = [choice.delta.content or "" for chunk in chunks for choice in chunk.choices]
        assert "".join(text) == TEXT
        assert len([part for part in text if part]) == len(TEXT.split())
        assert [c.finish_reason for chunk in chunks for c in chunk.choices if c.finish_reason] == ["stop"]
        counted = [chunk.usage for chunk in chunks if chunk.usage]
        assert len(counted) == usage


async def test_the_sdk_s_own_collector_of_streams_is_satisfied(database_url: str) -> None:
    async with sdk(database_url) as setup:
        collected = setup.client.chat.completions.stream(
            model=MODEL, messages=HELLO, stream_options={"include_usage": True}
        )
        async with collected as stream:
            deltas = [event.delta async for event in stream if event.type == "content.delta"]
            final = await stream.get_final_completion()
        assert "".join(deltas) == final.choices[0].message.content == TEXT
        assert final.usage is not None
        assert final.usage.completion_tokens == len(TEXT.split())


def tool_call(stream: bool) -> Reply:
    named = {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}
    pieces = [
        {**named, "index": 0},
        {"index": 0, "function": {"arguments": '{"city": '}},
        {"index": 0, "function": {"arguments": '"Graz"}'}},
    ]
    frame = {"id": "c", "created": 1, "model": "gpt-4o"}
    if not stream:
        whole = {**named, "function": {"name": "weather", "arguments": '{"city": "Graz"}'}}
        message = {"role": "assistant", "content": None, "tool_calls": [whole]}
        choice: dict[str, Any] = {"index": 0, "message": message, "finish_reason": "tool_calls"}
        document = {**frame, "object": "chat.completion", "choices": [choice]}
        return Reply(body=json.dumps(document).encode(), content_type="application/json")
    deltas: list[Any] = [{"delta": {"tool_calls": [piece]}, "finish_reason": None} for piece in pieces]
    deltas.append({"delta": {}, "finish_reason": "tool_calls"})
    events = [
        {**frame, "object": "chat.completion.chunk", "choices": [{"index": 0, **one}]} for one in deltas
    ]
    body = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return Reply(body=body.encode(), content_type="text/event-stream")


async def test_tools_are_called(database_url: str) -> None:
    async with sdk(database_url) as setup:
        setup.upstream.script(tool_call(stream=False))
        answer = await setup.client.chat.completions.create(model=MODEL, messages=HELLO, tools=TOOLS)
        (call,) = answer.choices[0].message.tool_calls or []
        assert call.type == "function"
        assert (call.id, call.function.arguments) == ("call_1", '{"city": "Graz"}')
        follow_up: list[ChatCompletionMessageParam] = [
            *HELLO,
            {"role": "assistant", "tool_calls": [call.to_dict()]},  # type: ignore[typeddict-item, list-item]  # the SDK's own way to send it back
            {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        ]
        said = await setup.client.chat.completions.create(model=MODEL, messages=follow_up, tools=TOOLS)
        assert said.choices[0].message.content == TEXT
        assert setup.chats[0]["tools"] == TOOLS
        assert setup.chats[1]["messages"][2]["tool_call_id"] == "call_1"


async def test_tools_are_called_in_a_stream(database_url: str) -> None:
    async with sdk(database_url) as setup:
        setup.upstream.script(tool_call(stream=True))
        async with setup.client.chat.completions.stream(model=MODEL, messages=HELLO, tools=TOOLS) as stream:
            final = await stream.get_final_completion()
        (call,) = final.choices[0].message.tool_calls or []
        assert (call.function.name, call.function.arguments) == ("weather", '{"city": "Graz"}')
        assert final.choices[0].finish_reason == "tool_calls"


async def test_pictures_go_through(database_url: str) -> None:
    picture: Any = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    async with sdk(database_url) as setup:
        await setup.client.chat.completions.create(
            model=MODEL, messages=[{"role": "user", "content": [{"type": "text", "text": "What?"}, picture]}]
        )
        assert setup.chats[0]["messages"][0]["content"][1] == picture


class Weather(BaseModel):
    city: str
    degrees: int


async def test_structured_answers_are_parsed(database_url: str) -> None:
    async with sdk(database_url) as setup:
        answer = await setup.client.chat.completions.parse(
            model=MODEL, messages=HELLO, response_format=Weather
        )
        assert answer.choices[0].message.parsed == Weather(city="text", degrees=1)
        assert setup.chats[0]["response_format"]["json_schema"]["name"] == "Weather"


async def test_a_synchronous_client_is_served_as_well(database_url: str) -> None:
    async with sdk(database_url) as setup:

        def ask() -> tuple[str | None, str]:
            with openai.OpenAI(base_url=setup.base_url, api_key="any", max_retries=0) as client:
                whole = client.chat.completions.create(model=MODEL, messages=HELLO)
                stream = client.chat.completions.create(model=MODEL, messages=HELLO, stream=True)
                parts = [c.delta.content or "" for chunk in stream for c in chunk.choices]
                return whole.choices[0].message.content, "".join(parts)

        assert await asyncio.to_thread(ask) == (TEXT, TEXT)


# --- embeddings and models ------------------------------------------------------------------------


@pytest.mark.parametrize("model", ["openai/text-embedding-3-small", "builtin/hashed-words-v1"])
async def test_embeddings_come_as_numbers_though_the_sdk_asks_for_base64(
    model: str, database_url: str
) -> None:
    async with sdk(database_url) as setup:
        answer = await setup.client.embeddings.create(model=model, input=["the fox", "the dog"])
        first, second = (row.embedding for row in answer.data)
        assert len(first) == len(second) == 1536
        assert sum(x * x for x in first) == pytest.approx(1.0, abs=1e-3)
        assert first != second
        plain = await setup.client.embeddings.create(model=model, input="the fox", encoding_format="float")
        assert plain.data[0].embedding == pytest.approx(first, abs=1e-6)
        assert answer.usage.prompt_tokens > 0


async def test_models_are_listed_and_retrieved(database_url: str) -> None:
    async with sdk(database_url) as setup:
        listed = [model async for model in setup.client.models.list()]
        assert {model.id for model in listed} == {
            "openai/simulated-small",
            "openai/simulated-large",
            "builtin/hashed-words-v1",
        }
        one = await setup.client.models.retrieve("openai/simulated-small")
        assert (one.id, one.owned_by, one.object) == ("openai/simulated-small", "openai", "model")
        with pytest.raises(openai.NotFoundError) as caught:
            await setup.client.models.retrieve("openai/simulated-smal")
        assert "openai/simulated-small" in caught.value.message


# --- errors ---------------------------------------------------------------------------------------


def refused(status: int, **error: Any) -> Reply:
    document = {"error": {"message": "no", "type": "t", "param": None, "code": None, **error}}
    return Reply(status=status, body=json.dumps(document).encode(), content_type="application/json")


@pytest.mark.parametrize(
    ("reply", "kind", "code", "param"),
    [
        (refused(400, param="temperature"), openai.BadRequestError, "invalid_request", "temperature"),
        (
            refused(400, code="context_length_exceeded"),
            openai.BadRequestError,
            "context_length_exceeded",
            None,
        ),
        (refused(400, code="content_filter"), openai.BadRequestError, "content_filtered", None),
        (refused(404, code="model_not_found"), openai.NotFoundError, "not_found", None),
        (refused(429), openai.RateLimitError, "rate_limited", None),
        (refused(500), openai.InternalServerError, "all_providers_failed", None),
        (refused(401), openai.InternalServerError, "all_providers_failed", None),
        (Reply(before_headers="reset"), openai.InternalServerError, "all_providers_failed", None),
        (refused(408), openai.InternalServerError, "provider_timeout", None),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_an_error_is_of_the_class_its_status_calls_for(
    reply: Reply,
    kind: type[openai.APIStatusError],
    code: str,
    param: str | None,
    stream: bool,
    database_url: str,
) -> None:
    async with sdk(database_url) as setup:
        setup.upstream.script(reply)
        with pytest.raises(kind) as caught:
            await setup.client.chat.completions.create(model=MODEL, messages=HELLO, stream=stream)
        error = caught.value
        assert (error.code, error.param) == (code, param)
        assert error.type
        assert isinstance(error.body, dict)
        assert error.body["request_id"] == error.request_id == error.response.headers["x-request-id"]
        assert "openai-key" not in error.response.text


@pytest.mark.parametrize(
    ("change", "kind", "param"),
    [
        ({"messages": []}, openai.BadRequestError, "messages"),
        ({"model": ""}, openai.BadRequestError, "model"),
        ({"n": 0}, openai.BadRequestError, "n"),
        ({"extra_body": {"provider": "nobody"}}, openai.BadRequestError, "provider"),
        ({"extra_headers": {"sec-fetch-site": "cross-site"}}, openai.PermissionDeniedError, None),
    ],
    ids=str,
)
async def test_what_the_server_itself_refuses_is_told_in_the_same_form(
    change: dict[str, Any], kind: type[openai.APIStatusError], param: str | None, database_url: str
) -> None:
    async with sdk(database_url) as setup:
        with pytest.raises(kind) as caught:
            await setup.client.chat.completions.create(**{"model": MODEL, "messages": HELLO, **change})
        assert caught.value.param == param
        assert not setup.chats


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (errors.InvalidRequest, openai.BadRequestError),
        (errors.Unauthenticated, openai.AuthenticationError),
        (errors.Forbidden, openai.PermissionDeniedError),
        (errors.NotFound, openai.NotFoundError),
        (errors.RevisionSuperseded, openai.ConflictError),
        (errors.TooLarge, openai.APIStatusError),
        (errors.Unprocessable, openai.UnprocessableEntityError),
        (errors.RateLimited, openai.RateLimitError),
        (errors.InternalError, openai.InternalServerError),
        (errors.AllProvidersFailed, openai.InternalServerError),
        (errors.NotConfigured, openai.InternalServerError),
    ],
)
async def test_every_error_of_ours_has_its_class_in_the_sdk(
    error: type[errors.ApiError], kind: type[openai.APIStatusError]
) -> None:
    async def fail(request: Request) -> Response:
        raise error("It is so.", param="it")

    app = create_app([Route("/v1/models", fail)])
    async with serving(app) as url, openai.AsyncOpenAI(base_url=f"{url}/v1", api_key="any") as client:
        with pytest.raises(openai.APIStatusError) as caught:
            await client.with_options(max_retries=0).models.list()
    assert type(caught.value) is kind
    assert (caught.value.status_code, caught.value.code) == (error.status, error.code)
    assert (caught.value.type, caught.value.param) == (error.type, "it")
    assert "It is so." in caught.value.message


async def test_a_model_that_nobody_lists_is_not_found(database_url: str) -> None:
    async with sdk(database_url, GROQ_API_KEY="k", GROQ_BASE_URL="http://127.0.0.1:9/v1") as setup:
        with pytest.raises(openai.NotFoundError) as caught:
            await setup.client.chat.completions.create(model="simulated-smal", messages=HELLO)
        assert (caught.value.code, caught.value.param) == ("not_found", "model")
        assert "openai/simulated-small" in caught.value.message


async def test_the_sdk_waits_out_a_rate_limit_as_long_as_it_is_told(database_url: str) -> None:
    async with sdk(database_url) as setup:
        limited = Reply(status=429, headers={"retry-after": "0.01"})
        setup.upstream.script(limited)
        answer = await setup.patient().chat.completions.create(model=MODEL, messages=HELLO)
        assert answer.choices[0].message.content == TEXT
        assert len(setup.chats) == 2


async def test_retries_do_not_multiply(database_url: str) -> None:
    """The server has spent its attempts: the SDK does not make it spend them again."""
    async with sdk(database_url, AI_MAX_RETRIES="1") as setup:
        setup.upstream.reply(Reply(status=503))
        with pytest.raises(openai.InternalServerError) as caught:
            await setup.patient().chat.completions.create(model=MODEL, messages=HELLO)
        assert caught.value.response.headers["x-should-retry"] == "false"
        assert len(setup.chats) == 2


async def test_a_stream_that_dies_ends_in_an_error_and_not_in_silence(database_url: str) -> None:
    async with sdk(database_url) as setup:
        setup.upstream.script(Reply(cut_after=3))
        heard: list[str] = []

        async def listen() -> None:
            async for chunk in await setup.client.chat.completions.create(
                model=MODEL, messages=HELLO, stream=True
            ):
                heard.append(chunk.choices[0].delta.content or "")

        with pytest.raises(openai.APIError) as caught:
            await listen()
        assert "".join(heard) == "The quick brown"
        assert not isinstance(caught.value, openai.APIStatusError), "its status was 200"
        assert caught.value.code == "all_providers_failed"


async def test_a_stream_that_dies_goes_on_with_another_provider_s_text(database_url: str) -> None:
    async with Simulator() as groq:
        names = {"GROQ_API_KEY": "k", "GROQ_BASE_URL": groq.base_url, "AI_FALLBACK_PROVIDER": "groq"}
        async with sdk(database_url, **names) as setup:
            setup.upstream.script(Reply(cut_after=3))
            async with setup.client.chat.completions.stream(model=MODEL, messages=HELLO) as stream:
                final = await stream.get_final_completion()
            assert final.choices[0].message.content == TEXT
            assert final.choices[0].finish_reason == "stop"
            assert len(groq.requests) == 1


async def test_a_client_s_own_time_limit_ends_the_provider_s_request(database_url: str) -> None:
    async with sdk(database_url) as setup:
        setup.upstream.script(Reply(before_headers="stall"))
        with pytest.raises(openai.APITimeoutError):
            await setup.client.with_options(timeout=0.3).chat.completions.create(model=MODEL, messages=HELLO)
        await asyncio.wait_for(setup.upstream.requests[0].client_left.wait(), 2.0)


async def test_a_server_that_is_not_there_is_a_connection_error() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: nobody answers
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
            with pytest.raises(openai.APIConnectionError):
                await client.chat.completions.create(model=MODEL, messages=HELLO)
