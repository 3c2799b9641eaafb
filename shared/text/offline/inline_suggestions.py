"""What fits in the middle of a line: closing what is open, and pointing to a section."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from shared.text.markdown_inline import plain_text
from shared.text.offline.place import Place

_PARAGRAPH_START = re.compile(r"\n[ \t>]*\n")
_LEADING_MARK = re.compile(r"\A[ \t>]*(?:[-*+]|\d{1,9}[.)])[ \t]+")
_CODE_SPAN = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)", re.DOTALL)
_MARKS = re.compile(r"\*\*|~~|[()\[\]“”]")
_PAIRS = {")": "(", "]": "[", "”": "“"}
_CLOSERS = {"(": ")", "[": "]", "“": "”", "**": "**", "~~": "~~"}
_LONGEST = 4_000  # characters of a paragraph that are looked at


def closing_marks(before: str, after: str) -> str:
    """What closes the code, emphasis and brackets that the paragraph opens before the cursor.

    Nothing when the rest of the paragraph closes them already.
    """
    paragraph = _PARAGRAPH_START.split(before[-_LONGEST:])[-1]
    rest = _PARAGRAPH_START.split(after[:_LONGEST])[0]
    text = _CODE_SPAN.sub("", _LEADING_MARK.sub("", paragraph))
    if "`" in text:
        ticks = re.findall(r"`+", text)[-1]
        return "" if ticks in rest else ticks
    closers = "".join(_CLOSERS[mark] for mark in reversed(_open_marks(text)))
    return "" if any(mark in rest for mark in closers) else closers


def _open_marks(text: str) -> list[str]:
    opened: list[str] = []
    for found in _MARKS.finditer(text):
        mark = found[0]
        if mark in _PAIRS:
            if opened and opened[-1] == _PAIRS[mark]:
                opened.pop()
        elif mark in opened and mark in ("**", "~~"):
            opened.remove(mark)
        elif text[found.end() : found.end() + 1].strip():
            opened.append(mark)
    return opened


def cross_reference(place: Place, slug: Callable[[str], str]) -> Iterator[str]:
    """“(see Section)” between two words, for the sections the cursor is not in."""
    before, after = place.before[-1:], place.after[:1]
    if (before.strip() and after.strip()) or place.context.line_prefix.count("`") % 2:
        return
    lead = " " if before.strip() else ""
    tail = " " if after.strip() else ""
    for heading in place.view.markdown.top_headings[1:]:
        name = plain_text(heading.text)
        if name and slug(heading.text) and name not in place.context.heading_path:
            yield f"{lead}(see [{_escaped(name)}](#{slug(heading.text)})){tail}"


def _escaped(name: str) -> str:
    return re.sub(r"([\[\]\\])", r"\\\1", name)
