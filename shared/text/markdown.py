"""The blocks of a Markdown document with their places in its text.

A light line scanner for CommonMark's block structure (https://spec.commonmark.org/0.31.2/, appendix
"A parsing strategy", phase 1) with GitHub's tables. It exists because rules and suggestions need the
character offsets of every block, and bounded time on any text: 1 MB of list items or table rows included.
It takes any text and never raises. Offsets are Python indexes. Inline structure is in `markdown_inline`.
"""

from __future__ import annotations

from shared.text import markdown_syntax as syntax
from shared.text.markdown_blocks import (
    Definition,
    Fence,
    Heading,
    ListItem,
    Markdown,
    Paragraph,
    Table,
    Verbatim,
    normalized_label,
)
from shared.text.markdown_inline import plain_text

__all__ = [
    "Definition",
    "Fence",
    "Heading",
    "ListItem",
    "Markdown",
    "Paragraph",
    "Table",
    "Verbatim",
    "heading_titles",
    "normalized_label",
    "scan",
]


def scan(content: str) -> Markdown:
    """The blocks of `content`, which may be any text. Linear in its length."""
    return _Scanner(content).scan()


def heading_titles(content: str) -> tuple[str, ...]:
    """What a reader sees of each heading, in order."""
    return tuple(plain_text(heading.text) for heading in scan(content).headings)


_MAX_DEPTH = 20  # containers in one another; what is deeper is read as text, which bounds the time
_QUOTE = -1  # a container; the others are list items, given as the column of their content


def _columns(row: str) -> int:
    cells = row.strip()
    inner = cells[1:] if cells.startswith("|") else cells
    if inner.endswith("|") and not inner.endswith("\\|"):
        inner = inner[:-1]
    return len(syntax.PIPE.findall(inner)) + 1


