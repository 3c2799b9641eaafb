"""/v1/chat/completions: the failover of the tasks, and the errors where it does not help."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

import httpx
import pytest

from tests.gateway_client import HELLO, TEXT, URL, alone, body, data_of, ledger, text_of
from tests.marginalia import with_simulators
from tests.simulator import Reply, Simulator

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
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
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
    async with with_simulators(database_url, environ) as (client, together, openai):
        together.reply(Reply(status=503))
        await client.post(URL, json=body(model="together/small"))
        assert openai.requests[0].json["model"] == "smaller"


async def test_a_silent_provider_is_overtaken_though_no_token_can_be_waited_for(database_url: str) -> None:
    async with with_simulators(database_url, {"AI_FIRST_TOKEN_TIMEOUT": "0.1"}) as (client, together, _):
        together.reply(Reply(before_headers="stall"))
        response = await client.post(URL, json=body())
        assert response.headers["x-marginalia-provider"] == "openai"
        await asyncio.wait_for(together.requests[0].client_left.wait(), 1.0)
    assert [row[1:4:2] for row in ledger(database_url)] == [("together", "timeout"), ("openai", "ok")]


async def test_a_slow_whole_answer_is_not_given_up(database_url: str) -> None:
    async with with_simulators(database_url, {"AI_FIRST_TOKEN_TIMEOUT": "0.1"}) as (client, together, openai):
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
    async with with_simulators(database_url, environ) as (client, together, openai):
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
    async with with_simulators(database_url) as (client, together, openai):
        together.reply(Reply(cut_after=4))
        error = await error_at_the_end(client, body(stream=True, **more))
        assert error["code"] == "all_providers_failed"
        assert [attempt["provider"] for attempt in error["attempts"]] == ["together"]
        assert not openai.requests


async def test_a_text_that_does_not_go_on_from_there_is_an_error_in_the_stream(database_url: str) -> None:
    async with with_simulators(database_url) as (client, together, openai):
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
        async with with_simulators(database_url, environ) as (client, together, _):
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
    async with with_simulators(database_url) as (client, together, openai):
        together.reply(error(400, message="temperature is 3; at most 2", param="temperature"))
        response = await client.post(URL, json=body(temperature=3))
        found = response.json()["error"]
        assert (response.status_code, found["param"]) == (400, "temperature")
        assert found["message"] == "temperature is 3; at most 2"
        assert not openai.requests


async def test_what_a_fallback_finds_wrong_does_not_hide_why_it_was_asked(database_url: str) -> None:
    async with with_simulators(database_url, {"AI_MAX_RETRIES": "0"}) as (client, together, openai):
        together.reply(error(503))
        openai.reply(error(400))
        response = await client.post(URL, json=body())
        assert (response.status_code, response.json()["error"]["code"]) == (502, "all_providers_failed")


async def test_offline_only_asks_nobody(database_url: str) -> None:
    async with with_simulators(database_url, {"AI_OFFLINE": "only"}) as (client, together, _):
        response = await client.post(URL, json=body())
        assert response.json()["error"]["code"] == "not_configured"
        assert not together.requests
