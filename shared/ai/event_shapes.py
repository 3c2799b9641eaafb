"""Events of a stream that differ from an earlier one in their words alone, read by their shape.

A provider sends the same JSON object for every token, with another text in it. Once such an event has
been parsed, a pattern made of it reads the next ones in half the time: all must stand as it stood, but
for the text and for the values of a few names that decide nothing. What does not fit to the last byte
is left to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeAlias

from pydantic_core import from_json

_KNOWN = 4  # shapes that are kept of one provider
_TO_LEARN = 16  # a provider whose events always differ is given up
_MAX_EVENT = 4096  # bytes of one that is learned from
_BACKSLASH = 0x5C

# Names whose values differ from event to event, or from stream to stream, and say nothing of the answer:
# Together and OpenAI have most of them, Mistral pads its events with `p`.
_VARYING = re.compile(
    rb'"(?P<name>content|id|created|model|text|token_id|obfuscation|p)": ?'
    rb'(?P<value>"[^"\\\x00-\x1f]*+"|(?:0|[1-9][0-9]*+)(?=[,}]))'
)
_TEXT = rb'"([^"\\\x00-\x1f]*+(?:\\["\\/bfnrt][^"\\\x00-\x1f]*+)*+)"'
_STRING = rb'"[^"\\\x00-\x1f]*+"'
_NUMBER = rb"(?:0|[1-9][0-9]*+)"

Said: TypeAlias = tuple[str, bytes]  # an event's text, and its data as it came
_Match: TypeAlias = Callable[[bytes, int], re.Match[bytes] | None]


class EventShapes:
    """Those of one provider, whatever it is asked."""

    def __init__(self) -> None:
        self._known: list[_Match] = []  # the newest first
        self._to_learn = _TO_LEARN

    def read(self, chunk: bytes) -> tuple[list[Said], int]:
        """What a chunk's first events say, as far as their shapes are known, and how many bytes these are."""
        found: list[Said] = []
        at, end = 0, len(chunk)
        while at < end:
            for match in self._known:
                if (event := match(chunk, at)) is not None:
                    break
            else:
                break
            data, after = chunk[at + 6 : event.end() - 2], event.end()
            if (text := _text(event[1], data)) is None:
                break
            found.append((text, data))
            at = after
        return found, at

    @property
    def learns(self) -> bool:
        return self._to_learn > 0

    def learn(self, event: bytes, text_of: Callable[[bytes], str | None]) -> None:
        """From a whole event, `data: {…}` and two line ends, that could not be read.

        `text_of` is the parser: the text that an event's data says, None where it says anything else.
        It must agree on the event with other values in it.
        """
        if not self.learns or len(event) > _MAX_EVENT or _BACKSLASH in event:
            return
        self._to_learn -= 1
        pattern, other = _shape(event)
        shape = re.compile(pattern)
        data = other[6:-2]
        text = text_of(data)
        found = shape.fullmatch(other) if shape.groups else None
        if text and found is not None and _text(found[1], data) == text:
            self._known = [shape.match, *self._known[: _KNOWN - 1]]


def _text(written: bytes, data: bytes) -> str | None:
    """None where `data` is not UTF-8 throughout, and for no text at all."""
    try:
        if not data.isascii():
            data.decode()
        return (from_json(b'"%b"' % written) if _BACKSLASH in written else written.decode()) or None
    except UnicodeDecodeError:
        return None


def _shape(event: bytes) -> tuple[bytes, bytes]:
    """A pattern of all events like this one, and one of them that has another value wherever it may."""
    pattern, other, at = [], [], 0
    for number, found in enumerate(_VARYING.finditer(event)):
        fixed = event[at : found.start("value")]
        text, at = found["value"][:1] == b'"', found.end()
        value = _TEXT if found["name"] == b"content" else _STRING
        pattern += [re.escape(fixed), value if text else _NUMBER]
        other += [fixed, b'"other %d"' % number if text else b"7"]
    return b"".join([*pattern, re.escape(event[at:])]), b"".join([*other, event[at:]])
