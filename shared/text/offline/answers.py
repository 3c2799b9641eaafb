"""Answers without a model: the sentences of the passages that fit the question best, word for word.

It quotes and never phrases. When no sentence meets enough of the question's words it says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from shared.text.offline.model import Cited, OfflineAnswer
from shared.text.offline.question import Question, read_question
from shared.text.offline.terms import terms
from shared.text.offline.units import Unit, units
from shared.types import Match

ABSTENTION = "The documents do not say."
THRESHOLD = 0.40  # of `confidence`; benchmarks/abstention.py measures it
MOST_QUOTES = 4

_CONTEXT, _HEADING, _BEFORE = 0.7, 0.5, 0.3  # what a term counts that is met there, not in the sentence
_PASSAGE = 0.15  # of the whole passage's coverage; it orders sentences that are alike
_RANK = 0.01  # per place in the order of retrieval
_LOOKED_AT = 40  # candidates, best first
_NEAR = 0.15  # for words of the question that stand together in the sentence too
_SIDE_BY_SIDE = 1.1  # of that, where not even one word stands between them
_FURTHER = 0.8  # of the best score, that a further quote must reach
_ALIKE = 0.6  # of the terms in common: the same thing said twice

_ABOUT = frozenset(
    terms("about document documents page file text summary summarise summarize overview topic")
)


@dataclass(frozen=True, slots=True)
class _Candidate:
    unit: Unit
    text: str
    confidence: float  # how far the question is met, 0 to 1, less what speaks against it
    score: float  # by which candidates are ordered


def answer(question: str, matches: Sequence[Match]) -> OfflineAnswer:
    """One to four quotes, each with its marker, or an abstention.

    The same arguments give the same answer.
    """
    chosen = _opening(question, matches) or [one.unit for one in _chosen(_ranked(question, matches))]
    return quoted(chosen, matches) if chosen else OfflineAnswer(ABSTENTION, (), abstained=True)


def confidence(question: str, matches: Sequence[Match]) -> float:
    """How far the best sentence meets the question: what `answer` compares with THRESHOLD."""
    return max((one.confidence for one in _ranked(question, matches)[:_LOOKED_AT]), default=0.0)


def _ranked(question: str, matches: Sequence[Match]) -> list[_Candidate]:
    found = [list(units(index, match)) for index, match in enumerate(matches)]
    asked = read_question(question, [unit.terms for passage in found for unit in passage])
    if not asked.weights:
        return []
    candidates: list[_Candidate] = []
    for match, passage in zip(matches, found, strict=True):
        candidates.extend(_candidates(asked, match, passage))
    return sorted(candidates, key=lambda one: (-one.score, one.unit.match, one.unit.start))


def _candidates(asked: Question, match: Match, passage: Sequence[Unit]) -> Iterator[_Candidate]:
    headings = frozenset(terms(" ".join((match.document_title, *match.heading_path))))
    whole = asked.coverage((frozenset(term for unit in passage for term in unit.terms), 1.0))
    before: frozenset[str] = frozenset()
    for unit in passage:
        held = frozenset(unit.terms)
        text = match.text[unit.start : unit.end]
        met = asked.coverage((held, 1.0), (unit.context, _CONTEXT), (headings, _HEADING), (before, _BEFORE))
        if asked.weights.keys() & (held | unit.context):
            fit = _form(asked, text, unit) + _NEAR * _nearness(asked, unit) - unit.noise
            score = met + fit + _PASSAGE * whole - _RANK * unit.match
            yield _Candidate(unit, text, met - asked.doubt(text, held | headings), score)
        before = held


_HOW = re.compile(r"\s*how\s+(?:do|does|can|could|should|would|to|is|are)\b", re.IGNORECASE)
_WHAT = re.compile(r"\s*(?:what|who)(?:['’]s|\s+(?:is|are|was|were|does))\b", re.IGNORECASE)
_WHEN = re.compile(r"\b(?:when|what year|which year|what date)\b", re.IGNORECASE)
_HOW_MANY = re.compile(r"\bhow (?:many|much|long|old|far|often|large|big)\b", re.IGNORECASE)
_WHY = re.compile(r"\s*why\b", re.IGNORECASE)
_DEFINES = re.compile(r"\b(?:is|are|was|were|means?|refers? to|represents?|lets|allows|provides?)\b")
_IS_A = re.compile(r"\b(?:is|are|was|were) (?:an?|the|any|one|[a-z]+s)\b|\b(?:means|refers to|stands for)\b")
_INSTRUCTS = re.compile(r"\W*(?:To|Use|Run|Add|Create|Call|Set|Write|Choose|Open|Start|First)\b")
_ADVISES = re.compile(r"\b(?:you can|we can|you could|you use|we use|you need to|by \w+ing|using)\b")
_DATE = re.compile(r"\b[0-9]{3,4}\b|\b(?:January|February|March|April|May|June|July|August)\b")
_QUANTITY = re.compile(r"[0-9]|\b(?:one|two|three|four|five|six|seven|eight|hundred|thousand|million)\b")
_REASON = re.compile(r"\b(?:because|since|so that|reason|therefore|due to|in order to|as a result)\b")


def _form(asked: Question, text: str, unit: Unit) -> float:
    """What a sentence gains when it has the form of an answer to this kind of question."""
    first = set(unit.terms[:4])
    leads = len(first & asked.weights.keys()) / min(4, len(asked.weights))
    if _HOW_MANY.search(asked.text):
        return 0.1 * bool(_QUANTITY.search(text))
    if _HOW.match(asked.text):
        return 0.2 * leads * bool(_INSTRUCTS.match(text)) + 0.05 * bool(_ADVISES.search(text))
    if _WHAT.match(asked.text):
        defines = asked.weights.keys() & set(unit.terms[:1]) and _IS_A.search(text[:100])
        return 0.2 * leads * bool(_DEFINES.search(text[:120])) + 0.1 * bool(defines)
    if _WHEN.search(asked.text):
        return 0.1 * bool(_DATE.search(text))
    return 0.1 * bool(_WHY.match(asked.text) and _REASON.search(text))


def _nearness(asked: Question, unit: Unit) -> float:
    """The share of the question's neighbouring terms that are neighbours in the sentence, or nearly so."""
    pairs = list(pairwise(asked.weights))
    if not pairs:
        return 0.0
    return sum(max(_neighbours(pair, unit), _neighbours(pair[::-1], unit)) for pair in pairs) / len(pairs)


