"""Finding the place a quotation means, or none. Never a guess.

A quote is looked for in three ways, each only where the one before found nothing: word for word;
without regard to what a quotation loses (`folding`); and with a few wrong characters in words that are
otherwise the same, so that no word, number or "not" has come or gone. What it finds is the document's own
span. Several equally good places are told apart by the text around them, then by nearness to a known place;
where neither decides, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.text.boundaries import splits_word
from shared.text.folding import fold
from shared.text.positions import Utf16Text
from shared.text.terms import NEGATORS, OPPOSITES, stem, unprefixed

Span = tuple[int, int]

MAX_OCCURRENCES = 1000  # of one quote; more are told apart by their surroundings or not at all
MIN_FUZZY_LENGTH = 20  # characters, folded: shorter quotes resemble too much
MIN_SIMILARITY = 90.0  # percent, see docs/quality.md
_AMBIGUITY = 4.0  # percent by which the best place must beat the next
_MIN_CONTEXT = 4  # characters of surroundings by which one place must beat the next
_SEEDS = 24  # words of the quote that are looked for
_MAX_SEED_OCCURRENCES = 200
_MAX_PLACES = 400  # that are compared in full; where more would have to be, the quote says too little
_MIN_SEEDED = 0.3  # of the letters looked for: in words that stand near a place as they are
_CANDIDATE_ENDS = 7  # word boundaries that are tried on each side
_MAX_FUZZY_LENGTH = 4000  # characters; bounds the comparison
# Scripts that put no spaces between words: each character counts as a word.
_UNSPACED = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\U00020000-\U0003ffff"
_SEED = re.compile(rf"[{_UNSPACED}]{{1,4}}|[^\W{_UNSPACED}]+")
_TOKEN = re.compile(rf"[^\W{_UNSPACED}]+|\S")
_NUMBER = re.compile(r"\d+")
_WORD = re.compile(r"\w+")
_ARTICLES = frozenset(("a", "an", "the"))
_LETTERS_A_SLIP = 6  # of the words that differ; a single word may have one slip, a single letter none


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What is known of a quote's place, folded."""

    prefix: str
    suffix: str
    near: int | None  # a Python index


def locate(
    text: Utf16Text, quote: str, *, prefix: str = "", suffix: str = "", near: int | None = None
) -> Span | None:
    """The Python indexes of the one place in `text` that `quote` means; None for none or several.

    `prefix` and `suffix` are what stands around it; `near` is a Python index it is nearest to. The
    span is the document's own words, which may differ from the quote in what `folding` removes or,
    from MIN_FUZZY_LENGTH characters on, in a few characters (never in a number).
    """
    if not quote.strip():
        return None
    known = _Surroundings(fold(prefix), fold(suffix), near)
    found = _verbatim(text, quote, known) or _verbatim(text, quote.strip(), known) or _folded(text, quote)
    if found:
        return _the_one(text.text, found, known)
    return _resembling(text, fold(quote), known)


def _verbatim(text: Utf16Text, quote: str, known: _Surroundings) -> list[Span]:
    """Whole words before parts of words, unless more is known than the quote."""
    spans = [(start, start + len(quote)) for start in _occurrences(text.text, quote)]
    if (known.prefix or known.suffix) and len(spans) <= MAX_OCCURRENCES:
        return spans
    return _whole_words(text.text, spans) or spans


def _folded(text: Utf16Text, quote: str) -> list[Span]:
    needle = fold(quote)
    if not needle:
        return []
    folded = text.folded
    spans = [folded.source(start, start + len(needle)) for start in _occurrences(folded.text, needle)]
    return _whole_words(text.text, spans)


def _occurrences(text: str, needle: str) -> Iterator[int]:
    """Where `needle` stands, overlapping or not; at most one more than MAX_OCCURRENCES."""
    start = text.find(needle)
    for _ in range(MAX_OCCURRENCES + 1):
        if start < 0:
            return
        yield start
        start = text.find(needle, start + 1)


