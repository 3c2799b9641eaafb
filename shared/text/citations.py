"""Citations that cannot lie: each marker of an answer is checked against the passage it names.

A marker stays only if its passage supports its sentence, see `support`; it comes with the place of the
supporting words. A sentence whose markers do not all its work for it is listed as unsupported and loses them,
and so is a claim without markers. Nothing is ever attached to make a sentence look cited. Markers are written
[1][2] whatever the model wrote, and keep the model's numbers.
"""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from shared.text.claim_checks import Claim
from shared.text.claims import ABSTENTION, abstains_in, claim_text, is_abstention, is_claim
from shared.text.sentences import Kind, Marker, Unit, first_unit, marker_at, markers, may_become_marker
from shared.text.support import Evidence, Passage, Similarity, Support, jointly
from shared.text.terms import Terms, tokens
from shared.types import Match

__all__ = [
    "ABSTENTION",
    "AnswerEvent",
    "CheckedAnswer",
    "CheckedCitation",
    "CitationChecker",
    "check_answer",
    "is_abstention",
]

_BRACKET = re.compile(r"[\[【［]")


@dataclass(frozen=True, slots=True)
class CheckedCitation:
    """`[marker]` in the answer stands for `matches[match_index].text[start:end]` (Python indexes)."""

    marker: int
    match_index: int
    start: int
    end: int
    support: Support


AnswerEvent: TypeAlias = str | CheckedCitation


@dataclass(frozen=True, slots=True)
class CheckedAnswer:
    """Every marker in `answer` has a citation and every citation a marker."""

    answer: str
    citations: tuple[CheckedCitation, ...]
    unsupported: tuple[str, ...]  # sentences, without markers


def check_answer(text: str, matches: Sequence[Match], similarity: Similarity | None = None) -> CheckedAnswer:
    """Check a whole answer. Marker [n] names `matches[n - 1]`. Takes any text.

    `similarity` of two texts, 0 to 1, is asked before a paraphrase is accepted.
    """
    checker = CitationChecker(matches, similarity)
    checker.feed(text)
    checker.finish()
    return checker.result


