"""A Markdown document as the rules see it: scanned once, shared by all of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from shared.text.markdown import Markdown, scan
from shared.text.markdown_inline import Inline, plain_text, read_inline
from shared.text.offline.genre import normalized_heading
from shared.text.offline.sentences import count_words, sentences

_MOST_NAMES = 1_000  # that are compared with the sections a reader expects


@dataclass(frozen=True)
class MarkdownView:
    markdown: Markdown

    @classmethod
    def of(cls, content: str) -> MarkdownView:
        return cls(scan(content))

    @cached_property
    def inline(self) -> Inline:
        return read_inline(self.markdown)

    @property
    def content(self) -> str:
        return self.markdown.content

    @property
    def prose(self) -> str:
        return self.inline.prose

    @cached_property
    def sentences(self) -> tuple[tuple[int, int], ...]:
        """The sentences of the paragraphs; headings and tables have none."""
        return tuple(
            span
            for paragraph in self.markdown.paragraphs
            for span in sentences(self.prose, paragraph.start, paragraph.end)
        )

    @cached_property
    def words(self) -> int:
        return sum(count_words(self.prose, item.start, item.end) for item in self.markdown.paragraphs)

    @cached_property
    def title(self) -> str | None:
        """The first heading of level 1, else the first heading."""
        headings = self.markdown.top_headings
        chosen = next((heading for heading in headings if heading.level == 1), None)
        chosen = chosen or next(iter(headings), None)
        return plain_text(chosen.text) or None if chosen else None

    @cached_property
    def heading_names(self) -> tuple[str, ...]:
        return tuple(plain_text(heading.text) for heading in self.markdown.top_headings)

    @cached_property
    def section_names(self) -> tuple[tuple[str, str], ...]:
        """The normalised and the plain names of the headings below the title, each normalised name once."""
        headings = self.markdown.top_headings
        names = self.heading_names[1:] if headings and headings[0].level == 1 else self.heading_names
        distinct: dict[str, str] = {}
        for name in names:
            distinct.setdefault(normalized_heading(name), name)
        return tuple(distinct.items())[:_MOST_NAMES]
