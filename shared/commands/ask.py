"""`marginalia ask`: a question to the indexed documents, answered with the passages it rests on."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING

from shared.commands.running import run
from shared.commands.terminal import output, plain, print_json
from shared.settings import Settings
from shared.types import LOCAL_CALLER, Json, JsonObject

if TYPE_CHECKING:
    from shared.services import Services

_MAX_QUOTE = 240  # characters of a passage shown


def ask(settings: Settings, question: str, document_ids: Sequence[str], *, as_json: bool) -> None:
    """Raises ApiError, for example NotFound for a document that is not there."""
    answer, lines = run(_ask(settings, question, document_ids))
    if as_json:
        print_json(answer)
    else:
        _print(answer, lines)


async def _ask(
    settings: Settings, question: str, document_ids: Sequence[str]
) -> tuple[JsonObject, Mapping[int, str]]:
    """The answer as the endpoint gives it, and each citation's lines by its marker."""
    from shared.services import open_services

    async with open_services(settings) as services:
        answer = await _answer(services, question, document_ids)
        return answer, await _cited_lines(services, answer["citations"])


async def _answer(services: Services, question: str, document_ids: Sequence[str]) -> JsonObject:
    from shared.tasks.asking import Call
    from shared.text.sse import Done

    call = Call(f"cli-{uuid.uuid4()}", LOCAL_CALLER)
    messages = services.service.answer_question(call, question=question, document_ids=document_ids or None)
    async with aclosing(messages) as events:
        async for event in events:
            if isinstance(event, Done):
                return {**event.result, "meta": event.meta.to_json()}
    raise RuntimeError("the answer ended without its end")


async def _cited_lines(services: Services, citations: Sequence[Json]) -> dict[int, str]:
    contents: dict[str, str] = {}
    lines: dict[int, str] = {}
    for citation in citations:
        document_id = citation["document_id"]
        if document_id not in contents:
            stored = await services.store.get_document(LOCAL_CALLER, document_id)
            contents[document_id] = stored.document.content
        position = citation["anchor"]["position"]
        lines[citation["marker"]] = line_range(contents[document_id], position["start"], position["end"])
    return lines


def line_range(content: str, start: int, end: int) -> str:
    """The 1-based lines of `content[start:end]`, in UTF-16 code units: "line 7" or "lines 7-9"."""
    units = content.encode("utf-16-le", "surrogatepass")

    def line(position: int) -> int:
        return units[: position * 2].decode("utf-16-le", "replace").count("\n") + 1

    first, last = line(start), line(max(start, end - 1))
    return f"line {first}" if first == last else f"lines {first}-{last}"


def _print(answer: JsonObject, lines: Mapping[int, str]) -> None:
    console = output()
    console.print(plain(answer["answer"]))
    for citation in answer["citations"]:
        marker = citation["marker"]
        place = f"{citation['document_id']}, {lines[marker]}"
        console.print(
            f"\n[{marker}] {plain(citation['document_title'])} ({plain(place)}, {citation['support']})"
        )
        console.print(f"    “{plain(_shortened(citation['anchor']['quote']['exact']))}”")
    if answer["unsupported"]:
        console.print(f"\nNot found in the documents: {plain(' '.join(answer['unsupported']))}")
    console.print(f"\n{_made_by(answer['meta'])}")


def _shortened(quote: str) -> str:
    words = " ".join(quote.split())
    return words if len(words) <= _MAX_QUOTE else f"{words[:_MAX_QUOTE].rstrip()}…"


def _made_by(meta: JsonObject) -> str:
    if meta["degraded"] or meta["provider"] in (None, "offline"):
        failed = f" {meta['attempts']} attempts at providers had failed." if meta["attempts"] else ""
        return f"Answered without a model, from the documents' own words.{failed}"
    cost = "unknown" if meta["cost_usd"] is None else f"${meta['cost_usd']:.6f}"
    return f"Answered by {meta['provider']}, {meta['model']}; cost {cost}."