class CitationChecker:
    """Checks an answer while it arrives: fed pieces, gives the texts and citations that may be sent.

    Text flows at once; from a marker on it waits until the sentence is whole. A citation comes after the text
    that holds its marker. The texts together are the answer of `check_answer`, for any division into pieces.
    """

    def __init__(self, matches: Sequence[Match], similarity: Similarity | None = None) -> None:
        self._matches = matches
        self._similarity = similarity
        self._passages: dict[int, Passage] = {}
        self._text = ""  # what is not settled yet
        self._ahead = 0  # how much of it is sent
        self._fence = ""
        self._line_start = True
        self._last_kind: Kind = "blank"
        self._said_before: frozenset[str] = frozenset()  # the content words of the sentence before
        self._answer: list[str] = []
        self._held = ""  # white space at the end of what is settled
        self._known: dict[CheckedCitation, None] = {}
        self._unsupported: list[str] = []

    @property
    def result(self) -> CheckedAnswer:
        """What is checked so far; all of it after `finish`."""
        return CheckedAnswer("".join(self._answer), tuple(self._known), tuple(self._unsupported))

    def feed(self, piece: str) -> list[AnswerEvent]:
        self._text += piece
        return self._advance(final=False)

    def finish(self) -> list[AnswerEvent]:
        return self._advance(final=True)

    # --- what goes out ------------------------------------------------------------------------------

    def _advance(self, *, final: bool) -> list[AnswerEvent]:
        events: list[AnswerEvent] = []
        start = 0
        while start < len(self._text) and (unit := self._next_unit(start, final=final)):
            events += self._settle(unit, start)
            start = unit.end
            self._fence, self._line_start = unit.fence, self._text[start - 1] == "\n"
        self._text = self._text[start:]
        if not final and (flowing := self._flowing()) > self._ahead:
            events += self._send(self._text[self._ahead : flowing])
            self._ahead = flowing
        return events

    def _next_unit(self, start: int, *, final: bool) -> Unit | None:
        return first_unit(self._text, start, self._fence, line_start=self._line_start, final=final)

    def _send(self, text: str) -> list[AnswerEvent]:
        """Text for the answer; white space waits for what comes after it."""
        held = self._held + text
        if not self._answer:
            held = held.lstrip()
        body = held.rstrip()
        self._held = held[len(body) :]
        if not body:
            return []
        self._answer.append(body)
        return [body]

    def _flowing(self) -> int:
        """How much of the unsettled text no marker can change."""
        if not self._fence:
            for bracket in _BRACKET.finditer(self._text, self._ahead):
                if may_become_marker(self._text, bracket.start()) or marker_at(self._text, bracket.start()):
                    return len(self._text[: bracket.start()].rstrip())
        return len(self._text.rstrip())

    def _settle(self, unit: Unit, start: int) -> list[AnswerEvent]:
        """Sends what is left of the text from `start` to the unit's end, then the unit's citations."""
        sentence = self._text[unit.start : unit.end]
        found = () if unit.kind in ("code", "blank") else markers(sentence)
        kept = self._judge(unit, sentence, found)
        written = self._text[start : unit.start] + _written(sentence, found, kept)
        events = self._send(written[self._ahead :])
        self._ahead = max(0, self._ahead - (unit.end - start))
        for number, evidence in kept.items():
            citation = CheckedCitation(number, number - 1, evidence.start, evidence.end, evidence.support)
            if citation not in self._known:
                self._known[citation] = None
                events.append(citation)
        return events

    # --- judging a sentence -------------------------------------------------------------------------

    def _judge(self, unit: Unit, sentence: str, found: Sequence[Marker]) -> dict[int, Evidence]:
        """The markers that hold, with their evidence; lists the sentence if it is a claim without any."""
        is_header = unit.kind == "row" and self._last_kind != "row"
        self._last_kind = unit.kind
        body = sentence[unit.body - unit.start :]
        kept = self._evidence(unit.kind, sentence, found) if found and unit.kind != "heading" else {}
        if not kept and not is_header:
            text = claim_text(body)
            if is_claim(text, unit.kind) and not abstains_in(text):
                self._unsupported.append(_written(body, markers(body), {}).strip())
        if unit.kind in ("text", "item"):
            self._said_before = Terms(tokens(claim_text(body))).keys
        return kept

    def _evidence(self, kind: Kind, sentence: str, found: Sequence[Marker]) -> dict[int, Evidence]:
        listed = kind in ("item", "row")
        parts = _parts(sentence, found, len(self._matches))
        cited = tuple(dict.fromkeys(number for _, numbers in parts for number in numbers))
        whole = self._supporting(self._claim(claim_text(sentence), listed=listed), cited)
        if not whole and len(parts) < 2:
            return {}
        held = dict(whole)
        for text, numbers in parts:
            evidence = self._supporting(self._claim(text, listed=listed), numbers)
            if not evidence and not whole:
                return {}
            held |= {number: place for number, place in evidence.items() if number not in held}
        return {number: held[number] for number in cited if number in held}

    def _claim(self, text: str, *, listed: bool) -> Claim:
        return Claim(text, listed, said_before=self._said_before)

    def _supporting(self, claim: Claim, numbers: Sequence[int]) -> dict[int, Evidence]:
        """Of the cited passages those that support a claim alone, else those that do together."""
        passages = {number: self._passage(number) for number in numbers}
        alone = {
            number: evidence
            for number, passage in passages.items()
            if (evidence := passage.evidence(claim, self._similarity))
        }
        return alone or (jointly(claim, passages, self._similarity) if len(passages) > 1 else {})

    def _passage(self, number: int) -> Passage:
        if number not in self._passages:
            match = self._matches[number - 1]
            context = ". ".join((match.document_title, *match.heading_path))
            self._passages[number] = Passage(match.text, context)
        return self._passages[number]


def _parts(sentence: str, found: Sequence[Marker], count: int) -> list[tuple[str, tuple[int, ...]]]:
    """The claims of a sentence, each with the markers behind it; markers out of range name nothing.

    What stands behind the last markers belongs to them. A part without content, such as "According to",
    belongs to the next.
    """
    parts: list[tuple[str, tuple[int, ...]]] = []
    text, start = "", 0
    numbers: tuple[int, ...] = ()
    for index, marker in enumerate(found):
        text += " " + sentence[start : marker.start]
        numbers += tuple(number for number in marker.numbers if 1 <= number <= count)
        start = marker.end
        following = found[index + 1].start if index + 1 < len(found) else len(sentence)
        if sentence[start:following].strip() and is_claim(claim_text(text)):
            parts.append((text, numbers))
            text, numbers = "", ()
    rest = text + " " + sentence[start:]
    if parts and not numbers:
        parts[-1] = (parts[-1][0] + rest, parts[-1][1])
    elif numbers:
        parts.append((rest, numbers))
    return [(claim_text(part), cited) for part, cited in parts]


def _written(sentence: str, found: Sequence[Marker], kept: Container[int]) -> str:
    """The sentence with the kept markers as [1][2]; the others go with the white space before them."""
    written, start = "", 0
    for marker in found:
        written += sentence[start : marker.start]
        start = marker.end
        numbers = [number for number in marker.numbers if number in kept]
        if numbers:
            written += "".join(f"[{number}]" for number in numbers)
        else:
            written, start = _without_gap(written, sentence, start)
    return written + sentence[start:]


def _without_gap(written: str, sentence: str, start: int) -> tuple[str, int]:
    """Closes the gap of a removed marker: in a line the space before it, at a line's start the one after."""
    before = written.rstrip(" \t")
    if before and not before.endswith("\n"):
        return before, start
    while sentence[start : start + 1] in (" ", "\t"):
        start += 1
    alone = start >= len(sentence) or sentence[start] == "\n"
    return (before.rstrip() if alone else before), start
