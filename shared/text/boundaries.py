"""Where a span of text may begin and end: not inside a word, a letter with its accents, or CRLF."""

from __future__ import annotations

import unicodedata

_JOINER = "\u200d"


def _extends(character: str) -> bool:
    """Whether it belongs to the character before it (UAX #29's Extend and SpacingMark, nearly)."""
    if character.isascii():
        return False
    return (
        character == _JOINER
        or "\U0001f3fb" <= character <= "\U0001f3ff"
        or unicodedata.category(character) in ("Mn", "Me", "Mc")
    )


def splits_character(text: str, index: int) -> bool:
    """Whether `index` lies inside what a reader sees as one character."""
    if not 0 < index < len(text):
        return False
    before, after = text[index - 1], text[index]
    return (before == "\r" and after == "\n") or before == _JOINER or _extends(after)


def splits_word(text: str, index: int) -> bool:
    """Whether `index` lies inside a word or a character. An underscore is of the word."""
    if not 0 < index < len(text):
        return False
    before, after = text[index - 1], text[index]
    if (before.isalnum() or before == "_") and (after.isalnum() or after == "_"):
        return True
    return splits_character(text, index)


def character_start(text: str, index: int, *, limit: int) -> int:
    """The next place at or after `index`, at most `limit`, that splits no character."""
    while index < limit and splits_character(text, index):
        index += 1
    return index


def character_end(text: str, index: int, *, limit: int) -> int:
    """The last place at or before `index`, at least `limit`, that splits no character."""
    while index > limit and splits_character(text, index):
        index -= 1
    return index
