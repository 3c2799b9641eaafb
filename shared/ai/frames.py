"""A provider's answer as frames: pure, fed with bytes, whatever the provider's habits.

The format is OpenAI's chat completion, whole or in chunks
(https://platform.openai.com/docs/api-reference/chat-streaming). What others do differently and is
taken as it comes: `choices` null, empty or missing; usage beside choices, in `x_groq`, or in every
chunk (the last one counts); content null or in parts; reasoning beside the content; a whole
completion, or an error, where a stream was asked for; a stream without `[DONE]`.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from shared.ai.failures import carries_error, from_error
from shared.ai.sse import EventTooLarge, ServerSentEvent, SseDecoder
from shared.errors import ProviderError
from shared.types import Json, JsonObject, Outcome, Usage

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls"]

MAX_BODY_BYTES = 16 << 20
MALFORMED_EVENTS_SKIPPED = 1  # one may be an accident; a second one is a broken stream

_FINISH_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "tool_use": "tool_calls",
}
_FAILED_REASONS: Mapping[str, Outcome] = {
    "content_filter": Outcome.CONTENT_FILTER,
    "safety": Outcome.CONTENT_FILTER,
    "recitation": Outcome.CONTENT_FILTER,
    "prohibited_content": Outcome.CONTENT_FILTER,
    "refusal": Outcome.CONTENT_FILTER,
    "error": Outcome.SERVER_ERROR,
    "insufficient_system_resource": Outcome.SERVER_ERROR,
    "abort": Outcome.CUT,
    "cancelled": Outcome.CUT,
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What one event of an answer says."""

    text: str = ""
    alive: bool = False  # the model is at work: text, reasoning or a tool call came
    finish: FinishReason | None = None
    usage: Usage | None = None
    refused: bool = False  # the model declines, in words of its own
    failure: ProviderError | None = None  # the last frame: nothing after it counts
    done: bool = False  # nothing more will come


class AnswerDecoder:
    """Bytes of a body with status 200 to frames; `close()` at its end.

    A body that begins like JSON is one whole answer, anything else is a stream of events, whatever
    the content type calls it. Never raises: what is wrong comes as a frame's `failure`.
    """

    def __init__(self) -> None:
        self._stream: SseDecoder | None = None
        self._head = b""  # until its first character shows what the body is
        self._whole: list[bytes] = []  # of a body that is JSON
        self._size = 0
        self._failed = False
        self.malformed = 0  # events skipped so far

    def feed(self, chunk: bytes) -> list[Frame]:
        if self._failed:
            return []
        if self._whole:
            return self._gather(chunk)
        if self._stream is None:
            return self._begin(chunk)
        try:
            return self._frames(self._stream.feed(chunk))
        except EventTooLarge:
            return [self._fail("an event is too large")]

    def close(self) -> list[Frame]:
        if self._failed:
            return []
        if self._stream is None:
            return self._whole_answer()
        return self._frames(self._stream.close())

    def _begin(self, chunk: bytes) -> list[Frame]:
        """Holds the body back until its first character shows what it is."""
        head = self._head + chunk
        if codecs.BOM_UTF8.startswith(head):
            self._head = head
            return []
        self._head = head = head.removeprefix(codecs.BOM_UTF8).lstrip()
        if head[:1] in (b"{", b"["):
            return self._gather(head)
        if head[:1] == b"<":
            return [self._fail("the answer is a web page")]
        if not head:
            return []
        self._stream = SseDecoder()
        return self.feed(head)

    def _gather(self, chunk: bytes) -> list[Frame]:
        self._whole.append(chunk)
        self._size += len(chunk)
        return [self._fail("the answer is too large")] if self._size > MAX_BODY_BYTES else []

    def _frames(self, events: Sequence[ServerSentEvent]) -> list[Frame]:
        frames: list[Frame] = []
        for event in events:
            frame = self._frame(event)
            if frame is not None:
                frames.append(frame)
                if frame.failure is not None:
                    self._failed = True
                    break
        return frames

    def _frame(self, event: ServerSentEvent) -> Frame | None:
        data = event.data
        if data == "[DONE]" or data.strip() == "[DONE]":
            return Frame(done=True)
        if event.event == "error":
            return Frame(failure=from_error(_parsed(data), status=200))
        if not data.strip():
            return None
        document = _parsed(data)
        if not isinstance(document, dict) and not carries_error(document):
            return self._skip()
        return decode_document(document)

    def _skip(self) -> Frame | None:
        self.malformed += 1
        if self.malformed > MALFORMED_EVENTS_SKIPPED:
            return self._fail("events are not JSON objects")
        return None

    def _whole_answer(self) -> list[Frame]:
        document = _parsed(b"".join(self._whole).decode("utf-8", "replace"))
        if document is None:
            return [self._fail("the answer is empty or not JSON")]
        if carries_error(document):
            return [decode_document(document)]
        if not isinstance(document, dict) or not document.get("choices"):
            return [self._fail("the answer has no choices")]
        frame = decode_document(document)
        return [frame] if frame.failure else [frame, Frame(done=True)]

    def _fail(self, detail: str) -> Frame:
        self._failed = True
        return Frame(failure=ProviderError(Outcome.PROTOCOL_ERROR, detail, status=200))


def decode_document(document: Json) -> Frame:
    """The frame of one parsed chunk, whole completion or error."""
    if carries_error(document):
        usage = decode_usage(document) if isinstance(document, dict) else None
        return Frame(usage=usage, failure=from_error(document, status=200))
    choice = _first(document.get("choices"))
    if choice is None:
        return Frame(usage=decode_usage(document))
    message = _object(choice.get("delta")) or _object(choice.get("message")) or {}
    text = _text(message.get("content") if message else choice.get("text"))
    finish, failure = _finish(choice.get("finish_reason"))
    refused = bool(message.get("refusal"))
    thinking = message.get("reasoning_content") or message.get("reasoning") or message.get("tool_calls")
    return Frame(text, bool(text or thinking or refused), finish, decode_usage(document), refused, failure)


def decode_usage(document: JsonObject) -> Usage | None:
    """Tokens as the provider counted them: in `usage`, or Groq's `x_groq.usage`."""
    found = _object(document.get("usage")) or _object(_object(document.get("x_groq")).get("usage"))
    if not found:
        return None
    given = _count(found, "prompt_tokens", "input_tokens")
    made = _count(found, "completion_tokens", "output_tokens")
    if given is None and made is None:
        return None
    return Usage(
        input_tokens=given or 0,
        output_tokens=made or 0,
        cached_tokens=_count(_object(found.get("prompt_tokens_details")), "cached_tokens")
        or _count(found, "cached_tokens", "prompt_cache_hit_tokens")
        or 0,
        reasoning_tokens=_count(_object(found.get("completion_tokens_details")), "reasoning_tokens") or 0,
    )


def _finish(reason: Json) -> tuple[FinishReason | None, ProviderError | None]:
    if not isinstance(reason, str) or not reason:
        return None, None
    name = reason.lower()
    if name in _FAILED_REASONS:
        return None, ProviderError(_FAILED_REASONS[name], f"finished with {name}", status=200, code=name)
    return _FINISH_REASONS.get(name, "stop"), None


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _first(choices: Json) -> JsonObject | None:
    """The choice with index 0: more than one is never asked for."""
    if not isinstance(choices, list):
        return None
    found = (c for c in choices if isinstance(c, dict) and c.get("index") in (0, None))
    return next(found, None)


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _count(found: JsonObject, *names: str) -> int | None:
    for name in names:
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
    return None


def _parsed(text: str) -> Json:
    """None for what is not JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
