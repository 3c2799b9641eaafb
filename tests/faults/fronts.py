"""The ends at which a row is played, and what their callers see, in the words of the table."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import httpx

from tests.faults.table import TEXT, Expected, Row
from tests.sse_decoder import decode

SERVED_BY = "x-marginalia-provider"
FIRST = "groq"  # takes no prefill, so that a broken answer stays broken
OTHER_TEXT = (
    "An owl sat in the oak. It had heard every word, and said nothing of it to anyone who came by, "
    "for owls are wise and keep to themselves."
)


@dataclass(frozen=True)
class Front:
    """`text` is the good answer of every provider, `other_text` another good one.

    `read` gives what the caller sees, in the table's words.
    """

    name: str
    path: str
    body: Mapping[str, Any] = field(repr=False)
    read: Callable[[Front, httpx.Response], str] = field(repr=False)
    column: Literal["stream", "whole"] = field(repr=False)
    text: str = field(default=TEXT, repr=False)
    other_text: str = field(default=OTHER_TEXT, repr=False)

    def expected(self, row: Row) -> tuple[str, Expected]:
        """What the caller sees, and the rest."""
        expected = row.expected(self.name)
        return (expected.stream if self.column == "stream" else expected.whole), expected

    async def ask(self, client: httpx.AsyncClient, request_id: str) -> str:
        response = await client.post(self.path, json=self.body, headers={"x-request-id": request_id})
        if response.status_code != 200:
            return f"{response.status_code} {response.json()['error']['code']}"
        return self.read(self, response)

    def by(self, provider: str, text: str) -> str:
        """Who an answer without any trace of a switch is from."""
        if text not in (self.text, self.other_text):
            return f"a wrong text: {text!r}"
        return "whole" if provider == FIRST else "fallback"

    def broken_off(self, text: str, data: Mapping[str, Any]) -> str:
        """An error after some text."""
        begun = text and (self.text.startswith(text) or self.other_text.startswith(text))
        return f"error {data['error']['code']}" if begun else f"a wrong beginning: {text!r}"


def _suggestion(front: Front, response: httpx.Response) -> str:
    events = [(event.name, json.loads(event.data)) for event in decode(response.content)]
    text, trace = "", list[str]()
    for name, data in events:
        match name:
            case "delta":
                text += data["text"]
            case "reset":
                text, trace = "", [*trace, "reset"]
            case "switch":
                trace.append("switch")
    last, data = events[-1]
    if last == "error":
        return front.broken_off(text, data)
    items = [data["text"] for name, data in events if name == "item"]
    if last != "done" or items != [text]:
        return f"no whole text: {events}"
    whole = front.by(data["meta"]["provider"], text)
    return {(): whole, ("switch",): "switch", ("switch", "reset"): "reset"}.get(tuple(trace), f"{trace}")


def _analysis(front: Front, response: httpx.Response) -> str:
    answer = response.json()
    given = {**answer, "meta": None}
    texts = (front.text, front.other_text)
    text = next((text for text in texts if {**json.loads(text), "meta": None} == given), f"{given}")
    return front.by(answer["meta"]["provider"], text)


def _chat_stream(front: Front, response: httpx.Response) -> str:
    *events, last = [event.data for event in decode(response.content)]
    chunks = [json.loads(event) for event in events]
    choices = [choice for chunk in chunks for choice in chunk["choices"]]
    text = "".join(choice["delta"].get("content") or "" for choice in choices)
    if last != "[DONE]":
        return front.broken_off(text, json.loads(last))
    reasons = [choice["finish_reason"] for choice in choices if choice["finish_reason"]]
    if reasons == ["content_filter"]:
        return "filtered"
    if reasons != ["stop"]:
        return f"ended for {reasons}"
    whole = front.by(response.headers[SERVED_BY], text)
    ended_by = [chunk["marginalia"]["provider"] for chunk in chunks if "marginalia" in chunk]
    return "switch" if whole == "whole" and ended_by not in ([], [FIRST]) else whole


def _chat(front: Front, response: httpx.Response) -> str:
    (choice,) = response.json()["choices"]
    if choice["finish_reason"] == "content_filter":
        return "filtered"
    return front.by(response.headers[SERVED_BY], choice["message"]["content"])


def _review(summary: str) -> str:
    return json.dumps(
        {
            "summary": summary,
            "missing_sections": [],
            "improvements": [],
            "scores": {"completeness": 60, "clarity": 80, "structure": 70},
        }
    )


SUGGESTION = Front(
    "suggestion",
    "/functions/v1/generate-suggestions",
    {
        "content": "# Notes\n\nWhat I saw today.\n\n",
        "cursor_position": {"line": 99, "character": 0},
        "mode": "inline",
    },
    _suggestion,
    "stream",
)
ANALYSIS = Front(
    "analysis",
    "/functions/v1/analyze-document",
    {"content": "# Notes\n\nWhat I saw today.\n"},
    _analysis,
    "whole",
    text=_review("A short note of what was seen one day by the wood and by the fence."),
    other_text=_review("These are notes, and nobody can say whose they are or what for."),
)
TASKS = (SUGGESTION, ANALYSIS)


_CHAT = "/v1/chat/completions"
_QUESTION = {"model": f"{FIRST}/a-model", "messages": [{"role": "user", "content": "What did you see?"}]}
CHAT_STREAM = Front("chat stream", _CHAT, {**_QUESTION, "stream": True}, _chat_stream, "stream")
CHAT = Front("chat", _CHAT, _QUESTION, _chat, "whole")
