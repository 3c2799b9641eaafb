"""Flowcharts, read (https://mermaid.js.org/syntax/flowchart.html)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace

from shared.text.mermaid.graph import Edge, Group, Node
from shared.text.mermaid.kinds import node_kind
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.source import Source, label_text, unreadable

_TITLE = re.compile(r"accTitle\s*:(.*)", re.DOTALL)
_IGNORED = re.compile(r"(?:click|style|classDef|class|linkStyle|href|accDescr)\b", re.IGNORECASE)
_DIRECTION = re.compile(
    r"(?:flowchart(?:-elk)?|graph|direction)\s+(TB|TD|BT|LR|RL|[<>^v])(?=\s|$)", re.IGNORECASE
)
_SUBGRAPH = re.compile(r"subgraph\b\s*(?:([^\s\[\"]+)\s*\[(.*)\]\s*|(.*))$")
_ID = re.compile(r"(?:[\w!#$%'*+.?\\/]|-(?=[^>\-.\s])|=(?!=)|:(?!::))+")
_EDGE_ID = re.compile(r"[^\s\"@]+@(?=[^{\"])")
_LINK = re.compile(r"\s*([xo<]?)(--+[-xo>]|==+[=xo>]|-?\.+-[xo>]?|~~~+)\s*")
_OPEN_LINK = re.compile(r"\s*([xo<]?)(--|==|-\.)\s*(?=[^\s>-])")
_CLOSING_LINK = re.compile(r"\s*(--+[-xo>]|==+[=xo>]|\.+-[xo>]?)\s*")
_LINK_LABEL = re.compile(r"\|\s*(\"[^\"]*\"|[^|]*)\|\s*")
_AND = re.compile(r"\s*&\s*")
_CLASS_NAME = re.compile(r":::[\w-]+")
_DATA_FIELD = re.compile(r"(\w+)\s*:\s*(\"[^\"]*\"|'[^']*'|[^,}\n]+)")
_SHAPES = (
    ("(((", ")))", "circle"),
    ("((", "))", "circle"),
    ("([", "])", "terminal"),
    ("[(", ")]", "database"),
    ("[[", "]]", "subroutine"),
    ("[/", ("/]", "\\]"), "data"),
    ("[\\", ("\\]", "/]"), "data"),
    ("{{", "}}", "hexagon"),
    ("(-", "-)", "rounded"),
    ("{", "}", "decision"),
    ("(", ")", "rounded"),
    ("[", "]", "process"),
    (">", "]", "process"),
)


def flowchart_parts(source: Source) -> Parts:
    """Raises ValueError for a statement that is none of a flowchart's."""
    reader = _Reader()
    head, _, rest = source.header.partition(";")
    direction = _direction(head)
    reader.read(rest, 0)
    for number, line in _whole_lines(source.lines):
        for statement in _statements(line):
            reader.read(statement, number)
    return replace(reader.parts(), direction=direction)


def _direction(header: str) -> str | None:
    found = _DIRECTION.match(header)
    name = found.group(1).upper() if found else ""
    return {"TD": "TB", ">": "LR", "<": "RL", "^": "BT", "V": "TB"}.get(name, name) or None


def _whole_lines(lines: tuple[str, ...]) -> Iterator[tuple[int, str]]:
    """Lines with their numbers; a label in quotation marks may go over several."""
    waiting = ""
    for number, line in enumerate(lines, start=1):
        waiting = f"{waiting} {line.strip()}" if waiting else line
        if waiting.count('"') % 2 == 0:
            yield number, waiting
            waiting = ""
    if waiting:
        yield len(lines), waiting


def _statements(line: str) -> Iterator[str]:
    """The parts between semicolons that stand outside of quotation marks and entities."""
    start, inside = 0, False
    for index, character in enumerate(line):
        if character == '"':
            inside = not inside
        elif character == ";" and not inside and not re.search(r"[#&]\w+$", line[:index]):
            yield line[start:index]
            start = index + 1
    yield line[start:]


