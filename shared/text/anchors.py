"""Anchors: places in a text by position and by quote, made, verified, and mapped onto newer text.

W3C Web Annotation Data Model, 4.2.4 and 4.2.5 (https://www.w3.org/TR/annotation-model/); positions
are UTF-16 code units. A caret is no quote: an anchor always stands for some text.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from shared.text.boundaries import character_end, character_start
from shared.text.positions import Utf16Text
from shared.text.quotes import common_length, locate
from shared.types import Anchor, Position, Quote

__all__ = ["Rebased", "locate", "make_anchor", "rebase", "verify"]

CONTEXT = 32  # characters of text kept before and after a quote
_MAX_OCCURRENCES = 50  # of a quote with its surroundings
_TELLING = 8  # characters that do not stand together by chance
_FAR = 200  # UTF-16 units by which neighbours may have moved differently
_LONG = 24  # characters of a quote that needs no surroundings


def make_anchor(
    text: Utf16Text, start: int, end: int, *, content_hash: str, document_id: str | None
) -> Anchor:
    """The anchor of the Python indexes [start, end). Raises ValueError where they hold no text."""
    if not 0 <= start < end <= len(text.text):
        raise ValueError(f"no text stands at [{start}, {end}) of {len(text.text)} characters")
    content = text.text
    before = character_start(content, max(0, start - CONTEXT), limit=start)
    after = character_end(content, min(len(content), end + CONTEXT), limit=end)
    return Anchor(
        content_hash=content_hash,
        position=Position(text.to_utf16(start), text.to_utf16(end)),
        quote=Quote(content[start:end], content[before:start], content[end:after]),
        document_id=document_id,
    )


def verify(text: Utf16Text, anchor: Anchor) -> bool:
    """Whether the quote stands at its very position. Never for an empty quote."""
    exact = anchor.quote.exact
    index = text.to_index(anchor.position.start)
    return (
        exact != ""
        and text.to_utf16(index) == anchor.position.start
        and text.text.startswith(exact, index)
        and text.to_utf16(index + len(exact)) == anchor.position.end
    )


@dataclass(frozen=True, slots=True)
class Rebased:
    """What became of an anchor. `anchor` is of the newer text, None when stale."""

    anchor: Anchor | None
    status: Literal["unchanged", "moved", "stale"]


def rebase(anchors: Sequence[Anchor], text: Utf16Text, *, content_hash: str) -> list[Rebased]:
    """Each anchor in `text`, in the order given, or declared stale. The older text is not needed.

    A quote counts as standing where it stands word for word and its surroundings say that it is
    the same one. Among places that cannot be told apart, the anchors around it decide; else it is stale.
    """
    places = [_same_place(text, anchor) for anchor in anchors]
    tied: list[tuple[int, list[int]]] = []
    for number, anchor in enumerate(anchors):
        if places[number] is None:
            found = _standing(text.text, anchor.quote)
            if len(found) == 1:
                places[number] = found[0]
            elif found:
                tied.append((number, found))
    _settle_ties(anchors, places, tied, text)
    _heed_neighbours(anchors, places, text)
    return [
        _rebased(anchor, place, text, content_hash) for anchor, place in zip(anchors, places, strict=True)
    ]


def _rebased(anchor: Anchor, place: int | None, text: Utf16Text, content_hash: str) -> Rebased:
    if place is None:
        return Rebased(None, "stale")
    end = place + len(anchor.quote.exact)
    rebased = make_anchor(text, place, end, content_hash=content_hash, document_id=anchor.document_id)
    return Rebased(rebased, "unchanged" if rebased.position == anchor.position else "moved")


def _same_place(text: Utf16Text, anchor: Anchor) -> int | None:
    """The index of an anchor that stands where it stood, within the same surroundings."""
    if not verify(text, anchor):
        return None
    quote, index = anchor.quote, text.to_index(anchor.position.start)
    if not text.text.startswith(quote.suffix, index + len(quote.exact)):
        return None
    return index if text.text.endswith(quote.prefix, 0, index) else None


def _standing(text: str, quote: Quote) -> list[int]:
    """The indexes at which the quote may stand: none, one, or several that look the same."""
    exact, prefix, suffix = quote.exact, quote.prefix, quote.suffix
    if not exact or exact not in text:
        return []
    if prefix or suffix:
        found = _occurrences(text, prefix, exact + suffix)
        if found:
            return found if len(prefix) + len(suffix) >= _TELLING or len(exact) >= _TELLING else []
        sides = _one_sided(text, quote)
        if sides:
            return sides
    alone = _occurrences(text, "", exact)
    if len(alone) != 1:
        return _by_agreement(text, alone, quote)
    if len(exact) >= (_LONG if prefix or suffix else _TELLING):
        return alone
    return alone if _agreement(text, alone[0], quote) >= _TELLING else []


def _occurrences(text: str, before: str, needle: str) -> list[int]:
    """Where `needle` stands behind `before`; none where there are too many to choose from."""
    sought = before + needle
    found: list[int] = []
    start = text.find(sought)
    while start >= 0:
        found.append(start + len(before))
        if len(found) > _MAX_OCCURRENCES:
            return []
        start = text.find(sought, start + 1)
    return found


def _one_sided(text: str, quote: Quote) -> list[int]:
    """Where the text on one side has changed and the other side still tells."""
    found: set[int] = set()
    if len(quote.prefix) >= _TELLING:
        found.update(_occurrences(text, quote.prefix, quote.exact))
    if len(quote.suffix) >= _TELLING:
        found.update(_occurrences(text, "", quote.exact + quote.suffix))
    return sorted(found)


def _agreement(text: str, place: int, quote: Quote) -> int:
    """How many characters of the surroundings still stand around the quote."""
    before = text[max(0, place - len(quote.prefix)) : place]
    end = place + len(quote.exact)
    after = text[end : end + len(quote.suffix)]
    return common_length(before[::-1], quote.prefix[::-1]) + common_length(after, quote.suffix)


def _by_agreement(text: str, places: list[int], quote: Quote) -> list[int]:
    """The one whose surroundings agree clearly best, if there is one."""
    ranked = sorted(((_agreement(text, place, quote), place) for place in places), reverse=True)
    if len(ranked) > 1 and ranked[0][0] >= _TELLING and ranked[0][0] - ranked[1][0] >= _TELLING:
        return [ranked[0][1]]
    return []


def _settle_ties(
    anchors: Sequence[Anchor],
    places: list[int | None],
    tied: list[tuple[int, list[int]]],
    text: Utf16Text,
) -> None:
    """Places that look the same: the one that moved as far as the anchors on both sides did."""
    settled = sorted(
        (anchor.position.start, text.to_utf16(place) - anchor.position.start)
        for anchor, place in zip(anchors, places, strict=True)
        if place is not None
    )
    for number, found in tied:
        start = anchors[number].position.start
        after = bisect_left(settled, (start, 0))
        moves = {move for _, move in settled[max(0, after - 1) : after + 1]}
        if len(moves) == 1:
            wanted = start + moves.pop()
            places[number] = next((place for place in found if text.to_utf16(place) == wanted), None)


def _heed_neighbours(anchors: Sequence[Anchor], places: list[int | None], text: Utf16Text) -> None:
    """Stale is what went far from both its neighbours although its quote still stands where they point to.

    Its surroundings were edited and a twin elsewhere kept the same: nobody can say which of the two it is.
    """
    settled = sorted(
        (anchors[number].position.start, text.to_utf16(place) - anchors[number].position.start, number)
        for number, place in enumerate(places)
        if place is not None
    )
    for order, (start, move, number) in enumerate(settled):
        beside = [
            other for _, other, _ in settled[max(0, order - 1) : order] + settled[order + 1 : order + 2]
        ]
        if not beside or min(abs(move - other) for other in beside) <= _FAR:
            continue
        first = text.to_index(start + min(beside) - _FAR)
        last = text.to_index(start + max(beside) + _FAR) + len(anchors[number].quote.exact)
        if text.text.find(anchors[number].quote.exact, first, last) >= 0:
            places[number] = None
