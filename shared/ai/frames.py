"""A provider's answer as frames: pure, fed with bytes, whatever the provider's habits.

The format is OpenAI's chat completion, whole or in chunks
(https://platform.openai.com/docs/api-reference/chat-streaming). What others do differently and is
taken as it comes: `choices` null, empty or missing; usage beside choices, in `x_groq`, or in every
chunk (the last one counts); content null or in parts; reasoning beside the content; a whole
completion, or an error, where a stream was asked for; a stream without `[DONE]`. What another wire
sends is turned into this format first, document by document (`wires.py`).
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias

from pydantic_core import from_json  # the quickest parser that is here anyway: events are many

from shared.ai.event_shapes import EventShapes
from shared.ai.failures import carries_error, from_error
from shared.ai.sse import EventTooLarge, ServerSentEvent, SseDecoder
from shared.ai.usage_fields import as_object, decode_usage
from shared.ai.wires import Reader
from shared.errors import ProviderError
from shared.types import Json, JsonObject, Outcome, Usage

FinishReason: TypeAlias = Literal["stop", "length", "tool_calls", "content_filter"]

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
_WORK = ("reasoning_content", "reasoning", "tool_calls", "function_call", "audio")
_FAILED_REASONS: Mapping[str, Outcome] = {
    "content_filter": Outcome.CONTENT_FILTER,
    "safety": Outcome.CONTENT_FILTER,
    "recitation": Outcome.CONTENT_FILTER,
    "prohibited_content": Outcome.CONTENT_FILTER,
    "refusal": Outcome.CONTENT_FILTER,
    "blocklist": Outcome.CONTENT_FILTER,
    "spii": Outcome.CONTENT_FILTER,
    "sensitive": Outcome.CONTENT_FILTER,
    "function_call_filter": Outcome.SERVER_ERROR,  # the model wrote a call that its server cannot read
    "malformed_function_call": Outcome.SERVER_ERROR,
    "network_error": Outcome.SERVER_ERROR,
    "error": Outcome.SERVER_ERROR,
    "insufficient_system_resource": Outcome.SERVER_ERROR,
    "abort": Outcome.CUT,
    "cancelled": Outcome.CUT,
}


class Frame(NamedTuple):
    """What one event of an answer says, or a whole answer. A tuple, because there are so many."""

    text: str = ""
    alive: bool = False  # the model is at work: text, reasoning or a tool call came
    finish: FinishReason | None = None
    usage: Usage | None = None
    refused: bool = False  # the model declines, in words of its own
    failure: ProviderError | None = None  # without a finish the last frame: nothing after it counts
    done: bool = False  # nothing more will come; says nothing else
    ended: tuple[int, ...] = ()  # the indexes of the choices that end here, where there are several
    raw: bytes = b""  # the event's data, or the body, as it came
    counts_only: bool = False  # usage and no choice


_LF = 0x0A  # as a number: bytes within bytes are sought ten times slower
_SIGN_OF_LIFE = Frame(alive=True)
_END = Frame(done=True)


class AnswerDecoder:
    """Bytes of a body with status 200 to frames; `close()` at its end.

    A body that begins like JSON is one whole answer, anything else is a stream of events, whatever
    the content type calls it; `streams` says which was asked for. A whole answer where a stream was
    asked for counts as one chunk. `reader` translates what another wire sends. Never raises: what is
    wrong comes as a frame's `failure`.
    """

    malformed = 0  # events skipped so far
    _stream: SseDecoder | None = None
    _head = b""  # until its first character shows what the body is
    _size = 0
    _failed = False
    _between_events = False  # of a stream in our format that has begun

    def __init__(
        self, *, streams: bool = True, reader: Reader | None = None, shapes: EventShapes | None = None
    ) -> None:
        self._streams = streams
        self._reader = reader
        self._shapes = shapes or EventShapes()
        self._whole: list[bytes] = []  # of a body that is JSON

    def feed(self, chunk: bytes) -> list[Frame]:
        if self._failed:
            return []
        if self._stream is None:
            return self._gather(chunk) if self._whole else self._begin(chunk)
        if not self._between_events:
            return self._parse(chunk, self._stream)
        said, at = self._shapes.read(chunk)
        frames = [_plain(text, data) for text, data in said]
        if at < len(chunk):
            frames += self._parse(chunk[at:] if at else chunk, self._stream)
        return frames

    def _parse(self, chunk: bytes, stream: SseDecoder) -> list[Frame]:
        try:
            frames = self._frames(stream.feed(chunk))
        except EventTooLarge:
            return [self._fail("an event is too large")]
        if self._reader is None:
            self._between_events = stream.between_events
            if frames and self._shapes.learns:
                event, end, _ = chunk.partition(b"\n\n")
                if _is_whole(event + end, frames[0]):
                    self._shapes.learn(event + end, _plain_text)
        return frames

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
        if not self._streams:
            return [self._fail("a stream where a whole answer was asked for")]
        self._stream = SseDecoder(at_start=False)
        self._between_events = self._reader is None
        return self.feed(head)

    def _gather(self, chunk: bytes) -> list[Frame]:
        self._whole.append(chunk)
        self._size += len(chunk)
        if self._size > MAX_BODY_BYTES:
            return [self._fail("the answer is too large")]
        return [] if self._streams else [_SIGN_OF_LIFE]

    def _frames(self, events: Sequence[ServerSentEvent]) -> list[Frame]:
        if self._reader is not None:
            return self._translated(events, self._reader)
        frames: list[Frame] = []
        for event in events:
            frame = self._frame(event)
            if frame is not None:
                frames.append(frame)
                if frame.failure is not None and _is_fatal(frame):
                    self._failed = True
                    break
        return frames

    def _translated(self, events: Sequence[ServerSentEvent], reader: Reader) -> list[Frame]:
        """One event may stand for several of ours, or for none."""
        frames: list[Frame] = []
        for event in events:
            data = event.data.replace(b"\n", b" ")
            document = _parsed_quickly(data) or _parsed(_decoded(data).encode())
            if event.event == b"error":
                frames.append(Frame(failure=from_error(document, status=200)))
            elif isinstance(document, dict):
                frames += [decode_document(found, _written(found)) for found in reader(document)]
            elif not data.isspace() and (skipped := self._skip()) is not None:
                frames.append(skipped)
            if frames and _is_fatal(frames[-1]):
                self._failed = True
                break
        return frames

    def _frame(self, event: ServerSentEvent) -> Frame | None:
        data = event.data
        if data[:6] == b"[DONE]" or not data or data.isspace():
            return _END if data else None
        if _LF in data:  # white space, as JSON has no line ends within strings
            data = data.replace(b"\n", b" ")
        document = _parsed_quickly(data)
        if document is None:
            data = _decoded(data).encode()
            document = _parsed(data)
        if event.event == b"error":
            return Frame(failure=from_error(document, status=200))
        if not isinstance(document, dict) and not carries_error(document):
            return self._skip()
        return decode_document(document, data)

    def _skip(self) -> Frame | None:
        self.malformed += 1
        if self.malformed > MALFORMED_EVENTS_SKIPPED:
            return self._fail("events are not JSON objects")
        return None

    def _whole_answer(self) -> list[Frame]:
        body = b"".join(self._whole)
        document = _parsed_quickly(body) or _parsed(_decoded(body).encode())
        if document is None:
            return [self._fail("the answer is empty or not JSON")]
        if self._reader is not None and isinstance(document, dict) and not carries_error(document):
            document = next(iter(self._reader(document)), None)
            body = _written(document)
        choices = document.get("choices") if isinstance(document, dict) else None
        if not choices or not isinstance(choices, list):
            if carries_error(document):
                return [decode_document(document)]
            return [self._fail("the answer has no choices")]
        frame = decode_document(document, as_chunk(document) if self._streams else body)
        return [frame] if frame.failure else [frame, _END]

    def _fail(self, detail: str) -> Frame:
        self._failed = True
        return Frame(failure=ProviderError(Outcome.PROTOCOL_ERROR, detail, status=200))


def _plain(text: str, raw: bytes) -> Frame:
    """What nearly every event says."""
    return Frame(text, True, None, None, False, None, False, (), raw)


def _plain_text(data: bytes) -> str | None:
    document = _parsed_quickly(data)
    if not isinstance(document, dict):
        return None
    frame = decode_document(document, data)
    return frame.text if frame == _plain(frame.text, data) else None


def _is_whole(event: bytes, frame: Frame) -> bool:
    """Whether this plain frame is all that the event says."""
    return event == b"data: %b\n\n" % frame.raw and frame == _plain(frame.text, frame.raw)


def _is_fatal(frame: Frame) -> bool:
    """Whether nothing after it counts. What a filter has ended may still be counted by its provider."""
    return frame.failure is not None and frame.finish is None


def decode_document(document: Json, raw: bytes = b"") -> Frame:
    """The frame of one parsed chunk, whole completion or error; `raw` is what it was parsed from."""
    choices = document.get("choices") if type(document) is dict else None
    if (not choices or "error" in document or "type" in document) and carries_error(document):
        usage = decode_usage(document) if isinstance(document, dict) else None
        return Frame(usage=usage, failure=from_error(document, status=200))
    usage = decode_usage(document) if document.get("usage") or "x_groq" in document else None
    if not choices or not isinstance(choices, list):
        return Frame(usage=usage, raw=raw, counts_only=usage is not None)
    if len(choices) > 1:
        return _several(choices, usage, raw)
    return _single(choices[0], usage, raw)


def _single(choice: Json, usage: Usage | None, raw: bytes) -> Frame:
    if not isinstance(choice, dict):
        return Frame(usage=usage, raw=raw)
    message = choice.get("delta") or choice.get("message")
    index = _index(choice)
    reason = choice.get("finish_reason")
    finish, failure = _finish(reason) if reason else (None, None)
    ended = (index,) if finish else ()
    if not message or not isinstance(message, dict):
        text = _text(choice.get("text")) if message is None else ""
        return Frame(text, bool(text), finish, usage, False, failure, False, ended, raw)
    content = message.get("content")
    text = content if type(content) is str else _text(content)
    refused = bool(message.get("refusal"))
    alive = bool(text) or refused or _works(message)
    if index != 0:
        text = ""
    return Frame(text, alive, finish, usage, refused, failure, False, ended, raw)


def _several(choices: Sequence[Json], usage: Usage | None, raw: bytes) -> Frame:
    """The text is that of the choice with index 0; each that ends is named."""
    frames = [_single(choice, None, b"") for choice in choices]
    return Frame(
        text="".join([frame.text for frame in frames]),
        alive=any(frame.alive for frame in frames),
        finish=next((frame.finish for frame in frames if frame.finish), None),
        usage=usage,
        refused=any(frame.refused for frame in frames),
        failure=next((frame.failure for frame in frames if frame.failure), None),
        ended=tuple(index for frame in frames for index in frame.ended),
        raw=raw,
    )


def _index(choice: JsonObject) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _works(message: JsonObject) -> bool:
    """Whether a message without text shows that the model is at work."""
    return any(message.get(name) for name in _WORK)


def as_chunk(completion: JsonObject) -> bytes:
    """A whole completion as the one chunk of a stream."""
    choices = [
        {**{name: value for name, value in choice.items() if name != "message"}, "delta": _as_delta(choice)}
        for choice in completion["choices"]
        if isinstance(choice, dict)
    ]
    return _written({**completion, "object": "chat.completion.chunk", "choices": choices})


def _written(document: Json) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _as_delta(choice: JsonObject) -> JsonObject:
    """The message, with the numbers that a stream's tool calls have."""
    message = as_object(choice.get("message"))
    calls = message.get("tool_calls")
    if not isinstance(calls, list):
        return message
    return {**message, "tool_calls": [{"index": n, **as_object(call)} for n, call in enumerate(calls)]}


def _finish(reason: Json) -> tuple[FinishReason | None, ProviderError | None]:
    if reason == "stop":  # short, as most are
        return "stop", None
    if not isinstance(reason, str) or not reason:
        return None, None
    name, _, more = reason.lower().partition(": ")  # Google: `content_filter: PROHIBITED_CONTENT`
    outcome = _FAILED_REASONS.get(name)
    if outcome is None:
        return _FINISH_REASONS.get(name, "stop"), None
    failure = ProviderError(outcome, f"finished with {name}", status=200, code=more or name)
    return ("content_filter" if outcome is Outcome.CONTENT_FILTER else None), failure


def _text(content: Json) -> str:
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        return "".join(_text(part.get("text")) for part in content if isinstance(part, dict))
    return ""


def _decoded(data: bytes) -> str:
    """UTF-8, whatever a header calls it; wrong bytes become U+FFFD."""
    return data.decode("utf-8", "replace")


def _parsed_quickly(data: bytes) -> Json:
    """None for what the standard parser has to look at: wrong UTF-8, or no JSON."""
    try:
        return from_json(data)
    except ValueError:
        return None


def _parsed(data: bytes) -> Json:
    """None for what is not JSON. The standard parser takes what the quick one does not, such as NaN."""
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        return None
