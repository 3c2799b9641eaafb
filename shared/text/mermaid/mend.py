"""Parts that may not fit together, made into a Graph that can be drawn.

What is done, and said in `Graph.mended`: an edge to an unknown node brings that node; a repeated node is
merged, or renamed when it is another one; what a type cannot draw is left out; numbers are brought into
range. What is refused, with ValueError: nothing to draw, or too much.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace

from shared.text.mermaid.graph import GROUPS_AS_ENDPOINTS, MAX_EDGES, Edge, Graph, Group, Node
from shared.text.mermaid.identifiers import assign_identifiers
from shared.text.mermaid.labels import clean_text

ARBITRARY_START = "2024-01-01"  # a Monday: where a plan without any date is drawn from

_WITHOUT_EDGES = frozenset({"timeline", "pie", "quadrant"})
_WITHOUT_GROUPS = frozenset({"er", "mindmap", "pie"})
_QUADRANT_GROUPS = (
    *("x-low", "x-high", "y-low", "y-high"),
    *("quadrant-1", "quadrant-2", "quadrant-3", "quadrant-4"),
)
_MAX_NOTES = 20


@dataclass(frozen=True, slots=True)
class Parts:
    """What was read, under the ids it was read with."""

    diagram_type: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    title: str = ""
    direction: str | None = None
    notes: tuple[str, ...] = ()


def mended_graph(parts: Parts) -> Graph:
    """Raises ValueError when nothing can be drawn."""
    notes = list(parts.notes)
    nodes = _merged(parts.nodes, notes)
    if not nodes and not parts.edges:
        raise ValueError("The graph has no nodes: give at least one node with an id and a label.")
    groups = _declared_groups(parts, nodes, notes)
    edges = _known_ends(parts, nodes, groups, notes)
    drawn = Parts(parts.diagram_type, tuple(nodes.values()), edges, groups, parts.title, parts.direction)
    drawn = _fitted(drawn, notes)
    return _renamed(_without_empty_groups(drawn, notes), notes)


def _merged(nodes: Iterable[Node], notes: list[str]) -> dict[str, Node]:
    """Nodes by id. The same id with the same label is one node, with another label another node."""
    merged: dict[str, Node] = {}
    for node in nodes:
        known = merged.get(node.id)
        if known is None:
            merged[node.id] = node
        elif known.label == node.label or node.label == node.id:
            merged[node.id] = _united(known, node)
        elif node.label not in merged:
            notes.append(f"The id {node.id} stood twice: the second is now {node.label}.")
            merged[node.label] = replace(node, id=node.label)
        else:
            notes.append(f"The node {node.label} stood twice: the second was left out.")
    return merged


def _united(known: Node, again: Node) -> Node:
    return replace(
        known,
        kind=known.kind or again.kind,
        group=known.group or again.group,
        quote=known.quote or again.quote,
        members=(*known.members, *(member for member in again.members if member not in known.members)),
    )


def _declared_groups(parts: Parts, nodes: dict[str, Node], notes: list[str]) -> tuple[Group, ...]:
    """Each group once, those that are only mentioned too; nesting without circles."""
    groups: dict[str, Group] = {}
    for group in parts.groups:
        groups.setdefault(group.id, group)
    mentioned = [node.group for node in nodes.values()] + [edge.group for edge in parts.edges]
    for name in mentioned:
        if name is not None and name not in groups:
            groups[name] = Group(name, clean_text(name))
    for group in tuple(groups.values()):
        if group.parent is not None and _circular(groups, group):
            notes.append(f"The group {group.label} stood inside itself or an unknown group: taken out.")
            groups[group.id] = replace(group, parent=None)
    return tuple(groups.values())


def _circular(groups: dict[str, Group], group: Group) -> bool:
    seen, parent = {group.id}, group.parent
    while parent is not None:
        if parent in seen or parent not in groups:
            return True
        seen.add(parent)
        parent = groups[parent].parent
    return False


def _known_ends(
    parts: Parts, nodes: dict[str, Node], groups: tuple[Group, ...], notes: list[str]
) -> tuple[Edge, ...]:
    """Edges between known nodes; nodes that only edges name are added to `nodes`."""
    if parts.diagram_type in _WITHOUT_EDGES:
        if parts.edges:
            notes.append(f"A {parts.diagram_type} diagram has no edges: {len(parts.edges)} left out.")
        return ()
    ends = {group.id for group in groups} if parts.diagram_type in GROUPS_AS_ENDPOINTS else set()
    by_label = {node.label.casefold(): node.id for node in reversed(nodes.values())}
    edges: list[Edge] = []
    for edge in parts.edges:
        named = [_end(name, nodes, ends, by_label, notes) for name in (edge.source, edge.target)]
        edges.append(replace(edge, source=named[0], target=named[1]))
    if parts.diagram_type == "sequence":
        return tuple(edges)
    unique = tuple(dict.fromkeys(edges))
    if len(unique) < len(edges):
        notes.append(f"Edges that stood twice were left out: {len(edges) - len(unique)}.")
    return unique


def _end(
    name: str, nodes: dict[str, Node], ends: set[str], by_label: dict[str, str], notes: list[str]
) -> str:
    if name in nodes or name in ends:
        return name
    known = by_label.get(name.casefold())
    if known is not None:
        return known
    notes.append(f"An edge named the unknown node {name}: it was added.")
    nodes[name] = Node(name, clean_text(name))
    return name


def _fitted(parts: Parts, notes: list[str]) -> Parts:
    """What each type needs of its numbers, edges and groups."""
    match parts.diagram_type:
        case "pie":
            parts = replace(parts, nodes=_slices(parts.nodes, notes))
        case "quadrant":
            parts = _points(parts, notes)
        case "mindmap":
            parts = _tree(parts, notes)
        case "gantt":
            parts = _plan(parts, notes)
        case _:
            pass
    if parts.diagram_type in _WITHOUT_GROUPS and parts.groups:
        notes.append(f"A diagram of type {parts.diagram_type} has no groups: they were left out.")
        parts = _without_groups(parts, {group.id for group in parts.groups})
    return parts


def _slices(nodes: tuple[Node, ...], notes: list[str]) -> tuple[Node, ...]:
    kept = tuple(node for node in nodes if node.value is not None and 0 <= node.value < 1e12)
    if len(kept) < len(nodes):
        notes.append(f"Slices without a value of 0 or more were left out: {len(nodes) - len(kept)}.")
    if not any(node.value for node in kept):
        raise ValueError("A pie chart needs a positive number in the field value of its nodes.")
    return kept


def _points(parts: Parts, notes: list[str]) -> Parts:
    """Points with both coordinates, from 0 to 1; a scale of 10 or 100 is brought down."""
    kept = [node for node in parts.nodes if node.x is not None and node.y is not None]
    if not kept:
        raise ValueError("A quadrant chart needs nodes with numbers from 0 to 1 in the fields x and y.")
    if len(kept) < len(parts.nodes):
        notes.append(f"Points without x and y were left out: {len(parts.nodes) - len(kept)}.")
    largest = max(max(node.x or 0.0, node.y or 0.0) for node in kept)
    scale = 1.0 if largest <= 1 else 10.0 if largest <= 10 else 100.0 if largest <= 100 else largest
    if scale != 1:
        notes.append(f"Coordinates were divided by {scale:g}.")
    nodes = tuple(replace(node, x=_unit(node.x, scale), y=_unit(node.y, scale), group=None) for node in kept)
    groups = tuple(group for group in parts.groups if group.id.replace("_", "-") in _QUADRANT_GROUPS)
    return replace(parts, nodes=nodes, groups=tuple(replace(group, parent=None) for group in groups))


def _unit(number: float | None, scale: float) -> float:
    return min(1.0, max(0.0, (number or 0.0) / scale))


def _tree(parts: Parts, notes: list[str]) -> Parts:
    """One root, one parent for each other node, no circles."""
    parent: dict[str, str] = {}
    for edge in parts.edges:
        if edge.target not in parent and not _leads_to(parent, edge.source, edge.target):
            parent[edge.target] = edge.source
    if len(parent) < len(parts.edges):
        notes.append(f"Edges that break the tree were left out: {len(parts.edges) - len(parent)}.")
    roots = [node for node in parts.nodes if node.id not in parent]
    nodes = parts.nodes
    if len(roots) > 1 and not parent:
        parent = {node.id: roots[0].id for node in roots[1:]}
    elif len(roots) > 1:
        label = parts.title or "Overview"
        taken = {node.id for node in nodes}
        top = next((node for node in roots if node.label == label), None) or Node(
            f"{label} overview" if label in taken else label, label
        )
        nodes = nodes if top in roots else (top, *nodes)
        parent |= {node.id: top.id for node in roots if node.id != top.id}
        notes.append(f"A mind map has one root: {top.label}.")
    edges = tuple(Edge(parent[node.id], node.id) for node in nodes if node.id in parent)
    return replace(parts, nodes=nodes, edges=edges)


def _leads_to(parent: dict[str, str], start: str, goal: str) -> bool:
    current: str | None = start
    while current is not None:
        if current == goal:
            return True
        current = parent.get(current)
    return False


def _plan(parts: Parts, notes: list[str]) -> Parts:
    if not any(node.start for node in parts.nodes):
        notes.append(f"No task has a start date: drawn from {ARBITRARY_START}.")
    return parts


def _without_empty_groups(parts: Parts, notes: list[str]) -> Parts:
    """Groups that hold nothing; one that an edge names stays as a node."""
    if parts.diagram_type == "quadrant":
        return parts
    used = {node.group for node in parts.nodes} | {edge.group for edge in parts.edges}
    parents = {group.id: group.parent for group in parts.groups}
    for name in [name for name in used if name is not None]:
        while (name := parents.get(name) or "") and name not in used:
            used.add(name)
    empty = {group.id: group for group in parts.groups if group.id not in used}
    if not empty:
        return parts
    notes.append(f"Groups without nodes were left out: {', '.join(g.label for g in empty.values())[:120]}.")
    ends = {name for edge in parts.edges for name in (edge.source, edge.target)}
    as_nodes = tuple(Node(group.id, group.label) for group in empty.values() if group.id in ends)
    parts = _without_groups(parts, set(empty))
    known = {node.id for node in parts.nodes}
    return replace(parts, nodes=(*parts.nodes, *(node for node in as_nodes if node.id not in known)))


def _without_groups(parts: Parts, names: set[str]) -> Parts:
    return replace(
        parts,
        nodes=tuple(replace(node, group=None) if node.group in names else node for node in parts.nodes),
        edges=tuple(replace(edge, group=None) if edge.group in names else edge for edge in parts.edges),
        groups=tuple(
            replace(group, parent=None if group.parent in names else group.parent)
            for group in parts.groups
            if group.id not in names
        ),
    )


def _renamed(parts: Parts, notes: list[str]) -> Graph:
    """The graph under its final ids. A group that shares a node's id gets one of its own."""
    node_keys = {node.id: node.id for node in parts.nodes}
    group_keys = {
        group.id: f"{group.id} group" if group.id in node_keys else group.id for group in parts.groups
    }
    final = assign_identifiers([*node_keys.values(), *group_keys.values()])
    ends = {
        **{name: final[key] for name, key in group_keys.items()},
        **{name: final[name] for name in node_keys},
    }

    def group_id(name: str | None) -> str | None:
        return None if name is None else final[group_keys[name]]

    if len(parts.edges) > MAX_EDGES:
        raise ValueError(f"The graph has {len(parts.edges)} edges: give at most {MAX_EDGES}.")
    return Graph(
        diagram_type=parts.diagram_type,
        nodes=tuple(replace(node, id=final[node.id], group=group_id(node.group)) for node in parts.nodes),
        edges=tuple(
            replace(edge, source=ends[edge.source], target=ends[edge.target], group=group_id(edge.group))
            for edge in parts.edges
        ),
        groups=tuple(
            replace(group, id=final[group_keys[group.id]], parent=group_id(group.parent))
            for group in parts.groups
        ),
        title=clean_text(parts.title),
        direction=parts.direction,
        mended=_counted(notes),
    )


def _counted(notes: list[str]) -> tuple[str, ...]:
    """Each note once; a long list is cut."""
    counted = [clean_text(note) for note in Counter(notes)]
    if len(counted) <= _MAX_NOTES:
        return tuple(counted)
    return (*counted[:_MAX_NOTES], f"And {len(counted) - _MAX_NOTES} more.")
