"""What comes next inside a list, a table, a quote or a fence."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from shared.text.offline.json_suggestions import json_suggestions
from shared.text.offline.place import Place
from shared.text.offline.typescript_suggestions import typescript_suggestions

_ITEM = re.compile(
    r"(?P<indent>[ \t>]*)(?P<marker>[-*+]|\d{1,9}[.)])(?P<gap>[ \t]+|$)(?P<task>\[[ xX]\][ \t]+)?(?P<text>.*)"
)
_RULE = re.compile(r"[ \t>]*\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_LABELLED = re.compile(r"(\*\*|`|_)[^*`_]+\1\s*([:–—-])\s+\S")
_ROW = re.compile(r"[ \t>]*\|")
_PIPE = re.compile(r"(?<!\\)\|")
_SCRIPTS = frozenset(("ts", "tsx", "typescript", "js", "jsx", "javascript", "mjs"))
_COMMENTS = {
    "sql": "--", "lua": "--", "haskell": "--", "rust": "//", "go": "//", "java": "//", "c": "//", "cpp": "//",
    "swift": "//", "kotlin": "//", "csharp": "//", "php": "//", "scala": "//", "dart": "//",
    "python": "#", "py": "#", "sh": "#", "bash": "#", "shell": "#", "console": "#", "zsh": "#", "yaml": "#",
    "yml": "#", "toml": "#", "ruby": "#", "rb": "#", "perl": "#", "dockerfile": "#", "makefile": "#",
}  # fmt: skip
_LOOK_BACK = 200  # lines


@dataclass(frozen=True, slots=True)
class _Item:
    indent: str
    marker: str
    task: bool
    text: str


def _items_above(lines: Sequence[str]) -> list[_Item]:
    """The items of the list that the last of the lines is in, nearest first; those of its own level."""
    found: list[_Item] = []
    for line in reversed(lines[-_LOOK_BACK:]):
        match = _ITEM.match(line)
        if match is None:
            if not line.strip() or not line.startswith((" ", "\t")):
                break
            continue
        item = _Item(match["indent"], match["marker"], bool(match["task"]), match["text"].strip())
        if not found or (item.indent == found[0].indent and item.marker[-1] == found[0].marker[-1]):
            found.append(item)
        elif len(item.indent) < len(found[0].indent):
            break
    return found


def in_list(place: Place) -> Iterator[str]:
    """The next item, in the list's own form; in an empty item, its text."""
    items = _items_above(place.before.split("\n"))
    if not items or not place.at_text_end:
        return
    if items[0].text:
        yield from (f"\n{_lead(items)}{text}" for text in _texts(place, items))
    elif place.line_before.endswith((" ", "\t")):
        yield from _texts(place, items)


def item_below(place: Place) -> Iterator[str]:
    """On the empty line right below a list: the next item."""
    lines = place.before.split("\n")
    if len(lines) < 2 or not lines[-2].strip() or lines[-1]:
        return
    items = _items_above(lines[:-1])
    if items and items[0].text:
        tail = "\n" if place.after.startswith("\n") is False and place.after.strip() else ""
        yield from (f"{_lead(items)}{text}{tail}" for text in _texts(place, items))


def _lead(items: Sequence[_Item]) -> str:
    return f"{items[0].indent}{_next_marker(items)} {'[ ] ' if items[0].task else ''}"


def _next_marker(items: Sequence[_Item]) -> str:
    """One more than the last number, unless all items have the same, as some write them."""
    marker = items[0].marker
    if not marker[:-1].isdigit():
        return marker
    same = len(items) > 1 and items[1].marker == marker
    return marker if same else f"{int(marker[:-1]) + 1}{marker[-1]}"


def _texts(place: Place, items: Sequence[_Item]) -> Iterator[str]:
    """What the section should still say, else a text in the form of the items above."""
    earlier = items[1:] if not items[0].text else items
    stop = "." if earlier and all(item.text.endswith(".") for item in earlier) else ""
    label = _LABELLED.match(earlier[0].text) if earlier else None
    if label:
        yield f"{label[1]}Name{label[1]}{':' if label[2] == ':' else f' {label[2]}'} what it means{stop}"
    for point in (*place.unused_outline(), *_general(items)):
        if point not in place.content:
            yield point + stop


