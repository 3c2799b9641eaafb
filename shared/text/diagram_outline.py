"""Diagrams without a model: drawn from what a document's structure says, and from nothing else.

Every node of a document's diagram carries a quote: words that stand in the document as they are. The
same document and concept give the same graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from types import MappingProxyType

from shared.text.diagram_code import class_model, function_calls, json_shares, json_tree, schema_model
from shared.text.diagram_figures import dated_periods, dated_tasks, shares
from shared.text.diagram_markdown import (
    MarkdownPart,
    drawn_diagram,
    heading_tree,
    main_steps,
    numbered_steps,
    typescript_in_fences,
)
from shared.text.diagram_relations import flow_between, messages_between, state_changes
from shared.text.mermaid.graph import Edge, Graph, Node, canonical_type
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts, mended_graph
from shared.types import DocumentKind

MAX_CONCEPT = 500  # characters of a concept that are drawn from
_MAX_TITLE = 100

Source = Callable[[MarkdownPart], Parts | None]

# What each type is drawn from, the best first.
_MARKDOWN_SOURCES: Mapping[str, Sequence[Source]] = MappingProxyType(
    {
        "flowchart": (flow_between, numbered_steps, heading_tree),
        "sequence": (messages_between,),
        "class": (lambda part: class_model(typescript_in_fences(part)),),
        "state": (state_changes,),
        "er": (lambda part: schema_model(typescript_in_fences(part)),),
        "mindmap": (heading_tree,),
        "timeline": (dated_periods,),
        "gantt": (dated_tasks,),
        "pie": (shares,),
        "quadrant": (),
    }
)
_ANY_TYPE: Sequence[tuple[str, Source]] = (
    ("flowchart", flow_between),
    ("flowchart", main_steps),
    ("mindmap", heading_tree),
    ("flowchart", numbered_steps),
)
_CODE_SOURCES: Mapping[str, Callable[[str], Parts | None]] = MappingProxyType(
    {"class": class_model, "er": schema_model, "flowchart": function_calls}
)

_ARROW = re.compile(r"\s*(?:-{1,3}>|={1,2}>|[→⟶⇒])\s*")
_LIST_BORDER = re.compile(r"\s*(?:,|;|\band\b|&|\+)\s*", re.IGNORECASE)
_BETWEEN = re.compile(r"\bbetween\s+(.+?)(?:\s+(?:works?|interacts?|communicates?|talks?))?$", re.IGNORECASE)
_WITHOUT_DATA = frozenset({"pie", "quadrant", "gantt", "timeline"})


def outline_graph(
    content: str,
    kind: DocumentKind,
    *,
    concept: str,
    diagram_type: str | None = None,
    title: str | None = None,
) -> Graph:
    """A diagram of the document; of the section the concept names, where it names one.

    `diagram_type`: None for what suits the document. Without a document, the concept's own words are
    drawn. Raises ValueError, with a sentence for the caller, when nothing of that type can be drawn.
    """
    wanted = canonical_type(diagram_type) if diagram_type else None
    heading = clean_text(title or concept, _MAX_TITLE)
    if not content.strip():
        return mended_graph(_from_concept(clean_text(concept, MAX_CONCEPT), wanted, heading))
    match kind:
        case DocumentKind.MARKDOWN:
            parts = _from_markdown(content, concept, wanted, heading)
        case DocumentKind.TYPESCRIPT:
            parts = _from_typescript(content, wanted, heading)
        case DocumentKind.JSON:
            parts = _from_json(content, wanted, heading)
    if parts is None:
        raise ValueError(_nothing_to_draw(wanted))
    graph = mended_graph(parts)
    return replace(graph, title=graph.title or heading)


def _nothing_to_draw(wanted: str | None) -> str:
    what = f"a {wanted} diagram" if wanted else "a diagram"
    return (
        f"Without a model, the document's structure has nothing to draw as {what}: try mindmap or flowchart."
    )


def _from_markdown(content: str, concept: str, wanted: str | None, heading: str) -> Parts | None:
    """From the section that the concept names, else from the whole document."""
    whole = MarkdownPart.of(content, heading)
    section = whole.section(concept)
    for part in (whole,) if section is None else (section, whole):
        drawn = drawn_diagram(part, wanted) or _best(part, wanted)
        if drawn is not None:
            return drawn
    return None


def _best(part: MarkdownPart, wanted: str | None) -> Parts | None:
    candidates = _ANY_TYPE if wanted is None else [(wanted, source) for source in _MARKDOWN_SOURCES[wanted]]
    for diagram_type, source in candidates:
        found = source(part)
        if found is not None:
            return replace(found, diagram_type=diagram_type)
    return None


def _from_typescript(content: str, wanted: str | None, heading: str) -> Parts | None:
    if wanted == "mindmap":
        model = class_model(content) or function_calls(content)
        return None if model is None else replace(model, diagram_type="mindmap", title=heading)
    if wanted is not None:
        source = _CODE_SOURCES.get(wanted)
        return source(content) if source else None
    return class_model(content) or function_calls(content)


def _from_json(content: str, wanted: str | None, heading: str) -> Parts | None:
    if wanted == "pie":
        return json_shares(content)
    if wanted not in (None, "mindmap", "flowchart"):
        return None
    found = json_tree(content, heading)
    return None if found is None else replace(found, diagram_type=wanted or "mindmap")


def _from_concept(concept: str, wanted: str | None, heading: str) -> Parts:
    """The concept's own words: a chain where it has arrows, else what it lists around what it names."""
    if wanted in _WITHOUT_DATA:
        raise ValueError(f"A {wanted} diagram needs data: name a document that has it.")
    steps = [step for step in _ARROW.split(concept) if step.strip(" .")]
    if len(steps) > 1:
        nodes = tuple(_words(step) for step in steps)
        edges = tuple(Edge(before.id, after.id) for before, after in pairwise(nodes))
        return Parts(wanted or "flowchart", nodes, edges, title=heading)
    listed = _listed(concept)
    if wanted == "sequence":
        return Parts("sequence", tuple(_words(word) for word in listed or [concept]), title=heading)
    top = _words(concept)
    nodes = tuple(_words(word) for word in listed)
    # What relates entities, and how many of them, the words do not say.
    edges = () if wanted == "er" else tuple(Edge(top.id, node.id) for node in nodes)
    return Parts(wanted or "mindmap", (top, *nodes), edges, title=heading)


def _listed(concept: str) -> list[str]:
    """What a concept lists: "a queue between producer and consumer" lists two."""
    found = _BETWEEN.search(concept)
    tail = found.group(1) if found else concept.rpartition(":")[2]
    words = [word.strip(" .?!") for word in _LIST_BORDER.split(tail)]
    return [word for word in dict.fromkeys(words) if word] if len(words) > 1 else []


def _words(text: str) -> Node:
    cleaned = clean_text(text.strip(" ."), _MAX_TITLE) or "?"
    return Node(cleaned, cleaned)
