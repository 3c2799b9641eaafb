"""What stands inside the paragraphs, headings and tables of Markdown: links, and the words that are prose.

`prose` is a text of the same length as the document in which everything that is not prose (code, HTML, link
targets, addresses, templates) is U+FFFC, the object replacement character: rules search it with patterns,
and an index into it is an index into the document. Offsets are Python indexes; time is linear in the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from shared.text.markdown_blocks import Markdown, normalized_label

FILLER = "\ufffc"  # stands for one character that is no prose
BLOCK_GAP = (
    "\ufffe"  # stands for one character between blocks; a noncharacter, so no text has it for a reason
)


@dataclass(frozen=True, slots=True)
class Link:
    """`content[start:end]` is the whole link, `content[target_start:target_end]` its target or label."""

    start: int
    end: int
    target: str  # as written; the label, normalised, when `reference`
    target_start: int
    target_end: int
    image: bool
    reference: bool
    text_start: int
    text_end: int


@dataclass(frozen=True, slots=True)
class Inline:
    prose: str
    links: tuple[Link, ...]
    comments: tuple[tuple[int, int], ...]  # HTML comments, inline and as blocks


@dataclass(slots=True)
class _Span:
    """One span of inline text being read."""

    content: str
    start: int
    end: int
    closers: dict[int, list[int]]  # backtick runs: length to starts, last first
    pieces: list[str] = field(default_factory=list)
    written: int = 0
    last_comment_end: int | None = None  # found once: searching for each opening would be quadratic
    brackets: list[tuple[int, bool]] = field(default_factory=list)


_TOKEN = re.compile(
    r"""\\[!-/:-@\[-`{-~]"""
    r"""|`+|!?\[|\]|<|&\#?\w{1,31};"""
    r"""|\{[{%*:#\#][^{}]{0,400}\}{1,2}|\{\s?[#.:][^{}\r\n]{0,200}\}"""
    r"""|(?<![\w@])(?:https?|ftp)://[^\s<>`]+|(?<![\w@.])www\.[^\s<>`]+"""
    r"""|(?<=[\r\n])[ \t]*(?:>[ \t]?)+"""
)
_TAG = re.compile(
    r"<(?!(?:your|insert|enter)[\s_-])"  # "<your name>" is meant for the writer's eyes
    r"(?:[A-Za-z][A-Za-z0-9+.-]{1,31}:[^\s<>]*|[^\s<>@]+@[^\s<>@]+|[/!?]?[A-Za-z][^<>]{0,2000})>"
)
_INLINE_TARGET = re.compile(
    r"""\(\s*+(<[^<>\r\n]*+>|[^\s()<>]*+(?:\([^\s()]*+\)[^\s()]*+)*+)"""
    r"""(?:\s++(?:"[^"]*+"|'[^']*+'|\([^()]*+\)))?+\s*+\)"""
)
_LABEL = re.compile(r"\[((?:[^\[\]\\]|\\.){0,999})\]", re.DOTALL)
_ATTRIBUTES = re.compile(r"\s*\{[^{}]*\}\s*$")
_PLAIN_LINK = re.compile(r"!?\[([^\[\]]*)\](?:\([^()]*\)|\[[^\[\]]*\])")
_TAGS = re.compile(r"<!--.{0,500}?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_ENTITY = re.compile(r"&#?\w{1,31};")
_ESCAPE = re.compile(r"\\([!-/:-@\[-`{-~])")
_EMPHASIS = re.compile(r"(?<![\w\\])[*_]{1,3}(?=\S)|(?<=[^\s\\])[*_]{1,3}(?!\w)|`+|~~")
_LONGEST = 2_000  # characters
_MARKED = re.compile(r"[*_`~\[<&\\{\r\n\t]|  ")
_SPACE = re.compile(r"\s+")
_TRAILING = ".,;:!?*_~'\")”’"


def read_inline(markdown: Markdown) -> Inline:
    """The links, comments and prose of a scanned document."""
    pieces: list[str] = []
    links: list[Link] = []
    comments = list(_block_comments(markdown))
    written = 0
    for start, end in _spans(markdown):
        pieces.append(BLOCK_GAP * (start - written))
        pieces.append(_read_span(markdown.content, start, end, links, comments))
        written = end
    pieces.append(BLOCK_GAP * (len(markdown.content) - written))
    return Inline("".join(pieces), tuple(links), tuple(sorted(comments)))


def _spans(markdown: Markdown) -> list[tuple[int, int]]:
    spans = [(item.start, item.end) for item in markdown.paragraphs]
    spans += [(item.text_start, item.text_start + len(item.text)) for item in markdown.headings]
    spans += [(item.start, item.end) for item in markdown.tables]
    return sorted(spans)


def _block_comments(markdown: Markdown) -> Iterator[tuple[int, int]]:
    for block in markdown.html:
        position = block.start
        while (start := markdown.content.find("<!--", position, block.end)) >= 0:
            found = markdown.content.find("-->", start + 4, block.end)
            position = found + 3 if found >= 0 else block.end
            yield start, position


def _read_span(content: str, start: int, end: int, links: list[Link], comments: list[tuple[int, int]]) -> str:
    """The prose of `content[start:end]`; adds what it finds to `links` and `comments`."""
    token = _TOKEN.search(content, start, end)
    if token is None:
        return content[start:end]
    span = _Span(content, start, end, _backtick_runs(content, start, end), written=start)
    position = start
    while token is not None:
        position = _read_token(span, token, links, comments)
        token = _TOKEN.search(content, position, end)
    span.pieces.append(content[span.written : end])
    return "".join(span.pieces)


def _backtick_runs(content: str, start: int, end: int) -> dict[int, list[int]]:
    runs: dict[int, list[int]] = {}
    for run in re.finditer("`+", content[start:end]):
        runs.setdefault(len(run[0]), []).append(start + run.start())
    for starts in runs.values():
        starts.reverse()
    return runs


def _fill(span: _Span, start: int, end: int, filler: str = FILLER) -> int:
    span.pieces.append(span.content[span.written : start])
    span.pieces.append(filler * (end - start))
    span.written = end
    return end


def _read_token(span: _Span, token: re.Match[str], links: list[Link], comments: list[tuple[int, int]]) -> int:
    """Reads what begins at the token; gives where to go on."""
    text, start, end = token[0], token.start(), token.end()
    first = text[0]
    if first == "\\":
        return _fill(span, start, start + 1) + 1
    if first == "`":
        return _read_code(span, start, end)
    if text in ("[", "!["):
        span.brackets.append((start, text == "!["))
        return end
    if first == "]":
        return _read_bracket_end(span, start, links)
    if first == "<":
        return _read_angle(span, start, comments)
    if first in "> \t":
        return _fill(span, start, end, " ")
    if first in "&{":
        return _fill(span, start, end)
    return _fill(span, start, start + len(text.rstrip(_TRAILING)))


def _read_code(span: _Span, start: int, end: int) -> int:
    """A code span ends at the next run of as many backticks; without one, they are text."""
    starts = span.closers.get(end - start, [])  # none: an escape stands before the run
    while starts and starts[-1] <= start:
        starts.pop()
    if not starts:
        return end
    return _fill(span, start, starts[-1] + end - start)


def _read_angle(span: _Span, start: int, comments: list[tuple[int, int]]) -> int:
    if span.content.startswith("<!--", start):
        if span.last_comment_end is None:
            span.last_comment_end = span.content.rfind("-->", span.start, span.end)
        if span.last_comment_end < start + 4:
            return start + 4
        end = span.content.find("-->", start + 4, span.end) + 3
        comments.append((start, end))
        return _fill(span, start, end)
    if tag := _TAG.match(span.content, start, span.end):
        return _fill(span, start, tag.end())
    return start + 1


def _read_bracket_end(span: _Span, position: int, links: list[Link]) -> int:
    """`]` ends a link's text when a target or a label follows."""
    if not span.brackets:
        return position + 1
    start, image = span.brackets.pop()
    text_start = start + 1 + image
    content, after = span.content, position + 1
    if found := _INLINE_TARGET.match(content, after, span.end):
        target, reference = found[1], False
    elif found := _LABEL.match(content, after, span.end):
        target, reference = normalized_label(found[1] or content[text_start:position]), True
    else:
        return after
    links.append(
        Link(
            start,
            found.end(),
            target.removeprefix("<").removesuffix(">") if not reference else target,
            found.start(1),
            found.end(1),
            image,
            reference,
            text_start,
            position,
        )
    )
    return _fill(span, position, found.end())


def plain_text(markdown: str) -> str:
    """One line of text without Markdown's marks: what a reader sees. Of very long text, the beginning."""
    text = markdown[:_LONGEST]
    if not _MARKED.search(text):
        return text.strip()
    text = _ATTRIBUTES.sub("", _TAGS.sub("", text))
    text = _PLAIN_LINK.sub(r"\1", text)
    text = _EMPHASIS.sub("", _ENTITY.sub(" ", text))
    return _SPACE.sub(" ", _ESCAPE.sub(r"\1", text)).strip()
