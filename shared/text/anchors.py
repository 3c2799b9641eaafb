"""Anchors: places in a text by position and by quote, made and verified; `rebasing` maps them on.

W3C Web Annotation Data Model, 4.2.4 and 4.2.5 (https://www.w3.org/TR/annotation-model/); positions
are UTF-16 code units. A caret is no quote: an anchor always stands for some text.

Once a text has changed, nobody can tell a passage from its twin. So an anchor is made to have none: what it
keeps from before the quote tells it from every other place of its text, and so does what it keeps from after.
"""

from __future__ import annotations

from collections.abc import Iterator

from shared.text.boundaries import character_end, character_start
from shared.text.positions import Utf16Text
from shared.text.quotes import locate
from shared.types import Anchor, Position, Quote

__all__ = ["CONTEXT", "MAX_CONTEXT", "locate", "make_anchor", "prefix_of", "suffix_of", "verify"]

CONTEXT = 32  # characters of text kept before and after a quote
MAX_CONTEXT = 2048  # kept where fewer do not tell it apart
UNTELLING = 7  # kept of a side that does not tell it apart at all


def make_anchor(
    text: Utf16Text, start: int, end: int, *, content_hash: str, document_id: str | None
) -> Anchor:
    """The anchor of the Python indexes [start, end). Raises ValueError where they hold no text."""
    if not 0 <= start < end <= len(text.text):
        raise ValueError(f"no text stands at [{start}, {end}) of {len(text.text)} characters")
    content = text.text
    return Anchor(
        content_hash=content_hash,
        position=Position(text.to_utf16(start), text.to_utf16(end)),
        quote=Quote(content[start:end], prefix_of(content, start, end), suffix_of(content, start, end)),
        document_id=document_id,
    )


def prefix_of(content: str, start: int, end: int) -> str:
    """What an anchor keeps from before content[start:end]: whole characters, as a reader counts them."""
    for length in _lengths(start):
        before = character_start(content, start - length, limit=start)
        if _stands_once(content, content[before:end]):
            return content[before:start]
    return content[character_start(content, max(0, start - UNTELLING), limit=start) : start]


def suffix_of(content: str, start: int, end: int) -> str:
    """What an anchor keeps from after content[start:end]: whole characters, as a reader counts them."""
    for length in _lengths(len(content) - end):
        after = character_end(content, end + length, limit=end)
        if _stands_once(content, content[start:after]):
            return content[end:after]
    return content[end : character_end(content, min(len(content), end + UNTELLING), limit=end)]


def _lengths(available: int) -> Iterator[int]:
    """CONTEXT, doubled up to MAX_CONTEXT; no more than there is."""
    length = CONTEXT
    while length < min(available, MAX_CONTEXT):
        yield length
        length *= 2
    yield min(available, MAX_CONTEXT)


def _stands_once(content: str, passage: str) -> bool:
    return content.find(passage, content.find(passage) + 1) < 0


def verify(text: Utf16Text, anchor: Anchor) -> bool:
    """Whether the quote stands at its very position. Never for an empty quote."""
    exact = anchor.quote.exact
    index = text.to_index(anchor.position.start)
    return (
        exact != ""
        and text.to_utf16(index) == anchor.position.start
        and text.text.startswith(exact, index)
        and text.to_utf16(index + len(exact)) == anchor.position.end
    )
