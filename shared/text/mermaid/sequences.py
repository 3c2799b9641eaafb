"""Sequence diagrams (https://mermaid.js.org/syntax/sequenceDiagram.html)."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from shared.text.mermaid.flows import INDENT, MAX_INDENT
from shared.text.mermaid.graph import Edge, Graph, Group, ancestry
from shared.text.mermaid.labels import escape

_ARROWS: Mapping[str, str] = MappingProxyType(
    {"": "->>", "call": "->>", "reply": "-->>", "async": "-)", "open": "->", "lost": "-x"}
)
_BLOCKS = frozenset({"loop", "opt", "alt", "par", "critical", "break"})
_BRANCHES: Mapping[str, str] = MappingProxyType({"else": "alt", "and": "par", "option": "critical"})


def sequence_lines(graph: Graph) -> list[str]:
    lines = ["sequenceDiagram"]
    if graph.title:
        lines.append(f"{INDENT}title {escape(graph.title)}")
    lines += _participants(graph)
    fragments = _Fragments(graph)
    for edge in graph.edges:
        lines += fragments.moved_to(edge.group)
        lines.append(INDENT * (1 + fragments.depth) + _message(edge))
    return lines + fragments.moved_to(None)


def _participants(graph: Graph) -> list[str]:
    """In their order; those of a box together, where its first one stands."""
    boxes = {group.id: group for group in graph.groups if group.kind in ("", "box")}
    lines: list[str] = []
    drawn: set[str] = set()
    for node in graph.nodes:
        if node.group not in boxes:
            lines.append(INDENT + _participant(graph, node.id))
        elif node.group not in drawn:
            drawn.add(node.group)
            inside = [_participant(graph, other.id) for other in graph.nodes if other.group == node.group]
            # Without a colour, a label that begins with the name of one would lose it.
            lines.append(f"{INDENT}box transparent {escape(boxes[node.group].label)}")
            lines += [*(INDENT * 2 + line for line in inside), f"{INDENT}end"]
    return lines


def _participant(graph: Graph, identifier: str) -> str:
    node = next(node for node in graph.nodes if node.id == identifier)
    word = "actor" if node.kind == "actor" else "participant"
    return f"{word} {identifier} as {escape(node.label)}"


def _message(edge: Edge) -> str:
    label = escape(edge.label)
    if edge.kind == "note":
        over = edge.source if edge.source == edge.target else f"{edge.source},{edge.target}"
        return f"Note over {over}: {label}"
    return f"{edge.source}{_ARROWS.get(edge.kind, '->>')}{edge.target}: {label}"


class _Fragments:
    """Opens and closes the fragments around the messages, each closed before the one around it."""

    def __init__(self, graph: Graph) -> None:
        self._groups = {group.id: group for group in graph.groups}
        self._parents = {group.id: group.parent for group in graph.groups}
        self._open: list[Group] = []  # blocks only
        self._branch: list[str | None] = []  # of each open block, the branch it is in

    @property
    def depth(self) -> int:
        return min(len(self._open), MAX_INDENT)

    def moved_to(self, name: str | None) -> list[str]:
        """The lines that lead from the open fragments to this one."""
        path = self._path(name)
        kept = 0
        while kept < min(len(path), len(self._open)) and self._goes_on(path, kept):
            kept += 1
        lines = self._close(kept)
        for index, (block, branch) in enumerate(path):
            if index >= len(self._open):
                lines.append(f"{INDENT * (1 + self.depth)}{block.kind} {escape(block.label)}")
                self._open.append(block)
                self._branch.append(None)
            if branch is not None and self._branch[index] != branch.id:
                lines.append(f"{INDENT * self.depth}{branch.kind} {escape(branch.label)}")
                self._branch[index] = branch.id
        return lines

    def _goes_on(self, path: list[tuple[Group, Group | None]], index: int) -> bool:
        """Whether the open block at this depth is the path's. What was its last branch cannot be left
        for an earlier part, and what stands inside a branch ends with it."""
        block, branch = path[index]
        if self._open[index].id != block.id:
            return False
        return branch is not None or self._branch[index] is None

    def _close(self, kept: int) -> list[str]:
        lines: list[str] = []
        while len(self._open) > kept:
            self._open.pop()
            self._branch.pop()
            lines.append(f"{INDENT * (1 + self.depth)}end")
        return lines

    def _path(self, name: str | None) -> list[tuple[Group, Group | None]]:
        """The blocks around, outermost first, each with the branch it is in."""
        path: list[tuple[Group, Group | None]] = []
        for identifier in ancestry(self._parents, name):
            group = self._groups[identifier]
            if group.kind in _BLOCKS:
                path.append((group, None))
            elif path and _BRANCHES.get(group.kind) == path[-1][0].kind:
                path[-1] = (path[-1][0], group)
        return path
