"""The four tasks over HTTP, asked of simulated providers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from functions import create_diagram
from tests.marginalia import events_of, marginalia, two_providers
from tests.simulator import Reply, Simulator

GUIDE = """# Release guide

Releases go out every Tuesday. The release captain tags the build at 10:00 UTC.

## Rollback

A rollback takes four minutes and needs the approval of two engineers.

## Naming

Each release carries the name of a river, for example Danube.
"""
FINDING = "A rollback takes four minutes"
ANALYSIS = {
    "summary": "A guide to releases.",
    "missing_sections": [
        {
            "title": "Monitoring",
            "reason": "Nobody watches.",
            "after_heading": "Rollback",
            "outline": ["Alerts"],
        }
    ],
    "improvements": [
        {
            "severity": 2,
            "category": "accuracy",
            "message": "Say from when the four minutes count.",
            "quote": FINDING,
            "replacement": "A rollback takes four minutes from the decision",
        },
        {
            "severity": 3,
            "category": "clarity",
            "message": "This text is nowhere.",
            "quote": "The zebra crossed the motorway at noon",
            "replacement": None,
        },
    ],
    "scores": {"completeness": 60, "clarity": 80, "structure": 70},
}
GRAPH = {
    "diagram_type": "flowchart",
    "title": "Release",
    "nodes": [
        {"id": "tag", "label": "Tag the build", "quote": "tags the build at 10:00 UTC"},
        {"id": "ship", "label": "Ship; click here"},
    ],
    "edges": [{"from": "tag", "to": "ship", "label": "then"}],
}


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        together = await stack.enter_async_context(Simulator())
        openai = await stack.enter_async_context(Simulator())
        environ = two_providers(together.base_url, openai.base_url)
        client = await stack.enter_async_context(marginalia(database_url, environ))
        stored = await client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE})
        assert stored.status_code == 200, stored.text
        yield World(client, together, openai)


async def ok(client: httpx.AsyncClient, path: str, body: dict[str, Any]) -> Any:
    answer = await client.post(f"/functions/v1/{path}", json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def stands(anchor: dict[str, Any], content: str = GUIDE) -> bool:
    units = content.encode("utf-16-le")
    start, end = anchor["position"]["start"] * 2, anchor["position"]["end"] * 2
    return bool(
        units[start:end].decode("utf-16-le") == anchor["quote"]["exact"]
        and anchor["content_hash"] == hashlib.sha256(content.encode()).hexdigest()
    )


# --- analysis ------------------------------------------------------------------------------------


async def test_an_analysis_keeps_the_findings_that_stand_in_the_document(world: World) -> None:
    world.together.reply_text(json.dumps(ANALYSIS))
    answer = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    assert answer["summary"] == "A guide to releases."
    assert answer["scores"] == {"completeness": 60, "clarity": 80, "structure": 70}
    (finding,) = answer["improvements"]
    assert finding["anchor"]["quote"]["exact"] == FINDING
    assert stands(finding["anchor"])
    assert answer["meta"]["dropped_findings"] == 1
    assert answer["meta"]["provider"] == "together"
    assert answer["meta"]["model"] == "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo"
    assert answer["meta"]["degraded"] is False
    assert answer["meta"]["cost_usd"] > 0


async def test_an_unchanged_document_is_analysed_once(world: World) -> None:
    world.together.reply_text(json.dumps(ANALYSIS))
    first = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    again = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    assert again["meta"]["cached"] is True
    assert again["meta"]["cost_usd"] == 0
    assert again["improvements"] == first["improvements"]
    assert len(world.together.requests) == 1


async def test_a_changed_document_and_a_refresh_are_analysed_anew(world: World) -> None:
    world.together.reply_text(json.dumps(ANALYSIS))
    await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    await ok(world.client, "analyze-document", {"document_id": "guide.md", "refresh": True})
    await world.client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE + "More.\n"})
    answer = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    assert answer["meta"]["cached"] is False
    assert len(world.together.requests) == 3


async def test_unsaved_text_is_analysed_and_not_stored(world: World) -> None:
    world.together.reply_text(json.dumps(ANALYSIS))
    answer = await ok(world.client, "analyze-document", {"content": GUIDE})
    assert answer["improvements"][0]["anchor"]["document_id"] is None
    await ok(world.client, "analyze-document", {"content": GUIDE})
    assert len(world.together.requests) == 2


async def test_a_reply_that_breaks_the_schema_is_repaired_once(world: World) -> None:
    world.together.script(Reply("Sure! Here is my review."), Reply(json.dumps(ANALYSIS)))
    answer = await ok(world.client, "analyze-document", {"document_id": "guide.md"})
    assert answer["meta"]["attempts"] == 2
    assert [message["role"] for message in world.together.requests[1].json["messages"]][-2:] == [
        "assistant",
        "user",
    ]


async def test_a_long_document_is_analysed_whole_in_parts(world: World) -> None:
    def review(request: dict[str, Any]) -> str:
        prompt = request["messages"][-1]["content"]
        number = next(n for n in range(200) if f"Paragraph {n} " in prompt)
        quote = f"Paragraph {number} says something"
        finding = {**ANALYSIS["improvements"][0], "quote": quote, "replacement": None}  # type: ignore[index]
        return json.dumps({**ANALYSIS, "improvements": [finding]})

    world.together.respond(review)
    content = "".join(
        f"## Part {n}\n\nParagraph {n} says something. " + "Word " * 900 + "\n\n" for n in range(60)
    )
    answer = await ok(world.client, "analyze-document", {"content": content})
    parts = answer["meta"]["parts"]
    assert parts > 2
    assert len(world.together.requests) == parts
    assert len(answer["improvements"]) == parts
    assert all(stands(finding["anchor"], content) for finding in answer["improvements"])
    sent = "".join(request.prompt for request in world.together.requests)
    assert all(f"Paragraph {n} says" in sent for n in range(60))


# --- suggestions ---------------------------------------------------------------------------------

AT_THE_END = {"content": GUIDE, "cursor_position": {"line": 99, "character": 99}}


async def test_suggestions_stream_as_separate_indexes_and_end_whole(world: World) -> None:
    world.together.reply_text("The next river is the Elbe.\n<<<NEXT>>>\nAsk the captain for a name.")
    response = await world.client.post("/functions/v1/generate-suggestions", json=AT_THE_END)
    assert response.headers["content-type"].startswith("text/event-stream")
    events = await events_of(response)
    assert events[0][0] == "start"
    assert events[-1][0] == "done"
    items = {data["index"]: data["text"].strip() for name, data in events if name == "item"}
    assert items == {0: "The next river is the Elbe.", 1: "Ask the captain for a name."}
    streamed = dict.fromkeys(items, "")
    for name, data in events:
        if name == "delta":
            streamed[data["index"]] += data["text"]
    assert {index: text.strip() for index, text in streamed.items()} == items
    assert events[-1][1]["meta"]["model"] == "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo"


async def test_an_inline_suggestion_is_one(world: World) -> None:
    world.together.reply_text("the Elbe.")
    body = {**AT_THE_END, "mode": "inline"}
    events = await events_of(await world.client.post("/functions/v1/generate-suggestions", json=body))
    assert [data["index"] for name, data in events if name == "item"] == [0]


async def test_a_suggestion_stream_that_is_cut_starts_anew_elsewhere(world: World) -> None:
    world.together.reply(Reply("One two three four five six seven.", cut_after=3))
    world.openai.reply_text("Alpha beta gamma.")
    events = await events_of(await world.client.post("/functions/v1/generate-suggestions", json=AT_THE_END))
    names = [name for name, _ in events]
    assert "switch" in names
    assert names[-1] == "done"
    text = ""
    for name, data in events:
        if name == "reset":
            text = ""
        elif name == "delta":
            text += data["text"]
    (item,) = [data["text"] for name, data in events if name == "item"]
    assert text.strip() == item.strip() == "Alpha beta gamma."
    assert events[-1][1]["meta"]["provider"] == "openai"


async def test_the_cursor_may_stand_outside_the_text(world: World) -> None:
    world.together.reply_text("More.")
    for position in ({"line": 10**9, "character": 10**9}, {"line": 0, "character": 10**6}):
        body = {"content": "é𝄞", "cursor_position": position}
        response = await world.client.post("/functions/v1/generate-suggestions", json=body)
        assert response.status_code == 200


# --- answers -------------------------------------------------------------------------------------


async def test_an_answer_carries_citations_that_stand_in_the_document(world: World) -> None:
    world.together.reply_text('The guide says that "a rollback takes four minutes" [1]. Cats can fly [2].')
    answer = await ok(world.client, "answer-question", {"question": "How long does a rollback take?"})
    (citation,) = answer["citations"]
    assert citation["document_id"] == "guide.md"
    assert citation["support"] == "verified"
    assert stands(citation["anchor"])
    assert any("Cats" in sentence for sentence in answer["unsupported"])
    assert f"[{citation['marker']}]" in answer["answer"]
    assert answer["abstained"] is False


async def test_an_answer_streams_the_text_that_it_ends_with(world: World) -> None:
    world.together.reply_text("A rollback takes four minutes [1].")
    body = {"question": "How long does a rollback take?", "document_id": "guide.md", "stream": True}
    events = await events_of(await world.client.post("/functions/v1/answer-question", json=body))
    text = "".join(data["text"] for name, data in events if name == "delta")
    done = events[-1][1]
    assert text == done["answer"]
    assert [data for name, data in events if name == "citation"] == done["citations"]


async def test_a_question_that_nothing_matches_asks_nobody(world: World) -> None:
    body = {"question": "qwertyuiop zxcvbnm", "document_ids": []}
    answer = await ok(world.client, "answer-question", body)
    assert answer["abstained"] is True
    assert answer["citations"] == []
    assert world.together.requests == []


async def test_answers_never_come_from_stale_chunks(world: World, database_url: str) -> None:
    import psycopg

    newer = GUIDE.replace("four minutes", "nine minutes")
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("update documents_reference set markdown_content = %s", (newer,))
    world.together.reply_text("It takes nine minutes [1].")
    body = {"question": "How long does a rollback take?", "document_id": "guide.md"}
    answer = await ok(world.client, "answer-question", body)
    assert "four minutes" not in world.together.requests[0].prompt
    assert all(stands(citation["anchor"], newer) for citation in answer["citations"])


# --- diagrams ------------------------------------------------------------------------------------


async def test_a_diagram_is_compiled_from_the_graph_and_anchored(world: World) -> None:
    world.together.reply_text(json.dumps(GRAPH))
    body = {"concept": "release process", "document_id": "guide.md", "diagram_type": "flowchart"}
    answer = await ok(world.client, "create-diagram", body)
    assert answer["diagram_type"] == "flowchart"
    assert answer["mermaid"].startswith("flowchart")
    assert "Tag the build" in answer["mermaid"]
    (anchor,) = answer["nodes"].values()
    assert stands(anchor)


async def test_mermaid_text_of_a_model_is_never_passed_through(world: World) -> None:
    hostile = (
        '%%{init: {"securityLevel": "loose"}}%%\nflowchart TD\n  a[Start] --> b[End]\n'
        '  click a "javascript:alert(1)"'
    )
    world.together.reply_text(f"```mermaid\n{hostile}\n```")
    answer = await ok(world.client, "create-diagram", {"concept": "anything"})
    assert "click" not in answer["mermaid"]
    assert "init" not in answer["mermaid"]
    assert "Start" in answer["mermaid"]


async def test_an_unknown_type_of_diagram_is_refused_with_the_known_ones(world: World) -> None:
    response = await world.client.post(
        "/functions/v1/create-diagram", json={"concept": "x", "diagram_type": "hologram"}
    )
    assert response.status_code == 400
    assert "flowchart" in response.json()["error"]["message"]
    assert response.json()["error"]["param"] == "diagram_type"


# --- fallback, ledger ----------------------------------------------------------------------------


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


async def test_a_diagram_that_words_cannot_give_is_drawn_in_another_type_and_says_so(
    database_url: str,
) -> None:
    async with marginalia(database_url) as client:
        await client.put("/functions/v1/documents/guide.md", json={"markdown_content": GUIDE})
        body = {"concept": "release", "document_id": "guide.md", "diagram_type": "pie"}
        answer = await ok(client, "create-diagram", body)
    assert answer["diagram_type"] != "pie"
    assert answer["meta"]["instead_of"] == "pie"


async def test_mermaid_text_of_another_type_than_asked_for_is_repaired(world: World) -> None:
    world.together.script(Reply('pie\n  "a" : 1'), Reply(json.dumps(GRAPH)))
    answer = await ok(world.client, "create-diagram", {"concept": "x", "diagram_type": "flowchart"})
    assert (answer["diagram_type"], answer["meta"]["attempts"]) == ("flowchart", 2)
