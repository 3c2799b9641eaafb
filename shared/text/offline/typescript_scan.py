"""Comments, strings and brackets of TypeScript, told apart without parsing.

It takes half-written code and any other text, and never raises: a suggestion is asked for in the middle of a
line. `code` has the length of the text, with comments as spaces and strings as U+FFFC, so that patterns find
code alone. JSX text is read as code.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

_FILLER = "\ufffc"
_TOKEN = re.compile(r"//[^\r\n]*|/\*|[\"'`/{}()\[\]]")
_STRINGS = {
    '"': re.compile(r'"(?:[^"\\\r\n]|\\(?:\r\n|.))*+("?)', re.DOTALL),
    "'": re.compile(r"'(?:[^'\\\r\n]|\\(?:\r\n|.))*+('?)", re.DOTALL),
}
_TEMPLATE = re.compile(r"(?:[^`\\$]|\\.|\$(?!\{))*+", re.DOTALL)
_REGEX = re.compile(r"/(?:[^/\\\[\r\n]|\\[^\r\n]|\[(?:[^\]\\\r\n]|\\[^\r\n])*+\])++/[a-z]*")
_BEFORE_REGEX = re.compile(
    r"(?:^|[(,=:\[!&|?{};~+\-*%<>^]|\b(?:return|typeof|case|in|of|delete|void|throw|do|else))\s*\Z"
)
_CLOSERS = {"{": "}", "(": ")", "[": "]", "${": "}"}
_OPENERS = {"}": ("{", "${"), ")": ("(",), "]": ("[",)}


@dataclass(frozen=True, slots=True)
class Opened:
    """A bracket, or `${` or a backtick of a template, that is open."""

    text: str
    start: int

    @property
    def closer(self) -> str:
        return _CLOSERS.get(self.text, self.text)


@dataclass(frozen=True, slots=True)
class TypeScript:
    content: str
    code: str
    comments: tuple[tuple[int, int], ...]
    opened: tuple[Opened, ...]  # what is open at the end, outermost first
    inside: Literal["code", "comment", "line comment", "string", "template"]  # at the end
    unmatched: int  # closing brackets that nothing opened


def scan_typescript(content: str) -> TypeScript:
    """Linear in the length of `content`, which may be any text."""
    return _Scanner(content).scan()


class _Scanner:
    def __init__(self, content: str) -> None:
        self._content = content
        self._pieces: list[str] = []
        self._written = 0
        self._comments: list[tuple[int, int]] = []
        self._opened: list[Opened] = []
        self._unmatched = 0
        self._inside: Literal["code", "comment", "line comment", "string", "template"] = "code"

    def scan(self) -> TypeScript:
        position, end = 0, len(self._content)
        while position < end and (token := _TOKEN.search(self._content, position)):
            self._inside = "code"
            position = self._read(token[0], token.start(), token.end())
        if self._inside not in ("comment", "template") and position < end:
            self._inside = "code"
        self._pieces.append(self._content[self._written :])
        return TypeScript(
            self._content,
            "".join(self._pieces),
            tuple(self._comments),
            tuple(self._opened),
            self._inside,
            self._unmatched,
        )

    def _read(self, text: str, start: int, end: int) -> int:
        if text.startswith("//"):
            self._inside = "line comment"
            return self._comment(start, end)
        if text == "/*":
            return self._block_comment(start)
        if text in _STRINGS:
            found = _STRINGS[text].match(self._content, start)
            stop = found.end() if found else end
            self._inside = "code" if found and found[1] else "string"
            return self._fill(start, stop)
        if text == "`":
            self._opened.append(Opened("`", start))
            return self._template(start, end)
        if text == "/":
            return self._regex_or_operator(start, end)
        return self._bracket(text, start, end)

    def _block_comment(self, start: int) -> int:
        found = self._content.find("*/", start + 2)
        if found < 0:
            self._inside = "comment"
            return self._comment(start, len(self._content))
        return self._comment(start, found + 2)

    def _comment(self, start: int, end: int) -> int:
        self._comments.append((start, end))
        self._pieces.append(self._content[self._written : start])
        lines = self._content[start:end]
        self._pieces.append(lines if lines.isspace() else re.sub(r"[^\r\n]", " ", lines))
        self._written = end
        return end

    def _fill(self, start: int, end: int) -> int:
        self._pieces.append(self._content[self._written : start])
        self._pieces.append(_FILLER * (end - start))
        self._written = end
        return end

    def _template(self, start: int, position: int) -> int:
        """Reads a template's text from `position` up to its end or to `${`."""
        found = _TEMPLATE.match(self._content, position)
        stop = found.end() if found else position
        if self._content.startswith("`", stop):
            self._opened.pop()
            return self._fill(start, stop + 1)
        if self._content.startswith("${", stop):
            self._fill(start, stop)
            self._opened.append(Opened("${", stop))
            return stop + 2
        self._inside = "template"
        return self._fill(start, len(self._content))

    def _regex_or_operator(self, start: int, end: int) -> int:
        before = (
            "".join(self._pieces[-1:]) if self._written >= start else self._content[self._written : start]
        )
        if _BEFORE_REGEX.search(before[-60:]) and (found := _REGEX.match(self._content, start)):
            return self._fill(start, found.end())
        return end

    def _bracket(self, text: str, start: int, end: int) -> int:
        if text in _CLOSERS:
            self._opened.append(Opened(text, start))
            return end
        if not self._opened or self._opened[-1].text not in _OPENERS[text]:
            self._unmatched += 1
            return end
        closed = self._opened.pop()
        return self._template(start, end) if closed.text == "${" else end
