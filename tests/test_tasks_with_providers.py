"""The four tasks over HTTP, asked of simulated providers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.marginalia import events_of, marginalia
from tests.provided_tasks import ANALYSIS, AT_THE_END, FINDING, GRAPH, GUIDE, World, ok, provided
from tests.simulator import Reply


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with provided(database_url) as opened:
        yield opened


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
