"""What in a passage supports a sentence of an answer, judged by its words.

Two ways to pass. *Verified*: the claim's words stand in the passage in a row and the rest of their sentence
does not turn them, or every quotation in it stands there. *Paraphrase*: one to three sentences in a row
hold enough of the claim's words and nothing speaks against it; what is enough and what speaks against it
stands in `claim_checks`. Where a similarity of texts is given, claim and clauses must be alike as well. A
wrong citation is worse than a missing one, so that every doubt counts against.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, chain, pairwise
from typing import Literal, TypeAlias

from shared.text.claim_alignment import stretch
from shared.text.claim_checks import (
    Claim,
    Window,
    chained,
    contradicts,
    departs,
    falls_short,
)
from shared.text.sentences import markers, sentences
from shared.text.terms import CONDITIONS, Terms, tokens

Support: TypeAlias = Literal["verified", "paraphrase"]
Similarity: TypeAlias = Callable[[str, str], float]  # of two texts, such as a cosine of their vectors

SIMILARITY = 0.65  # what a similarity must reach where one is given, see docs/quality.md
VERBATIM_WORDS = 3  # so many words in a row are a quotation, though nobody marked it
_WINDOW = 3  # sentences


@dataclass(frozen=True, slots=True)
class Evidence:
    """`text[start:end]` of the passage supports the claim."""

    support: Support
    start: int
    end: int


class Passage:
    """A passage made ready for many claims. `context` is its title and headings."""

    def __init__(self, text: str, context: str = "") -> None:
        self.text = text
        self.context = Terms(tokens(context))
        self._sentences = _sentences(text)
        self._tokens = [token for _, _, terms in self._sentences for token in terms.tokens]
        self._spoken = [index for index, token in enumerate(self._tokens) if token.spoken]
        written = [self._tokens[index].written for index in self._spoken]
        self._joined = " " + " ".join(written) + " "
        self._offsets = [0, *accumulate(len(word) + 1 for word in written)]

    def evidence(self, claim: Claim, similarity: Similarity | None = None) -> Evidence | None:
        """What in this passage alone supports the claim."""
        if any(self.place(words, quoted=True) is None for words in claim.quotations):
            return None
        if claim.quotations and claim.words == tuple(chain.from_iterable(claim.quotations)):
            place = self.place(claim.quotations[0], quoted=True)
            return Evidence("verified", *place) if place else None
        long_enough = len(claim.words) >= (1 if claim.listed else VERBATIM_WORDS) and claim.terms.content
        if long_enough and (place := self._stated_as_it_is(claim)):
            return Evidence("verified", *place)
        window, contradicted = self._supporting(claim, similarity)
        if window is None:
            return None if contradicted else self._by_clauses(claim, similarity)
        if any(contradicts(clause, window) or departs(clause, window) for clause in claim.clauses):
            return None
        if claim.quotations and (place := self.place(claim.quotations[0], quoted=True)):
            return Evidence("verified", *place)
        return Evidence("paraphrase", window.start, window.end)

    def _stated_as_it_is(self, claim: Claim) -> tuple[int, int] | None:
        """Where the claim's words stand in a row, and the rest of their sentences does not turn them."""
        for start, end in self._places(claim.words, quoted=False):
            around = tuple(terms for first, last, terms in self._sentences if first < end and start < last)
            whole = sum(token.spoken for terms in around for token in terms.tokens) == len(claim.words)
            if whole or not departs(claim, Window(start, end, around, self.context)):
                return start, end
        return None

    def place(self, words: Sequence[str], *, quoted: bool = False) -> tuple[int, int] | None:
        """Where the words stand in a row, as indexes of `text`.

        Words that are not quoted count only where no "not", "may" or "if" stands before them.
        """
        return next(self._places(words, quoted=quoted), None)

    def _places(self, words: Sequence[str], *, quoted: bool) -> Iterator[tuple[int, int]]:
        needle = " " + " ".join(words) + " "
        offset = self._joined.find(needle)
        while offset >= 0:
            first = bisect_right(self._offsets, offset) - 1
            if quoted or not self._is_qualified(self._spoken[first]):
                last = self._spoken[first + len(words) - 1]
                yield self._tokens[self._spoken[first]].start, self._tokens[last].end
            offset = self._joined.find(needle, offset + 1)

    def _is_qualified(self, index: int) -> bool:
        """Whether a negation, a hedge or a condition stands before a token in its clause."""
        for token in reversed(self._tokens[max(0, index - 12) : index]):
            if token.kind == "border":
                return False
            if token.kind in ("negator", "hedge") or token.word in CONDITIONS:
                return True
        return False

    def _by_clauses(self, claim: Claim, similarity: Similarity | None) -> Evidence | None:
        """Several clauses, each of which some sentences support: the place is from the first to the last."""
        windows = [self._supporting(clause, similarity)[0] for clause in claim.clauses]
        found = [window for window in windows if window]
        if not found or len(found) < len(windows):
            return None
        start, end = min(window.start for window in found), max(window.end for window in found)
        return Evidence("paraphrase", start, end)

    def best_window(self, claim: Claim) -> Window | None:
        """The shortest sentences that hold most of the claim's words."""
        windows = self._windows(claim, 1)
        return max(windows, key=lambda window: len(claim.terms.keys & window.keys), default=None)

    def _supporting(self, claim: Claim, similarity: Similarity | None) -> tuple[Window | None, bool]:
        """The shortest window that supports the claim, and that no nearer one and none in it contradicts.

        Also whether any contradicts it.
        """
        contradicting: list[Window] = []
        supporting: Window | None = None
        for window in self._windows(claim, claim.needed):
            if any(window.start <= other.start and other.end <= window.end for other in contradicting):
                continue
            if falls_short(claim, window):
                continue
            if contradicts(claim, window) or departs(claim, window):
                contradicting.append(window)
            elif supporting is None and is_alike(claim, self.text_used(claim, window), similarity):
                supporting = window
        if supporting and any(_nearness(claim, one) > _nearness(claim, supporting) for one in contradicting):
            supporting = None
        return supporting, bool(contradicting)

    def text_used(self, claim: Claim, window: Window) -> str:
        """The clauses of the window from the first to the last that the claim has words of."""
        start, end = stretch(claim.terms, window.terms)
        return self.text[start:end]

    def text_of(self, window: Window) -> str:
        return self.text[window.start : window.end]

    def _windows(self, claim: Claim, needed: int) -> Iterator[Window]:
        """Sentences in a row, few first, that hold so many of the claim's words."""
        hits = [claim.hits(terms) for _, _, terms in self._sentences]
        known = claim.hits(self.context)
        for size in range(1, _WINDOW + 1):
            for first in range(len(hits) - size + 1):
                inside = hits[first : first + size]
                part = self._sentences[first : first + size]
                parts = tuple(terms for _, _, terms in part)
                if inside[0] and inside[-1] and len(known.union(*inside)) >= needed and _hang_together(parts):
                    yield Window(part[0][0], part[-1][1], parts, self.context)


