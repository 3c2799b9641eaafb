"""Diagrams that parse by construction: a model gives a graph, Mermaid text is compiled from it.

graph_from_json(data)       a model's JSON, mended or refused
graph_from_mermaid(text)    a model's Mermaid text, read back into a graph and never passed on
compile_mermaid(graph)      Mermaid text of any of the ten types
"""

from shared.text.mermaid.compile import compile_mermaid
from shared.text.mermaid.from_json import graph_from_json
from shared.text.mermaid.graph import DIAGRAM_TYPES, Edge, Graph, Group, Node, canonical_type
from shared.text.mermaid.parse import graph_from_mermaid
from shared.text.mermaid.schema import GRAPH_SCHEMA

__all__ = [
    "DIAGRAM_TYPES",
    "GRAPH_SCHEMA",
    "Edge",
    "Graph",
    "Group",
    "Node",
    "canonical_type",
    "compile_mermaid",
    "graph_from_json",
    "graph_from_mermaid",
]