def _whole_words(text: str, spans: list[Span]) -> list[Span]:
    return [span for span in spans if not (splits_word(text, span[0]) or splits_word(text, span[1]))]


# --- telling equal places apart ------------------------------------------------------------------


def _the_one(text: str, spans: list[Span], known: _Surroundings) -> Span | None:
    if len(spans) == 1:
        return spans[0]
    if len(spans) > MAX_OCCURRENCES:
        return None
    if known.prefix or known.suffix:
        spans = _best_surrounded(text, spans, known)
    return spans[0] if len(spans) == 1 else _nearest(spans, known.near)


def _best_surrounded(text: str, spans: list[Span], known: _Surroundings) -> list[Span]:
    """Those whose surroundings match clearly best; all of them where none does."""
    agreements = [_agreement(text, span, known) for span in spans]
    best = max(agreements)
    if best < min(_MIN_CONTEXT, len(known.prefix) + len(known.suffix)):
        return spans
    close = best - _MIN_CONTEXT if best < len(known.prefix) + len(known.suffix) else best - 1
    return [span for span, agreement in zip(spans, agreements, strict=True) if agreement > close]


def _agreement(text: str, span: Span, known: _Surroundings) -> int:
    """How many characters of the surroundings stand around the span."""
    start, end = span
    before = fold(text[max(0, start - 2 * len(known.prefix)) : start])
    after = fold(text[end : end + 2 * len(known.suffix)])
    return common_length(before[::-1], known.prefix[::-1]) + common_length(after, known.suffix)


def common_length(first: str, second: str) -> int:
    """The length of the longest common prefix."""
    length = min(len(first), len(second))
    if first[:length] == second[:length]:
        return length
    return next(index for index in range(length) if first[index] != second[index])


def _nearest(spans: list[Span], near: int | None) -> Span | None:
    if near is None:
        return None
    ranked = sorted(spans, key=lambda span: abs(span[0] - near))
    if abs(ranked[0][0] - near) == abs(ranked[1][0] - near):
        return None
    return ranked[0]


# --- with a few wrong characters -----------------------------------------------------------------


def _resembling(text: Utf16Text, quote: str, known: _Surroundings) -> Span | None:
    if not MIN_FUZZY_LENGTH <= len(quote) <= _MAX_FUZZY_LENGTH:
        return None
    scored: dict[Span, float] = {}
    for place in _places(text.folded.text, quote):
        aligned = _aligned(text.folded.text, quote, place)
        if aligned:
            span, score = aligned
            scored[span] = score
    if not scored:
        return None
    best = max(scored.values())
    close = _apart([span for span, score in scored.items() if score > best - _AMBIGUITY], scored)
    the_one = _the_one(text.text, [text.folded.source(*span) for span in close], known)
    for span in close:
        if text.folded.source(*span) == the_one:
            return the_one if _says_the_same(quote, text.folded.text[slice(*span)]) else None
    return None


def _apart(spans: list[Span], scored: dict[Span, float]) -> list[Span]:
    """Of spans that overlap, the better one."""
    kept: list[Span] = []
    for span in sorted(spans, key=lambda one: -scored[one]):
        if all(span[1] <= other[0] or other[1] <= span[0] for other in kept):
            kept.append(span)
    return kept


