"""What stands around a cursor: the text before and after it, and the Markdown block it is in.

One pass of a regular expression over the text before the cursor; the text after it is looked at only
as far as needed. Indexes are Python indexes. Any text and any index are taken.
"""

from __future__ import annotations

import re
import unicodedata
from collections import deque
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from shared.types import DocumentKind

Block: TypeAlias = Literal[
    "blank", "paragraph", "heading", "list", "table", "quote", "fence", "front_matter", "code"
]

PREFIX_BUDGET = 4000  # bytes of UTF-8, of which a token is about four in any script
SUFFIX_BUDGET = 1500

_BORDERS = (
    re.compile(r"\n[ \t]*\n"),
    re.compile(r"\n"),
    re.compile(r"[.!?。！？][ \t]+"),
    re.compile(r"[ \t]+"),
)
_FENCE = r"[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(?P<fence>`{3,}|~{3,})(?P<info>[^\n]*)"
_HEADING = r" {0,3}(?P<marks>#{1,6})(?=[ \t]|$)(?P<title>[^\n]*)"
_UNDERLINE = r" {0,3}(?P<underline>=+|-{2,})[ \t]*"
_FENCE_LINE = re.compile(_FENCE)
_STRUCTURE = re.compile(rf"^(?:{_FENCE}|{_HEADING}|{_UNDERLINE})$", re.MULTILINE)
_FRONT_MATTER = re.compile(r"\ufeff?---[ \t]*\n(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t]*(?:\n|\Z)")
_FRONT_MATTER_LIMIT = 20_000  # characters; metadata is not longer
_ITEM = re.compile(r"[ \t>]*(?P<marker>[-*+]|\d{1,9}[.)])(?P<gap>[ \t]+(?:\[[ xX]\](?=[ \t]))?|$)")
_DELIMITER_ROW = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BREAK = re.compile(r" {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})")
_PIPE = re.compile(r"(?<!\\)\|")
_HEADING_CLOSE = re.compile(r"(?:^|[ \t])#+[ \t]*$")
_LOOK_BACK = 200  # lines
_LINE_LIMIT = 10_000  # characters; what a line is shows in its beginning


@dataclass(frozen=True, slots=True)
class CursorContext:
    """`prefix` ends and `suffix` begins at the cursor; both are windows of the document."""

    prefix: str
    suffix: str
    heading_path: tuple[str, ...] = ()  # from the outermost heading inwards
    block: Block = "blank"
    indent: str = ""  # white space at the start of the cursor's line
    marker: str = ""  # of the list item: "-", "*", "1.", …
    columns: int = 0  # of the table
    language: str = ""  # of the fence, the first word after its marks
    fence: str = ""  # the marks that opened the fence the cursor is in
    fence_closed: bool = False  # a line after the cursor closes that fence
    line_closed: bool = False  # the cursor's line takes no more text: a rule, a closing fence

    @property
    def line_prefix(self) -> str:
        """The cursor's line up to the cursor."""
        return _last_line(self.prefix)

    @property
    def line_suffix(self) -> str:
        """The cursor's line from the cursor on."""
        return _first_line(self.suffix)

    @property
    def in_code(self) -> bool:
        return self.block in ("fence", "code", "front_matter")

    @property
    def ordered(self) -> bool:
        """Whether the cursor is in a list whose items carry numbers."""
        return self.marker[:1].isdigit()

    def place(self) -> str:
        """The place in words, for a prompt. Made of fixed words and numbers only."""
        places: dict[Block, str] = {
            "blank": "an empty line, where a new block begins",
            "paragraph": "inside a paragraph",
            "heading": "inside a heading: one line",
            "list": "inside an item of a numbered list" if self.ordered else "inside an item of a list",
            "table": f"inside a table of {self.columns} columns: one line a row, cells parted by |",
            "quote": "inside a block quote: lines begin with >",
            "fence": "inside a fenced code block: code only, without fences",
            "front_matter": "inside the metadata at the document's start",
            "code": "inside source code: code only, without fences",
        }
        return places[self.block]


