"""The wire forms of a stream that other clients speak: OpenAI's, the Vercel AI SDK's, plain text.

None of them can take back what was sent: a reset after text is an error here. Each says the end
only after a whole answer: no `[DONE]` follows an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from shared.errors import AllProvidersFailed
from shared.text.sse import (
    CitationEvent,
    Delta,
    Done,
    Encoder,
    ErrorEvent,
    EventsEncoder,
    Item,
    Progress,
    ResetEvent,
    Start,
    StreamFormat,
    StreamMessage,
    SwitchEvent,
    done_json,
    encode_json,
    item_json,
    progress_json,
    start_json,
    switch_json,
)
from shared.types import Json, JsonObject

_DONE = b"data: [DONE]\n\n"


def encoder_for(format: StreamFormat, *, created: int) -> Encoder:
    """A fresh encoder for one stream. `created`: seconds since 1970, as OpenAI's chunks carry it."""
    match format:
        case "events":
            return EventsEncoder()
        case "openai":
            return OpenAIEncoder(created)
        case "ui-message":
            return UiMessageEncoder()
        case "text":
            return TextEncoder()


def _data(value: Json) -> bytes:
    return f"data: {encode_json(value)}\n\n".encode()


def _cannot_take_back(format: StreamFormat) -> AllProvidersFailed:
    return AllProvidersFailed(
        "The provider broke off and another one's text does not go on from there. The stream format "
        f"{format} cannot take back what was sent; the format events can"
    )


class OpenAIEncoder:
    """`chat.completion.chunk` objects, one choice a suggestion.

    https://platform.openai.com/docs/api-reference/chat-streaming. What OpenAI has no field for
    stands in `marginalia`: `{"item"}`, `{"citation"}`, `{"progress"}`, and at the end `{"meta", …}`.
    `choices` is never empty, as many clients read `choices[0]` unasked.
    """

    content_type: ClassVar[str] = EventsEncoder.content_type
    headers: ClassVar[Mapping[str, str]] = {}
    keep_alive: ClassVar[bytes | None] = EventsEncoder.keep_alive
    carries_errors: ClassVar[bool] = True

    def __init__(self, created: int) -> None:
        self._created = created
        self._head: JsonObject = {}
        self._opened: set[int] = set()
        self._spoken: set[int] = set()
        self._name("", None)

    # The head is the same in every chunk, so it is encoded once, and a delta put behind it.
    def _name(self, request_id: str, model: str | None) -> None:
        self._head = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": model or "",
        }
        self._delta_head = f'data: {encode_json(self._head)[:-1]},"choices":[{{"index":'

    def encode(self, message: StreamMessage) -> bytes:
        match message:
            case Delta(index, text):
                return self._say(index, text)
            case Item(index, text, anchor):
                said = b"" if index in self._spoken else self._say(index, text)
                return said if anchor is None else said + self._extra(index, {"item": item_json(message)})
            case Start():
                self._name(message.request_id, message.model)
                return b""
            case CitationEvent(data):
                return self._open(0) + self._extra(0, {"citation": data})
            case Progress():
                return self._open(0) + self._extra(0, {"progress": progress_json(message)})
            case ResetEvent(index) if index in self._spoken:
                raise _cannot_take_back("openai")
            case ResetEvent() | SwitchEvent():
                return b""
            case Done():
                return self._finish(message)
            case ErrorEvent(body):
                return _data(body)

    def _chunk(self, index: int, delta: JsonObject, finish: str | None = None, **extra: Json) -> bytes:
        choice = {"index": index, "delta": delta, "finish_reason": finish}
        return _data({**self._head, "choices": [choice], **extra})

    def _open(self, index: int) -> bytes:
        if index in self._opened:
            return b""
        self._opened.add(index)
        return self._chunk(index, {"role": "assistant", "content": ""})

    def _say(self, index: int, text: str) -> bytes:
        opening = self._open(index)
        if not text:
            return opening
        self._spoken.add(index)
        content = f'{index},"delta":{{"content":{encode_json(text)}}},"finish_reason":null}}]}}\n\n'
        return opening + f"{self._delta_head}{content}".encode()

    def _extra(self, index: int, extra: JsonObject) -> bytes:
        return self._chunk(index, {}, marginalia=extra)

    def _finish(self, done: Done) -> bytes:
        """One finish chunk a choice; the last one carries the usage and what is ours."""
        opening = self._open(0) if not self._opened else b""
        self._head["model"] = done.meta.model or self._head["model"]
        *others, last = sorted(self._opened)
        usage = done.meta.usage
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
        chunks = [self._chunk(index, {}, done.finish_reason) for index in others]
        chunks.append(self._chunk(last, {}, done.finish_reason, usage=counts, marginalia=done_json(done)))
        return b"".join((opening, *chunks, _DONE))


