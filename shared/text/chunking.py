"""Cutting a document into the passages that are embedded, found and cited.

First along the outline: a section with all that stands under it is one passage if it is small enough, else
its own text and its subsections are looked at one by one. What is too large even then is cut by
`semantic-text-splitter` at paragraphs, statements or sentences, by OpenAI's cl100k_base tokens, whose tables
that library brings along. Cuts depend on the text nearby only, so that an edit moves few of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING
from zlib import crc32

from shared.text.outline import Section, outline
from shared.text.positions import Utf16Text
from shared.text.tokens import estimate_tokens
from shared.types import Chunk, DocumentKind

if TYPE_CHECKING:
    from semantic_text_splitter import CodeSplitter, MarkdownSplitter, TextSplitter

MAX_TOKENS = 384  # see docs/retrieval.md
TOKENIZER = "text-embedding-3-small"  # a model that counts in cl100k_base
_LEAST_FILLED = 3  # a passage is full from a third of max_tokens on
_MARGIN = 0.85  # estimates stay below the limit by this, so that few passages are cut for a few tokens
_SURELY = 1.5  # estimates are less wrong than by this to the upper side
_REMNANT = 8  # less than an eighth of max_tokens is no passage of its own
_BLOCK_CHARACTERS = 24  # for each of max_tokens, of what is handed to the splitter at once
_ANY_SECTIONS = 200  # divide a document however short they are;
_SECTION_CHARACTERS = 40  # more do so if they are as long as this on average
_PARAGRAPH = re.compile(r"\n[ \t]*\r?\n")
_SPACE = re.compile(r"\s")
_JSX = re.compile(r"</[A-Za-z>]|/>|<>")

Span = tuple[int, int]


def chunk_document(
    content: str, kind: DocumentKind, *, max_tokens: int = MAX_TOKENS, fill: bool = False
) -> list[Chunk]:
    """The passages in order, verbatim: `content[start:end]` in UTF-16; all but white space is in one.

    No passage has more than `max_tokens` tokens of cl100k_base; `Chunk.tokens` is an estimate. A passage
    of Markdown never holds two sections of the top level, unless `fill` asks for passages as large as may be.
    """
    sections = outline(content, kind)
    limit = max(1, int(max_tokens * _MARGIN))
    least = max_tokens if fill else max(1, int(max_tokens / _LEAST_FILLED))
    top_depth = -1 if fill or kind is not DocumentKind.MARKDOWN else _top_depth(content, sections)
    parts = _parts(_tree(content, sections, top_depth), 0, limit)
    spans = _Cutter(content, kind, max_tokens, least).cut(_joined(parts, least, limit))
    return _chunks(content, spans, sections, max_tokens)


def embedded_text(text: str, heading_path: Sequence[str]) -> str:
    """What is embedded of a passage: where it stands, then its text."""
    return f"{' › '.join(heading_path)}\n\n{text}" if heading_path else text


# --- along the outline ---------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    """A section in the tree of sections; the root is the document. Tokens are estimates."""

    start: int
    inner: int  # where its own text ends and its first subsection begins
    end: int
    apart: bool  # not to be joined to what precedes it
    bare: bool  # nothing stands under its name but subsections
    own_tokens: int
    tokens: int  # subsections included
    divided: bool = False  # holds a section that stands apart
    children: list[_Node] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Part:
    """A span that stays together unless it is too large."""

    start: int
    end: int
    tokens: int
    apart: bool


def _tree(content: str, sections: Sequence[Section], top_depth: int) -> _Node:
    borders = [*(section.start for section in sections), len(content)]
    root = _node(content, Section(0, -1, (), 0), borders[0], apart=False)
    above: list[tuple[int, _Node]] = [(-1, root)]
    lineage: list[tuple[_Node, _Node]] = []
    for section, border in zip(sections, borders[1:], strict=True):
        while above[-1][0] >= section.depth:
            above.pop()
        node = _node(content, section, border, apart=section.depth <= top_depth)
        parent = above[-1][1]
        parent.children.append(node)
        above.append((section.depth, node))
        lineage.append((parent, node))
    for parent, node in reversed(lineage):
        parent.tokens += node.tokens
        parent.end = max(parent.end, node.end)
        parent.divided |= node.apart or node.divided
    return root


def _node(content: str, section: Section, border: int, *, apart: bool) -> _Node:
    tokens = estimate_tokens(content[section.start : border]) if section.start < border else 0
    bare = not content[section.body : border].strip()
    return _Node(section.start, border, border, apart, bare, tokens, tokens)


def _parts(node: _Node, start: int, limit: int) -> Iterator[_Part]:
    """The subtree, its parts as large as may be. A bare heading stays with its first subsection."""
    if (node.tokens <= limit and not node.divided) or not node.children:
        yield _Part(start, node.end, node.tokens, node.apart)
        return
    first = node.children[0]
    if node.bare:
        first.apart |= node.apart
        yield from _parts(first, start, limit)
    else:
        yield _Part(start, node.inner, node.own_tokens, node.apart)
        yield from _parts(first, first.start, limit)
    for child in node.children[1:]:
        yield from _parts(child, child.start, limit)


def _joined(parts: Iterable[_Part], full: int, limit: int) -> Iterator[Span]:
    """Neighbours together while they are small."""
    start, end, tokens = 0, 0, 0
    for part in parts:
        if end > start and (part.apart or tokens >= full or tokens + part.tokens > limit):
            yield start, end
            start, tokens = part.start, 0
        end = part.end
        tokens += part.tokens
    if end > start:
        yield start, end


def _top_depth(content: str, sections: Sequence[Section]) -> int:
    """The depth that divides a document: a single title does not, nor do headings with hardly a text."""
    depths = sorted(section.depth for section in sections)
    top = next((depth for depth, following in pairwise(depths) if depth == following), -1)
    dividing = sum(depth <= top for depth in depths)
    return -1 if dividing > max(_ANY_SECTIONS, len(content) // _SECTION_CHARACTERS) else top


# --- what is too large ---------------------------------------------------------------------------


class _Cutter:
    """Cuts what has too many tokens, by the grammar of the document's kind."""

    def __init__(self, content: str, kind: DocumentKind, max_tokens: int, least: int) -> None:
        from semantic_text_splitter import TextSplitter

        self._content = content
        self._max_tokens = max_tokens
        self._measure = TextSplitter.from_tiktoken_model(TOKENIZER, max_tokens, trim=False)
        self._splitter = _splitter(content, kind, (least, max_tokens))
        self._by_sentences = TextSplitter.from_tiktoken_model(TOKENIZER, (least, max_tokens), trim=False)
        self._is_code = kind is DocumentKind.TYPESCRIPT

    def cut(self, spans: Iterable[Span]) -> list[Span]:
        blocks = [block for span in spans for block in self._blocks(span)]
        return [
            piece for block in blocks for piece in ([block] if self._fits(block) else self._pieces(block))
        ]

    def _fits(self, block: Span) -> bool:
        text = self._content[block[0] : block[1]]
        if estimate_tokens(text) > _SURELY * self._max_tokens:
            return False
        return len(self._measure.chunks(text)) <= 1

    def _pieces(self, block: Span) -> Iterator[Span]:
        """The block's pieces; a remnant stays with the piece before it if both fit."""
        start, end = block
        text = self._content[start:end]
        # One line this long is no code to be read, and the grammar can take a minute for a megabyte.
        splitter = self._by_sentences if self._is_code and "\n" not in text else self._splitter
        found = [offset + start for offset, _ in splitter.chunk_indices(text)]
        last = self._content[found[-1] : end]
        is_remnant = len(found) > 1 and estimate_tokens(last) < self._max_tokens // _REMNANT
        if is_remnant and self._fits((found[-2], end)):
            found.pop()
        yield from pairwise([*found, end])

    def _blocks(self, span: Span) -> Iterator[Span]:
        """In lengths for which the splitter's time is in proportion."""
        most = self._max_tokens * _BLOCK_CHARACTERS
        start, end = span
        while end - start > most:
            cut = _place_to_cut(self._content, start + most // 2, start + most)
            yield start, cut
            start = cut
        yield start, end


def _splitter(
    content: str, kind: DocumentKind, capacity: tuple[int, int]
) -> MarkdownSplitter | CodeSplitter | TextSplitter:
    from semantic_text_splitter import CodeSplitter, MarkdownSplitter, TextSplitter

    if kind is DocumentKind.MARKDOWN:
        return MarkdownSplitter.from_tiktoken_model(TOKENIZER, capacity, trim=False)
    if kind is DocumentKind.JSON:
        return TextSplitter.from_tiktoken_model(TOKENIZER, capacity, trim=False)
    import tree_sitter_typescript as typescript

    grammar = typescript.language_tsx() if _JSX.search(content) else typescript.language_typescript()
    return CodeSplitter.from_tiktoken_model(grammar, TOKENIZER, capacity, trim=False)


def _place_to_cut(content: str, first: int, last: int) -> int:
    """A place in (first, last], chosen by the text around it alone: edits elsewhere do not move it."""
    for pattern in (_PARAGRAPH, _SPACE):
        places = [found.end() for found in pattern.finditer(content, first, last)]
        if places:
            return min(
                places, key=lambda place: crc32(content[place : place + 32].encode("utf-8", "replace"))
            )
    return last


# --- what is handed out --------------------------------------------------------------------------


def _chunks(content: str, spans: Iterable[Span], sections: Sequence[Section], max_tokens: int) -> list[Chunk]:
    text = Utf16Text(content)
    paths = _Paths(content, sections)
    chunks: list[Chunk] = []
    for start, end in spans:
        passage = content[start:end]
        start += len(passage) - len(passage.lstrip())
        passage = passage.strip()
        if not passage:
            continue
        end = start + len(passage)
        path = paths.of(start, end)
        chunks.append(
            Chunk(
                ordinal=len(chunks),
                text=passage,
                start=text.to_utf16(start),
                end=text.to_utf16(end),
                start_line=text.line_of(start),
                end_line=text.line_of(end - 1),
                heading_path=path,
                tokens=min(estimate_tokens(passage), max_tokens),
                text_hash=_hash(embedded_text(passage, path)),
            )
        )
    return chunks


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class _Paths:
    """The names that all of a span stands under. Asked for in order, since it goes on where it was."""

    def __init__(self, content: str, sections: Sequence[Section]) -> None:
        self._content = content
        self._sections = sections
        self._next = 0

    def of(self, start: int, end: int) -> tuple[str, ...]:
        sections = self._sections
        while self._next < len(sections) and sections[self._next].start <= start:
            self._next += 1
        number = self._next
        held = [self._path(number - 1)] if self._speaks(number - 1, start, end) else []
        while number < len(sections) and sections[number].start < end:
            if self._speaks(number, start, end):
                held.append(self._path(number))
            number += 1
        return _common(held) if held else self._path(number - 1)

    def _path(self, number: int) -> tuple[str, ...]:
        return self._sections[number].path if number >= 0 else ()

    def _speaks(self, number: int, start: int, end: int) -> bool:
        """Whether anything but the section's name stands in the span."""
        sections = self._sections
        begin = max(start, sections[number].body if number >= 0 else 0)
        stop = min(end, sections[number + 1].start if number + 1 < len(sections) else end)
        return begin < stop and any(character.isalnum() for character in self._content[begin:stop])


def _common(paths: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    shortest, longest = min(paths), max(paths)
    for depth, name in enumerate(shortest):
        if name != longest[depth]:
            return shortest[:depth]
    return shortest
