"""Diagrams: a model gives a graph as JSON, and only our compiler writes Mermaid."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from shared.errors import InvalidRequest
from shared.tasks.asking import Asker, Subject, answered_meta
from shared.text.prompting import delimit, delimit_passages, load_prompt
from shared.types import ChatRequest, DocumentKind, JsonObject, JsonSchema, Match, Meta

if TYPE_CHECKING:
    from shared.text.mermaid.graph import Graph

MAX_TITLE = 100  # characters
WHOLE_DOCUMENT = 24_000  # characters; of a longer document the retrieved passages are drawn from


def checked_type(diagram_type: str | None) -> str | None:
    """The canonical name. Raises InvalidRequest for a type that cannot be drawn."""
    from shared.text.mermaid.graph import canonical_type

    try:
        return canonical_type(diagram_type) if diagram_type else None
    except ValueError as error:
        raise InvalidRequest(str(error), param="diagram_type") from None


def needs_passages(subject: Subject | None) -> bool:
    """Whether the text is too long to be sent whole."""
    return subject is not None and len(subject.content) > WHOLE_DOCUMENT


async def ask(
    asker: Asker,
    concept: str,
    diagram_type: str | None,
    subject: Subject | None,
    matches: Sequence[Match],
) -> JsonObject:
    """A model's diagram. Raises the router's errors."""
    request = _request(concept, diagram_type, subject, matches)
    graph, finish = await asker.parsed(
        request, lambda reply: parse_graph(reply, diagram_type), subject.tier if subject else None
    )
    return _answer(graph, concept, subject, answered_meta(asker.context.request_id, [finish]))


def _request(
    concept: str, diagram_type: str | None, subject: Subject | None, matches: Sequence[Match]
) -> ChatRequest:
    from shared.text.mermaid.graph import DIAGRAM_TYPES
    from shared.text.mermaid.schema import GRAPH_SCHEMA

    nonce = secrets.token_hex(8)
    messages = load_prompt("diagrams").messages(
        nonce=nonce,
        diagram_types=diagram_type or ", ".join(DIAGRAM_TYPES),
        schema=json.dumps(GRAPH_SCHEMA, separators=(",", ":")),
        concept=delimit(concept, "concept", nonce),
        document=_material(subject, matches, nonce),
    )
    return ChatRequest(messages, temperature=0.2, response_schema=JsonSchema("diagram", GRAPH_SCHEMA))


def _material(subject: Subject | None, matches: Sequence[Match], nonce: str) -> str:
    if subject is None:
        return "none"
    if needs_passages(subject) and matches:
        return delimit_passages(matches, nonce)
    return delimit(subject.content[:WHOLE_DOCUMENT], "document", nonce)


def parse_graph(reply: str, diagram_type: str | None) -> Graph:
    """The graph in a reply: JSON, or Mermaid text read back into a graph. Raises ValueError."""
    from shared.text.json_output import parse_json_object
    from shared.text.mermaid.from_json import graph_from_json
    from shared.text.mermaid.parse import graph_from_mermaid

    try:
        data = parse_json_object(reply)
    except ValueError as not_json:
        try:
            graph = graph_from_mermaid(reply)
        except ValueError:
            raise not_json from None
        if diagram_type not in (None, graph.diagram_type):
            raise ValueError(f"Return a {diagram_type}, not a {graph.diagram_type}.") from None
        return graph
    return graph_from_json(data, diagram_type=diagram_type)


def offline(concept: str, diagram_type: str | None, subject: Subject | None, meta: Meta) -> JsonObject:
    """The diagram that needs no model: the document's own structure, or the concept's words.

    Where they hold nothing that a diagram of this type could show, another type is drawn, and
    `meta.instead_of` names the one that was asked for.
    """
    try:
        return _answer(_outlined(concept, diagram_type, subject), concept, subject, meta)
    except ValueError:
        drawn = _outlined(concept, None, subject)
        instead = replace(meta, extra={**meta.extra, "instead_of": diagram_type})
        return _answer(drawn, concept, subject, instead)


def _outlined(concept: str, diagram_type: str | None, subject: Subject | None) -> Graph:
    """Raises ValueError where nothing can be drawn in this type."""
    from shared.text.diagram_outline import outline_graph

    return outline_graph(
        subject.content if subject else "",
        subject.kind if subject else DocumentKind.MARKDOWN,
        concept=concept,
        diagram_type=diagram_type,
        title=subject.title if subject and subject.document_id else concept[:MAX_TITLE],
    )


def _answer(graph: Graph, concept: str, subject: Subject | None, meta: Meta) -> JsonObject:
    from shared.text.mermaid.compile import compile_mermaid

    return {
        "mermaid": compile_mermaid(graph),
        "diagram_type": graph.diagram_type,
        "title": graph.title or concept[:MAX_TITLE],
        "graph": graph.to_json(),
        "nodes": _node_anchors(graph, subject) if subject else {},
        "meta": meta.to_json(),
    }


def _node_anchors(graph: Graph, subject: Subject) -> dict[str, JsonObject]:
    """Where the nodes come from; a node whose quote does not stand in the text has no anchor."""
    from shared.text.anchors import locate, make_anchor
    from shared.text.positions import Utf16Text

    text = Utf16Text(subject.content)
    anchors: dict[str, JsonObject] = {}
    for node in graph.nodes:
        place = locate(text, node.quote) if node.quote else None
        if place is not None:
            anchor = make_anchor(
                text, *place, content_hash=subject.content_hash, document_id=subject.document_id
            )
            anchors[node.id] = anchor.to_json()
    return anchors
