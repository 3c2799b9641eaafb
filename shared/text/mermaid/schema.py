"""The JSON Schema of a graph, as strict structured outputs take it: every property required, none
further, and null where a property says nothing."""

from __future__ import annotations

from shared.text.mermaid.graph import DIAGRAM_TYPES, DIRECTIONS
from shared.types import JsonObject

_TEXT_OR_NULL: JsonObject = {"type": ["string", "null"]}
_NUMBER_OR_NULL: JsonObject = {"type": ["number", "null"]}


def _object(properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def _list(item: JsonObject) -> JsonObject:
    return {"type": "array", "items": item}


def _about(schema: JsonObject, description: str) -> JsonObject:
    return {**schema, "description": description}


_NODE = _object(
    {
        "id": _about({"type": "string"}, "short and unique: letters, digits and _"),
        "label": {"type": "string"},
        "kind": _about(
            _TEXT_OR_NULL,
            "flowchart: process, decision, terminal, database, data, subroutine; sequence: participant, "
            "actor; class: class, interface, abstract, enumeration; state: state, start, end, choice, fork, "
            "join; gantt: task, done, active, critical, milestone; else null",
        ),
        "group": _about(_TEXT_OR_NULL, "id of a group"),
        "quote": _about(_TEXT_OR_NULL, "words copied exactly from the document that this node comes from"),
        "members": _about(
            _list({"type": "string"}),
            "class: '+name: type' or 'name(parameters): type'; er: 'name: type PK'; timeline: the events of "
            "the period; else empty",
        ),
        "value": _about(_NUMBER_OR_NULL, "pie: share; gantt: days"),
        "x": _about(_NUMBER_OR_NULL, "quadrant: from 0 to 1"),
        "y": _about(_NUMBER_OR_NULL, "quadrant: from 0 to 1"),
        "start": _about(_TEXT_OR_NULL, "gantt: YYYY-MM-DD"),
        "end": _about(_TEXT_OR_NULL, "gantt: YYYY-MM-DD"),
    }
)
_EDGE = _object(
    {
        "from": _about({"type": "string"}, "id of a node"),
        "to": _about({"type": "string"}, "id of a node"),
        "label": _TEXT_OR_NULL,
        "kind": _about(
            _TEXT_OR_NULL,
            "flowchart: arrow, dotted, thick, line; sequence: call, reply, async, note; class: inheritance, "
            "realization, composition, aggregation, association, dependency; er: one-to-many, one-to-one, "
            "many-to-many, zero-or-one-to-many, ...; else null",
        ),
        "group": _about(_TEXT_OR_NULL, "sequence: id of the loop, opt, alt, ... the message stands in"),
    }
)
_GROUP = _object(
    {
        "id": _about({"type": "string"}, "quadrant: x-low, x-high, y-low, y-high, quadrant-1 to quadrant-4"),
        "label": {"type": "string"},
        "kind": _about(
            _TEXT_OR_NULL, "sequence: box, loop, opt, alt, else, par, and, critical, option, break; else null"
        ),
        "parent": _about(_TEXT_OR_NULL, "id of the group around this one"),
    }
)

GRAPH_SCHEMA: JsonObject = _object(
    {
        "diagram_type": {"type": "string", "enum": list(DIAGRAM_TYPES)},
        "title": {"type": "string"},
        "direction": {"type": ["string", "null"], "enum": [*DIRECTIONS, None]},
        "nodes": _list(_NODE),
        "edges": _about(_list(_EDGE), "mindmap: from parent to child; sequence: messages in order"),
        "groups": _list(_GROUP),
    }
)
