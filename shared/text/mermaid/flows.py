"""Flowchart, state diagram and mind map: the lines of each (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from shared.text.mermaid.graph import Edge, Graph, Node, ancestry
from shared.text.mermaid.labels import escape, quoted

INDENT = "    "
MAX_INDENT = 8  # levels; deeper ones stand below one another, which only a mind map would mind
_MAX_TREE = 20  # levels of a mind map, where the indentation is the tree and must not fill the text

_SHAPES: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "": ("[", "]"),
        "process": ("[", "]"),
        "decision": ("{", "}"),
        "terminal": ("([", "])"),
        "database": ("[(", ")]"),
        "data": ("[/", "/]"),
        "subroutine": ("[[", "]]"),
        "circle": ("((", "))"),
        "hexagon": ("{{", "}}"),
        "rounded": ("(", ")"),
    }
)
_LINES: Mapping[str, str] = MappingProxyType(
    {"": "-->", "arrow": "-->", "dotted": "-.->", "thick": "==>", "line": "---", "both": "<-->"}
)
_PSEUDO_STATES = frozenset({"choice", "fork", "join"})


def flowchart_lines(graph: Graph) -> list[str]:
    lines = [f"flowchart {graph.direction or 'TB'}", *accessible_title(graph)]
    lines += _nested(
        graph, _flowchart_node, lambda group: f"subgraph {group}[{_group_label(graph, group)}]", "end"
    )
    for edge in graph.edges:
        label = f"|{quoted(edge.label)}|" if edge.label else ""
        lines.append(f"{INDENT}{edge.source} {_LINES.get(edge.kind, '-->')}{label} {edge.target}")
    return lines


def state_lines(graph: Graph) -> list[str]:
    lines = ["stateDiagram-v2", *accessible_title(graph)]
    if graph.direction:
        lines.append(f"{INDENT}direction {graph.direction}")
    names = _state_names(graph)
    inside: dict[str | None, list[str]] = {}
    for edge in graph.edges:
        label = f" : {escape(edge.label)}" if edge.label else ""
        line = f"{names[0][edge.source]} --> {names[1][edge.target]}{label}"
        inside.setdefault(_common_group(graph, edge), []).append(line)

    def declared(node: Node) -> str:
        if node.id in names[2]:
            return ""
        return (
            f"state {node.id} <<{node.kind}>>" if node.kind in _PSEUDO_STATES else _state(node.id, node.label)
        )

    lines += _nested(
        graph,
        declared,
        lambda group: f"state {_group_label(graph, group)} as {group} {{",
        "}",
        extra=inside,
    )
    return lines


def mindmap_lines(graph: Graph) -> list[str]:
    """The tree of the edges; what hangs on nothing hangs on the first root, because there can be one."""
    children: dict[str, list[Node]] = {}
    nodes = {node.id: node for node in graph.nodes}
    parent: dict[str, str] = {}
    for edge in graph.edges:
        if edge.target not in parent:
            parent[edge.target] = edge.source
            children.setdefault(edge.source, []).append(nodes[edge.target])
    root = next((node for node in graph.nodes if node.id not in parent), graph.nodes[0])
    drawn: dict[str, int] = {}
    _walk(root, 1, children, drawn)
    for node in graph.nodes:
        if node.id not in drawn:
            _walk(node, 2, children, drawn)
    lines = ["mindmap"]
    for identifier, depth in drawn.items():
        shape = ("((", "))") if identifier == root.id else ("[", "]")
        lines.append(f"{'  ' * depth}{identifier}{shape[0]}{quoted(nodes[identifier].label)}{shape[1]}")
    return lines


def accessible_title(graph: Graph) -> list[str]:
    """The title as types without a title line carry it: for screen readers."""
    return [f"{INDENT}accTitle: {escape(graph.title)}"] if graph.title else []


def _walk(root: Node, depth: int, children: Mapping[str, list[Node]], drawn: dict[str, int]) -> None:
    """Depth first, in order, each node once."""
    waiting = [(root, depth)]
    while waiting:
        node, level = waiting.pop()
        if node.id not in drawn:
            drawn[node.id] = level
            waiting.extend(
                (child, min(level + 1, _MAX_TREE)) for child in reversed(children.get(node.id, []))
            )


def _flowchart_node(node: Node) -> str:
    opening, closing = _SHAPES.get(node.kind, _SHAPES[""])
    return f"{node.id}{opening}{quoted(node.label)}{closing}"


def _state(identifier: str, label: str) -> str:
    return f"state {quoted(label)} as {identifier}"


def _state_names(graph: Graph) -> tuple[dict[str, str], dict[str, str], set[str]]:
    """What a state is called where a transition leaves it, where one enters it, and which are only [*]."""
    sources = {edge.source for edge in graph.edges}
    targets = {edge.target for edge in graph.edges}
    starts = {node.id for node in graph.nodes if node.kind == "start"} & sources - targets
    ends = {node.id for node in graph.nodes if node.kind == "end"} & targets - sources
    known = [*(node.id for node in graph.nodes), *(group.id for group in graph.groups)]
    leaving = {name: "[*]" if name in starts else name for name in known}
    entering = {name: "[*]" if name in ends else name for name in known}
    return leaving, entering, starts | ends


def _common_group(graph: Graph, edge: Edge) -> str | None:
    """The innermost group around both ends. A group does not stand in itself."""
    parents = {group.id: group.parent for group in graph.groups}
    around = {**parents, **{node.id: node.group for node in graph.nodes}}
    common: str | None = None
    chains = (ancestry(parents, around[edge.source]), ancestry(parents, around[edge.target]))
    for left, right in zip(*chains, strict=False):
        if left != right:
            break
        common = left
    return common


def _group_label(graph: Graph, identifier: str) -> str:
    return quoted(next(group.label for group in graph.groups if group.id == identifier))


def _nested(
    graph: Graph,
    node_line: Callable[[Node], str],
    opening: Callable[[str], str],
    closing: str,
    extra: Mapping[str | None, list[str]] = MappingProxyType({}),
) -> list[str]:
    """Nodes inside their groups, groups inside theirs, and further lines at the end of each group."""
    nodes: dict[str | None, list[Node]] = {}
    groups: dict[str | None, list[str]] = {}
    for node in graph.nodes:
        nodes.setdefault(node.group, []).append(node)
    for group in graph.groups:
        groups.setdefault(group.parent, []).append(group.id)

    def block(name: str | None, level: int) -> list[str]:
        depth = min(level, MAX_INDENT)
        lines = [INDENT * depth + line for node in nodes.get(name, []) if (line := node_line(node))]
        for inner in groups.get(name, []):
            body = block(inner, level + 1)
            # A block of nothing but [*] that are used elsewhere is drawn as what it is: one state.
            head = opening(inner) if body else opening(inner).removesuffix(" {")
            lines += [INDENT * depth + head, *body, *([INDENT * depth + closing] if body else [])]
        return lines + [INDENT * depth + line for line in extra.get(name, [])]

    return block(None, 1)
