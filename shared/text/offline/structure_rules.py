"""Rules about headings, sections and fences. Each takes the document and yields what it finds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import pairwise

from shared.text.markdown import Fence, Heading
from shared.text.markdown_inline import plain_text
from shared.text.offline.model import Finding, Severity
from shared.text.offline.view import MarkdownView

MANY_WORDS = 300  # without a heading, more than this is hard to scan

_NOTHING = re.compile(r"(?:\s++|<!--(?:(?!-->).)*+-->)*+\Z", re.DOTALL)
_TITLE_KEY = re.compile(r"^[\"']?title[\"']?\s*[:=]", re.MULTILINE | re.IGNORECASE)
_MISSING_SPACE = re.compile(r"(#{2,6})([^\W\d_][^\r\n]*)")


def heading_jumps(view: MarkdownView) -> Iterator[Finding]:
    headings = view.markdown.top_headings
    for index, (before, heading) in enumerate(pairwise(headings), start=1):
        if heading.level <= before.level + 1:
            continue
        wanted = before.level + 1
        message = (
            f"This heading is of level {heading.level} under “{plain_text(before.text)}” of level "
            f"{before.level}; make it level {wanted}, or add the level between."
        )
        marker_end = heading.start + heading.level
        if heading.setext or not _stands_alone(headings, index):
            yield Finding(Severity.WARNING, "heading-jump", message, heading.start, _line_end(view, heading))
        else:
            yield Finding(Severity.WARNING, "heading-jump", message, heading.start, marker_end, "#" * wanted)


def _stands_alone(headings: tuple[Heading, ...], index: int) -> bool:
    """Whether raising this heading leaves every other heading where it belongs."""
    return index + 1 == len(headings) or headings[index + 1].level < headings[index].level


def _line_end(view: MarkdownView, heading: Heading) -> int:
    return max(heading.start + 1, heading.text_start + len(heading.text))


def titles(view: MarkdownView) -> Iterator[Finding]:
    headings = view.markdown.top_headings
    top = [heading for heading in headings if heading.level == 1]
    if len(top) > 1:
        yield Finding(
            Severity.INFORMATION,
            "several-titles",
            f"{len(top)} headings are of level 1; keep one title and make the others level 2.",
            top[1].start,
            _line_end(view, top[1]),
        )
    if headings and not top and not _has_metadata_title(view):
        yield Finding(
            Severity.INFORMATION,
            "missing-title",
            f"No heading is of level 1; the first is of level {headings[0].level}. "
            "Give the document a title of level 1.",
            headings[0].start,
            _line_end(view, headings[0]),
        )
    if not headings and view.words > MANY_WORDS:
        first = view.markdown.paragraphs[0]
        yield Finding(
            Severity.INFORMATION,
            "missing-title",
            f"{view.words:,} words stand without a heading; add a title and divide them into sections.",
            first.start,
            min(first.end, first.start + 80),
        )


def _has_metadata_title(view: MarkdownView) -> bool:
    matter = view.markdown.front_matter
    return matter is not None and _TITLE_KEY.search(view.content, matter.start, matter.end) is not None


def duplicate_headings(view: MarkdownView) -> Iterator[Finding]:
    """Headings of the same text under the same parent: a link cannot tell them apart."""
    path: list[str] = []
    levels: list[int] = []
    first_lines: dict[tuple[str, ...], int] = {}
    for heading in view.markdown.top_headings:
        while levels and levels[-1] >= heading.level:
            levels.pop()
            path.pop()
        levels.append(heading.level)
        path.append(plain_text(heading.text).casefold())
        if not path[-1]:
            continue
        first = first_lines.setdefault(tuple(path), heading.line)
        if first != heading.line:
            yield Finding(
                Severity.INFORMATION,
                "duplicate-heading",
                f"“{plain_text(heading.text)}” is also the heading on line {first + 1}; "
                "rename one of them or join the two sections.",
                heading.start,
                _line_end(view, heading),
            )


def empty_sections(view: MarkdownView) -> Iterator[Finding]:
    headings = view.markdown.top_headings
    content = view.content
    for index, heading in enumerate(headings):
        following = headings[index + 1] if index + 1 < len(headings) else None
        if following and following.level > heading.level:
            continue
        if not _NOTHING.match(content, heading.end, following.start if following else len(content)):
            continue
        yield Finding(
            Severity.WARNING,
            "empty-section",
            _empty_message(plain_text(heading.text)),
            heading.start,
            _line_end(view, heading),
        )


def _empty_message(name: str) -> str:
    section = f"The section “{name}” has no content" if name else "This heading has neither text nor content"
    return f"{section}; write it or remove the heading."


def headings_without_space(view: MarkdownView) -> Iterator[Finding]:
    for paragraph in view.markdown.paragraphs:
        if view.content.startswith("##", paragraph.start) and (
            found := _MISSING_SPACE.match(view.content, paragraph.start, paragraph.end)
        ):
            yield Finding(
                Severity.WARNING,
                "heading-space",
                f"“{found[0][:60]}” is not a heading; put a space after {found[1]}.",
                found.start(),
                found.end(),
                f"{found[1]} {found[2]}",
            )


def unclosed_fences(view: MarkdownView) -> Iterator[Finding]:
    for fence in view.markdown.fences:
        if not fence.closed:
            lines = view.markdown.line_of(max(fence.body_start, fence.end)) - fence.line
            yield Finding(
                Severity.ERROR,
                "unclosed-fence",
                f"The code fence opened on line {fence.line + 1} is never closed, so the {lines} lines "
                f"behind it are code; close it with {fence.marker}.",
                fence.start,
                fence.start + len(fence.marker),
            )


def fence_languages(view: MarkdownView) -> Iterator[Finding]:
    for fence in view.markdown.fences:
        if fence.info or not fence.closed:
            continue
        language = sure_language(_body(view, fence))
        advice = f"it looks like {language}" if language else "for plain output, “text”"
        yield Finding(
            Severity.HINT,
            "fence-language",
            f"The code fence on line {fence.line + 1} names no language; name it behind {fence.marker} "
            f"({advice}).",
            fence.start,
            fence.start + len(fence.marker),
            f"{fence.marker}{language}" if language else None,
        )


def _body(view: MarkdownView, fence: Fence) -> str:
    return view.content[fence.body_start : fence.body_end]


_SHEBANG = re.compile(r"#!\S*?/(?:env )?(bash|sh|zsh|python|node|ruby|perl)[\d.]*\s")
_TREE = re.compile(r"^[ \t]*[├└│]", re.MULTILINE)
_SURE_LINES = (
    ("console", re.compile(r"\$ \S")),
    ("pycon", re.compile(r"(?:>>> \S|\.\.\. )")),
)
_SURE_STARTS = (
    ("xml", re.compile(r"<\?xml\s")),
    ("html", re.compile(r"<!doctype html", re.IGNORECASE)),
    ("diff", re.compile(r"diff --git |--- \S.*\n\+\+\+ \S")),
    ("http", re.compile(r"HTTP/\d(?:\.\d)? \d{3}|(?:GET|POST|PUT|DELETE|PATCH) \S+ HTTP/\d")),
    ("mermaid", re.compile(r"(?:sequenceDiagram|classDiagram|stateDiagram(?:-v2)?|erDiagram)\s*\n")),
    ("sql", re.compile(r"(?:CREATE TABLE|INSERT INTO|SELECT .+\n?\s*FROM|ALTER TABLE) ")),
)


def sure_language(code: str) -> str | None:
    """The language of a code block where its text leaves no doubt, else None."""
    text = code.strip()
    if not text:
        return None
    if text[0] in "{[" and _is_json(text):
        return "json"
    if shebang := _SHEBANG.match(text):
        return {"node": "js", "zsh": "sh"}.get(shebang[1], shebang[1])
    for language, start in _SURE_STARTS:
        if start.match(text):
            return language
    lines = [line for line in text.splitlines() if line.strip()]
    for language, line_start in _SURE_LINES:
        if line_start.match(text) and all(line_start.match(line.strip()) for line in lines):
            return language
    return "text" if len(_TREE.findall(text)) > 1 else None


def _is_json(text: str) -> bool:
    if len(text) > 100_000:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return text[-1] in "}]"


RULES = (
    heading_jumps,
    titles,
    duplicate_headings,
    empty_sections,
    headings_without_space,
    unclosed_fences,
    fence_languages,
)
