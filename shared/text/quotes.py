"""Finding the place a quotation means, or none. Never a guess.

A quote is looked for in three ways, each only where the one before found nothing: word for word;
without regard to what a quotation loses (`folding`); and with a few wrong characters. What it finds
is the document's own span. Several equally good places are told apart by the text around them, then by
nearness to a known place; where neither decides, there is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.boundaries import splits_word
from shared.text.folding import fold
from shared.text.positions import Utf16Text

Span = tuple[int, int]

MAX_OCCURRENCES = 1000  # of one quote; more are told apart by their surroundings or not at all
MIN_FUZZY_LENGTH = 12  # characters, folded: shorter quotes resemble too much
MIN_SIMILARITY = 90.0  # percent, see docs/retrieval.md
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
    found = _verbatim(text, quote) or _verbatim(text, quote.strip()) or _folded(text, quote)
    if found:
        return _the_one(text.text, found, known)
    return _resembling(text, fold(quote), known)


def _verbatim(text: Utf16Text, quote: str) -> list[Span]:
    spans = [(start, start + len(quote)) for start in _occurrences(text.text, quote)]
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
            scored[text.folded.source(*span)] = score
    if not scored:
        return None
    best = max(scored.values())
    close = [span for span, score in scored.items() if score > best - _AMBIGUITY]
    return _the_one(text.text, _apart(close, scored), known)


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


def _closest(places: list[int], wanted: int) -> list[int]:
    return sorted(places, key=lambda place: abs(place - wanted))[:_CANDIDATE_ENDS]