def _neighbours(pair: tuple[str, str], unit: Unit) -> float:
    if pair in pairwise(unit.terms):
        return _SIDE_BY_SIDE
    return 1.0 if pair in zip(unit.terms, unit.terms[2:], strict=False) else 0.0


def _chosen(candidates: Sequence[_Candidate]) -> list[_Candidate]:
    """The best, and further ones that come near it and say something else; none when none meets enough."""
    chosen: list[_Candidate] = []
    for one in candidates[:_LOOKED_AT]:
        if len(chosen) == MOST_QUOTES or (chosen and one.score < _FURTHER * chosen[0].score):
            break
        if one.confidence >= THRESHOLD and not any(_alike(one, other) for other in chosen):
            chosen.append(one)
    return chosen


def _alike(one: _Candidate, other: _Candidate) -> bool:
    first, second = set(one.unit.terms), set(other.unit.terms)
    return len(first & second) >= _ALIKE * max(1, min(len(first), len(second)))


def _opening(question: str, matches: Sequence[Match]) -> list[Unit]:
    """For a question about the document itself: the first sentences of the passages that come first."""
    asked = terms(question)
    if not matches or not asked or not _ABOUT.issuperset(asked):
        return []
    first = min(range(len(matches)), key=lambda index: (matches[index].start, index))
    return list(units(first, matches[first]))[:2]


def quoted(chosen: Sequence[Unit], matches: Sequence[Match]) -> OfflineAnswer:
    """These parts of the passages, word for word, each with its marker."""
    citations = tuple(
        Cited(marker, unit.match, unit.start, unit.end) for marker, unit in enumerate(chosen, start=1)
    )
    quotes = [f"“{matches[one.match_index].text[one.start : one.end]}” [{one.marker}]" for one in citations]
    return OfflineAnswer("The documents say: " + "\n\n".join(quotes), citations, abstained=False)
