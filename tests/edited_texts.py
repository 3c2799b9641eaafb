"""Texts edited at random, with the place that every piece of the older text went to.

A text is edited as an editor's user does it: small edits anywhere, paragraphs removed, moved, copied, written
anew. The new text is a row of pieces, each known to come from a place of the older one or to be new, so that
where a passage went is known by construction.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from random import Random

INSERTED = ("", "x", "A whole new sentence here. ", "\n\n", "and ", "é", "😀")
_PARAGRAPH = re.compile(r"\n[ \t]*\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """`text`, which stood at `origin` of the older text; -1 for text that is new."""

    text: str
    origin: int
    copied: bool = False  # a second one


@dataclass(frozen=True, slots=True)
class Edited:
    old: str
    pieces: tuple[Piece, ...]

    @property
    def new(self) -> str:
        return "".join(piece.text for piece in self.pieces)

    def places(self) -> Places:
        return Places(self)


class Places:
    """Where passages of the older text stand in the newer one."""

    def __init__(self, edited: Edited) -> None:
        self._old, self._new = edited.old, edited.new
        starts = accumulate((len(piece.text) for piece in edited.pieces), initial=0)
        spans = [
            (piece.origin, piece.origin + len(piece.text), start, piece.copied)
            for piece, start in zip(edited.pieces, starts, strict=False)
            if piece.origin >= 0 and piece.text
        ]
        self._kept = sorted(span[:3] for span in spans if not span[3])
        self._copied = [span[:3] for span in spans if span[3]]
        self._origins = [origin for origin, _, _ in self._kept]

    def of(self, start: int, end: int) -> int | None:
        """Where `old[start:end]` begins now; None where an edit touched it."""
        number = bisect_right(self._origins, start) - 1
        if number < 0:
            return None
        origin, stop, place = self._kept[number]
        return place + start - origin if end <= stop else None

    def copies(self, start: int, end: int) -> list[int]:
        """Where whole copies of `old[start:end]` begin."""
        return [
            place + start - origin for origin, stop, place in self._copied if origin <= start and end <= stop
        ]

    def remains(self, start: int, end: int) -> list[tuple[int, int]]:
        """The spans of the newer text that hold what is left of `old[start:end]`."""
        number = max(0, bisect_right(self._origins, start) - 1)
        found: list[tuple[int, int]] = []
        for origin, stop, place in self._kept[number:]:
            if origin >= end:
                break
            first, last = max(start, origin), min(end, stop)
            if first < last:
                found.append((place + first - origin, place + last - origin))
        return found

    def joins(self, start: int, end: int, place: int) -> bool:
        """Whether from `place` on the new text goes on as the old one did, up to what is left behind it.

        Of two equal paragraphs nobody can say which one was removed.
        """
        number = bisect_left(self._origins, end)
        if number == len(self._kept):
            return self._new[place:] == self._old[start:]
        origin, _, kept = self._kept[number]
        return place + origin - start == kept and self._new[place:kept] == self._old[start:origin]


def is_wrong(places: Places, span: tuple[int, int], start: int) -> bool:
    """Whether a passage of the older text is said to stand at `start`, which is another's place.

    Where an edit touched the passage, a place that overlaps what is left of it is its own, one joined to
    what followed it, and that of a copy that was made before.
    """
    true = places.of(*span)
    if true is not None:
        return true != start
    end = start + span[1] - span[0]
    overlaps = any(first < end and start < last for first, last in places.remains(*span))
    return not (overlaps or places.joins(*span, start) or start in places.copies(*span))


def scattered(text: str, count: int, chance: Random, *, longest: int = 40) -> Edited:
    """`count` small edits at random places: up to `longest` characters removed, something inserted."""
    pieces: list[Piece] = []
    done = 0
    for start in sorted(chance.sample(range(len(text)), min(count, len(text)))):
        if start >= done:
            pieces += [Piece(text[done:start], done), Piece(chance.choice(INSERTED), -1)]
            done = min(len(text), start + chance.randrange(longest))
    return Edited(text, (*pieces, Piece(text[done:], done)))


def rearranged(
    text: str, count: int, chance: Random, *, ways: Sequence[str] = ("remove", "move", "copy", "insert")
) -> Edited:
    """`count` paragraphs removed, moved, copied to another place, or put in anew."""
    borders = [0, *(found.end() for found in _PARAGRAPH.finditer(text)), len(text)]
    pieces = [Piece(text[start:end], start) for start, end in pairwise(borders)]
    for _ in range(count):
        if not pieces:
            break
        place, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
        match chance.choice(ways):
            case "remove":
                del pieces[place]
            case "move":
                pieces.insert(other, pieces.pop(place))
            case "copy":
                pieces.insert(other, Piece(pieces[place].text, pieces[place].origin, copied=True))
            case _:
                pieces.insert(place, Piece("A paragraph that nobody wrote before.\n\n", -1))
    return Edited(text, tuple(pieces))


def rewritten(text: str, count: int, chance: Random) -> Edited:
    """`count` paragraphs removed, moved or put in anew, and small edits within half of all.

    None is copied: who copies a passage and edits the first one has made the copy the truer one.
    """
    pieces: list[Piece] = []
    for piece in rearranged(text, count, chance, ways=("remove", "move", "insert")).pieces:
        if piece.origin < 0 or len(piece.text) < 40 or chance.random() < 0.5:
            pieces.append(piece)
            continue
        for part in scattered(piece.text, 1 + len(piece.text) // 400, chance).pieces:
            pieces.append(Piece(part.text, part.origin + piece.origin if part.origin >= 0 else -1))
    return Edited(text, tuple(pieces))
