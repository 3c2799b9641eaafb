"""A text as a reader hears it: without the differences a quotation loses, and with the way back.

Folded are white space (any run is one space), case, quotation marks, dashes, Markdown's `*` and
backticks, invisible characters, and Unicode's compatibility forms (NFKD, UAX #15,
https://unicode.org/reports/tr15/), so that composed and decomposed letters are equal.
"""

from __future__ import annotations

import re
import unicodedata
from array import array
from bisect import bisect_right
from functools import lru_cache

_MARKS = "*`"
_IRREGULAR = re.compile(rf"[\s{_MARKS}]{{2,}}|[^\S ]|[{_MARKS}]|[^\x00-\x7f\s]+")
_SINGLE = {
    **dict.fromkeys("‘’‚‛′‵´“”„‟″‶«»‹›「」『』＂＇", "'"),
    **dict.fromkeys("‐‑‒–—―−﹘﹣－", "-"),
    **dict.fromkeys("\u00ad\u180e\u200b\u200c\u200d\u2060\ufeff", ""),
}


@lru_cache(maxsize=65536)
def _fold_character(character: str) -> str:
    """What one character beyond ASCII becomes: none, one or several."""
    if character in _SINGLE:
        return _SINGLE[character]
    folded = unicodedata.normalize("NFKD", character).casefold()
    return unicodedata.normalize("NFKD", folded)


def _fold_ascii(piece: str) -> str:
    return piece.lower().replace('"', "'")


def fold(text: str) -> str:
    """The folded text alone, without white space at its ends."""
    return FoldedText(text).text.strip()


class FoldedText:
    """`text` is the folded text; `source` maps a span of it back to Python indexes of the original.

    Linear in the length of the original.
    """

    def __init__(self, original: str) -> None:
        self._parts: list[str] = []
        self._length = 0
        # A piece begins at folded index _starts[i]. It stands for the original from _sources[i] on:
        # character by character where _ends[i] is -1, else as a whole for what ends there.
        self._starts = array("q")
        self._sources = array("q")
        self._ends = array("q")
        done = 0
        for found in _IRREGULAR.finditer(original):
            start, end = found.span()
            self._add_linear(_fold_ascii(original[done:start]), done)
            self._add_run(found[0], start, end)
            done = end
        self._add_linear(_fold_ascii(original[done:]), done)
        self.text = "".join(self._parts)
        del self._parts

    def source(self, start: int, end: int) -> tuple[int, int]:
        """The original's span of `text[start:end]`, which must not be empty."""
        first = bisect_right(self._starts, start) - 1
        last = bisect_right(self._starts, end - 1) - 1
        begin = self._sources[first]
        if self._ends[first] < 0:
            begin += start - self._starts[first]
        stop = self._ends[last]
        if stop < 0:
            stop = self._sources[last] + end - self._starts[last]
        return begin, stop

    def _add_run(self, run: str, start: int, end: int) -> None:
        if run[0] in _MARKS or run[0].isspace():
            if run.strip(_MARKS):
                self._add_whole(" ", start, end)
            return
        folded = [_fold_character(character) for character in run]
        if all(len(piece) == 1 for piece in folded):
            self._add_linear("".join(folded), start)
            return
        for index, piece in enumerate(folded, start):
            self._add_whole(piece, index, index + 1)

    def _add_linear(self, folded: str, source: int) -> None:
        if not folded:
            return
        goes_on = (
            len(self._starts) > 0
            and self._ends[-1] < 0
            and source - self._sources[-1] == self._length - self._starts[-1]
        )
        if not goes_on:
            self._add_piece(source, -1)
        self._extend(folded)

    def _add_whole(self, folded: str, start: int, end: int) -> None:
        if folded:
            self._add_piece(start, end)
            self._extend(folded)

    def _add_piece(self, source: int, end: int) -> None:
        self._starts.append(self._length)
        self._sources.append(source)
        self._ends.append(end)

    def _extend(self, folded: str) -> None:
        self._parts.append(folded)
        self._length += len(folded)
