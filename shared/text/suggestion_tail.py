"""The end of a suggestion while it streams: what may have to be cut off again is not given on yet."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.text.cursor import CursorContext

_WINDOW = 600  # characters of the text after the cursor that may be repeated
_LEAST_LINE = 12  # characters: a line of the text after the cursor that is cut wherever it comes
_FENCE_LINE = re.compile(r"\n[ \t>]*(?:(?:`{3,}|~{3,})[ \t]*(?:\n|\Z)|[`~]{0,2}\Z)")


class TailHolder:
    """Fed the pieces of one suggestion, gives what no later piece can turn into a repetition.

    Held back is text that is the beginning of what stands after the cursor, as long as it is; in the middle
    of a line or in a table all from a line break on; in a code block a line that may close it. What is
    still held at the end, `finished` decides.
    """

    def __init__(self, cursor: CursorContext) -> None:
        following = cursor.suffix[:_WINDOW].split()
        first = next((line for line in cursor.suffix[:_WINDOW].splitlines() if line.strip()), "")
        self._following = " ".join(following)
        self._line = " ".join(first.split()) if len(first) >= _LEAST_LINE or first[:1] == "#" else ""
        self._one_line = not cursor.in_code and (
            cursor.block == "table" or bool(cursor.line_prefix.strip() and cursor.line_suffix.strip())
        )
        self._in_fence = cursor.block == "fence"
        self._before = cursor.prefix[-1:]  # the character before what is held
        self._held = ""

    def feed(self, piece: str) -> str:
        text = self._held + piece
        end = self._certain(text)
        self._held = text[end:]
        if end:
            self._before = text[end - 1]
        return text[:end]

    def _certain(self, text: str) -> int:
        """Up to where the text stays."""
        end = len(text)
        if self._one_line and (found := text.find("\n")) >= 0:
            end = found
        if self._in_fence and (fence := _FENCE_LINE.search(text)):
            end = min(end, fence.start())
        return min(end, next(self._beginnings(text), end))

    def _beginnings(self, text: str) -> Iterator[int]:
        """Where the text may begin to repeat what follows the cursor."""
        if not self._following:
            return
        start = text.find(self._following[0])
        while start >= 0:
            before = text[start - 1] if start else self._before
            if not (_is_word(before) and _is_word(text[start])) and self._repeats(text[start:]):
                yield len(text[:start].rstrip())
            start = text.find(self._following[0], start + 1)

    def _repeats(self, tail: str) -> bool:
        words = " ".join(tail.split())
        return self._following.startswith(words) or bool(self._line and words.startswith(self._line))


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"
