"""Mermaid text on its way in: its statements, and the plain text of its labels."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass

from shared.text.mermaid.labels import clean_text

MAX_SOURCE = 60_000  # characters; Mermaid itself takes 50,000
MAX_LINE = 2_000

_FENCE = re.compile(
    r"(?:^|\n)[ \t]*(?:```+|~~~+)[ \t]*(?:mermaid)?[ \t]*\n(.*?)\n[ \t]*(?:```+|~~~+)", re.DOTALL
)
_FRONT_MATTER = re.compile(r"-{3}[ \t]*\n(.*?)\n[ \t]*-{3}[ \t]*\n", re.DOTALL)
_FRONT_TITLE = re.compile(r"^title[ \t]*:[ \t]*(.+)$", re.MULTILINE)
_DIRECTIVE = re.compile(r"%%\{.*?\}%%", re.DOTALL)
_COMMENT = re.compile(r"^[ \t]*%%.*$", re.MULTILINE)
_ACCESSIBLE_BLOCK = re.compile(r"^[ \t]*accDescr[ \t]*\{[^}]*\}", re.MULTILINE)
_BREAK = re.compile(r"<br[ \t]*/?[ \t]*>|\\n", re.IGNORECASE)
_FORMATTING = re.compile(
    r"</?(?:b|i|u|em|strong|code|small|sub|sup|span|p|div|center|font|pre)\b[^<>]*>", re.IGNORECASE
)
_ICON = re.compile(r"\bfa[bklrs]?:fa-[\w-]+\s*")
_ENDING_ENTITY = re.compile(r"[#&]\w+;$")
_ENTITY = re.compile(r"#(\w+);")


@dataclass(frozen=True, slots=True)
class Source:
    """The body of a diagram: its first line, its other lines, and the title of its front matter."""

    header: str
    lines: tuple[str, ...]  # with their indentation, without comments and directives
    title: str


def read_source(text: str) -> Source:
    """Takes the diagram out of fences and prose around it. Raises ValueError when there is none."""
    if len(text) > MAX_SOURCE:
        raise ValueError(f"The diagram is longer than {MAX_SOURCE} characters.")
    body = text.replace("\r\n", "\n").replace("\r", "\n")
    if fenced := _FENCE.search(body):
        body = fenced.group(1)
    title = ""
    if front := _FRONT_MATTER.match(body.lstrip()):
        body = body.lstrip()[front.end() :]
        found = _FRONT_TITLE.search(front.group(1))
        title = label_text(found.group(1).strip("'\" ")) if found else ""
    for pattern in (_DIRECTIVE, _COMMENT, _ACCESSIBLE_BLOCK):
        body = pattern.sub("", body)
    lines = [line.rstrip() for line in body.expandtabs(4).split("\n") if line.strip()]
    if not lines:
        raise ValueError("There is no diagram in the answer.")
    if max(map(len, lines)) > MAX_LINE:
        raise ValueError(f"The diagram has a line of more than {MAX_LINE} characters.")
    return Source(lines[0].strip(), tuple(lines[1:]), title)


def label_text(raw: str, limit: int = 200) -> str:
    """What Mermaid would show for a label: without quotation marks, breaks, formatting and entities."""
    text = raw.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1]
    if len(text) > 1 and text[0] == text[-1] == "`":
        text = text[1:-1].replace("**", "")
    text = _ICON.sub("", _FORMATTING.sub("", _BREAK.sub(" ", text)))
    text = html.unescape(_ENTITY.sub(_reference, text))
    return clean_text(text, limit)


def statement(line: str) -> str:
    """A line without indentation and without the semicolon that may end it; an entity keeps its own."""
    text = line.strip()
    return text if _ENDING_ENTITY.search(text) else text.rstrip("; \t")


def _reference(found: re.Match[str]) -> str:
    return f"&#{found.group(1)};" if found.group(1).isdigit() else f"&{found.group(1)};"


def unreadable(line: str, number: int) -> ValueError:
    """`number` counts the lines after the header, from 1."""
    return ValueError(f"Line {number + 1} of the diagram cannot be read: {clean_text(line, 80)}")
