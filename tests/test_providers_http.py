"""Providers that are not like OpenAI, and those of a file, behind the whole server."""

import json
from pathlib import Path
from typing import Any

import openai

from tests.marginalia import events_of, marginalia
from tests.recorded import FIXTURES
from tests.simulator import Reply, Simulator

HELLO: Any = [{"role": "user", "content": "Hello?"}]
QUIET = {"AI_EMBEDDING_PROVIDER": "builtin", "AI_FALLBACK_PROVIDER": "none"}
TOOLS: Any = [{"type": "function", "function": {"name": "find_page", "parameters": {"type": "object"}}}]


def answer(name: str) -> Reply:
    body = (FIXTURES / name).read_bytes()
    return Reply(body=body, content_type="text/event-stream" if name.endswith(".sse") else "application/json")


def claude(simulator: Simulator) -> dict[str, str]:
    return {**QUIET, "ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": simulator.base_url}


async def test_claude_speaks_openai_s_dialect_to_openai_s_own_client(database_url: str) -> None:
    async with Simulator() as sim, marginalia(database_url, claude(sim)) as client:
        sdk = openai.AsyncOpenAI(api_key="none", base_url=f"{client.base_url}/v1", max_retries=0)
        sim.script(answer("anthropic/tools.json"), answer("anthropic/tools.sse"))
        model = "anthropic/claude-sonnet-5"
        whole = await sdk.chat.completions.create(model=model, messages=HELLO, tools=TOOLS)
        assert whole.choices[0].finish_reason == "tool_calls"
        assert whole.usage is not None
        assert (whole.usage.prompt_tokens, whole.usage.completion_tokens) == (400, 44)
        calls = whole.choices[0].message.tool_calls or []
        assert [call.function.name for call in calls if call.type == "function"] == ["find_page"]

        stream = await sdk.chat.completions.create(
            model=model, messages=HELLO, tools=TOOLS, stream=True, stream_options={"include_usage": True}
        )
        chunks = [chunk async for chunk in stream]
        await sdk.close()
    deltas = [choice.delta for chunk in chunks for choice in chunk.choices]
    assert "".join(delta.content or "" for delta in deltas) == "I look it up."
    pieces = [call for delta in deltas for call in delta.tool_calls or []]
    written = {
        n: "".join(p.function.arguments or "" for p in pieces if p.function and p.index == n) for n in (0, 1)
    }
    assert [json.loads(text) for text in written.values()] == [{"title": "Thé"}, {}]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 61
    assert [request.path for request in sim.requests] == ["/v1/messages", "/v1/messages"]
    assert sim.requests[1].json["tools"] == [{"name": "find_page", "input_schema": {"type": "object"}}]
    assert sim.requests[1].json["stream"] is True


async def test_more_answers_than_a_provider_gives_are_refused_and_asked_of_nobody(database_url: str) -> None:
    async with Simulator() as sim, marginalia(database_url, claude(sim)) as client:
        body = {"model": "anthropic/claude-haiku-4-5", "messages": HELLO, "n": 2}
        response = await client.post("/v1/chat/completions", json=body)
    assert response.status_code == 400
    assert response.json()["error"]["param"] == "n"
    assert not sim.requests


async def test_a_stream_that_claude_breaks_off_goes_on_elsewhere(database_url: str) -> None:
    async with Simulator() as claude_s, Simulator() as other:
        claude_s.reply(answer("anthropic/overloaded-midway.sse"))
        other.reply_text("And so it went on.")
        environ = {
            **claude(claude_s),
            "AI_FALLBACK_PROVIDER": "openai",
            "OPENAI_API_KEY": "k",
            "OPENAI_BASE_URL": other.base_url,
        }
        async with marginalia(database_url, environ) as client:
            response = await client.post(
                "/v1/chat/completions",
                json={"model": "anthropic/claude-haiku-4-5", "messages": HELLO, "stream": True},
            )
    events = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    assert events.pop() == "[DONE]"
    text = "".join(c["delta"].get("content") or "" for e in events for c in json.loads(e)["choices"])
    assert text == "And so it went on."


async def test_claude_answers_a_task(database_url: str) -> None:
    async with Simulator() as sim:
        sim.reply(answer("anthropic/text.sse"))
        environ = {**claude(sim), "AI_SUGGESTIONS_PROVIDER": "anthropic", "AI_OFFLINE": "never"}
        async with marginalia(database_url, environ) as client:
            response = await client.post(
                "/functions/v1/generate-suggestions",
                json={"content": "Tee: ", "cursor_position": {"line": 0, "character": 5}, "mode": "inline"},
            )
            events = await events_of(response)
    meta = next(data["meta"] for name, data in events if name == "done")
    assert (meta["provider"], meta["model"]) == ("anthropic", "claude-haiku-4-5")
    assert meta["usage"] == {"input_tokens": 165, "output_tokens": 17}
    # 25 fresh, 100 written to the cache, 40 read from it, 17 made; dollars a million tokens
    assert meta["cost_usd"] == (25 * 1.00 + 100 * 1.25 + 40 * 0.10 + 17 * 5.00) / 1_000_000


async def test_claude_answers_in_the_form_that_is_asked_for(database_url: str) -> None:
    async with Simulator() as sim:
        environ = {**claude(sim), "AI_ANALYSIS_PROVIDER": "anthropic", "AI_OFFLINE": "never"}
        async with marginalia(database_url, environ) as client:
            response = await client.post(
                "/functions/v1/analyze-document", json={"content": "# Tea\n\nBrew it.\n"}
            )
    assert response.status_code == 200
    assert response.json()["summary"] == "text"
    asked = sim.requests[0].json
    assert asked["model"] == "claude-sonnet-5"
    assert asked["output_config"]["format"]["schema"]["additionalProperties"] is False
    assert "temperature" not in asked


async def test_a_provider_of_the_file_answers_at_the_gateway_and_with_vectors(
    database_url: str, tmp_path: Path
) -> None:
    async with Simulator() as sim:
        path = tmp_path / "providers.toml"
        path.write_text(
            f'[house]\nbase_url = "{sim.base_url}"\nmodels = {{ quality = "m" }}\nkey_header = "api-key"\n'
            'embedding_model = "e"\nheaders = { x-team = "docs" }\n',
            encoding="utf-8",
        )
        environ = {
            **QUIET,
            "AI_CUSTOM_PROVIDERS": str(path),
            "AI_EMBEDDING_PROVIDER": "house",
            "HOUSE_API_KEY": "house-key",
        }
        async with marginalia(database_url, environ) as client:
            chat = await client.post(
                "/v1/chat/completions", json={"model": "house/any-model", "messages": HELLO}
            )
            stored = await client.post(
                "/functions/v1/index-document",
                json={"document_id": "a", "markdown_content": "# Tea\n\nBrew it.\n"},
            )
    assert (chat.status_code, stored.status_code) == (200, 200)
    assert chat.json()["model"] == "any-model"
    assert stored.json()["meta"]["provider"] == "house"
    asked = [request for request in sim.requests if request.path == "/v1/chat/completions"]
    assert asked[0].headers["api-key"] == "house-key"
    assert asked[0].headers["x-team"] == "docs"
    assert "authorization" not in asked[0].headers
    assert any(request.path == "/v1/embeddings" for request in sim.requests)
