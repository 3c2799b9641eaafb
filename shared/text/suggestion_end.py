"""How a suggestion ends: before it repeats what follows, in the block of the cursor, with all closed."""

from __future__ import annotations

import re

from shared.text.cursor import CursorContext

_LEAST_REPEAT = 12  # characters; a shorter line of the text after the cursor may stand there by chance
_BRACKET_REACH = 200  # characters; what is open for longer is not closed for certain
_SUFFIX_WINDOW = 600  # characters

_COMMENTARY = re.compile(
    r"\n\s*\n[ \t*_(]*(?:let me know|i hope (?:this|these|that)|feel free to|"
    r"these (?:suggestion|alternative|option)s|(?:please )?note that these|would you like me)\b[^\n]*\Z",
    re.IGNORECASE,
)
_FENCE = re.compile(r"^[ \t>]*(?:(?:[-*+]|\d{1,9}[.)])[ \t]+)*(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)
_BLOCK_LINE = re.compile(r"[ \t]*(?:#{1,6}[ \t]|[-*+][ \t]|\d{1,9}[.)][ \t]|`{3}|~{3}|\||>)")
_ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]")
_PIPE = re.compile(r"(?<!\\)\|")
_SENTENCE_END = re.compile(r"[.!?:;…。！？][\"'”’)\]*_`]*$")
_CODE_SPAN = re.compile(r"(?<!`)(`+)(?!`)(?:(?!\1(?!`))[^\n])*?(?<!`)\1(?!`)")
_ESCAPED = re.compile(r"\\[\\`*_{}\[\]()#+.!|~>-]")
_DANGLING = re.compile(r"[ \t]*(?:\*{1,3}|_{1,3}|`+|~~|\[|\()$")


def finished(text: str, cursor: CursorContext) -> str:
    """`text`, whose start is right already, with its end put right; "" when nothing is left."""
    text = _COMMENTARY.sub("", text).rstrip()
    text = _before_closing_fence(text, cursor) if cursor.block == "fence" else text
    text = _before_suffix(text, cursor)
    text = text if cursor.in_code else _in_block(text, cursor)
    if not text.strip():
        return ""
    if not cursor.in_code:
        text = _closed(text, cursor)
    return _before_rest(text, cursor)


def _before_closing_fence(text: str, cursor: CursorContext) -> str:
    """Inside a fence that is closed later, the text ends before it would close that fence."""
    closing = re.compile(
        rf"^[ \t>]*{re.escape(cursor.fence[:1])}{{{max(len(cursor.fence), 3)},}}[ \t]*$", re.M
    )
    found = closing.search(text)
    if found is None:
        return text
    return text[: found.start() if cursor.fence_closed else found.end()].rstrip()


# --- the text after the cursor --------------------------------------------------------------------


def _before_suffix(text: str, cursor: CursorContext) -> str:
    suffix = cursor.suffix[:_SUFFIX_WINDOW]
    lines = [line for line in suffix.splitlines() if line.strip()]
    if not lines:
        return text
    first = lines[0].strip()
    if len(first) >= _LEAST_REPEAT or (first.startswith("#") and not cursor.in_code):
        text = _before_line(text, first)
    return text[: len(text) - _overlap(text, suffix, cursor)].rstrip()


def _before_line(text: str, line: str) -> str:
    """Cuts where the text goes on into the line that follows the cursor anyway."""
    words = r"\s+".join(map(re.escape, line.split()))
    found = re.search(rf"(?<!\w){words}(?!\w)", text)
    return text[: found.start()].rstrip() if found else text


def _overlap(text: str, suffix: str, cursor: CursorContext) -> int:
    """How many characters at the end of `text` stand at the start of `suffix` as well."""
    lead = len(suffix) - len(suffix.lstrip())
    following, new_line = suffix[lead:], "\n" in suffix[:lead]
    for length in range(min(len(text), len(following)), 0, -1):
        if text.endswith(following[:length]) and _is_repetition(
            text, following, length, cursor, new_line=new_line
        ):
            return length
    return 0


def _is_repetition(text: str, following: str, length: int, cursor: CursorContext, *, new_line: bool) -> bool:
    overlap = following[:length]
    before, after = text[: len(text) - length][-1:], following[length : length + 1]
    if (_is_word(before) and _is_word(overlap[0])) or (_is_word(after) and _is_word(overlap[-1])):
        return False
    letters = sum(map(_is_word, overlap))
    if new_line:
        return letters >= _LEAST_REPEAT or (
            letters > 0 and not cursor.in_code and "\n" in following[length:][:1]
        )
    if letters:
        return True
    if overlap in (")", "]", "}"):
        opening = {")": "(", "]": "[", "}": "{"}[overlap]
        return text.count(overlap) > text.count(opening)
    if overlap in ("**", "*", "_", "`", '"', "'"):
        return text.count(overlap) % 2 == 1
    return not cursor.in_code


def _is_word(character: str) -> bool:
    return character.isalnum() or character == "_"


def _before_rest(text: str, cursor: CursorContext) -> str:
    """The white space between the text and the rest of the cursor's line."""
    rest = cursor.line_suffix
    if not rest.strip() or cursor.in_code:
        return text
    if not cursor.line_prefix.strip() and (_SENTENCE_END.search(text) or _BLOCK_LINE.match(text)):
        return text + "\n\n"
    inside_word = cursor.line_prefix[-1:] and _is_word(cursor.line_prefix[-1]) and _is_word(rest[0])
    return text + " " if _needs_space(text[-1], rest[0]) and not inside_word else text


def _needs_space(before: str, after: str) -> bool:
    if before >= "\u3000" or after >= "\u3000":
        return False
    return _is_word(after) and (_is_word(before) or before in '.,;:!?)]}"”*_`')