def cursor_context(
    content: str,
    index: int,
    *,
    kind: DocumentKind = DocumentKind.MARKDOWN,
    prefix_budget: int = PREFIX_BUDGET,
    suffix_budget: int = SUFFIX_BUDGET,
) -> CursorContext:
    """The context at `content[index]`. An index outside the text, or between CR and LF, is moved.

    Budgets are in bytes of UTF-8, nearly. A window that must be cut is cut at the border of a paragraph,
    line, sentence or word, the first of these that stands in the outermost quarter of the window.
    """
    index = _clamped(content, index)
    prefix = _end_of(content[:index], prefix_budget)
    suffix = _start_of(content[index:], suffix_budget)
    if kind is not DocumentKind.MARKDOWN:
        return CursorContext(
            prefix, suffix, block="code", indent=_indent(_last_line(prefix)), language=kind.value
        )
    return _markdown_context(content, index, prefix, suffix)


def _clamped(content: str, index: int) -> int:
    index = min(max(index, 0), len(content))
    return index - 1 if content[index - 1 : index + 1] == "\r\n" and index else index


def _characters(window: str, budget: int) -> int:
    """As many of its characters as have about `budget` bytes."""
    size = len(window.encode("utf-8", "surrogatepass"))
    return budget if size <= budget else budget * len(window) // size


