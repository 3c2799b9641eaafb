"""Where a suggestion goes: the document around the cursor, and the sections it could go on with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from shared.text.cursor import CursorContext, cursor_context
from shared.text.offline.genre import Genre, Section, held_names, normalized_heading
from shared.text.offline.genres import GENERAL
from shared.text.offline.sections import genre_of, is_there
from shared.text.offline.view import MarkdownView

# What a document of no known kind can go on with.
GENERAL_SECTIONS = (
    Section(
        "Background",
        "background, context, introduction, overview, motivation, about, summary, purpose",
        "",
        ("What led to this", "What the reader should know already"),
    ),
    Section(
        "Examples",
        "example, examples, sample, usage, demo",
        "",
        ("A simple case, from beginning to end", "A case at the limits"),
    ),
    Section(
        "Limitations",
        "limitations, limits, known issues, constraints, caveats, risks",
        "",
        ("What this does not cover", "What can go wrong, and what to do then"),
    ),
    Section(
        "Next steps",
        "next steps, next, see also, further reading, conclusion, open questions",
        "",
        ("What to do now, and who does it", "Where to read more"),
    ),
)

_HEADING_LINE = re.compile(r"\s*(#{1,6})[ \t]")
_NEAR = 2_000  # characters after the cursor that tell what follows
_LIST_ITEM = re.compile(r"[ \t]*(?:[-*+]|[0-9]{1,9}[.)])[ \t]")
_NEW_BLOCK = re.compile(
    r"[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|[0-9]{1,9}[.)][ \t]|>|`{3}|~{3}|\||<|(?:[-*_][ \t]*){3,}$)"
)
_BLANK_END = re.compile(r"\n[ \t]*\n[ \t]*\Z|\A\s*\Z")


@dataclass(frozen=True)
class Place:
    """A cursor in a Markdown document. Line ends are \\n here, whatever the document has."""

    content: str
    index: int
    context: CursorContext

    @classmethod
    def at(cls, content: str, index: int) -> Place:
        return cls(content, index, cursor_context(content, index))

    @cached_property
    def before(self) -> str:
        return self.content[: self.index]

    @cached_property
    def after(self) -> str:
        return self.content[self.index :]

    @cached_property
    def line_before(self) -> str:
        return self.before.rpartition("\n")[2]

    @cached_property
    def line_after(self) -> str:
        return self.after.partition("\n")[0]

    @property
    def at_line_end(self) -> bool:
        return not self.line_after.strip()

    @cached_property
    def at_text_end(self) -> bool:
        """Whether the paragraph or list item ends here: the next line does not go on with it."""
        following = self.after.partition("\n")[2].partition("\n")[0]
        return self.at_line_end and (not following.strip() or _NEW_BLOCK.match(following) is not None)

    @cached_property
    def view(self) -> MarkdownView:
        return MarkdownView.of(self.content)

    @cached_property
    def genre(self) -> Genre:
        return genre_of(self.view)

    @property
    def sections(self) -> tuple[Section, ...]:
        return GENERAL_SECTIONS if self.genre is GENERAL else self.genre.sections

    @cached_property
    def level(self) -> int:
        """The level of the document's sections: below the title, if there is one."""
        levels = [heading.level for heading in self.view.markdown.top_headings]
        return min((level for level in levels if level > 1), default=2)

    @cached_property
    def here(self) -> Section | None:
        """The expected section the cursor is in."""
        path = self.context.heading_path
        headings = self.view.markdown.top_headings
        under_title = len(path) == 1 and bool(headings) and headings[0].level == 1
        if not path or under_title:
            return None
        name = normalized_heading(path[-1])
        return next((section for section in self.sections if held_names(section.names, name)), None)

    def missing(self) -> list[Section]:
        """The expected sections that are not there: those that follow the cursor's first."""
        absent = [section for section in self.sections if not is_there(section, self.view)]
        if self.here is None:
            return absent
        turn = self.sections.index(self.here)
        return sorted(absent, key=lambda section: self.sections.index(section) < turn)

    def unused_outline(self) -> list[str]:
        """What the section at the cursor should say and no line of the document says."""
        return [point for point in self.here.outline if point not in self.content] if self.here else []

    def takes_section(self) -> bool:
        """Whether a new section here would take nothing of what follows under its heading."""
        if not self.at_line_end or self.indent:
            return False
        following = self.after.lstrip()
        heading = _HEADING_LINE.match(following)
        return not following or (heading is not None and len(heading[1]) <= self.level)

    @cached_property
    def indent(self) -> str:
        """Of the paragraph at the cursor: inside a list item its text is indented."""
        text = self.line_before.lstrip(" \t")
        indented = self.context.block == "paragraph" and text
        return self.line_before[: len(self.line_before) - len(text)] if indented else ""

    def takes_block(self) -> bool:
        """Whether a block here leaves a list around the cursor whole."""
        if not self.at_line_end:
            return False
        following = next((line for line in self.after[:_NEAR].split("\n") if line.strip()), "")
        if self.indent or not following:
            return True
        in_list = self.context.block == "list" and _LIST_ITEM.match(following)
        return not following.startswith(("  ", "\t")) and not in_list

    def block(self, text: str) -> str:
        """The text as a block of its own, with the blank lines that it needs before and after it."""
        text = text.replace("\n", f"\n{self.indent}").replace(f"\n{self.indent}\n", "\n\n")
        if _BLANK_END.search(self.before):
            lead = "" if not self.line_before else "\n"
        else:
            lead = "\n" if not self.line_before.strip() else f"\n\n{self.indent}"
        if not self.after.strip():
            return f"{lead}{text}" if self.after.startswith("\n") else f"{lead}{text}\n"
        newlines = len(self.after) - len(self.after.lstrip("\n")) if self.at_line_end else 0
        return f"{lead}{text}" + "\n" * max(0, 2 - newlines)

    def bullet(self) -> str:
        """The mark this document uses for lists without numbers."""
        marks = [item.marker for item in self.view.markdown.items if item.marker in ("-", "*", "+")]
        return marks[-1] if marks else "-"

    def bullets(self, points: tuple[str, ...] | list[str]) -> str:
        mark = self.bullet()
        return "\n".join(f"{mark} {point}" for point in points)
