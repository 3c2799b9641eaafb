"""The graph a diagram is drawn from: what a model returns instead of Mermaid text.

One shape for all ten types, so that one schema and one prompt serve them. What each type makes of it:

    flowchart   nodes (kind: shape), edges (kind: line), groups are subgraphs
    sequence    nodes are participants, edges are messages in order, groups are boxes of participants
                (kind "box") or fragments of messages (kind: loop, opt, alt, else, ...)
    class       members are fields and methods, edges (kind: relation), groups are namespaces
    state       nodes (kind: start, end, choice, ...), edges are transitions, groups are composite states
    er          members are "name: type [PK|FK|UK]", edges (kind: "one-to-many", ...)
    mindmap     edges lead from parent to child
    timeline    a node is a period, members are its events, groups are sections
    gantt       a node is a task (start, end or value in days), edges are dependencies, groups are sections
    pie         a node is a slice, value its share
    quadrant    a node is a point, x and y from 0 to 1; groups named x-low, x-high, y-low, y-high and
                quadrant-1 to quadrant-4 carry the labels of the axes and of the quadrants
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from shared.text.mermaid.identifiers import is_identifier
from shared.types import JsonObject

DIAGRAM_TYPES = (
    "flowchart",
    "sequence",
    "class",
    "state",
    "er",
    "mindmap",
    "timeline",
    "gantt",
    "pie",
    "quadrant",
)
DIRECTIONS = ("TB", "BT", "LR", "RL")
GROUPS_AS_ENDPOINTS = frozenset({"flowchart", "state"})
# What fits into the 50,000 characters and 500 edges that Mermaid draws (its maxTextSize and maxEdges),
# whatever the ids are.
MAX_NODES = 250
MAX_EDGES = 350
MAX_GROUPS = 60

_TYPE_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "graph": "flowchart",
        "flow": "flowchart",
        "flowchartv2": "flowchart",
        "flowchartelk": "flowchart",
        "sequencediagram": "sequence",
        "classdiagram": "class",
        "classdiagramv2": "class",
        "statediagram": "state",
        "statediagramv2": "state",
        "erdiagram": "er",
        "entityrelationship": "er",
        "entityrelationshipdiagram": "er",
        "piechart": "pie",
        "quadrantchart": "quadrant",
        "ganttchart": "gantt",
    }
)


@dataclass(frozen=True, slots=True)
class Node:
    """One box, participant, class, state, entity, topic, period, task, slice or point."""

    id: str
    label: str
    kind: str = ""
    group: str | None = None
    quote: str | None = None  # the document's own words this comes from
    members: tuple[str, ...] = ()
    value: float | None = None
    x: float | None = None
    y: float | None = None
    start: str | None = None  # YYYY-MM-DD
    end: str | None = None

    def to_json(self) -> JsonObject:
        return {
            "id": self.id,
            "label": self.label,
            "kind": self.kind or None,
            "group": self.group,
            "quote": self.quote,
            "members": list(self.members),
            "value": self.value,
            "x": self.x,
            "y": self.y,
            "start": self.start,
            "end": self.end,
        }


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    target: str
    label: str = ""
    kind: str = ""
    group: str | None = None  # sequence: the fragment the message stands in

    def to_json(self) -> JsonObject:
        return {
            "from": self.source,
            "to": self.target,
            "label": self.label,
            "kind": self.kind or None,
            "group": self.group,
        }


@dataclass(frozen=True, slots=True)
class Group:
    id: str
    label: str
    kind: str = ""
    parent: str | None = None

    def to_json(self) -> JsonObject:
        return {"id": self.id, "label": self.label, "kind": self.kind or None, "parent": self.parent}


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph that can be drawn. Raises ValueError when it could not: see `_check`.

    `mended` says in sentences what was changed in the input to get here.
    """

    diagram_type: str
    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...] = ()
    groups: tuple[Group, ...] = ()
    title: str = ""
    direction: str | None = None
    mended: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check(self)

    def to_json(self) -> JsonObject:
        """The shape `graph_from_json` reads; ids are those of the compiled diagram."""
        return {
            "diagram_type": self.diagram_type,
            "title": self.title,
            "direction": self.direction,
            "nodes": [node.to_json() for node in self.nodes],
            "edges": [edge.to_json() for edge in self.edges],
            "groups": [group.to_json() for group in self.groups],
            "mended": list(self.mended),
        }


def canonical_type(name: str) -> str:
    """One of DIAGRAM_TYPES for a name as people write it. Raises ValueError."""
    folded = "".join(character for character in name.lower() if character.isalnum())
    found = _TYPE_ALIASES.get(folded, folded)
    if found not in DIAGRAM_TYPES:
        raise ValueError(f"diagram_type must be one of {', '.join(DIAGRAM_TYPES)}, not {name[:40]!r}.")
    return found


def _check(graph: Graph) -> None:
    if graph.diagram_type not in DIAGRAM_TYPES:
        raise ValueError(f"diagram_type must be one of {', '.join(DIAGRAM_TYPES)}.")
    if graph.direction not in (None, *DIRECTIONS):
        raise ValueError(f"direction must be one of {', '.join(DIRECTIONS)}.")
    _check_size(graph)
    _check_ids(graph)
    _check_references(graph)
    for node in graph.nodes:
        if not all(number is None or math.isfinite(number) for number in (node.value, node.x, node.y)):
            raise ValueError(f"Node {node.id} has a value that is not a finite number.")


def _check_size(graph: Graph) -> None:
    if not graph.nodes:
        raise ValueError("The graph has no nodes: give at least one node with an id and a label.")
    if len(graph.nodes) > MAX_NODES:
        raise ValueError(f"The graph has {len(graph.nodes)} nodes: give at most {MAX_NODES}.")
    if len(graph.edges) > MAX_EDGES:
        raise ValueError(f"The graph has {len(graph.edges)} edges: give at most {MAX_EDGES}.")
    if len(graph.groups) > MAX_GROUPS:
        raise ValueError(f"The graph has {len(graph.groups)} groups: give at most {MAX_GROUPS}.")


def _check_ids(graph: Graph) -> None:
    seen: set[str] = set()
    for identifier in [*(node.id for node in graph.nodes), *(group.id for group in graph.groups)]:
        if not is_identifier(identifier):
            raise ValueError(f"{identifier[:40]!r} cannot be an id.")
        if identifier in seen:
            raise ValueError(f"The id {identifier} stands twice.")
        seen.add(identifier)


def _check_references(graph: Graph) -> None:
    parents = {group.id: group.parent for group in graph.groups}
    ends = {node.id for node in graph.nodes}
    if graph.diagram_type in GROUPS_AS_ENDPOINTS:
        ends |= set(parents)
    for edge in graph.edges:
        if edge.source not in ends or edge.target not in ends:
            raise ValueError(f"The edge from {edge.source} to {edge.target} names an unknown node.")
    named = [node.group for node in graph.nodes] + [edge.group for edge in graph.edges]
    for group in (*named, *parents.values()):
        if group is not None and group not in parents:
            raise ValueError(f"The group {group} is unknown.")
    for group_id in parents:
        ancestry(parents, group_id)


def ancestry(parents: Mapping[str, str | None], group_id: str | None) -> tuple[str, ...]:
    """The group and the groups around it, outermost first. Raises ValueError for a circle."""
    chain: list[str] = []
    while group_id is not None:
        if group_id in chain:
            raise ValueError(f"The group {group_id} stands inside itself.")
        chain.append(group_id)
        group_id = parents.get(group_id)
    return tuple(reversed(chain))