def _end_of(text: str, budget: int) -> str:
    budget = max(budget, 0)
    budget = _characters(text[max(0, len(text) - budget) :], budget)
    if len(text) <= budget:
        return text
    start = len(text) - budget
    for border in _BORDERS:
        if found := border.search(text, start, start + budget // 4):
            return text[found.end() :]
    while start < len(text) and _joins(text[start - 1], text[start]):
        start += 1
    return text[start:]


def _start_of(text: str, budget: int) -> str:
    end = _characters(text[: max(budget, 0)], max(budget, 0))
    if len(text) <= end:
        return text
    for border in _BORDERS:
        if found := _last(border, text, end - end // 4, end):
            return text[: found.start() + 1] if found.group()[0] in ".!?。！？" else text[: found.start()]
    while end > 0 and _joins(text[end - 1], text[end]):
        end -= 1
    return text[:end]


def _last(pattern: re.Pattern[str], text: str, start: int, end: int) -> re.Match[str] | None:
    found = deque(pattern.finditer(text, max(start, 0), end), maxlen=1)
    return found[0] if found else None


def _joins(before: str, character: str) -> bool:
    """Whether a character is drawn as one with the one before it."""
    return "\u200d" in (before, character) or unicodedata.category(character) in ("Mn", "Me", "Mc", "Sk")


def _plain_breaks(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _last_line(text: str) -> str:
    return _plain_breaks(text).rpartition("\n")[2]


def _first_line(text: str) -> str:
    return _plain_breaks(text).partition("\n")[0]


def _indent(line: str) -> str:
    return line[: len(line) - len(line.lstrip(" \t"))]


@dataclass(slots=True)
class _Structure:
    """The headings the cursor is under, and the fence that is open there."""

    headings: list[tuple[int, str]]
    fence: str = ""
    language: str = ""

    def add_heading(self, level: int, title: str) -> None:
        while self.headings and self.headings[-1][0] >= level:
            self.headings.pop()
        self.headings.append((level, title))

    def toggle_fence(self, marks: str, info: str) -> None:
        if not self.fence:
            if marks[0] == "~" or "`" not in info:
                self.fence, self.language = marks, (info.split() or [""])[0]
        elif _closes(self.fence, marks, info):
            self.fence = self.language = ""


def _closes(fence: str, marks: str, info: str) -> bool:
    return marks[0] == fence[0] and len(marks) >= len(fence) and not info.strip()


def _read_structure(text: str, start: int) -> _Structure:
    """The state after `text`, which is whole lines."""
    structure = _Structure([])
    for found in _STRUCTURE.finditer(text, start):
        if found["fence"]:
            structure.toggle_fence(found["fence"], found["info"])
        elif structure.fence:
            continue
        elif found["marks"]:
            title = _HEADING_CLOSE.sub("", found["title"]).strip()
            structure.add_heading(len(found["marks"]), title)
        elif title := _underlined(text, found.start()):
            structure.add_heading(1 if found["underline"][0] == "=" else 2, title)
    return structure


def _underlined(text: str, start: int) -> str:
    """The line before an underline, when that is a paragraph's."""
    if start == 0:
        return ""
    line = text[text.rfind("\n", 0, start - 1) + 1 : start - 1]
    if line[:4].isspace() or _ITEM.match(line) or line.lstrip()[:1] in ("|", ">", "#", "<", "`", "~"):
        return ""
    return line.strip()


def _front_matter_end(text: str) -> int:
    """Where the text after front matter begins; 0 when there is none."""
    if not text.startswith(("---", "\ufeff---")):
        return 0
    found = _FRONT_MATTER.match(text, 0, min(len(text), _FRONT_MATTER_LIMIT))
    return found.end() if found else 0


def _markdown_context(content: str, index: int, prefix: str, suffix: str) -> CursorContext:
    before, after = _plain_breaks(content[:index]), _plain_breaks(content[index:])
    line_start = before.rfind("\n") + 1
    head, typed = before[:line_start], before[line_start : line_start + _LINE_LIMIT]
    line = (typed + after.partition("\n")[0])[:_LINE_LIMIT]
    here = CursorContext(prefix, suffix, indent=_indent(line))
    front_matter = _front_matter_end(before + after[:_FRONT_MATTER_LIMIT])
    if len(before) < front_matter:
        return replace(here, block="front_matter")
    structure = _read_structure(head, front_matter)
    path = tuple(title for _, title in structure.headings if title)
    return _with_block(replace(here, heading_path=path), structure, head, line, typed, after)


def _with_block(
    here: CursorContext, structure: _Structure, head: str, line: str, typed: str, after: str
) -> CursorContext:
    """Adds what the cursor's `line` is. `head` is the lines before it, `typed` the line up to the cursor."""
    marks = _FENCE_LINE.fullmatch(line)
    if structure.fence:
        if marks and typed.strip() and _closes(structure.fence, marks["fence"], marks["info"]):
            return replace(here, block="paragraph", line_closed=True)
    elif marks and typed.strip():
        structure.toggle_fence(marks["fence"], marks["info"])
    if structure.fence:
        closed = _is_closed(structure.fence, line[len(typed) :] if not typed.strip() else "", after)
        return replace(
            here, block="fence", fence=structure.fence, language=structure.language, fence_closed=closed
        )
    below = after[: _LINE_LIMIT * 2].split("\n", 2)[1:2]
    block, marker, columns = _line_block(head, line, below[0] if below else "")
    complete = _BREAK.fullmatch(line) or (block == "table" and _DELIMITER_ROW.fullmatch(line))
    return replace(
        here, block=block, marker=marker, columns=columns, line_closed=bool(complete and typed.strip())
    )


def _is_closed(fence: str, rest: str, after: str) -> bool:
    """Whether `rest` of the cursor's line, or a line after it, closes the fence."""
    closing = rf"[ \t>]*{re.escape(fence[0])}{{{len(fence)},}}[ \t]*"
    return bool(re.fullmatch(closing, rest) or re.search(rf"\n{closing}(?=\n|\Z)", after))


def _line_block(head: str, line: str, below: str) -> tuple[Block, str, int]:
    """Block, list marker and table columns of a line outside fences, between `head` and the line `below`."""
    if not line.strip():
        return "blank", "", 0
    if re.match(r" {0,3}#{1,6}(?:[ \t]|$)", line):
        return "heading", "", 0
    if _BREAK.fullmatch(line):
        return "paragraph", "", 0
    if columns := _table_columns(head, line, below):
        return "table", "", columns
    if item := _ITEM.match(line):
        return "list", item["marker"], 0
    if marker := _item_above(head):
        return "list", marker, 0
    return ("quote" if line.lstrip().startswith(">") else "paragraph"), "", 0


def _table_columns(head: str, line: str, below: str) -> int:
    """The columns of the table the line is in: a delimiter row is it, or stands above or right below it."""
    if not _PIPE.search(line):
        return 0
    rows = [line]
    for above in _lines_above(head):
        if not _PIPE.search(above):
            break
        rows.append(above)
    delimited = any(_DELIMITER_ROW.fullmatch(row) for row in (*rows, *([below] if "|" in below else [])))
    return _columns(rows[-1]) if delimited or line.lstrip().startswith("|") else 0


def _columns(row: str) -> int:
    return len(_PIPE.findall(row.strip().strip("|"))) + 1


def _item_above(head: str) -> str:
    """The marker of the list item that a line goes on, when no blank line stands between."""
    for above in _lines_above(head):
        if not above.strip() or above.lstrip().startswith("#"):
            return ""
        if item := _ITEM.match(above):
            return "" if _BREAK.fullmatch(above) else item["marker"]
    return ""


def _lines_above(head: str) -> list[str]:
    """The last lines of whole lines, nearest first."""
    start = len(head)
    for _ in range(_LOOK_BACK + 1):
        start = head.rfind("\n", 0, start)
        if start < 0:
            break
    return head[start + 1 :].split("\n")[-2::-1]
