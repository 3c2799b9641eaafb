"""What the simulator answers, as data: a Reply, and the steps on the wire that it becomes."""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeAlias

from tests.simulator import openai

HUGE = 2 << 20  # bytes: longer than any line that a client should take


@dataclass(frozen=True, slots=True)
class Bytes:
    """Send these bytes of the body."""

    data: bytes
    bills: openai.Json | None = None  # the usage whose last byte is among them


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


@dataclass(frozen=True, slots=True)
class Stall:
    """Send nothing more, and keep the connection open until the client leaves."""


@dataclass(frozen=True, slots=True)
class Cut:
    """Close the connection, in the middle of whatever it was."""


@dataclass(frozen=True, slots=True)
class Reset:
    """Abort the connection with a TCP reset."""


Step: TypeAlias = Bytes | Pause | Stall | Cut | Reset


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Without any argument: a good one, streamed if the request asked for a stream.

    Counts are in tokens of `text` (a word with the white space before it), times in seconds.
    """

    text: str = "The quick brown fox jumps over the lazy dog."
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None  # sent as it is, instead of an answer
    content_type: str | None = None  # instead of the right one; "" sends none

    # before anything is sent
    delay: float = 0.0
    before_headers: Literal["", "stall", "cut", "reset"] = ""

    # in the stream
    first_token_delay: float = 0.0
    token_delay: float = 0.0
    thinking: int = 0  # reasoning deltas before the first token, first_token_delay apart
    comments: int = 0  # keep-alive comments before the first token, first_token_delay apart
    stall_after: int | None = None
    cut_after: int | None = None
    reset_after: int | None = None
    end_after: int | None = None  # ends politely there, without a finish reason and without [DONE]
    error_after: int | None = None  # an error event there, then the end
    error: Mapping[str, Any] = field(
        default_factory=lambda: {"error": {"message": "overloaded", "type": "server_error", "code": None}}
    )
    error_event_name: str = ""  # "error" names the event so
    malformed_after: Sequence[int] = ()  # an event that is not JSON before each of these tokens
    huge_line_after: int | None = None
    insert_after: Mapping[int, bytes] = field(default_factory=dict)  # raw bytes before these tokens

    # at the end
    finish: str | None = "stop"
    after_finish: bytes = b""  # raw bytes after the finish reason
    done: bool = True
    usage: bool = True
    usage_delay: float = 0.0  # after the finish reason
    usage_after: int | None = None  # what was used so far, before that token as well
    cached: int = 0  # tokens, as the usage tells
    reasoning: int = 0
    hang_at_end: bool = False  # the connection stays open after the last byte

    # how it is written
    drip: int = 0  # bytes at a time; 0: an event at a time
    line_end: str = "\n"
    gzip: bool = False
    gzip_cut: int = 0  # bytes missing at the end of the compressed body
    ignore_stream: bool = False  # answers a stream request with one JSON object
    prefill: Literal["continue", "restart", "refuse", "repeat_sentence"] = "continue"

    @property
    def tokens(self) -> list[str]:
        return re.findall(r"\s*\S+|\s+$", self.text)

    def content_type_for(self, request: openai.Json) -> str:
        if self.content_type is not None:
            return self.content_type
        if self.status != 200 or self.body is not None or not self.streams(request):
            return "application/json"
        return "text/event-stream; charset=utf-8"

    def streams(self, request: openai.Json) -> bool:
        return bool(request.get("stream")) and not self.ignore_stream

    def steps(self, request: openai.Json) -> Iterator[Step]:
        """The body, step by step."""
        steps = self._gzipped(request) if self.gzip else self._plain(request)
        for step in steps:
            if self.drip and isinstance(step, Bytes):
                yield from self._dripped(step)
            else:
                yield step
        if self.hang_at_end:
            yield Stall()

    def _dripped(self, step: Bytes) -> Iterator[Step]:
        for start in range(0, len(step.data), self.drip):
            end = start + self.drip
            yield Bytes(step.data[start:end], step.bills if end >= len(step.data) else None)
            yield Pause(0)

    def _gzipped(self, request: openai.Json) -> Iterator[Step]:
        steps = [step for step in self._plain(request) if isinstance(step, Bytes)]
        packed = gzip.compress(b"".join(step.data for step in steps))
        sent = packed[: max(0, len(packed) - self.gzip_cut)]
        left = len(zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(sent))
        bills = None
        for step in steps:
            left -= len(step.data)
            bills = step.bills if step.bills and left >= 0 else bills
        unread = self.gzip_cut and not self.streams(request)  # a whole answer is read at its end
        yield Bytes(sent, None if unread else bills)

    def _plain(self, request: openai.Json) -> Iterator[Step]:
        if self.body is not None:
            yield Bytes(self.body)
        elif self.status != 200:
            yield Bytes(json.dumps(openai.error(self.status)).encode())
        elif not self.streams(request):
            yield from self._whole(request)
        else:
            yield from self._stream(request)

    def _whole(self, request: openai.Json) -> Iterator[Step]:
        if self.first_token_delay:
            yield Pause(self.first_token_delay)
        usage = self._usage(request, self.tokens) if self.usage else None
        body = json.dumps(openai.completion(request, self.text, finish=self.finish, usage=usage)).encode()
        faults = ((self.cut_after, Cut()), (self.reset_after, Reset()), (self.stall_after, Stall()))
        for after, fault in faults:
            if after is not None:  # whatever the count, in the middle
                yield Bytes(body[: len(body) // 2])
                yield fault
        yield Bytes(body, usage)

    def _usage(self, request: openai.Json, tokens: Sequence[str]) -> openai.Json:
        return openai.usage(request, tokens, cached=self.cached, reasoning=self.reasoning)

    def _stream(self, request: openai.Json) -> Iterator[Step]:
        chunk = openai.Chunks(request)
        yield self._event(chunk.delta({"role": "assistant", "content": ""}))
        for _ in range(self.comments):
            yield Pause(self.first_token_delay)
            yield Bytes(f": PROCESSING{self.line_end * 2}".encode())
        for _ in range(self.thinking):
            yield Pause(self.first_token_delay)
            yield self._event(chunk.delta({"reasoning_content": "hm "}))
        if self.first_token_delay:
            yield Pause(self.first_token_delay)
        for number, token in enumerate(self.tokens):
            if number == self.usage_after and chunk.wants_usage:
                yield self._billed(chunk, self.tokens[:number])
            yield from self._faults(number)
            if self._ends_at(number):
                return
            yield self._event(chunk.delta({"content": token}))
            if self.token_delay:
                yield Pause(self.token_delay)
        yield from self._faults(len(self.tokens))
        if not self._ends_at(len(self.tokens)):
            yield from self._ending(chunk)

    def _ending(self, chunk: openai.Chunks) -> Iterator[Step]:
        if self.finish is not None:
            yield self._event(chunk.delta({}, finish=self.finish))
        if self.after_finish:
            yield Bytes(self.after_finish)
        if self.usage and chunk.wants_usage:
            if self.usage_delay:
                yield Pause(self.usage_delay)
            yield self._billed(chunk, self.tokens)
        if self.done:
            yield Bytes(f"data: [DONE]{self.line_end * 2}".encode())

    def _billed(self, chunk: openai.Chunks, tokens: Sequence[str]) -> Step:
        usage = self._usage(chunk.request, tokens)
        return replace(self._event(chunk.usage(usage)), bills=usage)

    def _faults(self, number: int) -> Iterator[Step]:
        """What happens before token `number`."""
        if number in self.insert_after:
            yield Bytes(self.insert_after[number])
        if number in self.malformed_after:
            yield Bytes(b'data: {"choices": [{"delta": {"cont\n\n')
        if number == self.huge_line_after:
            yield Bytes(b'data: {"choices": "' + b"x" * HUGE)
        if number == self.stall_after:
            yield Stall()
        if number == self.cut_after:
            yield Cut()
        if number == self.reset_after:
            yield Reset()
        if number == self.error_after:
            yield self._event(self.error, name=self.error_event_name)

    def _ends_at(self, number: int) -> bool:
        return number in (self.end_after, self.error_after)

    def _event(self, document: Mapping[str, Any], *, name: str = "") -> Bytes:
        lines = [f"event: {name}"] if name else []
        lines.append(f"data: {json.dumps(document, ensure_ascii=False)}")
        return Bytes((self.line_end.join(lines) + self.line_end * 2).encode())
