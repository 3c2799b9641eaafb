"""State diagrams and mind maps, read (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

import re
from dataclasses import replace

from shared.text.mermaid.graph import Edge, Group, Node
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.source import Source, label_text, statement, unreadable

_IGNORED = re.compile(r"(?:click|style|classDef|class|href|accDescr|hide\s+empty|scale)\b|--$", re.IGNORECASE)
_TITLE = re.compile(r"accTitle\s*:\s*(.+)", re.IGNORECASE)
_DIRECTION = re.compile(r"direction\s+(TB|BT|LR|RL)$", re.IGNORECASE)
_NOTE = re.compile(r"note\s+(?:left|right)\s+of\s+[^:]+(:.*)?$|note\s+\"", re.IGNORECASE)
_DESCRIBED = re.compile(r"state\s+\"([^\"]*)\"\s+as\s+([^\s{]+)\s*(\{)?$", re.IGNORECASE)
_PSEUDO = re.compile(r"state\s+([^\s<\[]+)\s*(?:<<|\[\[)(fork|join|choice)(?:>>|\]\])$", re.IGNORECASE)
_STATE = re.compile(r"state\s+([^\s{]+)\s*(\{)?$", re.IGNORECASE)
_END = r"(\[\*\]|[^\s:{}-][^\s:{}]*?)(?::::[\w-]+)?"
_TRANSITION = re.compile(rf"{_END}\s*-->\s*{_END}\s*(?::\s*(.*))?$")
_DESCRIPTION = re.compile(rf"{_END}\s*(?::(?!:)\s*(.*))?$")

_TOPIC = re.compile(
    r"([^()\[\]{}]*?)(\)\)|\(\(|\{\{|\(-|-\)|\(|\)|\[)(.*?)(\(\(|\)\)|\}\}|-\)|\(-|\)|\(|\])?$"
)


def state_parts(source: Source) -> Parts:
    """Raises ValueError for a statement that is none of a state diagram's."""
    reader = _StateReader()
    for number, line in enumerate(source.lines, start=1):
        reader.read(statement(line), number)
    return reader.parts()


class _StateReader:
    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._edges: list[Edge] = []
        self._groups: dict[str, Group] = {}
        self._open: list[str] = []
        self._in_note = False
        self._notes: list[str] = []
        self._title = ""
        self._direction: str | None = None

    def parts(self) -> Parts:
        nodes = tuple(node for node in self._nodes.values() if node.id not in self._groups)
        groups, notes = tuple(self._groups.values()), tuple(self._notes)
        return Parts("state", nodes, tuple(self._edges), groups, self._title, self._direction, notes)

    def read(self, text: str, number: int) -> None:
        if self._in_note:
            self._in_note = not text.lower().endswith("end note")
        elif found := _NOTE.match(text):
            self._in_note = found.group(1) is None and '"' not in found.group()
            self._notes.append("Notes on states were left out.")
        elif found := _TITLE.match(text):
            self._title = label_text(found.group(1))
        elif found := _DIRECTION.match(text):
            self._direction = self._direction if self._open else found.group(1).upper()
        elif text == "}" and self._open:
            self._open.pop()
        elif found := _TRANSITION.match(text):
            self._add_transition(*found.groups())
        elif text and not _IGNORED.match(text):
            self._read_state(text, number)

    def _read_state(self, text: str, number: int) -> None:
        if found := _DESCRIBED.match(text):
            self._add_state(found.group(2), label_text(found.group(1)), found.group(3))
        elif found := _PSEUDO.match(text):
            self._keep(found.group(1), kind=found.group(2).lower())
        elif found := _STATE.match(text):
            self._add_state(found.group(1), "", found.group(2))
        elif (found := _DESCRIPTION.match(text)) and found.group(1) != "[*]":
            self._keep(found.group(1), label=label_text(found.group(2) or ""))
        else:
            raise unreadable(text, number)

    def _add_state(self, name: str, label: str, opening: str | None) -> None:
        if opening is None:
            self._keep(name, label=label)
            return
        known = self._nodes.get(name)
        parent = self._open[-1] if self._open else None
        self._groups[name] = Group(name, label or (known.label if known else label_text(name)), parent=parent)
        self._open.append(name)

    def _add_transition(self, source: str, target: str, label: str | None) -> None:
        ends = self._end(source, "start"), self._end(target, "end")
        self._edges.append(Edge(*ends, label_text(label or "")))

    def _end(self, name: str, pseudo: str) -> str:
        """[*] is a state of its own in each composite state: where it starts, or where it ends."""
        if name != "[*]":
            self._keep(name)
            return name
        key = " ".join(["[*]", pseudo, *self._open[-1:]])
        self._keep(key, label=pseudo.capitalize(), kind=pseudo)
        return key

    def _keep(self, name: str, *, label: str = "", kind: str = "") -> None:
        if name in self._groups:
            if label:
                self._groups[name] = replace(self._groups[name], label=label)
            return
        known = self._nodes.get(name, Node(name, label_text(name)))
        group = known.group or (self._open[-1] if self._open else None)
        self._nodes[name] = replace(known, label=label or known.label, kind=kind or known.kind, group=group)


def mindmap_parts(source: Source) -> Parts:
    """The tree that the indentation makes. Raises ValueError when there is no topic."""
    nodes: list[Node] = []
    edges: list[Edge] = []
    above: list[tuple[int, str]] = []  # indentation and key of the topics around
    for line in source.lines:
        text = line.strip()
        if text.startswith(("::icon(", ":::")):
            continue
        indentation = len(line) - len(line.lstrip())
        while above and above[-1][0] >= indentation:
            above.pop()
        node = _topic(text, {node.id for node in nodes})
        if above:
            edges.append(Edge(above[-1][1], node.id))
        nodes.append(node)
        above.append((indentation, node.id))
    return Parts("mindmap", tuple(nodes), tuple(edges))


def _topic(text: str, taken: set[str]) -> Node:
    text = re.sub(r"\s*:::[\w\s-]+$", "", text)
    found = _TOPIC.match(text)
    inside = found.group(3) if found and found.group(4) else ""
    label = label_text(inside or text)
    key = (found.group(1).strip() if found and inside else "") or label
    number = 2
    unique = key
    while unique in taken:
        unique, number = f"{key} {number}", number + 1
    return Node(unique, label)
