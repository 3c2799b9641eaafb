"""Mermaid text back into a Graph, for models that answer with it. The text itself goes nowhere.

Reads what the common statements of each type draw; links, callbacks, styles, directives and front
matter are left out. More lenient than Mermaid's own parser where models often err.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from shared.text.mermaid.graph import Graph, canonical_type
from shared.text.mermaid.mend import Parts, mended_graph
from shared.text.mermaid.parse_charts import gantt_parts, pie_parts, quadrant_parts, timeline_parts
from shared.text.mermaid.parse_flowchart import flowchart_parts
from shared.text.mermaid.parse_relations import class_parts, er_parts
from shared.text.mermaid.parse_sequence import sequence_parts
from shared.text.mermaid.parse_states import mindmap_parts, state_parts
from shared.text.mermaid.source import Source, read_source

_PARSERS: Mapping[str, Callable[[Source], Parts]] = MappingProxyType(
    {
        "flowchart": flowchart_parts,
        "sequence": sequence_parts,
        "class": class_parts,
        "state": state_parts,
        "er": er_parts,
        "mindmap": mindmap_parts,
        "timeline": timeline_parts,
        "gantt": gantt_parts,
        "pie": pie_parts,
        "quadrant": quadrant_parts,
    }
)
_HEADER = re.compile(
    r"^[ \t]*(?:flowchart(?:-elk)?|graph|sequenceDiagram|classDiagram(?:-v2)?|stateDiagram(?:-v2)?|erDiagram"
    r"|mindmap|timeline|gantt|pie|quadrantChart)\b",
    re.MULTILINE | re.IGNORECASE,
)
_TITLE = re.compile(r"\s*(?:accTitle\s*:|title\s*:?\s)\s*(.+)", re.IGNORECASE)


def graph_from_mermaid(text: str) -> Graph:
    """The graph a Mermaid text draws; it may stand in a fence with prose around it.

    Raises ValueError, with a sentence fit for asking the model again, when it cannot be read.
    """
    source = read_source(text)
    name = _type_of(source)
    if name is None and (found := _HEADER.search(text)):
        source = read_source(text[found.start() :])
        name = _type_of(source)
    if name is None:
        raise ValueError("The answer is neither a graph in JSON nor a diagram of a known type.")
    parts = _PARSERS[name](source)
    return mended_graph(replace(parts, title=source.title or parts.title))


def _type_of(source: Source) -> str | None:
    words = re.split(r"[\s;:]", source.header, maxsplit=1)
    try:
        return canonical_type(words[0])
    except ValueError:
        return None
