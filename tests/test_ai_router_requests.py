"""What the router sends to each provider, and over which connections."""

from dataclasses import replace

import pytest

from shared.ai.router import Router
from shared.providers import PROVIDERS
from shared.types import ChatRequest, Message
from tests.simulator import Reply, Simulator
from tests.simulator.asking import SCHEMA, SECOND, asking, error, target, two_providers

TEXT = Reply().text


async def test_the_fallback_is_asked_with_its_own_model_and_its_own_words() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(error(503))
        request = ChatRequest(
            (Message("user", "Hi"),),
            max_output_tokens=50,
            temperature=0.0,
            response_schema=SCHEMA,
            stop=("END",),
        )
        row = replace(SECOND, json_output="object", usage_in_streams=False, refuses=frozenset({"stop"}))
        await asker.stream([target(first), target(second, row)], request=request)
        before, after = first.requests[0].json, second.requests[0].json
        assert (before["model"], after["model"]) == ("model-of-primary", "model-of-second")
        assert (before["max_tokens"], after["max_completion_tokens"]) == (50, 50)
        assert (before["temperature"], after["temperature"]) == (0.0, 0.0)
        assert before["response_format"]["type"] == "json_schema"
        assert after["response_format"] == {"type": "json_object"}
        assert '"integer"' in after["messages"][0]["content"]
        assert before["stop"] == ["END"]
        assert "stop" not in after
        assert before["stream_options"] == {"include_usage": True}
        assert "stream_options" not in after
        assert before["stream"]
        assert after["stream"]


async def test_keys_go_to_their_provider_and_nowhere_else(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG", logger="shared")
    secret = "sk-secret-1234"
    async with two_providers() as (first, second, asker):
        first.reply(error(401, message=f"Incorrect API key {secret}"))
        second.reply(error(400, message="prompt said What does the fox do?"))
        heard = await asker.stream([target(first, key=secret), target(second, SECOND, key="other")])
        assert first.requests[0].headers["authorization"] == f"Bearer {secret}"
        assert second.requests[0].headers["authorization"] == "Bearer other"
        assert heard.error is not None
        written = f"{heard.error} {heard.error.to_json('r')} {caplog.text} {asker.rows}"
        assert secret not in written
        assert "fox" not in written


async def test_a_key_that_no_header_can_carry_is_a_failed_attempt_and_is_not_quoted() -> None:
    async with two_providers() as (first, second, asker):
        heard = await asker.stream([target(first, key="sk-“quoted”\n"), target(second, SECOND)])
        assert heard.text == TEXT
        assert asker.outcomes == ["primary auth_error", "second ok"]


async def test_a_provider_without_a_key_gets_no_header() -> None:
    async with Simulator() as sim, asking() as asker:
        await asker.stream([target(sim, PROVIDERS["local"], key=None)])
        assert "authorization" not in sim.requests[0].headers


async def test_one_connection_serves_one_request_after_another() -> None:
    async with Simulator() as sim, asking() as asker:
        for _ in range(5):
            await asker.stream([target(sim)])
        assert sim.connections == 1


async def test_a_router_that_was_closed_has_no_connection_open() -> None:
    async with Simulator() as sim:
        async with asking() as asker:
            await asker.stream([target(sim)])
        await sim.wait_for_rest()
    assert isinstance(asker.router, Router)
