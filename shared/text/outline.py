"""The outline of a document: where its sections begin and what they are called.

Markdown has headings, TypeScript declarations, JSON keys and the elements of arrays. Linear in the
length of the text, which may be any; nothing raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.markdown import scan
from shared.text.markdown_inline import plain_text
from shared.types import DocumentKind

MAX_NAME = 120  # characters of a heading that are kept
MAX_DEPTH = 8

_DECLARATION = re.compile(
    r"^(?P<indent>[ \t]*)(?:(?:export|default|declare|abstract|async)[ \t]+)*"
    r"(?:(?:function\b[ \t]*\*?|class|interface|type|enum|namespace|module|const[ \t]+enum|const|let|var)"
    r"[ \t]+|function\*[ \t]*)(?P<name>[\w$]+)",
    re.MULTILINE,
)
_METHOD = re.compile(
    r"^(?P<indent>[ \t]+)(?:(?:public|private|protected|static|readonly|override|async|get|set)[ \t]+)*+"
    r"(?:\*[ \t]*)?(?P<name>#?[\w$]+)[ \t]*(?:<[^>\n]{0,200}>)?\([^\n;]*\{[ \t]*$",
    re.MULTILINE,
)
_NOT_METHODS = frozenset(("if", "for", "while", "switch", "catch", "function", "return", "with"))
_NAMED = re.compile(r"\w")


@dataclass(frozen=True, slots=True)
class Section:
    """What begins at `start`, a Python index, and goes on to the next section of its depth or less."""

    start: int
    depth: int  # 0 is the outermost
    path: tuple[str, ...]  # names from the outermost inwards, its own last
    body: int  # where what stands under its name begins


def outline(content: str, kind: DocumentKind) -> list[Section]:
    """The sections in the order of the text. What stands before the first belongs to none."""
    match kind:
        case DocumentKind.MARKDOWN:
            return list(_headings(content))
        case DocumentKind.TYPESCRIPT:
            return list(_declarations(content))
        case DocumentKind.JSON:
            return list(_members(content))


def _headings(content: str) -> Iterator[Section]:
    above: list[tuple[int, str]] = []
    for heading in scan(content).top_headings:
        name = plain_text(heading.text)[:MAX_NAME]
        yield from _nested(above, heading.level - 1, name, heading.start, heading.end)


def _nested(above: list[tuple[int, str]], depth: int, name: str, start: int, body: int) -> Iterator[Section]:
    """The section under those of `above` that are less deep; it joins them."""
    while above and above[-1][0] >= depth:
        above.pop()
    above.append((depth, name))
    yield Section(start, depth, tuple(named for _, named in above if named), body)


def _declarations(content: str) -> Iterator[Section]:
    """By indentation, since a formatter has passed over nearly all TypeScript that is kept."""
    from shared.text.offline.typescript_scan import scan_typescript

    code = scan_typescript(content).code
    found = [*_DECLARATION.finditer(code), *_METHOD.finditer(code)]
    above: list[tuple[int, str]] = []
    done = -1
    for declaration in sorted(found, key=lambda one: one.start()):
        depth = len(declaration["indent"].expandtabs(4))
        if declaration.start() == done or declaration["name"] in _NOT_METHODS or depth > 4 * MAX_DEPTH:
            continue
        done = declaration.start()
        start = _with_comment(content, code, done)
        yield from _nested(above, depth, declaration["name"], start, declaration.end())


def _with_comment(content: str, code: str, start: int) -> int:
    """Where the comment and the decorators begin that stand directly above a declaration."""
    while start > 0:
        line = content.rfind("\n", 0, start - 1) + 1
        is_comment = not code[line:start].strip() and content[line:start].strip()
        if not is_comment and not code[line:start].lstrip().startswith("@"):
            break
        start = line
    return start


def _members(content: str) -> Iterator[Section]:
    from shared.text.offline.json_scan import scan_json

    scanned = scan_json(content)
    paths: dict[int, tuple[str, ...]] = {}
    for number, value in enumerate(scanned.values):
        path = paths.get(value.parent, ())
        key = scanned.key(value)
        if key and _NAMED.search(key):
            path = (*path, key[:MAX_NAME])
        if value.kind in ("object", "array"):
            paths[number] = path
        if 0 < value.depth <= MAX_DEPTH:
            start = value.key_start if value.key_start >= 0 else value.start
            yield Section(start, value.depth - 1, path, value.start)