# --- the block of the cursor ----------------------------------------------------------------------


def _in_block(text: str, cursor: CursorContext) -> str:
    if cursor.block == "table":
        return _in_table(text, cursor)
    if cursor.line_prefix.strip() and cursor.line_suffix.strip():
        return _in_line(text, cursor)
    if cursor.block == "quote":
        return _with_prefix(text, "> ", ">")
    if cursor.block == "list":
        return _in_list(text, cursor)
    return text


def _in_line(text: str, cursor: CursorContext) -> str:
    """In the middle of a line: up to a border of blocks, and soft line breaks become spaces."""
    lead = text[: len(text) - len(text.lstrip())]
    kept: list[str] = []
    for line in text.strip().splitlines():
        if not line.strip() or (kept and (_BLOCK_LINE.match(line) or cursor.block == "heading")):
            break
        kept.append(line.strip())
    return (" " if "\n" in lead else lead) + " ".join(kept)


def _in_table(text: str, cursor: CursorContext) -> str:
    """In a row that goes on: one cell. At the end of a row: rows, each on its line."""
    if cursor.line_suffix.strip():
        lead = text[: len(text) - len(text.lstrip(" "))]
        first = _PIPE.split(" ".join(text.split()), maxsplit=1)[0]
        return lead + first.strip()
    rows: list[str] = []
    for line in text.split("\n"):
        if not line.strip():
            if rows and len(rows) > 1:
                break
            rows.extend([line] if not rows else [])
        elif not rows or line.lstrip().startswith("|"):
            rows.append(line)
        elif rows[-1].rstrip().endswith("|"):
            break
        else:
            rows[-1] = f"{rows[-1].rstrip()} {line.strip()}"
    return "\n".join(rows)


def _with_prefix(text: str, prefix: str, mark: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([first, *(line if line.startswith(mark) else (prefix + line).rstrip() for line in rest)])


def _in_list(text: str, cursor: CursorContext) -> str:
    """Items after the first line are indented as the cursor's item is, unless they are already."""
    first, *rest = text.split("\n")
    items = [line for line in rest if _ITEM.match(line)]
    if not cursor.indent or any(line.startswith(cursor.indent) for line in items):
        return text
    return "\n".join([first, *(cursor.indent + line if line.strip() else line for line in rest)])


# --- what is open ---------------------------------------------------------------------------------


def _closed(text: str, cursor: CursorContext) -> str:
    """Closes the fence, or the code, bold and bracket, that the text itself has opened."""
    fence = _open_fence(text)
    if fence:
        return f"{text}\n{fence}"
    if text.endswith(("```", "~~~")):
        return text
    text = _without_dangling(text, cursor)
    start = max(text.rfind("\n\n") + 2, _last_block_line(text)) if "\n" in text else 0
    typed = cursor.line_prefix if start == 0 else ""
    rest = cursor.line_suffix if start == 0 else ""
    return text + _closers(typed, text[start:], rest)


def _last_block_line(text: str) -> int:
    start = text.rfind("\n") + 1
    return start if _BLOCK_LINE.match(text[start:]) else 0


def _open_fence(text: str) -> str:
    """The marks that close a fence which the text leaves open."""
    fence = ""
    for found in _FENCE.finditer(text):
        marks, info = found.groups()
        if fence and marks.startswith(fence) and not info.strip():
            fence = ""
        elif not fence and not ("`" in marks and "`" in info):
            fence = marks
    return fence


def _without_dangling(text: str, cursor: CursorContext) -> str:
    """Without a mark at the very end that opens something and has nothing in it."""
    found = _DANGLING.search(text)
    if found is None:
        return text
    mark = found.group().strip()
    line = cursor.line_prefix + text if "\n" not in text else text.rpartition("\n")[2]
    opens = mark in "[(" or _plain(line, keep_code="`" in mark).count(mark) % 2 == 1
    spaced = mark in "[(" or text[found.start() : found.start() + 1].isspace() or found.start() == 0
    return text[: found.start()] if opens and spaced and not cursor.line_suffix.strip() else text


def _plain(text: str, *, keep_code: bool = False) -> str:
    text = _ESCAPED.sub("", text)
    return text if keep_code else _CODE_SPAN.sub("", text)


def _closers(typed: str, text: str, rest: str) -> str:
    """What is missing at the end of one line or paragraph, innermost first."""
    if _opened(typed, text, rest, "`", keep_code=True):
        return "`"
    closing = _bracket(_plain(typed), _plain(text), _plain(rest))
    for mark in ("**", "~~"):
        if _opened(typed, text, rest, mark):
            closing += mark
    return closing


def _opened(typed: str, text: str, rest: str, mark: str, *, keep_code: bool = False) -> bool:
    """Whether the text opens `mark` and neither it nor the rest of the line closes it."""
    before, inside, after = (
        _plain(part, keep_code=keep_code).count(mark) % 2 for part in (typed, text, rest)
    )
    return not before and bool(inside) and not after


def _bracket(typed: str, text: str, rest: str) -> str:
    """The bracket that the text leaves open, when it is one and near the end."""
    stack: list[tuple[str, int]] = []
    for index, character in enumerate(text):
        if character in "([":
            stack.append((character, index))
        elif character in ")]" and stack and stack[-1][0] == ("(" if character == ")" else "["):
            stack.pop()
    if len(stack) != 1:
        return ""
    opening, index = stack[0]
    closing = ")" if opening == "(" else "]"
    before = (typed + text[:index])[-1:]
    sure = not before or before.isspace() or before in "]([\"'“‘*_" or opening == "["
    near = len(text) - index <= _BRACKET_REACH and len(text) > index + 1
    return closing if sure and near and rest.count(closing) <= rest.count(opening) else ""