class _Reader:
    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._edges: list[Edge] = []
        self._groups: dict[str, Group] = {}
        self._open: list[str] = []
        self._title = ""
        self._number = 0
        self._statement = ""

    def parts(self) -> Parts:
        """A name that is a subgraph's is no node, unless it was also drawn as one."""
        nodes = tuple(
            node
            for node in self._nodes.values()
            if node.id not in self._groups or node.kind or node.label != node.id
        )
        return Parts("flowchart", nodes, tuple(self._edges), tuple(self._groups.values()), self._title)

    def read(self, statement: str, number: int) -> None:
        self._statement, self._number = statement.strip(), number
        text = self._statement
        if title := _TITLE.match(text):
            self._title = label_text(title.group(1))
        elif text == "end" and self._open:
            self._open.pop()
        elif re.match(r"subgraph\b", text):
            self._open_group(text)
        elif text and not _IGNORED.match(text) and not _DIRECTION.match(text):
            self._read_chain(text)

    def _open_group(self, text: str) -> None:
        found = _SUBGRAPH.match(text)
        identifier, label, whole = found.groups() if found else (None, None, "")
        name = identifier or label_text(whole) or f"group {len(self._groups) + 1}"
        parent = self._open[-1] if self._open else None
        self._groups.setdefault(name, Group(name, label_text(label or name), parent=parent))
        self._open.append(name)

    def _read_chain(self, text: str) -> None:
        """node & node --> node & node --> ..."""
        sources, place = self._read_nodes(text, 0)
        while place < len(text):
            edge, place = self._read_link(text, place)
            targets, place = self._read_nodes(text, place)
            self._edges.extend(
                replace(edge, source=source, target=target) for source in sources for target in targets
            )
            sources = targets

    def _read_nodes(self, text: str, place: int) -> tuple[list[str], int]:
        names: list[str] = []
        while True:
            name, place = self._read_node(text, place)
            names.append(name)
            found = _AND.match(text, place)
            if found is None:
                return names, place
            place = found.end()

    def _read_node(self, text: str, place: int) -> tuple[str, int]:
        found = _ID.match(text, place)
        if found is None:
            raise unreadable(self._statement, self._number)
        name, place = found.group(), found.end()
        label, kind, place = self._read_shape(text, place)
        if name_of_class := _CLASS_NAME.match(text, place):
            place = name_of_class.end()
        while place < len(text) and text[place] == " ":
            place += 1
        self._keep(name, label, kind)
        return name, place

    def _keep(self, name: str, label: str, kind: str) -> None:
        known = self._nodes.get(name, Node(name, label_text(name)))
        group = known.group or (self._open[-1] if self._open else None)
        self._nodes[name] = replace(
            known, label=label or known.label, kind=kind or known.kind, group=group if group != name else None
        )

    def _read_shape(self, text: str, place: int) -> tuple[str, str, int]:
        """Label, kind and where they end; empty for a bare id."""
        if text.startswith("@{", place):
            return self._read_data(text, place)
        for opening, closing, kind in _SHAPES:
            if text.startswith(opening, place):
                closings = closing if isinstance(closing, tuple) else (closing,)
                start = place + len(opening)
                end, after = _closed(text, start, opening, closings)
                if end < 0:
                    raise unreadable(self._statement, self._number)
                return label_text(text[start:end]), kind, after
        return "", "", place

    def _read_data(self, text: str, place: int) -> tuple[str, str, int]:
        """@{ shape: diamond, label: "Is it?" }"""
        end = text.find("}", place)
        if end < 0:
            raise unreadable(self._statement, self._number)
        fields = {name: value.strip("'\" ") for name, value in _DATA_FIELD.findall(text[place + 2 : end])}
        kind = node_kind(
            "flowchart", {"cyl": "database", "diam": "decision"}.get(shape := fields.get("shape", ""), shape)
        )
        return label_text(fields.get("label", "")), kind, end + 1

    def _read_link(self, text: str, place: int) -> tuple[Edge, int]:
        if edge_id := _EDGE_ID.match(text, place):
            place = edge_id.end()
        if found := _LINK.match(text, place):
            label = _LINK_LABEL.match(text, found.end())
            edge = Edge("", "", label_text(label.group(1)) if label else "", _kind(*found.groups()))
            return edge, label.end() if label else found.end()
        opening = _OPEN_LINK.match(text, place)
        closing = _CLOSING_LINK.search(text, opening.end()) if opening else None
        if opening is None or closing is None:
            raise unreadable(self._statement, self._number)
        label_end = closing.start()
        edge = Edge(
            "", "", label_text(text[opening.end() : label_end]), _kind(opening.group(1), closing.group(1))
        )
        return edge, closing.end()


def _closed(text: str, start: int, opening: str, closings: tuple[str, ...]) -> tuple[int, int]:
    """Where the label ends, and where its bracket does; -1 when it does not. Brackets of the same kind
    inside the label count, as models write them, and quotation marks hold everything."""
    stripped = start + len(text[start:]) - len(text[start:].lstrip())
    if text.startswith('"', stripped):
        quote = text.find('"', stripped + 1)
        start = quote + 1 if quote >= 0 else start
    depth = 0
    for index in range(start, len(text)):
        if depth <= 0 and text.startswith(closings, index):
            return index, index + len(closings[0])
        if text[index] == opening[-1] and opening[-1] in "([{":
            depth += 1
        elif depth and text[index] == {"(": ")", "[": "]", "{": "}"}.get(opening[-1]):
            depth -= 1
    return -1, -1


def _kind(before: str, line: str) -> str:
    if before == "<":
        return "both"
    if "." in line:
        return "dotted"
    if "=" in line:
        return "thick"
    return "arrow" if line[-1] in "xo>" else "line"
