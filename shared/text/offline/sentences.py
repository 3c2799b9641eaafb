"""Where the sentences of a whole text begin and end, and how many words they have.

Works on the `prose` of `markdown_inline` and on plain text. Offsets are Python indexes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_BREAK = re.compile(
    r"""(?P<stop>(?<![.!?…])[.!?…]++)["'”’)\]*_\ufffc]*+(?=\s)"""
    r"""|(?P<wide>[。！？]+[」』”’）]*)"""
    r"""|(?:[ ]{2}|\\)(?=[\r\n])"""
)
_LAST_WORD = re.compile(r"[\w.]*\Z")
_NEXT = re.compile(r"\s*+[*_\"'“‘(\[]*+(\S?)")
_WORD = re.compile(r"[\w\ufffc]\S*")
_ABBREVIATION = re.compile(
    r"e\.g|i\.e|eg|ie|vs|cf|dr|mrs?|ms|prof|st|nos?|figs?|eq|sec|vol|pp|approx|inc|ltd|jr|sr|co|al|resp|ca|dept|est"
    r"|min|max|[a-hj-z]|(?:[a-z]\.)+[a-z]"
)


def sentences(prose: str, start: int = 0, end: int | None = None) -> Iterator[tuple[int, int]]:
    """The sentences of `prose[start:end]`, without the white space around them.

    A full stop ends one unless it follows an abbreviation, an initial or a list number, or a small letter
    comes next. A hard line break ends one too.
    """
    stop = len(prose) if end is None else end
    begin = start
    for found in _BREAK.finditer(prose, start, stop):
        if found["stop"] and not _ends_sentence(prose, begin, found, stop):
            continue
        yield from _trimmed(prose, begin, found.end())
        begin = found.end()
    yield from _trimmed(prose, begin, stop)


def _trimmed(prose: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    text = prose[start:end]
    left = len(text) - len(text.lstrip())
    if left < len(text):
        yield start + left, start + len(text.rstrip())


def _ends_sentence(prose: str, begin: int, found: re.Match[str], stop: int) -> bool:
    following = _NEXT.match(prose, found.end(), stop)
    if following and following[1].islower():
        return False
    if found["stop"] != ".":
        return True
    before = _LAST_WORD.search(prose, max(begin, found.start() - 24), found.start())
    word = before[0] if before else ""
    if word.isdecimal() and found.start() - len(word) <= begin + 1:
        return False
    return _ABBREVIATION.fullmatch(word.lower()) is None


def count_words(prose: str, start: int = 0, end: int | None = None) -> int:
    """Words separated by white space; a code span or an address counts as one."""
    return len(_WORD.findall(prose, start, len(prose) if end is None else end))
