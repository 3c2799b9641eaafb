"""The four tasks over HTTP: who answers when providers fail, with which model, and the ledger's rows."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from functions import create_diagram
from tests.marginalia import events_of, marginalia, two_providers
from tests.provided_tasks import ANALYSIS, AT_THE_END, GRAPH, GUIDE, World, ok, provided
from tests.simulator import Reply, Simulator


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with provided(database_url) as opened:
        yield opened


def suited(request: dict[str, Any]) -> str:
    """An answer in the form that the prompt asks for."""
    system = request["messages"][0]["content"]
    if "missing_sections" in system:
        return json.dumps(ANALYSIS)
    if "diagram_type" in system:
        return json.dumps(GRAPH)
    return "A rollback takes four minutes [1]."


async def test_all_tasks_answer_from_the_fallback_with_its_own_models(world: World) -> None:
    world.together.reply(Reply(status=503))
    world.openai.respond(suited)
    analysis = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    answer = await ok(world.client, "answer-question", {"question": "How long does a rollback take?"})
    diagram = await ok(world.client, "create-diagram", {"concept": "release", "document_id": "guide.md"})
    events = await events_of(await world.client.post("/functions/v1/generate-suggestions", json=AT_THE_END))
    for meta in (analysis["meta"], answer["meta"], diagram["meta"]):
        assert (meta["provider"], meta["model"], meta["degraded"]) == ("openai", "gpt-4o", False)
    assert events[-1][1]["meta"]["model"] == "gpt-4o-mini"
    assert {request.json["model"] for request in world.openai.requests} == {"gpt-4o", "gpt-4o-mini"}
    assert all(request.headers["authorization"] == "Bearer openai-key" for request in world.openai.requests)


async def test_code_is_for_the_models_for_code(world: World) -> None:
    world.together.reply_text(json.dumps({**ANALYSIS, "improvements": []}))
    await world.client.put(
        "/functions/v1/documents/a.ts", json={"typescript_content": "export const a: number = 1;\n"}
    )
    answer = await ok(world.client, "analyze-document", {"document_id": "a.ts"})
    assert answer["meta"]["model"] == "Qwen/Qwen2.5-Coder-32B-Instruct"


async def test_where_all_providers_fail_the_answer_is_degraded(world: World) -> None:
    world.together.reply(Reply(status=401))
    world.openai.reply(Reply(status=401))
    analysis = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    answer = await ok(world.client, "answer-question", {"question": "How long does a rollback take?"})
    events = await events_of(await world.client.post("/functions/v1/generate-suggestions", json=AT_THE_END))
    diagram = await ok(world.client, "create-diagram", {"concept": "release", "document_id": "guide.md"})
    for meta in (analysis["meta"], answer["meta"], diagram["meta"], events[-1][1]["meta"]):
        assert meta["degraded"] is True
        assert meta["attempts"] == 2
        assert {failure["status"] for failure in meta["failures"]} == {401}
    assert "four minutes" in answer["answer"]


async def test_a_degraded_analysis_gives_way_to_a_model_s(world: World) -> None:
    world.together.script(Reply(status=401))
    world.openai.script(Reply(status=401))
    world.together.reply_text(json.dumps(ANALYSIS))
    first = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    second = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    assert (first["meta"]["degraded"], second["meta"]["degraded"]) == (True, False)


async def test_a_refusal_for_content_is_the_answer(world: World) -> None:
    world.together.reply(Reply("no", finish="content_filter"))
    response = await world.client.post("/functions/v1/create-diagram", json={"concept": "x"})
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "content_filtered"
    assert world.openai.requests == []


async def test_without_offline_answers_the_failure_is_told_with_its_attempts(database_url: str) -> None:
    async with Simulator() as one, Simulator() as two:
        one.reply(Reply(status=401))
        two.reply(Reply(status=403))
        environ = {**two_providers(one.base_url, two.base_url), "AI_OFFLINE": "never"}
        async with marginalia(database_url, environ) as client:
            response = await client.post("/functions/v1/create-diagram", json={"concept": "x"})
            stream = await client.post("/functions/v1/generate-suggestions", json=AT_THE_END)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (502, "all_providers_failed")
    assert [(one["provider"], one["status"]) for one in error["attempts"]] == [
        ("together", 401),
        ("openai", 403),
    ]
    assert "together-key" not in response.text + stream.text
    assert stream.status_code == 502


@pytest.mark.parametrize("mode", ["never", "fallback"])
async def test_without_any_key_nobody_is_asked(database_url: str, mode: str) -> None:
    async with marginalia(database_url, {"AI_OFFLINE": mode}) as client:
        response = await client.post("/functions/v1/create-diagram", json={"concept": "A leads to B"})
    if mode == "never":
        assert (response.status_code, response.json()["error"]["code"]) == (503, "not_configured")
        assert "TOGETHER_API_KEY" in response.json()["error"]["message"]
    else:
        assert response.json()["meta"]["degraded"] is True


@pytest.mark.parametrize("alone", [True, False], ids=["a handler alone", "the whole server"])
async def test_every_attempt_is_one_row_of_the_ledger(database_url: str, alone: bool) -> None:
    import psycopg

    query = (
        "select task, provider, model, outcome, status, output_tokens > 0, cost_usd > 0 from ai_usage"
        " order by started_at"
    )
    async with Simulator() as together, Simulator() as openai:
        together.reply(Reply(status=401))
        openai.respond(suited)
        environ = two_providers(together.base_url, openai.base_url)
        function = create_diagram if alone else None
        async with marginalia(database_url, environ, function=function) as client:
            await ok(client, "create-diagram", {"concept": "release"})
            with psycopg.connect(database_url) as connection:
                at_the_answer = connection.execute(query).fetchall()
        with psycopg.connect(database_url) as connection:
            at_the_end = connection.execute(query).fetchall()
    quality = "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo"
    assert at_the_end == [
        ("diagrams", "together", quality, "auth_error", 401, False, False),
        ("diagrams", "openai", "gpt-4o", "ok", 200, True, True),
    ]
    assert not alone or at_the_answer == at_the_end


async def test_local_needs_no_key(database_url: str) -> None:
    async with Simulator() as local:
        local.respond(suited)
        environ = {
            **{
                f"AI_{task}_PROVIDER": "local"
                for task in ("ANALYSIS", "SUGGESTIONS", "QA", "DIAGRAMS", "EMBEDDING")
            },
            "LOCAL_BASE_URL": local.base_url,
            "LOCAL_QUALITY_MODEL": "mine",
        }
        async with marginalia(database_url, environ) as client:
            stored = await client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE})
            assert stored.json()["chunks"]["embedded"] > 0
            analysis = await ok(client, "analyze-document", {"document_id": "guide.md"})
            answer = await ok(client, "answer-question", {"question": "How long does a rollback take?"})
            diagram = await ok(client, "create-diagram", {"concept": "release", "document_id": "guide.md"})
            events = await events_of(await client.post("/functions/v1/generate-suggestions", json=AT_THE_END))
    for meta in (analysis["meta"], answer["meta"], diagram["meta"], events[-1][1]["meta"]):
        assert (meta["provider"], meta["degraded"]) == ("local", False)
    assert analysis["meta"]["model"] == "mine"
    assert all("authorization" not in request.headers for request in local.requests)