def is_alike(claim: Claim, text: str, similarity: Similarity | None) -> bool:
    """Whether the claim is alike enough to what supports it by its words, where that is asked."""
    return similarity is None or similarity(claim.text, text) >= SIMILARITY


def jointly(
    claim: Claim, passages: Mapping[int, Passage], similarity: Similarity | None = None
) -> dict[int, Evidence]:
    """Where no passage supports a claim alone: those that do so together, each with a part of its own."""
    if any(
        all(passage.place(words, quoted=True) is None for passage in passages.values())
        for words in claim.quotations
    ):
        return {}
    best = {index: window for index, passage in passages.items() if (window := passage.best_window(claim))}
    parts = tuple(chain.from_iterable(window.parts for window in best.values()))
    whole = Window(0, 0, parts, chained([window.context for window in best.values()]))
    if len(best) < 2 or falls_short(claim, whole) or contradicts(claim, whole):
        return {}
    if departs(claim, whole):
        return {}
    if any(contradicts(claim, window) for window in best.values()):
        return {}
    texts = " ".join(passages[index].text_of(window) for index, window in best.items())
    if not is_alike(claim, texts, similarity):
        return {}
    shares = {index: claim.terms.keys & window.terms.keys for index, window in best.items()}
    own = {
        index
        for index, share in shares.items()
        if share.difference(*(other for key, other in shares.items() if key != index))
    }
    return {
        index: Evidence("paraphrase", best[index].start, best[index].end) for index in best if index in own
    }


def _nearness(claim: Claim, window: Window) -> int:
    return len(claim.terms.keys & window.terms.keys)


def _hang_together(parts: Sequence[Terms]) -> bool:
    """Whether each sentence goes on with the one before it."""
    return all(after.refers_back or before.leads_in for before, after in pairwise(parts))


def _sentences(text: str) -> list[tuple[int, int, Terms]]:
    """Start, end and words of each sentence; markers in the passage itself are no numbers of it."""
    blanked = _without_markers(text)
    units = ((unit.body, unit.end) for unit in sentences(text))
    found = [(start, end, Terms(tokens(blanked, start, end))) for start, end in units]
    return [(start, end, terms) for start, end, terms in found if terms.tokens]


def _without_markers(text: str) -> str:
    parts: list[str] = []
    end = 0
    for marker in markers(text):
        parts += [text[end : marker.start], " " * (marker.end - marker.start)]
        end = marker.end
    return "".join([*parts, text[end:]])
