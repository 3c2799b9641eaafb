"""A model's JSON, read with patience: the usual other names for a field, nested lists, bare strings.

What is read here is not yet a graph: ids are the model's own and may clash or be unknown. `mend` makes
a Graph of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping

from shared.text.mermaid.graph import (
    DIRECTIONS,
    MAX_EDGES,
    MAX_GROUPS,
    MAX_NODES,
    Edge,
    Graph,
    Group,
    Node,
    canonical_type,
)
from shared.text.mermaid.kinds import edge_kind, group_kind, node_kind
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts, mended_graph
from shared.types import Json, JsonObject

MAX_QUOTE = 500  # characters
MAX_MEMBERS = 40
MAX_MEMBER = 120  # characters

_NODE_LISTS = ("nodes", "vertices", "participants", "actors", "classes", "states", "entities", "topics")
_CHART_LISTS = ("periods", "events", "tasks", "slices", "points", "elements", "items", "steps", "root")
_EDGE_LISTS = ("edges", "links", "relationships", "relations", "connections", "transitions", "messages")
_MEMBER_LISTS = ("members", "attributes", "fields", "properties", "columns", "methods", "events")
_ARROW = re.compile(r"\s*(?:-{1,3}|={1,2}|-\.-?)>{1,2}\s*|\s*[→⟶⇒]\s*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DAYS = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_DAYS_IN = {"": 1.0, "d": 1.0, "w": 7.0, "m": 30.0, "y": 365.0, "h": 1 / 24}


class _Fields:
    """A JSON object whose fields are found by any of their usual names."""

    def __init__(self, data: Mapping[str, Json]) -> None:
        self._values = {_folded(str(name)): value for name, value in data.items()}

    def first(self, *names: str) -> Json:
        """The first of these fields that says anything, or None."""
        for name in names:
            value = self._values.get(_folded(name))
            if value is not None and value != "" and value != []:
                return value
        return None

    def text(self, *names: str, limit: int = 200) -> str:
        value = self.first(*names)
        return clean_text(_words(value), limit) if value is not None else ""

    def number(self, *names: str) -> float | None:
        value = self.first(*names)
        if isinstance(value, str):
            found = re.search(r"-?\d+(?:\.\d+)?", value.replace(",", ""))
            value = float(found.group()) if found else None
        if isinstance(value, bool) or not isinstance(value, int | float):
            return None
        return float(value) if math.isfinite(value) else None


def graph_from_json(data: JsonObject, *, diagram_type: str | None = None) -> Graph:
    """The graph in a model's JSON, mended where that is safe (`Graph.mended` says how).

    `diagram_type`: what the caller asked for, under any usual name; it goes before what the JSON says.
    Raises ValueError, with a sentence fit for asking the model again, when there is nothing to draw.
    """
    fields = _unwrapped(data)
    named = diagram_type or fields.text("diagram_type", "diagram", "type") or "flowchart"
    parts = _Reading(canonical_type(named)).parts(fields)
    return mended_graph(parts)


class _Reading:
    """Collects the parts of one graph."""

    def __init__(self, diagram_type: str) -> None:
        self._type = diagram_type
        self._nodes: list[Node] = []
        self._edges: list[Edge] = []
        self._groups: list[Group] = []

    def parts(self, fields: _Fields) -> Parts:
        for entry in _entries(fields.first("groups", "subgraphs", "clusters", "sections", "boxes", "axes")):
            self._read_group(entry)
        self._read_nodes(self._node_entries(fields), parent=None, group=None)
        for entry in _entries(fields.first(*_EDGE_LISTS)):
            self._read_edge(entry)
        direction = fields.text("direction", "orientation", "rankdir").upper()
        return Parts(
            self._type,
            tuple(self._nodes),
            tuple(self._edges),
            tuple(self._groups),
            title=fields.text("title", "name", "caption"),
            direction={"TD": "TB"}.get(direction, direction if direction in DIRECTIONS else None),
        )

    def _node_entries(self, fields: _Fields) -> list[Json]:
        first = fields.first("nodes")
        if first is not None:
            return _entries(first)
        found = [entry for name in _NODE_LISTS for entry in _entries(fields.first(name))]
        return found or _entries(fields.first(*_CHART_LISTS, "children", "data"))

    def _read_nodes(self, entries: Iterable[Json], *, parent: str | None, group: str | None) -> None:
        """Nodes, and the children nested in them, without recursion: depth is the model's to choose."""
        waiting = [(entry, parent) for entry in entries]
        while waiting:
            entry, above = waiting.pop(0)
            if len(self._nodes) > MAX_NODES:
                raise ValueError(f"The graph has too many nodes: give at most {MAX_NODES}.")
            node = _node(entry, self._type)
            if node is None:
                continue
            self._nodes.append(node if node.group or group is None else _in_group(node, group))
            if above is not None:
                self._edges.append(Edge(above, node.id))
            if isinstance(entry, dict):
                waiting[:0] = [(child, node.id) for child in self._nested(_Fields(entry), node.id)]

    def _nested(self, fields: _Fields, node_id: str) -> list[Json]:
        parent = fields.text("parent", "parent_id")
        if parent and self._type == "mindmap":
            self._edges.append(Edge(parent, node_id))
        return _entries(fields.first("children", "subtopics", "branches", "nodes"))

    def _read_edge(self, entry: Json) -> None:
        edge = _edge(entry, self._type)
        if edge is not None:
            self._edges.append(edge)
        if len(self._edges) > 2 * MAX_EDGES:
            raise ValueError(f"The graph has too many edges: give at most {MAX_EDGES}.")

    def _read_group(self, entry: Json) -> None:
        fields = _Fields(entry if isinstance(entry, dict) else {"id": entry})
        label = fields.text("label", "title", "name", "text")
        identifier = fields.text("id", "key") or label
        if not identifier or len(self._groups) > MAX_GROUPS:
            return
        kind = group_kind(self._type, fields.text("kind", "type"))
        parent = fields.text("parent", "group") or None
        self._groups.append(Group(identifier, label or identifier, kind, parent))
        inside = _entries(fields.first("nodes", "tasks", "periods", "events", "items", "members", "children"))
        self._read_nodes(inside, parent=None, group=identifier)


