"""Server-sent events from bytes, split anywhere.

The format is the event stream of the HTML Standard, 9.2.6 "Interpreting an event stream"
(https://html.spec.whatwg.org/multipage/server-sent-events.html): UTF-8 whatever the header says,
lines end in LF, CR or CRLF, a leading byte order mark is dropped, comment lines begin with a colon.

One deviation, on purpose: an event that the end of the stream leaves without its blank line is
given out by `close()`. Some servers stop there, and a JSON object cut short never parses as whole.
"""

from __future__ import annotations

import codecs
from typing import NamedTuple

MAX_EVENT_BYTES = 1 << 20

_CR = 0x0D  # as a number: bytes within bytes are sought ten times slower


class ServerSentEvent(NamedTuple):
    data: bytes
    event: bytes = b"message"


class EventTooLarge(ValueError):
    """A line or an event is longer than the bound: nobody means it."""


class SseDecoder:
    """Feed it bytes, take whole events. Raises EventTooLarge beyond `max_event_bytes`.

    `at_start` False: a leading byte order mark is dropped already.
    """

    def __init__(self, max_event_bytes: int = MAX_EVENT_BYTES, *, at_start: bool = True) -> None:
        self._max = max_event_bytes
        self._unfinished: list[bytes] = []  # the line that has no end yet, in pieces
        self._data: list[bytes] = []
        self._event = b""
        self._size = 0
        self._at_start = at_start
        self._after_cr = False

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that this chunk completes."""
        if (whole := self._whole_events(chunk)) is not None:
            return whole
        events: list[ServerSentEvent] = []
        for line in self._lines(chunk):
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    @property
    def between_events(self) -> bool:
        """Whether nothing is under way."""
        return not (self._unfinished or self._data or self._event or self._after_cr)

    def close(self) -> list[ServerSentEvent]:
        """The event that the end of the stream completes, if one was under way."""
        if self._unfinished:
            self._field(self._whole_line(b""))
        event = self._dispatch()
        return [event] if event is not None else []

    def _whole_events(self, chunk: bytes) -> list[ServerSentEvent] | None:
        """The quick way for what nearly every chunk is: whole events of one line of data each."""
        if chunk[:6] != b"data: " or chunk[-2:] != b"\n\n" or len(chunk) > self._max or _CR in chunk:
            return None
        if self._unfinished or self._data or self._event:
            return None
        data = chunk[6:-2].split(b"\n\ndata: ")
        if chunk.count(b"\n") != 2 * len(data):
            return None
        self._at_start = self._after_cr = False
        return [ServerSentEvent(piece) for piece in data]

    def _lines(self, chunk: bytes) -> list[bytes]:
        chunk = self._with_line_feeds(chunk)
        pieces = chunk.split(b"\n")
        rest = pieces.pop()
        if pieces:
            pieces[0] = self._whole_line(pieces[0])
        if rest:
            self._unfinished.append(rest)
            self._grow(len(rest))
        return pieces

    def _with_line_feeds(self, chunk: bytes) -> bytes:
        if not chunk:
            return chunk
        if self._after_cr and chunk[0] == 0x0A:
            chunk = chunk[1:]
            self._after_cr = False
            if not chunk:
                return chunk
        self._after_cr = chunk[-1] == _CR
        if _CR in chunk:
            return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        return chunk

    def _whole_line(self, last_piece: bytes) -> bytes:
        line = last_piece
        if self._unfinished:
            line = b"".join([*self._unfinished, last_piece])
            self._unfinished.clear()
        if self._at_start:
            self._at_start = False
            return line.removeprefix(codecs.BOM_UTF8)
        return line

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._grow(len(value))
        elif name == b"event":
            self._event = value

    def _grow(self, by: int) -> None:
        self._size += by
        if self._size > self._max:
            raise EventTooLarge(f"an event is longer than {self._max} bytes")

    def _dispatch(self) -> ServerSentEvent | None:
        data, name = self._data, self._event
        self._data, self._event, self._size = [], b"", 0
        if not data:
            return None
        return ServerSentEvent(data[0] if len(data) == 1 else b"\n".join(data), name or b"message")
