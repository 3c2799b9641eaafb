"""Places in text as editors count them: UTF-16 code units, and lines of the Language Server Protocol.

Python indexes count code points. A character beyond U+FFFF is one code point and two UTF-16 units
(a surrogate pair); everything else is one of each.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_left, bisect_right
from functools import cached_property

from shared.text.folding import FoldedText

_ASTRAL = re.compile("[\U00010000-\U0010ffff]")
_LINE_END = re.compile(r"\r\n|\n|\r")


class Utf16Text:
    """A text whose places are wanted in UTF-16 code units.

    Tables are made at the first question that needs them, in one pass; each lookup is then
    O(log n), and O(1) for text without characters beyond U+FFFF. Nothing raises for a place
    outside the text: it is clamped to the text's ends.
    """

    def __init__(self, text: str) -> None:
        self.text = text

    @cached_property
    def utf16_length(self) -> int:
        return len(self.text) + len(self._pairs)

    def to_utf16(self, index: int) -> int:
        """The UTF-16 offset of a Python index."""
        index = min(max(index, 0), len(self.text))
        return index + bisect_left(self._pairs, index)

    def to_index(self, offset: int) -> int:
        """The Python index of a UTF-16 offset. Between the halves of a pair: the pair's start."""
        offset = min(max(offset, 0), self.utf16_length)
        pairs_before = bisect_left(self._pair_offsets, offset)
        if pairs_before and offset == self._pair_offsets[pairs_before - 1] + 1:
            return self._pairs[pairs_before - 1]
        return offset - pairs_before

    def slice(self, start: int, end: int) -> str:
        """The text between two UTF-16 offsets, whole characters only."""
        return self.text[self.to_index(start) : self.to_index(end)]

    def index_at(self, line: int, character: int) -> int:
        """The Python index of an LSP position: 0-based line, 0-based UTF-16 character.

        Lines end in LF, CRLF or CR. What lies outside is clamped: a character to its line's
        end, a line to the text's start or end.
        """
        if line < 0:
            return 0
        if line >= len(self._line_starts):
            return len(self.text)
        start = self._line_starts[line]
        index = self.to_index(self.to_utf16(start) + max(character, 0))
        return min(index, self._line_ends[line])

    def position_at(self, index: int) -> tuple[int, int]:
        """The LSP position (line, character) of a Python index. Inside CRLF: before it."""
        index = min(max(index, 0), len(self.text))
        line = self.line_of(index)
        start = self._line_starts[line]
        return line, self.to_utf16(min(index, self._line_ends[line])) - self.to_utf16(start)

    def line_of(self, index: int) -> int:
        """The 0-based line a Python index stands on; a line's end belongs to it."""
        return max(bisect_right(self._line_starts, index) - 1, 0)

    @property
    def line_count(self) -> int:
        """At least 1: a text that ends in a line end has an empty last line."""
        return len(self._line_starts)

    @cached_property
    def folded(self) -> FoldedText:
        """The text without the differences a quotation loses."""
        return FoldedText(self.text)

    @cached_property
    def _pairs(self) -> array[int]:
        """The Python indexes of the characters that are surrogate pairs."""
        if self.text.isascii():
            return array("q")
        return array("q", (found.start() for found in _ASTRAL.finditer(self.text)))

    @cached_property
    def _pair_offsets(self) -> array[int]:
        """Their UTF-16 offsets."""
        return array("q", (index + count for count, index in enumerate(self._pairs)))

    @cached_property
    def _line_bounds(self) -> tuple[array[int], array[int]]:
        ends = [found.span() for found in _LINE_END.finditer(self.text)]
        return (
            array("q", [0, *(end for _, end in ends)]),
            array("q", [*(start for start, _ in ends), len(self.text)]),
        )

    @property
    def _line_starts(self) -> array[int]:
        return self._line_bounds[0]

    @property
    def _line_ends(self) -> array[int]:
        return self._line_bounds[1]
