"""The values of a JSON text with their places, also of a text that is cut short or wrong.

RFC 8259, read by one loop without recursion; `json.loads` gives no places and hides repeated keys.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Kind = Literal["object", "array", "string", "number", "literal"]

_TOKEN = re.compile(
    r"""[ \t\r\n]*+(?:(?P<string>"(?:[^"\\\x00-\x1f]|\\.)*+")"""
    r"""|(?P<number>-?(?:0|[1-9]\d*+)(?:\.\d++)?+(?:[eE][+-]?\d++)?+)"""
    r"""|(?P<literal>true|false|null)(?!\w)|(?P<mark>[{}\[\],:]))""",
    re.ASCII,
)
_SPACE = re.compile(r"[ \t\r\n]*+")


@dataclass(slots=True)
class Value:
    """`content[start:end]` is the value, `content[key_start:key_end]` its key with the quotation marks."""

    kind: Kind
    start: int
    end: int  # of an object or array that is not closed: where reading stopped
    parent: int  # index of the object or array it stands in; -1: none
    depth: int
    key_start: int = -1
    key_end: int = -1
    children: int = 0


@dataclass(frozen=True, slots=True)
class JsonText:
    """`open` are the indexes of the objects and arrays not closed, outermost first.

    `expects` is what may come next at the end: a value, a key, a colon, or a comma or the closing bracket.
    """

    content: str
    values: tuple[Value, ...]
    open: tuple[int, ...]
    expects: Literal["value", "key", "colon", "comma", "nothing"]
    error: tuple[int, str] | None  # where, and what was expected there

    def key(self, value: Value) -> str | None:
        """The key as written, without its quotation marks."""
        return self.content[value.key_start + 1 : value.key_end - 1] if value.key_start >= 0 else None


def scan_json(content: str) -> JsonText:
    """Reads as far as the text is JSON. Linear in its length; never raises."""
    return _Reader(content).read()


_EXPECTED = {
    "value": "a value",
    "key": "a key in quotation marks",
    "colon": "a colon",
    "comma": "a comma or the closing bracket",
    "nothing": "the end of the text",
}


class _Reader:
    def __init__(self, content: str) -> None:
        self._content = content
        self._values: list[Value] = []
        self._open: list[int] = []
        self._expects: Literal["value", "key", "colon", "comma", "nothing"] = "value"
        self._key = (-1, -1)

    def read(self) -> JsonText:
        position = int(self._content.startswith("\ufeff"))
        error: tuple[int, str] | None = None
        while (token := _TOKEN.match(self._content, position)) is not None:
            if not self._take(token):
                break
            position = token.end()
        space = _SPACE.match(self._content, position)
        position = space.end() if space else position
        if position < len(self._content) or self._expects != "nothing":
            error = (position, _EXPECTED[self._expects])
        for index in self._open:
            self._values[index].end = position
        return JsonText(self._content, tuple(self._values), tuple(self._open), self._expects, error)

    def _take(self, token: re.Match[str]) -> bool:
        """Whether the token may stand here; if so it is read."""
        kind, text = token.lastgroup, token[token.lastgroup or 0]
        start = token.end() - len(text)
        if self._expects == "nothing":
            return False
        if kind == "mark" and text in "}]":
            return self._close(text, token.end())
        if self._expects == "colon" or self._expects == "comma":
            return self._separate(text)
        if self._expects == "key":
            if kind != "string":
                return False
            self._key, self._expects = (start, token.end()), "colon"
            return True
        return self._add(kind or "", text, start, token.end())

    def _separate(self, text: str) -> bool:
        if self._expects == "colon":
            self._expects = "value"
            return text == ":"
        in_object = bool(self._open) and self._values[self._open[-1]].kind == "object"
        if text != ",":
            return False
        self._expects = "key" if in_object else "value"
        return True

    def _add(self, kind: str, text: str, start: int, end: int) -> bool:
        if kind == "mark" and text not in "{[":
            return False
        parent = self._open[-1] if self._open else -1
        named: Kind = (
            "object"
            if text == "{" and kind == "mark"
            else "array"
            if kind == "mark"
            else "string"
            if kind == "string"
            else "number"
            if kind == "number"
            else "literal"
        )
        if parent >= 0:
            self._values[parent].children += 1
        self._values.append(Value(named, start, end, parent, len(self._open), *self._key))
        self._key = (-1, -1)
        if kind == "mark":
            self._open.append(len(self._values) - 1)
            self._expects = "key" if named == "object" else "value"
        else:
            self._expects = "comma" if self._open else "nothing"
        return True

    def _close(self, text: str, end: int) -> bool:
        if not self._open:
            return False
        top = self._values[self._open[-1]]
        empty_or_done = self._expects == "comma" or (top.children == 0 and self._expects in ("key", "value"))
        if (top.kind == "object") != (text == "}") or not empty_or_done or self._key != (-1, -1):
            return False
        top.end = end
        self._open.pop()
        self._expects = "comma" if self._open else "nothing"
        return True
