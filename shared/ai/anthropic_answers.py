"""Answers of Anthropic's Messages API as OpenAI's chat completions, whole and in chunks. No I/O.

https://platform.claude.com/docs/en/api/messages and
https://platform.claude.com/docs/en/build-with-claude/streaming. The model's thinking becomes
`reasoning_content`, its refusal the finish reason `content_filter`; what the provider's own tools do is
left out, as OpenAI's form has no place for it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from shared.types import Json, JsonObject

_FINISH_REASONS: Mapping[str, str] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "pause_turn": "length",  # more was to come
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class MessageReader:
    """One answer: give it each document as it comes, take the documents that OpenAI's API would send.

    An error, and whatever is no part of an answer, comes back as it is. Never raises.
    """

    def __init__(self, created: int) -> None:
        self._created = created  # seconds since 1970
        self._about: JsonObject = {}
        self._usage: JsonObject = {}
        self._calls: dict[int, int] = {}  # a tool call's block to its number among the calls
        self._silent: set[int] = set()  # numbers of calls whose arguments have not begun

    def read(self, document: JsonObject) -> Sequence[JsonObject]:
        kind = document.get("type")
        if kind == "message":
            return [self._whole(document)]
        if kind == "error" or kind is None:
            return [document]
        handler = _HANDLERS.get(kind)
        return () if handler is None else handler(self, document)

    def _whole(self, message: JsonObject) -> JsonObject:
        self._begin(message)
        content = message.get("content")
        blocks = [each for each in content if isinstance(each, dict)] if isinstance(content, list) else []
        calls = [_call(block) for block in blocks if block.get("type") == "tool_use"]
        said: JsonObject = {
            "role": "assistant",
            "content": _joined(blocks, "text") if any(b.get("type") == "text" for b in blocks) else None,
        }
        if thinking := _joined(blocks, "thinking"):
            said["reasoning_content"] = thinking
        if calls:
            said["tool_calls"] = calls
        choice = {"index": 0, "message": said, "finish_reason": _finish_reason(message.get("stop_reason"))}
        return self._document("chat.completion", [choice], _usage(self._usage))

    def _start(self, event: JsonObject) -> Sequence[JsonObject]:
        self._begin(_object(event.get("message")))
        return [self._chunk({"role": "assistant", "content": ""})]

    def _block_start(self, event: JsonObject) -> Sequence[JsonObject]:
        block = _object(event.get("content_block"))
        if block.get("type") == "text" and block.get("text"):
            return [self._chunk({"content": block["text"]})]
        if block.get("type") != "tool_use":
            return ()
        number = self._calls[_index(event)] = len(self._calls)
        self._silent.add(number)
        call = _call({**block, "input": None})
        call["function"]["arguments"] = ""
        begun = [self._chunk({"tool_calls": [{"index": number, **call}]})]
        return [*begun, *self._arguments(number, _written(block["input"]))] if block.get("input") else begun

    def _block_delta(self, event: JsonObject) -> Sequence[JsonObject]:
        delta = _object(event.get("delta"))
        match delta.get("type"):
            case "text_delta":
                return [self._chunk({"content": delta.get("text")})]
            case "thinking_delta":
                return [self._chunk({"reasoning_content": delta.get("thinking")})]
            case "input_json_delta":
                number = self._calls.get(_index(event))
                written = delta.get("partial_json")
                return self._arguments(number, written) if number is not None and written else ()
        return ()

    def _block_stop(self, event: JsonObject) -> Sequence[JsonObject]:
        """A call without arguments has an object without members."""
        number = self._calls.get(_index(event))
        return self._arguments(number, "{}") if number is not None and number in self._silent else ()

    def _arguments(self, number: int, written: Json) -> Sequence[JsonObject]:
        self._silent.discard(number)
        return [self._chunk({"tool_calls": [{"index": number, "function": {"arguments": written}}]})]

    def _delta(self, event: JsonObject) -> Sequence[JsonObject]:
        """The end: the finish reason, then the usage, if it is whole: what came before counts no output."""
        self._count(event)
        reason = _finish_reason(_object(event.get("delta")).get("stop_reason"))
        ended = [] if reason is None else [self._chunk({}, reason)]
        if "output_tokens" in _object(event.get("usage")):
            ended.append(self._document("chat.completion.chunk", [], _usage(self._usage)))
        return ended

    def _begin(self, message: JsonObject) -> None:
        self._about = {"id": message.get("id"), "model": message.get("model")}
        self._count(message)

    def _count(self, document: JsonObject) -> None:
        """Numbers are totals so far: a later one stands in place of an earlier one."""
        found = _object(document.get("usage"))
        self._usage.update({name: value for name, value in found.items() if value is not None})

    def _chunk(self, delta: JsonObject, finish_reason: str | None = None) -> JsonObject:
        choice = {"index": 0, "delta": delta, "finish_reason": finish_reason}
        return self._document("chat.completion.chunk", [choice], None)

    def _document(self, kind: str, choices: list[JsonObject], usage: JsonObject | None) -> JsonObject:
        document = {**self._about, "object": kind, "created": self._created, "choices": choices}
        return document if usage is None else {**document, "usage": usage}


_HANDLERS = {
    "message_start": MessageReader._start,
    "content_block_start": MessageReader._block_start,
    "content_block_delta": MessageReader._block_delta,
    "content_block_stop": MessageReader._block_stop,
    "message_delta": MessageReader._delta,
}


def _finish_reason(stop_reason: Json) -> str | None:
    """One that is not known yet goes as it is, so that it is judged where all others are."""
    return _FINISH_REASONS.get(stop_reason, stop_reason) if isinstance(stop_reason, str) else None


def _usage(found: JsonObject) -> JsonObject | None:
    """Anthropic counts what came from the cache, and what went into it, apart from the rest of the input."""
    given, made = _count(found, "input_tokens"), _count(found, "output_tokens")
    read, written = _count(found, "cache_read_input_tokens"), _count(found, "cache_creation_input_tokens")
    if not found:
        return None
    prompt = given + read + written
    return {
        "prompt_tokens": prompt,
        "completion_tokens": made,
        "total_tokens": prompt + made,
        "prompt_tokens_details": {"cached_tokens": read, "cache_write_tokens": written},
        "completion_tokens_details": {
            "reasoning_tokens": _count(_object(found.get("output_tokens_details")), "thinking_tokens")
        },
    }


def _count(found: JsonObject, name: str) -> int:
    value = found.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else 0


def _call(block: JsonObject) -> JsonObject:
    function = {"name": block.get("name"), "arguments": _written(block.get("input"))}
    return {"id": block.get("id"), "type": "function", "function": function}


def _written(arguments: Json) -> str:
    return json.dumps(arguments if arguments is not None else {}, ensure_ascii=False, separators=(",", ":"))


def _joined(blocks: Sequence[JsonObject], kind: str) -> str:
    parts = [block.get(kind) for block in blocks if block.get("type") == kind]
    return "".join(part for part in parts if isinstance(part, str))


def _index(event: JsonObject) -> int:
    index = event.get("index")
    return index if isinstance(index, int) else 0


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}
