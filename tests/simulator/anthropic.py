"""The simulator's answers as Anthropic's Messages API sends them: the same steps, in other words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeAlias

from tests.simulator.replies import Bytes, Step

Json: TypeAlias = dict[str, Any]

_STOP_REASONS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "content_filter": "refusal",
}
_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    404: "not_found_error",
    429: "rate_limit_error",
}


def as_messages(steps: Iterable[Step], *, status: int) -> Iterator[Step]:
    """Chunks become events, a completion a message, an error an error; any other bytes stay as they are."""
    events = _Events()
    for step in steps:
        yield Bytes(events.written(step.data, status), step.bills) if isinstance(step, Bytes) else step
    yield Bytes(events.ending({}))


class _Events:
    """One answer's events. A text is one content block; how it stopped is told with the usage."""

    def __init__(self) -> None:
        self._begun = False
        self._reason: str | None = None

    def ending(self, usage: Json) -> bytes:
        """Why it stopped, once."""
        reason, self._reason = self._reason, None
        if reason is None:
            return b""
        return _event({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage})

    def written(self, data: bytes, status: int) -> bytes:
        if data.startswith(b"data: [DONE]"):
            return self.ending({}) + _event({"type": "message_stop"})
        try:
            document = json.loads(data.removeprefix(b"data: "))
        except ValueError:
            return data
        if not data.startswith(b"data: "):
            return json.dumps(
                _error(document, status) if "error" in document else _message(document)
            ).encode()
        if "error" in document:
            return b"event: error\ndata: " + json.dumps(_error(document, 500)).encode() + b"\n\n"
        if not document["choices"]:
            return self.ending(_usage(document["usage"]))
        return b"".join(_event(event) for event in self._of(document))

    def _of(self, chunk: Json) -> Iterator[Json]:
        delta, reason = chunk["choices"][0]["delta"], chunk["choices"][0]["finish_reason"]
        if "role" in delta:
            usage = {"input_tokens": 0, "output_tokens": 1}
            yield {
                "type": "message_start",
                "message": {"id": "msg_s", "model": chunk["model"], "usage": usage},
            }
        if delta.get("reasoning_content"):
            thought = {"type": "thinking_delta", "thinking": delta["reasoning_content"]}
            yield {"type": "content_block_delta", "index": 0, "delta": thought}
        if delta.get("content"):
            yield from self._text(delta["content"])
        if reason is not None:
            self._reason = _STOP_REASONS[reason]
            yield {"type": "content_block_stop", "index": 0}

    def _text(self, text: str) -> Iterator[Json]:
        if not self._begun:
            self._begun = True
            yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


def _message(completion: Json) -> Json:
    choice = completion["choices"][0]
    return {
        "id": "msg_s",
        "type": "message",
        "role": "assistant",
        "model": completion["model"],
        "content": [{"type": "text", "text": choice["message"]["content"]}],
        "stop_reason": _STOP_REASONS.get(choice["finish_reason"]),
        "usage": _usage(completion.get("usage") or {}),
    }


def _usage(usage: Mapping[str, Any]) -> Json:
    names = {"prompt_tokens": "input_tokens", "completion_tokens": "output_tokens"}
    return {theirs: usage[ours] for ours, theirs in names.items() if ours in usage}


def _error(document: Json, status: int) -> Json:
    kind = _ERRORS.get(status, "overloaded_error" if status >= 500 else "invalid_request_error")
    return {"type": "error", "error": {"type": kind, "message": document["error"].get("message", "")}}


def _event(document: Json) -> bytes:
    return f"event: {document['type']}\ndata: {json.dumps(document, ensure_ascii=False)}\n\n".encode()
