"""Rules about the words: placeholders, long sentences and paragraphs, repeated words, acronyms.

They read the prose alone, so nothing inside code, HTML, links' targets or addresses is found.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from shared.text.offline.known_words import KNOWN_ACRONYMS, LEGITIMATE_REPEATS, STOP_WORDS
from shared.text.offline.model import Finding, Severity
from shared.text.offline.sentences import count_words
from shared.text.offline.view import MarkdownView

LONG_SENTENCE, VERY_LONG_SENTENCE = 40, 60  # words
LONG_PARAGRAPH, VERY_LONG_PARAGRAPH = 150, 250  # words

_MARKER = r"TODO|TBD|TBC|TBA|FIXME"
_PLACEHOLDER = re.compile(
    rf"(?<![\w$/.-])(?P<marker>{_MARKER})(?![\w/-]|\.\w)(?!\s+(?:list|lists|item|items|app|apps|comment|comments)\b)"
    r"|(?<![\w/.-])(?P<crosses>x{3,})(?![\w/-]|\.\w)"
    r"|(?P<lorem>\blorem ipsum\b)"
    r"|(?P<angle><(?:your|insert|enter)[\s_-][^<>\r\n]{1,60}>)"
    r"|(?P<square>\[(?:your|insert|enter)[\s_-][^\[\]\r\n]{1,60}\](?![(\[\ufffc]))"
    r"|(?P<soon>\bcoming soon\b|\bto be (?:determined|decided|written|announced|completed)\b)",
    re.IGNORECASE,
)
_COMMENT_MARKER = re.compile(rf"\b(?:{_MARKER}|XXX)\b")
_REPEATED = re.compile(r"\b([^\W\d_]{2,30})(\s++)\1\b(?![’'-]\w)", re.IGNORECASE)
_SHORT_SENTENCE = 8  # words: "Coming soon." is a placeholder, a long sentence with these words is not


def placeholders(view: MarkdownView) -> Iterator[Finding]:
    for found in _PLACEHOLDER.finditer(view.prose):
        if (found["marker"] and not found[0].isupper()) or (
            found["soon"] and not _in_short_sentence(view, found.start())
        ):
            continue
        yield Finding(
            Severity.WARNING,
            "placeholder",
            f"“{found[0]}” is a placeholder; put the real text here or remove it.",
            found.start(),
            found.end(),
        )


def _in_short_sentence(view: MarkdownView, offset: int) -> bool:
    prose = view.prose
    left, right = max(0, offset - 200), min(len(prose), offset + 200)
    before = re.split(r"[.!?|\ufffe]", prose[left:offset])[-1]
    after = re.split(r"[.!?|\ufffe]", prose[offset:right])[0]
    return count_words(before + after) <= _SHORT_SENTENCE


def comment_placeholders(view: MarkdownView) -> Iterator[Finding]:
    for start, end in view.inline.comments:
        if found := _COMMENT_MARKER.search(view.content, start, end):
            yield Finding(
                Severity.INFORMATION,
                "placeholder",
                f"A hidden comment holds “{found[0]}”; do what it says and remove it.",
                found.start(),
                found.end(),
            )


def long_sentences(view: MarkdownView) -> Iterator[Finding]:
    for start, end in view.sentences:
        if end - start < 2 * LONG_SENTENCE:
            continue
        words = count_words(view.prose, start, end)
        if words <= LONG_SENTENCE:
            continue
        yield Finding(
            Severity.WARNING if words > VERY_LONG_SENTENCE else Severity.INFORMATION,
            "long-sentence",
            f"This sentence has {words} words; split it, 25 or fewer are easy to read.",
            start,
            end,
        )


def long_paragraphs(view: MarkdownView) -> Iterator[Finding]:
    for paragraph in view.markdown.paragraphs:
        if paragraph.end - paragraph.start < 2 * LONG_PARAGRAPH:
            continue
        words = count_words(view.prose, paragraph.start, paragraph.end)
        if words <= LONG_PARAGRAPH:
            continue
        yield Finding(
            Severity.WARNING if words > VERY_LONG_PARAGRAPH else Severity.INFORMATION,
            "long-paragraph",
            f"This paragraph has {words} words; divide it, {LONG_PARAGRAPH} or fewer are easy to read.",
            paragraph.start,
            paragraph.end,
        )


def repeated_words(view: MarkdownView) -> Iterator[Finding]:
    for found in _REPEATED.finditer(view.prose):
        first, second = found[1], view.prose[found.end() - len(found[1]) : found.end()]
        # "The the" is a slip; "Logs logs" and "Will will" are a name and a word.
        capital = (
            first.istitle() and first.lower() == second and second in STOP_WORDS - {"will", "may", "can"}
        )
        if not (first == second or capital) or first.lower() in LEGITIMATE_REPEATS:
            continue
        yield Finding(
            Severity.WARNING,
            "repeated-word",
            f"“{first}” stands twice in a row; remove one.",
            found.start(),
            found.end(),
            first,
        )


_ACRONYM = re.compile(r"(?<![\w$#@&/.\\-])([A-Z]{2,6}[0-9]?)(s?)(?![\w/\\-]|['’](?!s\b)|\.\w|\()")
_SHOUTED = re.compile(r"(?<![A-Z])[A-Z]{2,}+(?:[ ,]++[A-Z]{2,}+){2,}|(?<![A-Z])[A-Z]{2,}+ [A-Z]{2,}+(?=[!:])")
_ADVERB = re.compile(r"[A-Z]{3,}LY")
_SMALL_WORD = re.compile(r"\b[a-z]{2,6}\b")
_DEFINED_IN_BRACKETS = re.compile(r"[(（][\"“'*_]*([A-Z][A-Za-z0-9]{1,6}?)s?[\"”'*_]*[)）,;]")
_EXPLAINED = re.compile(
    r"\b([A-Z]{2,6}[0-9]?)s?[*_]*(?:\s*[(（][*_]*[A-Za-z][a-z]+[\s-]+|\s+[–—=-]+\s|:\s"
    r"|,? or [A-Z]?[a-z]+[\s-]|,? (?:stands for|is short for|short for|which stands for|means|is an? |are ))"
)


def undefined_acronyms(view: MarkdownView) -> Iterator[Finding]:
    """Each acronym once, at its first place, when no place expands it."""
    prose = view.prose
    uses: dict[str, list[int]] = {}
    for found in _ACRONYM.finditer(prose):
        if found[1] not in KNOWN_ACRONYMS:
            uses.setdefault(found[1], []).append(found.start(1))
    if not uses:
        return
    for acronym in _unexplained(prose, uses):
        places = uses[acronym]
        times = "once" if len(places) == 1 else f"{len(places)} times"
        yield Finding(
            Severity.HINT,
            "undefined-acronym",
            f"“{acronym}” is used {times} and never expanded; write it out at its first use.",
            places[0],
            places[0] + len(acronym),
        )


def _unexplained(prose: str, uses: dict[str, list[int]]) -> Iterator[str]:
    """What also stands in small letters, or in a line of capitals, is emphasis and no acronym."""
    explained = {found[1] for found in _DEFINED_IN_BRACKETS.finditer(prose)}
    explained |= {found[1] for found in _EXPLAINED.finditer(prose)}
    small = set(_SMALL_WORD.findall(prose))
    shouted = [found.span() for found in _SHOUTED.finditer(prose)]
    for acronym, places in uses.items():
        index = bisect_right(shouted, places[0], key=lambda span: span[0]) - 1
        emphasis = acronym.lower() in small or (index >= 0 and places[0] < shouted[index][1])
        if acronym not in explained and not emphasis and not _ADVERB.fullmatch(acronym):
            yield acronym


RULES = (
    placeholders,
    comment_placeholders,
    long_sentences,
    long_paragraphs,
    repeated_words,
    undefined_acronyms,
)
