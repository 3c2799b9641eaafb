"""Anchors mapped onto newer text, or declared stale. The older text is not needed.

A quote stands where its words stand together with what stood before them, or with what stood after them; an
anchor's own sides tell its place from all others (`anchors`), so that one of them is enough. Where several
places would do, none is chosen, unless the other anchors of the same text tell: those before and after it
that have moved equally far. Never a guess: a twin of the words is not the words.

Anchors that others made may have sides that do not tell. Of such a one alone nobody knows whether its own
place was edited away and a twin is left; the other anchors may know (`_leave_twins`). Asked about the very
text it was made of, it comes back with sides that tell.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal, TypeAlias

from shared.text.anchors import CONTEXT, make_anchor, prefix_of, suffix_of, verify
from shared.text.positions import Utf16Text
from shared.text.quotes import common_length
from shared.types import Anchor, Position, Quote

_MAX_OCCURRENCES = 50  # of a quote with its surroundings; among more nothing is chosen
_TELLING = 8  # characters that do not stand together by chance
_EDITED = 4  # characters next to a quote that are left of a side when it was edited
_LONG = 24  # characters of a quote that needs no surroundings
_LITTLE = 32  # characters of surroundings, both sides: fewer say little of where the quote stood
_FAR = 64  # UTF-16 units further from one neighbour and nearer to the other: edits between seldom do that

# Where a quote's words stand, and how many characters of its prefix and suffix stand around them there.
Found: TypeAlias = Mapping[int, tuple[int, int]]

# Where anchors stood and by how much they have moved, in UTF-16 units: those that have kept their order.
Line: TypeAlias = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Rebased:
    """What became of an anchor. `anchor` is of the newer text, None when stale."""

    anchor: Anchor | None
    status: Literal["unchanged", "moved", "stale"]


_STALE = Rebased(None, "stale")


def rebase(anchors: Sequence[Anchor], text: Utf16Text, *, content_hash: str) -> list[Rebased]:
    """Each anchor in `text`, in the order given, or declared stale."""
    rebased: list[Rebased] = [_STALE] * len(anchors)
    versions: defaultdict[str, list[int]] = defaultdict(list)
    for number, anchor in enumerate(anchors):
        versions[anchor.content_hash].append(number)
    for version, numbers in versions.items():
        of_one_text = [anchors[number] for number in numbers]
        if version == content_hash:
            results = [_of_this_text(anchor, text, content_hash) for anchor in of_one_text]
        else:
            results = _of_another_text(of_one_text, text, content_hash)
        for number, result in zip(numbers, results, strict=True):
            rebased[number] = result
    return rebased


def _of_this_text(anchor: Anchor, text: Utf16Text, content_hash: str) -> Rebased:
    if verify(text, anchor):
        start, end = (text.to_index(offset) for offset in (anchor.position.start, anchor.position.end))
        telling = make_anchor(text, start, end, content_hash=content_hash, document_id=anchor.document_id)
        return Rebased(telling, "unchanged")
    return _of_another_text([anchor], text, content_hash)[0]


def _of_another_text(anchors: Sequence[Anchor], text: Utf16Text, content_hash: str) -> list[Rebased]:
    """The anchors are all of one text."""
    found = [_found(text.text, anchor.quote) for anchor in anchors]
    places = [_place(anchor, where) for anchor, where in zip(anchors, found, strict=True)]
    _follow_neighbours(anchors, places, text)
    _leave_twins(anchors, places, text)
    return [
        _rebased(anchor, place, where, text, content_hash)
        for anchor, place, where in zip(anchors, places, found, strict=True)
    ]


def _rebased(anchor: Anchor, place: int | None, found: Found, text: Utf16Text, content_hash: str) -> Rebased:
    if place is None:
        return _STALE
    end = place + len(anchor.quote.exact)
    position = Position(text.to_utf16(place), text.to_utf16(end))
    quote = _quote(anchor.quote, place, found, text.text)
    rebased = Anchor(content_hash, position, quote, anchor.document_id)
    return Rebased(rebased, "unchanged" if position == anchor.position else "moved")


def _quote(quote: Quote, place: int, found: Found, content: str) -> Quote:
    """The quote at its new place. A side that stands there and nowhere else is as good as before."""
    before, after = (
        [where for where, sides in found.items() if sides[side] == length >= CONTEXT] == [place]
        for side, length in enumerate((len(quote.prefix), len(quote.suffix)))
    )
    end = place + len(quote.exact)
    return Quote(
        quote.exact,
        quote.prefix if before else prefix_of(content, place, end),
        quote.suffix if after else suffix_of(content, place, end),
    )


# --- by the words --------------------------------------------------------------------------------


def _place(anchor: Anchor, found: Found) -> int | None:
    """The one place at which the quote may stand."""
    quote = anchor.quote
    beside = {place: sides for place, sides in found.items() if _is_telling(anchor, place, sides)}
    if beside:
        places = _fitting(beside, quote)
    else:
        little = len(quote.prefix) + len(quote.suffix) < _LITTLE
        places = _alone(found, quote) if little else ()
    return next(iter(places)) if len(places) == 1 else None


def _found(text: str, quote: Quote) -> Found:
    if not quote.exact:
        return {}
    return {place: _sides(text, place, quote) for place in _occurrences(text, quote)}


def _occurrences(text: str, quote: Quote) -> set[int]:
    """Where the quote stands; of a very common one, where it does so with one of its sides."""
    found = _starts(text, quote.exact)
    if found is None:
        before = _starts(text, quote.prefix + quote.exact) or set()
        found = _starts(text, quote.exact + quote.suffix) or set()
        found |= {start + len(quote.prefix) for start in before}
    return found


def _starts(text: str, sought: str) -> set[int] | None:
    """Where something stands; None for too many places to choose from."""
    found: set[int] = set()
    start = text.find(sought)
    while start >= 0:
        found.add(start)
        if len(found) > _MAX_OCCURRENCES:
            return None
        start = text.find(sought, start + 1)
    return found


def _sides(text: str, place: int, quote: Quote) -> tuple[int, int]:
    """How many characters next to the quote still stand, before and after it."""
    before = text[max(0, place - len(quote.prefix)) : place]
    end = place + len(quote.exact)
    after = text[end : end + len(quote.suffix)]
    return common_length(before[::-1], quote.prefix[::-1]), common_length(after, quote.suffix)


def _is_telling(anchor: Anchor, place: int, sides: tuple[int, int]) -> bool:
    """Whether all of one side stands that says enough. The beginning of the text does."""
    before, after = len(anchor.quote.prefix), len(anchor.quote.suffix)
    if sides[0] == before and (before >= _TELLING or place == before == anchor.position.start):
        return True
    return sides[1] == after >= _TELLING


def _fitting(beside: Found, quote: Quote) -> Collection[int]:
    """The place that fits on both sides, unless another fits on one and looks edited on the other."""
    full = (len(quote.prefix), len(quote.suffix))
    whole = [place for place, sides in beside.items() if sides == full]
    rivals = [place for place, sides in beside.items() if min(sides) >= _EDITED]
    return whole if len(whole) == 1 and rivals in ([], whole) else beside.keys()


def _alone(found: Found, quote: Quote) -> Collection[int]:
    """Where words stand of which little more is known."""
    full = (len(quote.prefix), len(quote.suffix))
    whole = [place for place, sides in found.items() if sides == full]
    if whole and len(quote.exact) + sum(full) >= _TELLING:
        return whole
    return found.keys() if len(quote.exact) >= _LONG else ()


# --- by the other anchors ------------------------------------------------------------------------


def _follow_neighbours(anchors: Sequence[Anchor], places: list[int | None], text: Utf16Text) -> None:
    """Where nothing else tells: the place that moved as far as the anchors on both sides did."""
    settled = sorted((anchors[number].position.start, move) for number, move in _moves(anchors, places, text))
    for number, anchor in enumerate(anchors):
        if places[number] is not None:
            continue
        after = bisect_left(settled, (anchor.position.start, 0))
        moves = {move for _, move in settled[max(0, after - 1) : after + 1]}
        if 0 < after < len(settled) and len(moves) == 1:
            place = text.to_index(anchor.position.start + moves.pop())
            places[number] = place if _stands_whole(text.text, place, anchor.quote) else None


def _moves(
    anchors: Sequence[Anchor], places: Sequence[int | None], text: Utf16Text
) -> Iterator[tuple[int, int]]:
    """By how many UTF-16 units each anchor with a place has moved, with its number."""
    for number, place in enumerate(places):
        if place is not None:
            yield number, text.to_utf16(place) - anchors[number].position.start


def _stands_whole(text: str, place: int, quote: Quote) -> bool:
    return _sides(text, place, quote) == (len(quote.prefix), len(quote.suffix)) and bool(
        quote.exact and text.startswith(quote.exact, place)
    )


def _leave_twins(anchors: Sequence[Anchor], places: list[int | None], text: Utf16Text) -> None:
    """Stale is what has gone to a twin that kept its surroundings when its own place was edited."""
    moves = dict(_moves(anchors, places, text))
    line = _longest_line({(anchors[number].position.start, move) for number, move in moves.items()})
    for number, move in moves.items():
        anchor, place = anchors[number], places[number]
        if place is not None and (
            _stands_in_old_text(anchor, place, move, line, text)
            or _has_left_a_part(anchor, place, move, line, text)
        ):
            places[number] = None


def _stands_in_old_text(anchor: Anchor, place: int, move: int, line: Line, text: Utf16Text) -> bool:
    """Whether it left the order of all others for a place between two of them where nothing was put in."""
    start = anchor.position.start
    after = bisect_left(line, start + move, key=sum)
    if after == len(line) or line[after] == (start, move):
        return False
    put_in = line[after][1] - (line[after - 1][1] if after else 0)
    return put_in < len(anchor.quote.exact) + max(_sides(text.text, place, anchor.quote))


def _has_left_a_part(anchor: Anchor, place: int, move: int, line: Line, text: Utf16Text) -> bool:
    """Whether it has gone far between its neighbours, and where they are stands another place with a side of
    it and an end of its quote: its own, edited."""
    before = bisect_left(line, anchor.position.start, key=itemgetter(0)) - 1
    after = bisect_right(line, anchor.position.start, key=itemgetter(0))
    if before < 0 or after == len(line):
        return False
    apart = (move - line[before][1], line[after][1] - move)
    if max(apart) <= _FAR or min(apart) >= -_FAR:
        return False
    first, last = text.to_index(sum(line[before]) - _FAR), text.to_index(sum(line[after]) + _FAR)
    return any(
        len(side) >= _TELLING and _stands_elsewhere(text.text, part, own, first, last)
        for side, part, own in _parts(anchor.quote, place)
    )


def _parts(quote: Quote, place: int) -> Iterator[tuple[str, str, int]]:
    """Each side, with it the end of the quote beside it, and where that stands if the quote is at `place`."""
    beginning, ending = quote.exact[:_EDITED], quote.exact[-_EDITED:]
    yield quote.prefix, quote.prefix + beginning, place - len(quote.prefix)
    yield quote.suffix, ending + quote.suffix, place + len(quote.exact) - len(ending)


def _stands_elsewhere(text: str, part: str, place: int, first: int, last: int) -> bool:
    """Whether `part` stands in text[first:last] at another index than `place`."""
    found = text.find(part, first, last)
    return (text.find(part, found + 1, last) if found == place else found) >= 0


def _longest_line(moved: Collection[tuple[int, int]]) -> list[tuple[int, int]]:
    """Of old places and their moves the most that have kept their order: a longest increasing subsequence.

    Fredman, On computing the length of longest increasing subsequences (1975).
    """
    ends: list[int] = []  # the least new place at the end of a line of each length, and whose it is
    last: list[tuple[int, int]] = []
    before: dict[tuple[int, int], tuple[int, int] | None] = {}
    for start, move in sorted(moved, key=lambda one: (one[0], -one[1])):
        length = bisect_left(ends, start + move)
        before[start, move] = last[length - 1] if length else None
        ends[length : length + 1] = [start + move]
        last[length : length + 1] = [(start, move)]
    line: list[tuple[int, int]] = []
    one = last[-1] if last else None
    while one is not None:
        line.append(one)
        one = before[one]
    return line[::-1]