def _places(text: str, quote: str) -> list[int]:
    """Where in the folded text the quote might begin, by its longer words that stand there."""
    words = {word[0]: word.start() for word in _SEED.finditer(quote)}
    seeds = sorted(words, key=len, reverse=True)[:_SEEDS]
    half = 4 + len(quote) // 16
    votes: dict[int, int] = {}
    for word in seeds:
        windows = {
            window
            for start in _seed_starts(text, word)
            for window in ((start - words[word]) // half, (start - words[word]) // half - 1)
        }
        for window in windows:
            votes[window] = votes.get(window, 0) + len(word)
    least = _MIN_SEEDED * sum(map(len, seeds))
    likely = [window for window, letters in votes.items() if letters >= least]
    return [max(0, window * half) for window in likely] if len(likely) <= _MAX_PLACES else []


def _seed_starts(text: str, word: str) -> list[int]:
    """Where a word stands, unless it is too common to say anything."""
    starts: list[int] = []
    start = text.find(word)
    while start >= 0:
        starts.append(start)
        if len(starts) > _MAX_SEED_OCCURRENCES:
            return []
        start = text.find(word, start + 1)
    return starts


def _aligned(text: str, quote: str, place: int) -> tuple[Span, float] | None:
    """The words near `place` that resemble the quote most, with their similarity in percent."""
    from rapidfuzz import fuzz

    slack = 24 + len(quote) // 4
    offset = max(0, place - slack)
    window = text[offset : place + len(quote) + 2 * slack]
    if len(window) < len(quote):
        rough_start, rough_end = 0, len(window)
    else:
        rough = fuzz.partial_ratio_alignment(quote, window, score_cutoff=MIN_SIMILARITY - 20)
        if rough is None:
            return None
        rough_start, rough_end = rough.dest_start, rough.dest_end
    return _best_words(window, quote, (rough_start, rough_end), offset)


def _best_words(window: str, quote: str, rough: Span, offset: int) -> tuple[Span, float] | None:
    """The best span about `rough` that begins and ends with whole words."""
    from rapidfuzz import fuzz

    words = [found.span() for found in _TOKEN.finditer(window)]
    starts = _closest([start for start, _ in words], rough[0])
    ends = _closest([end for _, end in words], rough[1])
    best: tuple[Span, float] | None = None
    for start in starts:
        for end in ends:
            if start < end:
                score = fuzz.ratio(quote, window[start:end], score_cutoff=MIN_SIMILARITY)
                if score and (best is None or score > best[1]):
                    best = (start, end), score
    if best is None:
        return None
    (start, end), score = best
    if _NUMBER.findall(quote) != _NUMBER.findall(window[start:end]):
        return None
    return (start + offset, end + offset), score


def _says_the_same(quote: str, found: str) -> bool:
    """Whether the words are the same but for slips: no other word, number or negation has come or gone."""
    from rapidfuzz.distance import Levenshtein

    if _negations(quote) != _negations(found):
        return False
    here, there = _WORD.findall(quote), _WORD.findall(found)
    at, beside = 0, 0
    for block in Levenshtein.opcodes(here, there).as_matching_blocks():  # the last is empty, at the ends
        if not _is_slip(here[at : block.a], there[beside : block.b]):
            return False
        at, beside = block.a + block.size, block.b + block.size
    return True


def _negations(text: str) -> int:
    return sum(word in NEGATORS for word in _WORD.findall(text)) + text.count("n't")


def _is_slip(here: Sequence[str], there: Sequence[str]) -> bool:
    """Whether words are the others with letters mistaken, parted or joined, and not words that look alike.

    An article more or less says nothing else.
    """
    if any(_are_opposite(word, beside) for word in here for beside in there):
        return False
    bare = ("".join(word for word in words if word not in _ARTICLES) for words in (here, there))
    return _look_alike("".join(here), "".join(there)) or _look_alike(*bare)


def _look_alike(one: str, other: str) -> bool:
    from rapidfuzz.distance import OSA

    longer = max(len(one), len(other))
    return OSA.distance(one, other) <= max(min(1, longer - 1), longer // _LETTERS_A_SLIP)


def _are_opposite(one: str, other: str) -> bool:
    """Whether one word means the contrary of the other: enable and disable, mutable and immutable."""
    here, there = {one, stem(one)}, {other, stem(other)}
    contrary = unprefixed(one).union(*(OPPOSITES[word] for word in here if word in OPPOSITES))
    return not contrary.isdisjoint(there) or not unprefixed(other).isdisjoint(here)


def _closest(places: list[int], wanted: int) -> list[int]:
    return sorted(places, key=lambda place: abs(place - wanted))[:_CANDIDATE_ENDS]
