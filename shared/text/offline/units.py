"""What can be quoted from a passage: its sentences, its table rows, and the lines of code and data."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.text.markdown_inline import FILLER
from shared.text.offline.terms import terms
from shared.text.offline.view import MarkdownView
from shared.types import Match

_LONGEST = 700  # characters of one quote
_SHORTEST = 2  # words of a quote
_CODE_END = re.compile(r"[{}\[\];,]\s*$|^\s*(?://|/?\*)")
_WORD = re.compile(r"[^\W_]{2,}")
_MARKUP = re.compile(r"<!--|</?[a-z]+[ >]|\]\(|\]\[|\n>")
_FINISHED = re.compile(r"[.!?:。！？][\W_]*\Z")
_LEANING = re.compile(
    r"\W*(?:this|that|these|those|it|they|then|however|also|but|and|so|therefore|here|instead|such|second|third)\b",
    re.IGNORECASE,
)
_TABLE_RULE = re.compile(r"[\s|:-]*")


@dataclass(frozen=True, slots=True)
class Unit:
    """`matches[match].text[start:end]`; `context` are the terms of what it introduces, such as code.

    `noise`, 0 or more, is how badly it reads when it stands alone.
    """

    match: int
    start: int
    end: int
    terms: tuple[str, ...]
    context: frozenset[str]
    noise: float


def units(match_index: int, match: Match) -> Iterator[Unit]:
    """The parts of a passage that can be quoted, in order, verbatim."""
    spans = _code_lines(match.text) if _looks_like_code(match.text) else None
    if spans is not None:
        for start, end in spans:
            yield _unit(match_index, match.text, start, end, "", 0.0)
        return
    view = MarkdownView.of(match.text)
    code = _code_after(view)
    for start, end in _prose_spans(view):
        noise = _noise(match.text[start:end], view.prose[start:end])
        yield _unit(match_index, match.text, start, end, code.get(end, ""), noise)


def _unit(match_index: int, text: str, start: int, end: int, code: str, noise: float) -> Unit:
    return Unit(match_index, start, end, tuple(terms(text[start:end])), frozenset(terms(code)), noise)


def _noise(text: str, prose: str) -> float:
    """Mostly markup, no end, a question, or a beginning that leans on the sentence before."""
    markup = len(_MARKUP.findall(text))
    unfinished = not _FINISHED.search(prose)
    return (
        0.3 * (prose.count(FILLER) > 0.5 * len(prose))
        + 0.05 * min(3, markup)
        + 0.1 * (unfinished and not text.rstrip().endswith(":"))
        + 0.05 * text.rstrip().endswith(":")
        + 0.15 * text.rstrip().endswith("?")
        + 0.05 * bool(_LEANING.match(prose))
    )


def _prose_spans(view: MarkdownView) -> Sequence[tuple[int, int]]:
    spans = [span for span in view.sentences if _is_quotable(view.content, *span)]
    for table in view.markdown.tables:
        spans.extend(_lines(view.content, table.start, table.end))
    return sorted(spans)


def _is_quotable(text: str, start: int, end: int) -> bool:
    return end - start <= _LONGEST and len(_WORD.findall(text, start, end)) >= _SHORTEST


def _lines(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    position = start
    for line in text[start:end].splitlines(keepends=True):
        left = position + len(line) - len(line.lstrip())
        right = position + len(line.rstrip())
        if left < right and not _TABLE_RULE.fullmatch(line) and _is_quotable(text, left, right):
            yield left, right
        position += len(line)


def _looks_like_code(text: str) -> bool:
    """TypeScript and JSON come as passages too; most of their lines end as no prose does."""
    lines = [line for line in text.splitlines() if line.strip()]
    return sum(1 for line in lines if _CODE_END.search(line)) * 2 > len(lines)


def _code_lines(text: str) -> Sequence[tuple[int, int]]:
    return list(_lines(text, 0, len(text)))


def _code_after(view: MarkdownView) -> dict[int, str]:
    """The end of the last sentence before each code block, and the code: the sentence speaks for it."""
    ends = [end for _, end in view.sentences]
    found: dict[int, str] = {}
    for fence in view.markdown.fences:
        index = bisect_right(ends, fence.start) - 1
        if index >= 0:
            found[ends[index]] = view.content[fence.body_start : fence.body_end]
    return found
