"""Sequence diagrams, read (https://mermaid.js.org/syntax/sequenceDiagram.html)."""

from __future__ import annotations

import re
from dataclasses import replace

from shared.text.mermaid.graph import Edge, Group, Node
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.source import Source, label_text, statement, unreadable

_IGNORED = re.compile(
    r"(?:autonumber|activate|deactivate|destroy|links?|properties|details|accDescr|click|style|class|classDef)\b",
    re.IGNORECASE,
)
_TITLE = re.compile(r"(?:accTitle\s*:|title\s*:?(?=\s))\s*(.+)", re.IGNORECASE)
_PARTICIPANT = re.compile(
    r"(?:create\s+)?(participant|actor)\s+(.+?)\s*(?:@\{(.*)\})?(?:\s+as\s+(.+))?$", re.IGNORECASE
)
_BLOCK = re.compile(
    r"(box|loop|opt|alt|else|par_over|par|and|critical|option|break|rect)\b\s*(.*)$", re.IGNORECASE
)
_NOTE = re.compile(r"note\s+(?:left\s+of|right\s+of|over)\s+([^:]+):(.*)$", re.IGNORECASE)
_MESSAGE = re.compile(
    r"([^:\n]+?)\s*(?:\(\))?\s*"
    r"(<<-->>|<<->>|-->>|->>|-->|--x|--\)|->|-x|-\)|--?\|[\\/]|--?\\\\|--?//|[\\/]\|--?|\\\\--?|//--?)"
    r"\s*(?:\(\))?\s*[+-]?\s*([^:\n]+?)\s*(?::\s*(.*))?$"
)
_BOX_COLOUR = re.compile(
    r"(?:rgba?|hsla?)\s*\([^)]*\)\s*|(?:transparent|aqua|gr[ae]y|purple|blue|green|red)\s+", re.IGNORECASE
)
_BRANCHES = frozenset({"else", "and", "option"})
_WRAP = re.compile(r":?(?:no)?wrap:")


def sequence_parts(source: Source) -> Parts:
    """Raises ValueError for a statement that is none of a sequence diagram's."""
    reader = _Reader()
    for number, line in enumerate(source.lines, start=1):
        reader.read(statement(line), number)
    return reader.parts()


class _Reader:
    def __init__(self) -> None:
        self._nodes: dict[str, Node] = {}
        self._edges: list[Edge] = []
        self._groups: list[Group] = []
        self._open: list[str | None] = []  # None: a block that is not drawn
        self._title = ""

    def parts(self) -> Parts:
        nodes, groups = tuple(self._nodes.values()), tuple(self._groups)
        return Parts("sequence", nodes, tuple(self._edges), groups, self._title)

    def read(self, text: str, number: int) -> None:
        if not text or (_IGNORED.match(text) and not _MESSAGE.match(text)):
            return
        if found := _TITLE.match(text):
            self._title = label_text(found.group(1))
        elif text.lower() == "end":
            self._close()
        elif found := _PARTICIPANT.match(text):
            self._add_participant(*found.groups())
        elif found := _NOTE.match(text):
            self._add_note(*found.groups())
        elif (block := _BLOCK.match(text)) and not _MESSAGE.match(text):
            self._open_block(block.group(1).lower(), block.group(2))
        elif found := _MESSAGE.match(text):
            self._add_message(*found.groups())
        else:
            raise unreadable(text, number)

    def _add_participant(self, word: str, name: str, data: str | None, label: str | None) -> None:
        name = name.strip('"')
        kind = "actor" if word.lower() == "actor" or '"actor"' in (data or "") else "participant"
        node = Node(name, label_text(label or name), kind, self._box())
        known = self._nodes.get(name)
        self._nodes[name] = node if known is None else replace(known, label=node.label, kind=kind)

    def _add_note(self, over: str, text: str) -> None:
        names = [self._known(name) for name in over.split(",") if name.strip()][:2]
        self._edges.append(Edge(names[0], names[-1], self._label(text), "note", self._fragment()))

    def _add_message(self, source: str, arrow: str, target: str, text: str | None) -> None:
        label = self._label(text or "")
        ends = self._known(source), self._known(target)
        self._edges.append(Edge(*ends, label, _kind(arrow), self._fragment()))

    def _label(self, text: str) -> str:
        return label_text(_WRAP.sub("", text.strip(), count=1))

    def _known(self, name: str) -> str:
        name = name.strip().strip('"')
        self._nodes.setdefault(name, Node(name, label_text(name), "participant"))
        return name

    def _open_block(self, word: str, label: str) -> None:
        if word == "rect":
            self._open.append(None)
            return
        kind = "par" if word == "par_over" else word
        if word in _BRANCHES and self._open:
            self._leave_branch()
        text = _BOX_COLOUR.sub("", label, count=1) if word == "box" else label
        name = f"{kind} {len(self._groups) + 1}"
        self._groups.append(Group(name, label_text(text) or kind, kind, self._parent()))
        self._open.append(name)

    def _leave_branch(self) -> None:
        """A branch ends where the next one begins; the block around it stays open."""
        if self._is_branch(self._open[-1]):
            self._open.pop()

    def _close(self) -> None:
        if self._open and self._is_branch(self._open.pop()) and self._open:
            self._open.pop()

    def _is_branch(self, name: str | None) -> bool:
        return any(group.id == name and group.kind in _BRANCHES for group in self._groups)

    def _parent(self) -> str | None:
        return next((name for name in reversed(self._open) if name is not None), None)

    def _fragment(self) -> str | None:
        name = self._parent()
        return None if name is None or name.startswith("box ") else name

    def _box(self) -> str | None:
        name = self._parent()
        return name if name is not None and name.startswith("box ") else None


def _kind(arrow: str) -> str:
    if arrow.endswith(")"):
        return "async"
    if arrow.endswith("x"):
        return "lost"
    if "--" in arrow:
        return "reply"
    return "open" if arrow == "->" else "call"
