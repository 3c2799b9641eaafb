"""Suggestions that need no model: what a document's own form asks for next, at the cursor."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from shared.text.offline.json_suggestions import json_suggestions
from shared.text.offline.markdown_suggestions import markdown_suggestions
from shared.text.offline.typescript_suggestions import typescript_suggestions
from shared.types import DocumentKind

_GENERATORS: Mapping[DocumentKind, Callable[[str, int], Iterator[str]]] = {
    DocumentKind.MARKDOWN: markdown_suggestions,
    DocumentKind.TYPESCRIPT: typescript_suggestions,
    DocumentKind.JSON: json_suggestions,
}


def suggest(content: str, cursor_index: int, kind: DocumentKind, *, count: int) -> tuple[str, ...]:
    """At most `count` different texts, the best first, each to be inserted at the cursor as it is.

    `cursor_index` is a Python index; outside the text it is clamped, and moved out of a CR LF. They do not
    repeat the text around the cursor and close what they open. Their line ends are the document's. There may
    be fewer than `count`, and none where nothing sensible can be inserted, as in the middle of a word.
    """
    index = min(max(cursor_index, 0), len(content))
    if content[index - 1 : index + 1] == "\r\n" and index:
        index -= 1
    before, after = _plain(content[:index]), _plain(content[index:])
    newline = "\r\n" if "\r\n" in content else "\n"
    chosen: list[str] = []
    for text in _GENERATORS[kind](before + after, len(before)):
        if len(chosen) >= count:
            break
        if text and text not in chosen and not _repeats(text, before, after):
            chosen.append(text)
    return tuple(text.replace("\n", newline) for text in chosen)


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _repeats(text: str, before: str, after: str) -> bool:
    """Whether the text stands on the cursor's either side already. Marks alone may repeat: `}` after `}`."""
    words = text.strip()
    if not any(character.isalnum() for character in words):
        return False
    return before.rstrip().endswith(words) or after.lstrip().startswith(words)