class UiMessageEncoder:
    """UI message stream v1 of the Vercel AI SDK 5 and later, one text part a suggestion.

    https://ai-sdk.dev/docs/ai-sdk-ui/stream-protocol. The SDK refuses unknown fields, so what is
    ours stands in `data-item`, `data-citation`, `data-progress`, `data-switch`, `data-error` and the
    message's metadata.
    """

    content_type: ClassVar[str] = EventsEncoder.content_type
    headers: ClassVar[Mapping[str, str]] = {"x-vercel-ai-ui-message-stream": "v1"}
    keep_alive: ClassVar[bytes | None] = EventsEncoder.keep_alive
    carries_errors: ClassVar[bool] = True

    def __init__(self) -> None:
        self._open: dict[int, str] = {}  # the id of the text part that is open for an index
        self._spoken: set[int] = set()
        self._parts = 0

    def encode(self, message: StreamMessage) -> bytes:
        match message:
            case Delta(index, text):
                return self._say(index, text)
            case Item(index, text):
                said = b"" if index in self._spoken else self._say(index, text)
                return said + self._close(index) + _part("data-item", data=item_json(message))
            case Start(request_id):
                return _part("start", messageId=request_id, messageMetadata=start_json(message))
            case CitationEvent(data):
                return _part("data-citation", data=data)
            case Progress():
                return _part("data-progress", data=progress_json(message), transient=True)
            case SwitchEvent():
                return _part("data-switch", data=switch_json(message), transient=True)
            case ResetEvent(index) if index in self._spoken:
                raise _cannot_take_back("ui-message")
            case ResetEvent():
                return b""
            case Done():
                closed = b"".join([self._close(index) for index in sorted(self._open)])
                return closed + _part("finish", messageMetadata=done_json(message)) + _DONE
            case ErrorEvent(body):
                # The SDK stops at `error`, so the code goes first.
                detail = _part("data-error", data=body["error"], transient=True)
                return detail + _part("error", errorText=body["error"]["message"])

    def _say(self, index: int, text: str) -> bytes:
        if not text:
            return b""
        self._spoken.add(index)
        opening = b""
        if index not in self._open:
            self._open[index] = f"text-{self._parts}"
            self._parts += 1
            opening = _part("text-start", id=self._open[index])
        delta = f'{{"type":"text-delta","id":"{self._open[index]}","delta":{encode_json(text)}}}'
        return opening + f"data: {delta}\n\n".encode()

    def _close(self, index: int) -> bytes:
        part = self._open.pop(index, None)
        return b"" if part is None else _part("text-end", id=part)


def _part(type: str, **fields: Json) -> bytes:
    return _data({"type": type, **fields})


class TextEncoder:
    """The bare text, one suggestion after the other, a blank line between them.

    Suggestions that come interleaved are put in the order of their first text: what belongs to a
    later one is held until the one before it is whole. An error breaks the connection off.
    """

    content_type: ClassVar[str] = "text/plain; charset=utf-8"
    headers: ClassVar[Mapping[str, str]] = {}
    keep_alive: ClassVar[bytes | None] = None
    carries_errors: ClassVar[bool] = False

    def __init__(self) -> None:
        self._waiting: dict[int, list[str]] = {}  # by order of first text; the first one is being sent
        self._whole: set[int] = set()
        self._spoken: set[int] = set()
        self._half = ""  # the first half of a surrogate pair whose second half has not come

    def encode(self, message: StreamMessage) -> bytes:
        match message:
            case Delta(index, text):
                return self._say(index, text)
            case Item(index, text):
                said = b"" if index in self._waiting else self._say(index, text)
                self._whole.add(index)
                return said + self._advance()
            case ResetEvent(index) if index in self._spoken:
                raise _cannot_take_back("text")
            case ResetEvent(index):
                self._waiting.pop(index, None)
                return b""
            case Done():
                self._whole.update(self._waiting)
                return self._advance()
            case _:
                return b""

    def _say(self, index: int, text: str) -> bytes:
        if not text or index in self._whole:
            return b""
        held = self._waiting.setdefault(index, [])
        if next(iter(self._waiting)) != index:
            held.append(text)
            return b""
        return self._utter(index, text)

    def _utter(self, index: int, text: str) -> bytes:
        between = "\n\n" if self._spoken and index not in self._spoken else ""
        self._spoken.add(index)
        return self._utf8(between + text)

    def _advance(self) -> bytes:
        """Let go of the suggestions that are whole, and say what was held for the next."""
        said = b""
        while self._waiting and (first := next(iter(self._waiting))) in self._whole:
            del self._waiting[first]
            said += self._flush_half()
            if self._waiting:
                following, held = next(iter(self._waiting.items()))
                said += self._utter(following, "".join(held))
        return said

    def _flush_half(self) -> bytes:
        half, self._half = self._half, ""
        return "\ufffd".encode() if half else b""

    def _utf8(self, text: str) -> bytes:
        """UTF-8, surrogate pairs made whole also where two deltas share one."""
        text = self._half + text
        self._half = text[-1] if "\ud800" <= text[-1] <= "\udbff" else ""
        units = text.removesuffix(self._half).encode("utf-16-le", "surrogatepass")
        return units.decode("utf-16-le", "replace").encode()
