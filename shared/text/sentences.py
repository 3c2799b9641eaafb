"""The sentences of a Markdown text that may still be arriving, and the citation markers in them.

`first_unit` decides on a sentence only when no further text could change the decision, so a text cut into
pieces in any way gives the same sentences. It looks at most UNIT_LIMIT characters ahead.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["text", "item", "row", "heading", "code", "blank"]

UNIT_LIMIT = 2000  # characters; a longer sentence is cut
_MARKER_LIMIT = 80  # characters between a marker's brackets
_LINK_LIMIT = 200

_MARKER_WORDS = (
    "passages",
    "sources",
    "documents",
    "docs",
    "refs",
    "passage",
    "source",
    "document",
    "doc",
    "ref",
)
_MARKER = re.compile(
    rf"[\[【［]\s?(?:(?:{'|'.join(_MARKER_WORDS)})\.?\s?)?(?P<numbers>\^?\d{{1,30}}"
    r"(?:\s?(?:[,;、，–-]|and|&)\s?\^?\d{1,30})*)\s?(?:†[^\[\]【】［］\n]*)?[\]】］]",
    re.IGNORECASE,
)
_MARKER_LINK = re.compile(rf"\([^()\s]{{0,{_LINK_LIMIT}}}\)")
_MARKER_START = re.compile(
    r"[\[【［]\s?(?P<word>[a-z]*)\.?(?:[\s\d^,;、，–&.-]|and?)*(?:†[^\[\]【】［］\n]*)?", re.I
)
_OPEN_LINK = re.compile(rf"\([^()\s]{{0,{_LINK_LIMIT}}}")
_RANGE = re.compile(r"(\d+)\s?[–-]\s?\^?(\d+)|(\d+)")
_RANGE_LIMIT = 20  # numbers; a longer range is only its ends

_BLOCK = re.compile(
    r"(?P<fence>`{3,}|~{3,})|(?P<heading>#{1,6}(?=[ \t\n]|\Z))|(?P<row>\|)|(?P<quote>>)"
    r"|(?P<rule>(?:\*[ \t]*){3,}(?=\n|\Z)|(?:-[ \t]*){3,}(?=\n|\Z)|(?:_[ \t]*){3,}(?=\n|\Z))"
    r"|(?P<item>(?:[-*+]|\d{1,9}[.)])(?=[ \t\n]|\Z))"
)
_MAYBE_BLOCK = re.compile(r"`{1,2}|~{1,2}|#{1,6}|\d{1,9}[.)]?|\+|(?:\*[ \t]*)+|(?:-[ \t]*)+|(?:_[ \t]*)+")
_ITEM_LEAD = re.compile(r"(?:[-*+]|\d{1,9}[.)])[ \t]*(?:\[[ xX]\][ \t]+)?")
_STOP = re.compile(r"[`\n]|[.!?…]+|[。！？]+")
_CLOSERS = re.compile(r"[\"'”’»)*_~]*")
_SPACE = re.compile(r"[ \t]*\n?[ \t]*")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(\[\"“])(?:e\.g|i\.e|vs|cf|approx|dr|mr|mrs|ms|prof|st|jr|sr|al|vol|pp|resp|ca|z\.b|d\.h|bzw|usw|"
    r"[A-Za-z]|(?:[A-Za-z]\.)+[A-Za-z])\.$",
    re.IGNORECASE,
)
_NUMBERED = re.compile(r"(?:^|[\s(\[])(?:no|fig|figs|sec|ch|eq|p|nr|abs|art)\.$", re.IGNORECASE)
_GERMAN_ORDINAL = re.compile(r"(?:^|\s)(?:ab|am|bis|dem|den|der|des|im|vom|zum)\s\d{1,2}\.$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Marker:
    """A citation marker at `text[start:end]`, in any of the ways models write it: [1], [1, 2], 【1】."""

    start: int
    end: int
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unit:
    """A sentence with the markers behind its full stop, or a line that is none (heading, row, code).

    `text[start:end]` is it; `body` is where its words begin, after list or quote marks. `fence` is the
    fence that is open after it, "" for none.
    """

    kind: Kind
    start: int
    body: int
    end: int
    fence: str = ""


def sentences(text: str) -> Iterator[Unit]:
    """All units of a whole text."""
    start, fence, line_start = 0, "", True
    while start < len(text) and (unit := first_unit(text, start, fence, line_start=line_start, final=True)):
        yield unit
        start, fence, line_start = unit.end, unit.fence, text[unit.end - 1 : unit.end] == "\n"


def first_unit(text: str, start: int, fence: str, *, line_start: bool, final: bool) -> Unit | None:
    """The first unit from `start` on, or None while more text could change it.

    `fence` is the open fence; `line_start` says whether a line begins at `start`; `final` that the text is
    whole. White space before a unit is part of none.
    """
    window = text[start : start + UNIT_LIMIT]
    full = len(text) - start >= UNIT_LIMIT
    unit = _Reader(window, final=final and not full).unit(fence, line_start=line_start)
    if unit is None and full:
        unit = _Reader(window, final=True).unit(fence, line_start=line_start)
    if unit is None:
        return None
    return Unit(unit.kind, start + unit.start, start + unit.body, start + unit.end, unit.fence)


# --- markers --------------------------------------------------------------------------------------


def marker_at(text: str, index: int) -> Marker | None:
    """The marker that begins at `index`, with a link's target if it has one."""
    if index and text[index - 1] == "\\":
        return None
    found = _MARKER.match(text, index, index + _MARKER_LIMIT)
    if found is None:
        return None
    link = _MARKER_LINK.match(text, found.end())
    return Marker(index, (link or found).end(), _numbers(found["numbers"]))