def _general(items: Sequence[_Item]) -> tuple[str, ...]:
    if items[0].marker[:-1].isdigit():
        return ("Check the result", "Note what has changed", "Go on with the next part")
    if items[0].task:
        return ("Check the result", "Tell those concerned", "Write down what is left")
    return ("Next point", "An example", "An exception, and what to do then")


def in_table(place: Place) -> Iterator[str]:
    """The next row with as many cells; in a row that is not finished, the rest of it."""
    if not place.at_line_end or _rule_is_below(place):
        return
    if not _has_rule(place):
        yield f"\n{place.context.indent}|{' --- |' * place.context.columns}"
    elif missing := _missing_cells(place):
        yield "  |" * missing if place.line_before.rstrip().endswith("|") else " |" + "  |" * missing
    else:
        yield from (f"\n{row}" for row in _rows(place, place.line_before))


def row_is_whole(place: Place) -> bool:
    """Whether a block may follow the row the cursor is in."""
    return _has_rule(place) and not _missing_cells(place) and not _rule_is_below(place)


def _missing_cells(place: Place) -> int:
    return max(0, place.context.columns - _cells(place.line_before))


def row_below(place: Place) -> Iterator[str]:
    """On the empty line right below a table: the next row."""
    lines = place.before.split("\n")
    if len(lines) > 1 and not lines[-1] and _ROW.match(lines[-2]):
        above = Place.at(place.content, place.index - 1)
        if above.context.columns and _has_rule(above):
            yield from _rows(above, lines[-2])


def _cells(row: str) -> int:
    text = row.strip().removeprefix("|")
    return len(_PIPE.findall(text.removesuffix("|"))) + 1 if text else 0


def _has_rule(place: Place) -> bool:
    """Whether the table's rule stands on the cursor's line or above it."""
    above = place.before.split("\n")[-_LOOK_BACK:]
    return any(_is_rule(line) for line in above)


def _rule_is_below(place: Place) -> bool:
    """Whether the cursor is in the table's head: nothing may come between it and its rule."""
    return any(_is_rule(line) for line in place.after.split("\n", 2)[1:2])


def _is_rule(line: str) -> bool:
    return "-" in line and "|" in line and _RULE.fullmatch(line) is not None


def _rows(place: Place, row: str) -> Iterator[str]:
    columns = place.context.columns
    indent = row[: len(row) - len(row.lstrip())]
    first = row.strip().removeprefix("|").split("|")[0].strip()
    if first.isdecimal() and first.isascii() and len(first) < 10:
        yield f"{indent}| {int(first) + 1} |{'  |' * (columns - 1)}"
    yield f"{indent}|{'  |' * columns}"


def in_quote(place: Place) -> Iterator[str]:
    """In an admonition its text, else whom the quote is from."""
    if not place.at_text_end:
        return
    if re.search(r"\[![A-Z]+\]\s*\Z", place.line_before):
        yield "\n> What the reader must not miss."
    elif place.line_before.strip(" \t>"):
        yield "\n>\n> — Source"


def in_fence(place: Place) -> Iterator[str]:
    """Closes brackets and the fence; goes on with TypeScript and JSON as in a file of their own."""
    context, language = place.context, place.context.language.casefold()
    body, position = _fence_body(place)
    if language in _SCRIPTS:
        yield from typescript_suggestions(body, position)
    elif language in ("json", "json5", "jsonc") or (not language and body.lstrip()[:1] in ("{", "[")):
        yield from json_suggestions(body, position)
    if not place.at_line_end:
        return
    opens = bool(re.fullmatch(r"[ \t>]*(?:[-*+][ \t]+)?(`{3,}|~{3,})[^\n]*", place.line_before)) and not body
    if not context.fence_closed:
        lead = "\n\n" if opens else "\n" if place.line_before.strip() else ""
        yield f"{lead}{context.indent if lead else ''}{context.fence}\n"
    if mark := _COMMENTS.get(language):
        lead = "\n" if place.line_before.strip() else ""
        yield f"{lead}{context.indent if lead else ''}{mark} Expected result:"


def _fence_body(place: Place) -> tuple[str, int]:
    """The code of the fence at the cursor, and the cursor's place in it."""
    for fence in place.view.markdown.fences:
        if fence.body_start <= place.index <= max(fence.body_end, fence.body_start):
            return place.content[fence.body_start : fence.body_end], place.index - fence.body_start
    return "", 0