def _in_group(node: Node, group: str) -> Node:
    return Node(**{**{name: getattr(node, name) for name in Node.__slots__}, "group": group})


def _unwrapped(data: JsonObject) -> _Fields:
    """The object itself, or the one it wraps: {"graph": {...}}."""
    match data:
        case dict():
            fields = _Fields(data)
        case _:
            raise ValueError("Answer with one JSON object that has the fields nodes and edges.")
    for name in ("graph", "diagram", "result", "data"):
        inner = fields.first(name)
        if isinstance(inner, dict) and _Fields(inner).first(*_NODE_LISTS, *_CHART_LISTS) is not None:
            return _Fields({**data, **inner})
    return fields


def _entries(value: Json) -> list[Json]:
    """A list as it is; {"id": {...}} as a list of objects with that id; one object as a list of one."""
    if isinstance(value, list):
        return value
    if not isinstance(value, dict):
        return [] if value is None else [value]
    if any(isinstance(value.get(name), str) for name in ("id", "label", "name", "text")):
        return [value]
    return [
        {"id": name, **inner} if isinstance(inner, dict) else {"id": name, "label": inner}
        for name, inner in value.items()
    ]


def _node(entry: Json, diagram_type: str) -> Node | None:
    fields = _Fields(entry if isinstance(entry, dict) else {"id": entry})
    label = fields.text("label", "text", "title", "name", "caption", "period", "task", "description")
    identifier = fields.text("id", "key", "name") or label
    if not identifier:
        return None
    return Node(
        id=identifier,
        label=label or identifier,
        kind=node_kind(diagram_type, fields.text("kind", "type", "shape", "stereotype", "role")),
        group=fields.text("group", "subgraph", "cluster", "section", "namespace", "lane", "box") or None,
        quote=_quote(fields.first("quote", "evidence", "source_quote", "excerpt")),
        members=tuple(_members(fields)),
        value=_value(fields, diagram_type),
        x=fields.number("x"),
        y=fields.number("y"),
        start=_date(fields.first("start", "start_date", "begin", "date")),
        end=_date(fields.first("end", "end_date", "finish", "due")),
    )


def _edge(entry: Json, diagram_type: str) -> Edge | None:
    if isinstance(entry, str):
        entry = _edge_in_words(entry)
    if isinstance(entry, list):
        entry = dict(zip(("from", "to", "label"), entry, strict=False))
    if not isinstance(entry, dict):
        return None
    fields = _Fields(entry)
    source = fields.text("from", "source", "src", "start", "from_node", "sender")
    target = fields.text("to", "target", "dest", "destination", "end", "to_node", "receiver")
    if not source or not target:
        return None
    kind = fields.text("kind", "type", "relation", "relationship", "cardinality", "arrow", "style")
    return Edge(
        source,
        target,
        label=fields.text("label", "text", "name", "message", "title", "condition", "description", limit=120),
        kind=edge_kind(diagram_type, kind),
        group=fields.text("group", "fragment", "block") or None,
    )


def _edge_in_words(text: str) -> JsonObject:
    """ "A -> B: label" """
    ends = _ARROW.split(text, maxsplit=1)
    if len(ends) != 2:
        return {}
    target, _, label = ends[1].partition(":")
    return {"from": ends[0], "to": target, "label": label}


def _members(fields: _Fields) -> Iterator[str]:
    entries = [entry for name in _MEMBER_LISTS for entry in _entries(fields.first(name))]
    for entry in entries[:MAX_MEMBERS]:
        text = _member(_Fields(entry)) if isinstance(entry, dict) else _words(entry)
        if cleaned := clean_text(text, MAX_MEMBER):
            yield cleaned


def _member(fields: _Fields) -> str:
    """{"name": "id", "type": "int", "key": "PK"} as "id: int PK"."""
    name = fields.text("name", "id", "label", "text", "field")
    kind = fields.text("type", "return_type", "returns", "data_type")
    key = fields.text("key", "constraint").upper()
    visibility = {"private": "-", "protected": "#", "public": "+"}.get(fields.text("visibility").lower(), "")
    return f"{visibility}{name}{f': {kind}' if kind else ''}{f' {key}' if key in ('PK', 'FK', 'UK') else ''}"


def _value(fields: _Fields, diagram_type: str) -> float | None:
    if diagram_type != "gantt":
        return fields.number("value", "count", "amount", "percent", "percentage", "share", "size")
    value = fields.first("value", "duration", "days", "length")
    found = _DAYS.match(value) if isinstance(value, str) else None
    if found is None:
        return fields.number("value", "duration", "days", "length")
    return float(found.group(1)) * _DAYS_IN.get(found.group(2)[:1].lower(), 1.0)


def _date(value: Json) -> str | None:
    found = _DATE.match(value.strip()) if isinstance(value, str) else None
    return found.group() if found else None


def _quote(value: Json) -> str | None:
    """The document's words as they are: they will be looked for in it."""
    return value.strip()[:MAX_QUOTE] or None if isinstance(value, str) else None


def _words(value: Json) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, list):
        return ", ".join(_words(entry) for entry in value[:20] if isinstance(entry, str | int | float))
    return str(value) if isinstance(value, str | int | float) else ""


def _folded(name: str) -> str:
    return re.sub(r"[\s_-]+", "", name.lower())
