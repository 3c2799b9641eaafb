"""A Graph as Mermaid text that parses, whatever its labels say.

Every line is one of a few fixed forms, filled with ids that no grammar reads as anything else and with
labels in which nothing but plain words stands unencoded (see `labels`). No form has a link, a style, a
directive, front matter or HTML, so none can come out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType

from shared.text.mermaid.charts import gantt_lines, pie_lines, quadrant_lines, timeline_lines
from shared.text.mermaid.flows import flowchart_lines, mindmap_lines, state_lines
from shared.text.mermaid.graph import Graph
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.relations import class_lines, er_lines
from shared.text.mermaid.sequences import sequence_lines

MAX_TEXT = 49_000  # Mermaid shows nothing above 50,000 (maxTextSize), in UTF-16 code units

_COMPILERS: Mapping[str, Callable[[Graph], list[str]]] = MappingProxyType(
    {
        "flowchart": flowchart_lines,
        "sequence": sequence_lines,
        "class": class_lines,
        "state": state_lines,
        "er": er_lines,
        "mindmap": mindmap_lines,
        "timeline": timeline_lines,
        "gantt": gantt_lines,
        "pie": pie_lines,
        "quadrant": quadrant_lines,
    }
)


def compile_mermaid(graph: Graph) -> str:
    """Mermaid text of at most MAX_TEXT UTF-16 code units; the same graph gives the same text.

    Where the whole would be longer, labels are cut; in the end members, the labels of edges and the
    fragments of a sequence go.
    """
    for limit in (200, 80, 40, 20, 8):
        cut = _cut(graph, limit)
        if _least_length(cut) > MAX_TEXT:
            continue
        text = _text(cut)
        if len(text.encode("utf-16-le")) // 2 <= MAX_TEXT:
            return text
    return _text(_bare(_cut(graph, 4)))


def _text(graph: Graph) -> str:
    return "\n".join(_COMPILERS[graph.diagram_type](graph)) + "\n"


def _cut(graph: Graph, limit: int) -> Graph:
    """The graph with clean labels of at most `limit` characters, and fewer members with shorter ones."""
    members = 40 if limit >= 40 else limit // 4
    return replace(
        graph,
        title=clean_text(graph.title, limit),
        nodes=tuple(
            replace(
                node,
                label=clean_text(node.label, limit) or node.id,
                members=tuple(filter(None, (clean_text(each, limit) for each in node.members[:members]))),
            )
            for node in graph.nodes
        ),
        edges=tuple(replace(edge, label=clean_text(edge.label, limit)) for edge in graph.edges),
        groups=tuple(
            replace(group, label=clean_text(group.label, limit) or group.id) for group in graph.groups
        ),
    )


def _least_length(graph: Graph) -> int:
    """What the labels alone come to, before a character of them is encoded."""
    labels = [*(node.label for node in graph.nodes), *(edge.label for edge in graph.edges)]
    return sum(map(len, labels)) + sum(len(member) for node in graph.nodes for member in node.members)


def _bare(graph: Graph) -> Graph:
    return replace(
        graph,
        nodes=tuple(replace(node, members=()) for node in graph.nodes),
        edges=tuple(replace(edge, label="", group=None) for edge in graph.edges),
    )
