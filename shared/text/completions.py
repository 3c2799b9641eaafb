"""The wire form of a chat completion that is passed through. Pure.

A provider's events go on as they came. What another provider adds to them is written in the same
form, with the first one's id (https://platform.openai.com/docs/api-reference/chat-streaming).
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache
from typing import ClassVar, TypeAlias
from urllib.parse import quote

from shared.errors import AllProvidersFailed
from shared.text.sse import ErrorEvent, EventsEncoder, encode_json
from shared.types import (
    Finish,
    Json,
    JsonObject,
    Reset,
    StreamEvent,
    StreamStart,
    Switch,
    TextDelta,
    Verbatim,
)

PassedMessage: TypeAlias = StreamEvent | ErrorEvent

_DONE = b"data: [DONE]\n\n"
_SAFE_IN_HEADER = " /:@._-+"


@lru_cache(maxsize=1000)
def served_by(provider: str, model: str) -> Mapping[str, str]:
    """Headers that say who answers."""
    return {
        "x-marginalia-provider": provider,
        "x-marginalia-model": quote(model, safe=_SAFE_IN_HEADER),
    }


class CompletionEncoder:
    """One stream, from StreamStart to Finish. `wants_usage`: the caller asked for a chunk with usage."""

    content_type: ClassVar[str] = EventsEncoder.content_type
    headers: ClassVar[Mapping[str, str]] = {}
    keep_alive: ClassVar[bytes | None] = EventsEncoder.keep_alive
    carries_errors: ClassVar[bool] = True

    def __init__(self, request_id: str, created: int, *, wants_usage: bool) -> None:
        self._head: JsonObject = {
            "id": f"chatcmpl-{request_id}",
            "object": "chat.completion.chunk",
            "created": created,
            "model": "",
        }
        self._wants_usage = wants_usage
        self._first = b""  # event of the provider's
        self._finished = False

    def encode(self, message: PassedMessage) -> bytes:
        """Raises AllProvidersFailed for a Reset: what was sent cannot be taken back."""
        if isinstance(message, Verbatim):  # first, as there are so many
            self._first = self._first or message.events[0]
            self._finished = self._finished or message.finished
            return b"data: %b\n\n" % b"\n\ndata: ".join(message.events)
        match message:
            case TextDelta(text):
                return self._chunk({"content": text})
            case StreamStart(_, model):
                self._head["model"] = model
                return b""
            case Switch():
                self._adopt()
                self._head["model"] = message.to_model
                return b""
            case Reset():
                raise AllProvidersFailed(
                    "The provider broke off, and another one's text does not go on from there; "
                    "what was sent cannot be taken back here"
                )
            case Finish():
                return self._finish(message) + _DONE
            case ErrorEvent(body):
                return _data(body)

    def _adopt(self) -> None:
        """The names that the first provider gave to the stream."""
        if self._first:
            first = json.loads(self._first)
            self._head.update({name: first[name] for name in ("id", "created") if name in first})
            self._first = b""

    def _chunk(self, delta: JsonObject, finish: str | None = None, **more: Json) -> bytes:
        self._adopt()
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data({**self._head, "choices": [choice], **more})

    def _finish(self, finish: Finish) -> bytes:
        """The end of an answer that another attempt has gone on with; else it has come already."""
        if self._finished:
            return b""
        ours = {"marginalia": {"provider": finish.provider, "model": finish.model}}
        end = self._chunk({}, finish.reason, **ours)
        return end + self._usage(finish) if self._wants_usage else end

    def _usage(self, finish: Finish) -> bytes:
        usage = finish.usage
        counts = {
            "prompt_tokens": usage.input_tokens,
            "completion_tokens": usage.output_tokens,
            "total_tokens": usage.input_tokens + usage.output_tokens,
        }
        return _data({**self._head, "choices": [], "usage": counts})


def _data(value: Json) -> bytes:
    return f"data: {encode_json(value)}\n\n".encode()
