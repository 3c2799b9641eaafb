"""What a scanned Markdown document is made of. Places are Python indexes into its text."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Heading:
    """`content[start:end]` is the heading's source, `text` its raw inline text."""

    level: int
    text: str
    start: int
    end: int
    text_start: int
    line: int  # 0-based, of the first line
    setext: bool
    nested: bool  # inside a quote or a list item


@dataclass(frozen=True, slots=True)
class Fence:
    """A fenced code block; `content[body_start:body_end]` is its code, container prefixes included."""

    start: int  # of the opening marker
    end: int
    marker: str
    info: str
    body_start: int
    body_end: int
    closed: bool
    line: int


@dataclass(frozen=True, slots=True)
class ListItem:
    start: int  # of the marker
    marker: str  # "-", "*", "+", "1.", "2)"
    column: int  # of the marker, tabs expanded
    content_start: int
    depth: int  # 1 is the outermost list
    line: int


@dataclass(frozen=True, slots=True)
class Table:
    start: int  # of the header row's text
    end: int
    columns: int
    line: int


@dataclass(frozen=True, slots=True)
class Paragraph:
    """`content[start:end]` is the paragraph; later lines keep their container prefixes."""

    start: int
    end: int
    line: int
    in_list: bool


@dataclass(frozen=True, slots=True)
class Definition:
    """A link reference definition, or a footnote's (its label begins with ^)."""

    label: str  # normalised, see `normalized_label`
    target: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Verbatim:
    """HTML, indented code or front matter: text that is not prose."""

    start: int
    end: int


@dataclass(frozen=True)
class Markdown:
    """A scanned document. Every sequence is in the order of the text."""

    content: str
    line_starts: tuple[int, ...]
    headings: tuple[Heading, ...]
    fences: tuple[Fence, ...]
    items: tuple[ListItem, ...]
    tables: tuple[Table, ...]
    paragraphs: tuple[Paragraph, ...]
    definitions: tuple[Definition, ...]
    html: tuple[Verbatim, ...]
    indented_code: tuple[Verbatim, ...]
    front_matter: Verbatim | None

    def line_of(self, offset: int) -> int:
        """The 0-based line an offset stands on."""
        return bisect_right(self.line_starts, offset) - 1

    @cached_property
    def top_headings(self) -> tuple[Heading, ...]:
        """The headings that divide the document: those outside quotes and lists."""
        return tuple(heading for heading in self.headings if not heading.nested)


def normalized_label(label: str) -> str:
    """Labels match without regard to case and white space (CommonMark, 4.7)."""
    return " ".join(label.split()).casefold()