class _Scanner:
    """One pass over the lines; what is open stands in the fields."""

    def __init__(self, content: str) -> None:
        self._content = content
        ends = list(syntax.LINE_END.finditer(content))
        self._starts = [0, *(end.end() for end in ends)]
        self._ends = [*(end.start() for end in ends), len(content)]
        self._containers: list[int] = []
        self._paragraph: list[tuple[int, int]] = []  # text span of each line
        self._paragraph_line = 0
        self._fence: tuple[int, str, str, int] | None = None  # start, marker, info, line
        self._html_start: int | None = None
        self._html_end = ""  # what ends the block; "" is a blank line
        self._code: tuple[int, int] | None = None
        self._table: tuple[int, int, int, int] | None = None  # start, end, columns, line
        self._headings: list[Heading] = []
        self._fences: list[Fence] = []
        self._items: list[ListItem] = []
        self._tables: list[Table] = []
        self._paragraphs: list[Paragraph] = []
        self._definitions: list[Definition] = []
        self._html: list[Verbatim] = []
        self._indented: list[Verbatim] = []

    def scan(self) -> Markdown:
        front_matter, first = self._front_matter()
        for line in range(first, len(self._starts)):
            self._read_line(line)
        self._close_leaf(len(self._starts))
        return Markdown(
            self._content,
            tuple(self._starts),
            tuple(self._headings),
            tuple(self._fences),
            tuple(self._items),
            tuple(self._tables),
            tuple(self._paragraphs),
            tuple(self._definitions),
            tuple(self._html),
            tuple(self._indented),
            front_matter,
        )

    def _front_matter(self) -> tuple[Verbatim | None, int]:
        """Metadata between two lines of --- (YAML) or +++ (TOML), and the line after it."""
        marker = self._text_of(0).removeprefix("\ufeff").rstrip()
        if marker not in ("---", "+++"):
            return None, 0
        for line in range(1, len(self._starts)):
            text = self._text_of(line).rstrip()
            if text == marker or (marker == "---" and text == "..."):
                if syntax.FRONT_MATTER_KEY.search(self._content, self._starts[1], self._starts[line]):
                    return Verbatim(0, self._ends[line]), line + 1
                break
            if line > 1 and not text and not self._text_of(line - 1).strip():
                break
        return None, 0

    def _text_of(self, line: int) -> str:
        return self._content[self._starts[line] : self._ends[line]]

    # --- one line ---------------------------------------------------------------------------------

    def _read_line(self, line: int) -> None:
        end = self._ends[line]
        position, column = self._skip_indent(self._starts[line], 0, end)
        matched, base, position, column = self._match_containers(position, column, end)
        blank = position >= end
        if matched < len(self._containers):
            if self._paragraph and not blank and not self._starts_block(position, end, column - base):
                self._paragraph.append((position, end))
                return
            self._close_leaf(line)
            del self._containers[matched:]
        if self._fence is not None:
            self._read_fence_line(line, position, column - base, end)
        elif self._html_start is not None:
            self._read_html_line(line, end, blank)
        elif blank:
            self._read_blank(line)
        else:
            self._read_blocks(line, position, column, base, end)

    def _skip_indent(self, position: int, column: int, end: int) -> tuple[int, int]:
        """The next character that is no space, and its column with tabs to multiples of four."""
        found = syntax.INDENT.match(self._content, position, end)
        stop = found.end() if found else position
        if "\t" not in self._content[position:stop]:
            return stop, column + stop - position
        for character in self._content[position:stop]:
            column = column + 4 - column % 4 if character == "\t" else column + 1
        return stop, column

    def _match_containers(self, position: int, column: int, end: int) -> tuple[int, int, int, int]:
        """How many containers go on in this line, and where and at which column its text begins."""
        base = 0
        for index, container in enumerate(self._containers):
            if container == _QUOTE:
                if column - base > 3 or position >= end or self._content[position] != ">":
                    return index, base, position, column
                position, column, base = self._after_quote_marker(position, column, end)
            elif position >= end or column >= container:
                base = container
            else:
                return index, base, position, column
        return len(self._containers), base, position, column

    def _after_quote_marker(self, position: int, column: int, end: int) -> tuple[int, int, int]:
        after = position + 1
        has_space = after < end and self._content[after] in " \t"
        base = column + 1 + has_space
        position, column = self._skip_indent(after, column + 1, end)
        return position, column, base

    def _read_blank(self, line: int) -> None:
        self._close_leaf(line)
        # A list item that begins with a blank line holds nothing else.
        if self._containers and self._containers[-1] != _QUOTE and self._items:
            last = self._items[-1]
            if last.line == line - 1 and last.content_start >= self._ends[last.line]:
                self._containers.pop()

    def _read_blocks(self, line: int, position: int, column: int, base: int, end: int) -> None:
        """Opens the containers that begin here, then reads the leaf block."""
        content = self._content
        while position < end:
            if len(self._containers) >= _MAX_DEPTH:
                self._read_text(line, position, end)
                return
            if column - base >= 4:
                self._read_indented(line, position, end)
                return
            if content[position] == ">":
                self._close_leaf(line)
                self._containers.append(_QUOTE)
                position, column, base = self._after_quote_marker(position, column, end)
                continue
            if self._opens_item(position, end):
                self._close_leaf(line)
                position, column = self._open_item(line, position, column, end)
                base = self._containers[-1]
                continue
            self._read_leaf(line, position, column - base, end)
            return

    def _opens_item(self, position: int, end: int) -> bool:
        if (
            self._content[position] not in "-+*0123456789"
            or (found := syntax.ITEM.match(self._content, position)) is None
        ):
            return False
        if syntax.BREAK.match(self._content, position) or (
            self._paragraph and syntax.SETEXT.match(self._content, position) and found.group() == "-"
        ):
            return False
        if not self._paragraph:
            return True
        starts_at_one = found.group() in ("-", "+", "*", "1.", "1)")
        return starts_at_one and self._skip_indent(found.end(), 0, end)[0] < end

    def _open_item(self, line: int, position: int, column: int, end: int) -> tuple[int, int]:
        found = syntax.ITEM.match(self._content, position)
        marker = found.group() if found else self._content[position]
        after = position + len(marker)
        stop, stop_column = self._skip_indent(after, column + len(marker), end)
        width = stop_column - column - len(marker)
        content_column = stop_column if 1 <= width <= 4 and stop < end else column + len(marker) + 1
        self._containers.append(content_column)
        depth = len(self._containers) - self._containers.count(_QUOTE)
        self._items.append(ListItem(position, marker, column, stop, depth, line))
        return stop, stop_column

    def _starts_block(self, position: int, end: int, indent: int) -> bool:
        """Whether a line outside the open containers begins a block, and so is no lazy continuation."""
        if indent >= 4:
            return False
        content, character = self._content, self._content[position]
        if character in "`~":
            return syntax.FENCE.match(content, position, end) is not None
        if character == "#":
            return syntax.ATX.match(content, position) is not None
        if character in "-+*_0123456789":
            if syntax.BREAK.match(content, position):
                return True
            return syntax.ITEM.match(content, position) is not None
        if character == "<":
            return bool(
                syntax.HTML_RAW.match(content, position) or syntax.HTML_BLOCK.match(content, position)
            )
        return character == ">"

    # --- leaf blocks ------------------------------------------------------------------------------

    def _read_leaf(self, line: int, position: int, indent: int, end: int) -> None:
        content, character = self._content, self._content[position]
        if character.isalnum():
            self._read_text(line, position, end)
        elif character in "`~" and (fence := syntax.FENCE.match(content, position, end)):
            self._close_leaf(line)
            self._fence = (position, fence[1] or fence[3], (fence[2] or fence[4] or "").strip(), line)
        elif character == "#" and (atx := syntax.ATX.match(content, position)):
            self._close_leaf(line)
            self._add_atx(line, position, min(atx.end(), end), len(atx[1]), end)
        elif self._paragraph and character in "=-" and syntax.SETEXT.match(content, position):
            self._add_setext(line, 1 if character == "=" else 2, end)
        elif character in "*-_" and syntax.BREAK.match(content, position):
            self._close_leaf(line)
        elif character == "<" and self._opens_html(line, position):
            self._read_html_line(line, end, blank=False)
        else:
            self._read_text(line, position, end)

    def _read_indented(self, line: int, position: int, end: int) -> None:
        if self._paragraph or self._table is not None:
            self._read_text(line, position, end)
        else:
            self._code = (self._code[0] if self._code else self._starts[line], end)

    def _read_text(self, line: int, position: int, end: int) -> None:
        if self._code is not None:
            self._close_leaf(line)
        if self._table is not None:
            self._table = (self._table[0], end, self._table[2], self._table[3])
        elif self._paragraph:
            if not self._opens_table(line, position, end):
                self._paragraph.append((position, end))
        else:
            self._paragraph_line = line
            self._paragraph.append((position, end))

    def _opens_table(self, line: int, position: int, end: int) -> bool:
        content = self._content
        if content[position] not in "|:-" or not syntax.DELIMITERS.match(content, position):
            return False
        head_start, head_end = self._paragraph[-1]
        columns = _columns(content[position:end])
        if "|" not in content[position:end] or _columns(content[head_start:head_end]) != columns:
            return False
        self._paragraph.pop()
        self._close_paragraph()
        self._table = (head_start, end, columns, line - 1)
        return True

    def _add_atx(self, line: int, start: int, text_start: int, level: int, end: int) -> None:
        text = self._content[text_start:end].rstrip(" \t")
        text = syntax.ATX_CLOSE.sub("", text).rstrip(" \t")
        self._headings.append(
            Heading(level, text, start, max(end, start), text_start, line, False, bool(self._containers))
        )

    def _add_setext(self, line: int, level: int, end: int) -> None:
        self._take_definitions()
        if not self._paragraph:
            return
        start, text_end = self._paragraph[0][0], self._paragraph[-1][1]
        text = self._content[start:text_end].rstrip(" \t")
        first = self._paragraph_line
        self._paragraph.clear()
        self._headings.append(Heading(level, text, start, end, start, first, True, bool(self._containers)))

    def _read_fence_line(self, line: int, position: int, indent: int, end: int) -> None:
        marker = self._fence[1] if self._fence else ""
        rest = self._content[position:end].rstrip(" \t")
        if indent < 4 and len(rest) >= len(marker) and not rest.strip(marker[:1]):
            self._add_fence(line, end, closed=True)

    def _add_fence(self, line: int, end: int, *, closed: bool) -> None:
        if self._fence is None:
            return
        start, marker, info, first = self._fence
        self._fence = None
        body_start = self._starts[first + 1] if first + 1 < len(self._starts) else len(self._content)
        body_end = max(body_start, self._starts[line] if line < len(self._starts) else len(self._content))
        self._fences.append(Fence(start, end, marker, info, body_start, body_end, closed, first))

    def _opens_html(self, line: int, position: int) -> bool:
        content = self._content
        if raw := syntax.HTML_RAW.match(content, position):
            kind = (raw[1] or raw[2] or raw[3] or raw[4] or raw[5]).lower()
            self._html_end = f"</{kind}>" if raw[1] else syntax.RAW_ENDS.get(kind, ">")
        elif syntax.HTML_BLOCK.match(content, position) or (
            not self._paragraph and syntax.HTML_ALONE.match(content, position)
        ):
            self._html_end = ""
        else:
            return False
        self._close_leaf(line)
        self._html_start = position
        return True

    def _read_html_line(self, line: int, end: int, blank: bool) -> None:
        start = self._html_start if self._html_start is not None else end
        if self._html_end:
            text = self._content[max(start, self._starts[line]) : end].lower()
            if self._html_end in text:
                self._close_html(end)
        elif blank:
            self._close_html(self._ends[line - 1])

    def _close_html(self, end: int) -> None:
        if self._html_start is not None:
            self._html.append(Verbatim(self._html_start, max(self._html_start, end)))
            self._html_start = None

    def _close_leaf(self, line: int) -> None:
        """Closes what is open before `line`."""
        end = self._ends[line - 1] if line else 0
        if self._paragraph:
            self._close_paragraph()
        elif self._fence is not None:
            self._add_fence(line, end, closed=False)
        elif self._html_start is not None:
            self._close_html(end)
        elif self._code is not None:
            self._indented.append(Verbatim(*self._code))
            self._code = None
        elif self._table is not None:
            self._tables.append(Table(*self._table))
            self._table = None

    def _close_paragraph(self) -> None:
        self._take_definitions()
        if not self._paragraph:
            return
        start, (last, end) = self._paragraph[0][0], self._paragraph[-1]
        end = last + len(self._content[last:end].rstrip(" \t"))
        if footnote := syntax.FOOTNOTE.match(self._content, start, end):
            self._definitions.append(Definition(normalized_label(footnote[1]), "", start, footnote.end()))
        in_list = any(container != _QUOTE for container in self._containers)
        self._paragraphs.append(Paragraph(start, end, self._paragraph_line, in_list))
        self._paragraph.clear()

    def _take_definitions(self) -> None:
        """Link reference definitions stand at a paragraph's start and are no part of it."""
        lines, taken = self._paragraph, 0
        while taken < len(lines) and self._content.startswith("[", lines[taken][0]):
            start = lines[taken][0]
            found = syntax.DEFINITION.match(self._content, start, lines[-1][1])
            if found is None or found[1].startswith("^") or not found[1].strip():
                break
            target = found[2].removeprefix("<").removesuffix(">")
            self._definitions.append(Definition(normalized_label(found[1]), target, start, found.end()))
            while taken < len(lines) and lines[taken][0] < found.end():
                taken += 1
        del lines[:taken]
        self._paragraph_line += taken