def may_become_marker(text: str, index: int) -> bool:
    """Whether the bracket at `index` is a marker, or a longer one, if the right text follows."""
    found = _MARKER.match(text, index, index + _MARKER_LIMIT)
    if found is not None:
        rest = _OPEN_LINK.match(text, found.end())
        return found.end() == len(text) or (rest is not None and rest.end() == len(text))
    started = _MARKER_START.match(text, index)
    if started is None or started.end() < len(text) or len(text) - index >= _MARKER_LIMIT:
        return False
    return any(word.startswith(started["word"].lower()) for word in _MARKER_WORDS)


def markers(text: str) -> tuple[Marker, ...]:
    """The markers of a text, outside inline code."""
    found: list[Marker] = []
    index = 0
    while index < len(text):
        character = text[index]
        if character == "`":
            index = code_end(text, index) or index + _run(text, index)
        elif character in "[【［" and (marker := marker_at(text, index)):
            found.append(marker)
            index = marker.end
        else:
            index += 1
    return tuple(found)


def _numbers(written: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for first, last, single in _RANGE.findall(written):
        if single:
            numbers.append(int(single))
        elif 0 <= int(last) - int(first) < _RANGE_LIMIT:
            numbers.extend(range(int(first), int(last) + 1))
        else:
            numbers.extend((int(first), int(last)))
    return tuple(dict.fromkeys(numbers))


def _run(text: str, index: int) -> int:
    """How often the character at `index` stands there in a row."""
    end = index
    while end < len(text) and text[end] == text[index]:
        end += 1
    return end - index


def code_end(text: str, index: int) -> int | None:
    """The end of the inline code whose backticks begin at `index`; None when it does not end in its line."""
    run = _run(text, index)
    line_end = text.find("\n", index)
    line_end = len(text) if line_end < 0 else line_end
    end = text.find("`" * run, index + run, line_end)
    while end >= 0:
        length = _run(text, end)
        if length == run:
            return end + run
        end = text.find("`" * run, end + length, line_end)
    return None


# --- units ----------------------------------------------------------------------------------------


class _Undecided(Exception):
    """More text must come first."""


class _Reader:
    """Reads the first unit of one window of text."""

    def __init__(self, text: str, *, final: bool) -> None:
        self._text = text
        self._final = final

    def unit(self, fence: str, *, line_start: bool) -> Unit | None:
        try:
            return self._code_line(fence) if fence else self._unit(line_start=line_start)
        except _Undecided:
            return None

    def _need_more(self, index: int) -> None:
        """Raises _Undecided when the text ends at `index` for now."""
        if index >= len(self._text) and not self._final:
            raise _Undecided

    def _line_end(self, index: int) -> int:
        end = self._text.find("\n", index)
        if end < 0:
            self._need_more(len(self._text))
            return len(self._text)
        return end

    def _code_line(self, fence: str) -> Unit:
        end = self._line_end(0)
        line = self._text[:end].strip()
        closes = line.startswith(fence) and not line.strip(fence[0])
        return Unit("code", 0, 0, min(end + 1, len(self._text)), "" if closes else fence)

    def _unit(self, *, line_start: bool) -> Unit:
        text = self._text
        start = len(text) - len(text.lstrip())
        self._need_more(start)
        if start == len(text):
            return Unit("blank", start, start, start)
        block = self._block(start) if line_start or "\n" in text[:start] else None
        if block is None:
            return Unit("text", start, start, self._sentence_end(start))
        return self._block_unit(start, block)

    def _block(self, start: int) -> re.Match[str] | None:
        """The mark of a block at the start of a line, when there is one."""
        maybe = _MAYBE_BLOCK.match(self._text, start)
        if maybe is not None:
            self._need_more(maybe.end())
        return _BLOCK.match(self._text, start)

    def _block_unit(self, start: int, block: re.Match[str]) -> Unit:
        kind = block.lastgroup
        if kind == "fence":
            end = self._line_end(start)
            inline = block["fence"][0] == "`" and "`" in self._text[block.end() : end]
            if inline:
                return Unit("text", start, start, self._sentence_end(start))
            return Unit("code", start, start, min(end + 1, len(self._text)), block["fence"])
        if kind in ("heading", "rule"):
            return Unit("heading", start, block.end(), self._line_end(start))
        if kind == "row":
            return Unit("row", start, start, self._line_end(start))
        if kind == "quote":
            return Unit("text", start, block.end(), self._sentence_end(block.end()))
        lead = _ITEM_LEAD.match(self._text, start)
        body = lead.end() if lead else block.end()
        self._need_more(body)
        return Unit("item", start, body, self._sentence_end(body))

    def _sentence_end(self, body: int) -> int:
        text = self._text
        found = _STOP.search(text, body)
        while found is not None:
            index, stop = found.end(), found.group()
            if stop == "`":
                index = self._after_code(found.start())
            elif stop == "\n":
                if self._line_breaks(found.start()):
                    return found.start()
            else:
                self._need_more(index)
                end = self._stopped(body, found)
                if end is not None:
                    return end
            found = _STOP.search(text, index)
        self._need_more(len(text))
        return len(text.rstrip())

    def _after_code(self, index: int) -> int:
        text = self._text
        if index + _run(text, index) >= len(text):
            self._need_more(len(text))
        end = code_end(text, index)
        if end is None:
            if "\n" not in text[index:]:
                self._need_more(len(text))
            return index + _run(text, index)
        self._need_more(end)
        return end

    def _line_breaks(self, newline: int) -> bool:
        """Whether a block ends at a line's end, because a blank line or another block follows."""
        text = self._text
        index = newline + 1
        while index < len(text) and text[index] in " \t\r":
            index += 1
        self._need_more(index)
        return index >= len(text) or text[index] == "\n" or self._block(index) is not None

    def _stopped(self, body: int, stop: re.Match[str]) -> int | None:
        """Where the sentence ends whose full stop this may be; None when it goes on."""
        text = self._text
        closers = _CLOSERS.match(text, stop.end())
        after = closers.end() if closers else stop.end()
        self._need_more(after)
        wide = stop.group()[0] in "。！？"
        before = text[max(body, stop.start() - 12) : stop.end()]
        if stop.group() == "." and (_ABBREVIATION.search(before) or _GERMAN_ORDINAL.search(before)):
            return None
        end = self._after_markers(after)
        if end > after or wide:
            return end
        space = _SPACE.match(text, after)
        following = space.end() if space else after
        if following == after:
            return after if after >= len(text) else None
        self._need_more(following)
        if following >= len(text) or "\n" in text[after:following]:
            newline = text.find("\n", after)
            if newline < 0 or self._line_breaks(newline):
                return after
        return None if self._goes_on(body, stop, text[following : following + 1]) else after

    def _goes_on(self, body: int, stop: re.Match[str], following: str) -> bool:
        if following.islower():
            return True
        before = self._text[max(body, stop.start() - 12) : stop.end()]
        return stop.group() == "." and following.isdigit() and _NUMBERED.search(before) is not None

    def _after_markers(self, index: int) -> int:
        """The end of the markers that follow a full stop, with a second full stop after them."""
        text, end = self._text, index
        while True:
            space = _SPACE.match(text, end)
            start = space.end() if space else end
            self._need_more(start)
            if text[start : start + 1] not in ("[", "【", "［"):
                break
            if not self._final and may_become_marker(text, start):
                raise _Undecided
            marker = marker_at(text, start)
            if marker is None:
                break
            end = marker.end
        if end > index:
            self._need_more(end)
            end += text[end : end + 1] in (".", "。")
        return end
