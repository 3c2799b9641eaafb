"""How a JSON text can go on at the cursor: the next key or entry, shaped as its neighbours, and the end."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.offline.json_scan import JsonText, Value, scan_json

_STRING_START = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*+\Z')
_SUFFIX_TOKEN = re.compile(r'"(?P<key>(?:[^"\\]|\\.)*+)"(?=[ \t\r\n]*+:)|"(?:[^"\\]|\\.)*+"|[{}\[\]]')
_EMPTY = {"object": "{}", "array": "[]", "string": '""', "number": "0"}
_DEFAULT_KEYS = ("name", "description", "version")
_MOST_OPENED = 50  # what is nested deeper was not written by hand
_LONGEST_SUFFIX = 200_000  # characters after the cursor that are read for closing brackets


def json_suggestions(content: str, index: int) -> Iterator[str]:
    """The best first; possibly none inside a value. Line ends are \\n."""
    if not content.strip():
        yield from ('{\n  "name": "",\n  "description": ""\n}\n', "[]\n", "{}\n")
        return
    before, after = content[:index], content[index:]
    opening = _open_string(before)
    if opening is not None:
        yield from _in_string(before, after, opening)
        return
    scanned = scan_json(before)
    if scanned.error is not None and scanned.error[0] < len(before.rstrip()):
        return
    cursor = _Cursor(scanned, before, after)
    if scanned.expects == "nothing":
        if not after.strip() and not content.endswith("\n"):
            yield "\n"
        return
    yield from cursor.suggestions()


def _open_string(before: str) -> int | None:
    """Where the string begins that is open at the cursor."""
    line = before.rpartition("\n")[2]
    scanned = scan_json(before)
    start = scanned.error[0] if scanned.error else len(before)
    return start if _STRING_START.match(before, start) and line else None


def _in_string(before: str, after: str, opening: int) -> Iterator[str]:
    """Ends a key or a string that its line leaves open; a key as its neighbours write it."""
    if '"' in after.partition("\n")[0]:
        return
    scanned = scan_json(before[:opening])
    if scanned.expects == "key":
        cursor = _Cursor(scanned, before[:opening], after)
        typed = before[opening + 1 :]
        for key, value in cursor.next_keys():
            if key.startswith(typed) and key != typed:
                yield f'{key[len(typed) :]}": {value}{cursor.closers()}'
        yield '": ""' + cursor.closers()
    elif scanned.expects == "value":
        yield '"' + _Cursor(scanned, before[:opening], after).closers()


@dataclass(frozen=True, slots=True)
class _Cursor:
    """A place between the marks of a JSON text that is right up to there."""

    scanned: JsonText
    before: str
    after: str

    def suggestions(self) -> Iterator[str]:
        expects = self.scanned.expects
        if expects == "colon":
            yield f': ""{self.closers()}'
        elif expects == "value":
            yield from self._values()
        elif expects == "key":
            yield from self._keys(", " if self._follows_value() else "")
        else:
            yield from self._next()

    @property
    def container(self) -> Value | None:
        return self.scanned.values[self.scanned.open[-1]] if self.scanned.open else None

    def _children(self, index: int) -> list[Value]:
        return [value for value in self.scanned.values if value.parent == index]

    def _neighbours(self) -> list[Value]:
        return self._children(self.scanned.open[-1]) if self.scanned.open else []

    def _follows_value(self) -> bool:
        """Whether a value comes after the cursor, so that a comma must stand between."""
        return self.after.lstrip()[:1] not in ("", "}", "]", ",")

    def _follows_more(self) -> bool:
        return self.after.lstrip()[:1] not in ("", "}", "]")

    def closers(self) -> str:
        """What closes the objects and arrays that nothing after the cursor closes, innermost first."""
        opened = self.scanned.open
        if self._follows_more():
            return ""
        missing = opened[min(len(opened), self._closed_after()) :]
        if len(missing) > _MOST_OPENED:
            return ""
        lines = "\n" in self.before
        text = ""
        for index in reversed(missing):
            value = self.scanned.values[index]
            mark = "}" if value.kind == "object" else "]"
            own_line = lines and self.before.find("\n", value.start) >= 0
            text += f"\n{_indent_at(self.before, value.start)}{mark}" if own_line else mark
        return text

    def _closed_after(self) -> int:
        """How many of the open objects and arrays are closed after the cursor."""
        depth = closed = 0
        for found in _SUFFIX_TOKEN.finditer(self.after[:_LONGEST_SUFFIX]):
            mark = found[0]
            if mark in "{[":
                depth += 1
            elif mark in "}]":
                closed += depth == 0
                depth = max(0, depth - 1)
        return closed

    def _keys_after(self) -> set[str]:
        """The keys that this object has behind the cursor."""
        keys: set[str] = set()
        depth = 0
        for found in _SUFFIX_TOKEN.finditer(self.after[:_LONGEST_SUFFIX]):
            mark = found[0]
            depth += (mark in "{[") - (mark in "}]")
            if depth < 0:
                break
            if depth == 0 and found["key"] is not None:
                keys.add(found["key"])
        return keys

    def _separator(self) -> str:
        """What parts this container's entries: a new line with its indent, or a space."""
        container = self.container
        if container is None or self.before.find("\n", container.start) < 0:
            return " "
        line = self.before.rpartition("\n")[2]
        neighbours = self._neighbours()
        place = neighbours[0] if neighbours else None
        if place is not None:
            start = place.key_start if place.key_start >= 0 else place.start
            return f"\n{_indent_at(self.before, start)}"
        return f"\n{_indent_at(self.before, container.start)}  " if line.strip() else ""

    def next_keys(self) -> Iterator[tuple[str, str]]:
        """Keys this object should have next, each with an empty value of its kind."""
        held = {self.scanned.key(value) for value in self._neighbours()} | self._keys_after()
        shape = self._shape()
        found = [(key, value) for key, value in shape if key not in held]
        yield from found
        if not found:
            yield from ((key, '""') for key in _DEFAULT_KEYS if key not in held)

    def _shape(self) -> list[tuple[str, str]]:
        """The keys of the object before this one in the same array or object."""
        container = self.container
        if container is None or container.parent < 0:
            return []
        before = [
            index
            for index, value in enumerate(self.scanned.values)
            if value.parent == container.parent and value.kind == "object" and value.start < container.start
        ]
        return self._keys_of(before[-1]) if before else []

    def _keys_of(self, index: int) -> list[tuple[str, str]]:
        values = self.scanned.content
        return [
            (key, _EMPTY.get(value.kind) or _literal(values[value.start : value.end]))
            for value in self._children(index)
            if (key := self.scanned.key(value)) is not None
        ]

    def _keys(self, after: str) -> Iterator[str]:
        """Right after `{` or a comma."""
        line = self.before.rpartition("\n")[2]
        fresh = not line.strip() or line.endswith(" ") or not self._neighbours()
        separator = self._separator() if line.strip() and "\n" in self._separator() else "" if fresh else " "
        for key, value in self.next_keys():
            yield f'{separator}"{key}": {value}{after.rstrip()}{self.closers()}'

    def _values(self) -> Iterator[str]:
        """After a colon, in an array, or at the very beginning."""
        lead = " " if self.before.endswith((":", ",")) else ""
        comma = "," if self._follows_value() else ""
        for value in self._entries():
            yield f"{lead}{value}{comma}{self.closers()}"

    def _entries(self) -> Iterator[str]:
        """Values of the kind of the neighbours."""
        container = self.container
        if container is not None and container.kind == "array":
            last = [
                index
                for index, value in enumerate(self.scanned.values)
                if value.parent == self.scanned.open[-1]
            ]
            if last:
                yield self._like(last[-1])
                return
        yield from ('""', "[]", "{}")

    def _like(self, index: int) -> str:
        value = self.scanned.values[index]
        if value.kind == "object":
            return "{" + ", ".join(f'"{key}": {empty}' for key, empty in self._keys_of(index)) + "}"
        return _EMPTY.get(value.kind) or _literal(self.scanned.content[value.start : value.end])

    def _next(self) -> Iterator[str]:
        """After a value: the next key or entry, then the end."""
        container = self.container
        if container is None:
            return
        if self._follows_more():
            if self.after.lstrip()[:1] not in (",",):
                yield ","
            return
        separator = self._separator()
        if container.kind == "object":
            yield from (f',{separator}"{key}": {value}{self.closers()}' for key, value in self.next_keys())
        else:
            yield from (f",{separator}{value}{self.closers()}" for value in self._entries())
        if closers := self.closers():
            yield closers


def _literal(text: str) -> str:
    return "false" if text in ("true", "false") else "null"


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]
