"""What an editor's stream is made of, and its native wire form, `events`. Pure.

Server-sent events as in the HTML standard, section 9.2.6
(https://html.spec.whatwg.org/multipage/server-sent-events.html). The other wire forms stand in
`shared/text/dialects.py`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol, TypeAlias, TypeVar

from shared.errors import InvalidRequest
from shared.types import Anchor, Json, JsonObject, Meta

StreamFormat = Literal["events", "openai", "ui-message", "text"]
STREAM_FORMATS: tuple[StreamFormat, ...] = ("events", "openai", "ui-message", "text")


# --- the messages --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Start:
    """The first message: who answers. An error before it is a true HTTP status."""

    request_id: str
    task: str
    provider: str | None
    model: str | None


@dataclass(frozen=True, slots=True)
class Delta:
    """More text of suggestion `index`; of an answer, index 0."""

    index: int
    text: str


@dataclass(frozen=True, slots=True)
class Item:
    """One whole suggestion, cleaned. Its deltas, if there were any, add up to the same text."""

    index: int
    text: str
    anchor: Anchor | None = None


@dataclass(frozen=True, slots=True)
class SwitchEvent:
    """Another provider goes on from here."""

    from_provider: str
    to_provider: str
    reason: str


@dataclass(frozen=True, slots=True)
class ResetEvent:
    """Drop what was sent for `index`: it starts anew."""

    index: int


@dataclass(frozen=True, slots=True)
class CitationEvent:
    data: JsonObject


@dataclass(frozen=True, slots=True)
class Progress:
    """One part of a long piece of work is done: which, counted from 1, and how many of how many are."""

    part: int
    done: int
    parts: int
    result: Mapping[str, Json] = field(default_factory=dict)  # what is certain of it already


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is whole. `result` stands beside `meta`: what only the end knows."""

    meta: Meta
    result: Mapping[str, Json] = field(default_factory=dict)
    finish_reason: Literal["stop", "length"] = "stop"


@dataclass(frozen=True, slots=True)
class ErrorEvent:
    """The answer will not be whole. `body` is an ApiError's `to_json`: {"error": {…}}."""

    body: JsonObject


StreamMessage: TypeAlias = (
    Start | Delta | Item | SwitchEvent | ResetEvent | CitationEvent | Progress | Done | ErrorEvent
)


# --- encoding ------------------------------------------------------------------------------------


class Encoder(Protocol):
    """The wire form of one stream: give it every message, in order, once."""

    content_type: ClassVar[str]
    headers: ClassVar[Mapping[str, str]]
    keep_alive: ClassVar[bytes | None]  # what may be sent while nothing comes; None: nothing may
    carries_errors: ClassVar[bool]  # False: an error can only be shown by breaking the connection off

    def encode(self, message: StreamMessage) -> bytes:
        """The bytes to send, empty where the dialect has no words for it.

        Raises AllProvidersFailed for a ResetEvent that takes back text where text cannot be.
        """


_TO_JSON = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode

# Line ends to some readers (Python's splitlines, old JavaScript) though not to SSE; and halves of
# surrogate pairs, which UTF-8 cannot carry and a JSON escape can.
_UNSAFE = re.compile("[\x85\u2028\u2029\ud800-\udfff]")


def encode_json(value: Json) -> str:
    """JSON on one line, for any reader of lines, that can be encoded in UTF-8.

    Raises ValueError for NaN and infinities.
    """
    text = _TO_JSON(value)
    if text.isascii():
        return text
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def item_json(item: Item) -> JsonObject:
    data: JsonObject = {"index": item.index, "text": item.text}
    if item.anchor is not None:
        data["anchor"] = item.anchor.to_json()
    return data


def switch_json(switch: SwitchEvent) -> JsonObject:
    return {"from": switch.from_provider, "to": switch.to_provider, "reason": switch.reason}


def progress_json(progress: Progress) -> JsonObject:
    return {
        "part": progress.part,
        "done": progress.done,
        "parts": progress.parts,
        **progress.result,
    }


def done_json(done: Done) -> JsonObject:
    return {"meta": done.meta.to_json(), **done.result}


def start_json(start: Start) -> JsonObject:
    return {
        "request_id": start.request_id,
        "task": start.task,
        "provider": start.provider,
        "model": start.model,
    }


class EventsEncoder:
    """The native form: named events, each with an `id`: "1", "2", …"""

    content_type: ClassVar[str] = "text/event-stream; charset=utf-8"
    headers: ClassVar[Mapping[str, str]] = {}
    keep_alive: ClassVar[bytes | None] = b": keep-alive\n\n"
    carries_errors: ClassVar[bool] = True

    def __init__(self) -> None:
        self._sent = 0

    def encode(self, message: StreamMessage) -> bytes:
        self._sent += 1
        if isinstance(message, Delta):  # nearly all there is to encode: not by way of a dict
            text = encode_json(message.text)
            data = f'{{"index":{message.index},"text":{text}}}'
            return f"id: {self._sent}\nevent: delta\ndata: {data}\n\n".encode()
        name, body = _named(message)
        return f"id: {self._sent}\nevent: {name}\ndata: {encode_json(body)}\n\n".encode()


def _named(
    message: Start | Item | SwitchEvent | ResetEvent | CitationEvent | Progress | Done | ErrorEvent,
) -> tuple[str, JsonObject]:
    match message:
        case Item():
            return "item", item_json(message)
        case Start():
            return "start", start_json(message)
        case SwitchEvent():
            return "switch", switch_json(message)
        case ResetEvent(index):
            return "reset", {"index": index}
        case CitationEvent(data):
            return "citation", data
        case Progress():
            return "progress", progress_json(message)
        case Done():
            return "done", done_json(message)
        case ErrorEvent(body):
            return "error", body


# --- which form ----------------------------------------------------------------------------------

_Default = TypeVar("_Default")


def choose_format(query: str | None, accept: str | None, default: _Default) -> StreamFormat | _Default:
    """The format asked for by `?format=`, else by `Accept`, else the caller's default.

    `Accept` follows RFC 9110, 12.5.1; JSON, `*/*` and types that are not ours mean the default.
    Raises InvalidRequest for an unknown `?format=`.
    """
    if query is None:
        return _accepted(accept or "", default)
    for known in STREAM_FORMATS:
        if query == known:
            return known
    raise InvalidRequest(f"format is {query[:40]!r}; allowed are {', '.join(STREAM_FORMATS)}", param="format")


def _accepted(accept: str, default: _Default) -> StreamFormat | _Default:
    by_type: dict[str, StreamFormat | _Default] = {
        "text/event-stream": "events",
        "text/plain": "text",
        "application/json": default,
        "*/*": default,
    }
    weighed = [_media_range(part) for part in accept.split(",")]
    known = [(weight, name) for name, weight in weighed if name in by_type and weight > 0]
    return by_type[max(known, key=lambda entry: entry[0])[1]] if known else default


def _media_range(part: str) -> tuple[str, float]:
    name, *parameters = (piece.strip().lower() for piece in part.split(";"))
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return name, float(parameter[2:])
            except ValueError:
                return name, 0.0
    return name, 1.0
