"""Class and entity relationship diagrams: the lines of each (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

from shared.text.mermaid.flows import INDENT, accessible_title
from shared.text.mermaid.graph import Graph, Node
from shared.text.mermaid.identifiers import ACTIVE_KEYWORDS, assign_identifiers
from shared.text.mermaid.kinds import cardinalities
from shared.text.mermaid.labels import escape, escape_line, quoted

_RELATIONS: Mapping[str, str] = MappingProxyType(
    {
        "": "-->",
        "association": "-->",
        "inheritance": "--|>",
        "realization": "..|>",
        "composition": "--*",
        "aggregation": "--o",
        "dependency": "..>",
        "link": "--",
    }
)
# From the whole to its part: `A *-- B`.
_REVERSED: Mapping[str, str] = MappingProxyType({"composition": "*--", "aggregation": "o--"})
_LEFT: Mapping[str, str] = MappingProxyType(
    {"one": "||", "zero-or-one": "|o", "one-or-more": "}|", "zero-or-more": "}o"}
)
_RIGHT: Mapping[str, str] = MappingProxyType(
    {"one": "||", "zero-or-one": "o|", "one-or-more": "|{", "zero-or-more": "o{"}
)
_ANNOTATIONS = frozenset({"interface", "abstract", "enumeration", "service"})
_METHOD = re.compile(r"([^()]*[^()\s])\(([^()]*)\)\s*:?([^()]*)")
_NO_ATTRIBUTE = ACTIVE_KEYWORDS | {"pk", "fk", "uk"}
_KEYS = re.compile(r"\s*\b(PK|FK|UK)\b[\s,]*")


def class_lines(graph: Graph) -> list[str]:
    lines = ["classDiagram", *accessible_title(graph)]
    if graph.direction:
        lines.append(f"{INDENT}direction {graph.direction}")
    lines += [line for node in graph.nodes if node.group is None for line in _class(node, 1)]
    names = _namespaces(graph)
    for group in graph.groups:
        inside = [line for node in graph.nodes if node.group == group.id for line in _class(node, 2)]
        if inside:
            lines += [f"{INDENT}namespace {names[group.id]} {{", *inside, f"{INDENT}}}"]
    for edge in graph.edges:
        relation = _REVERSED.get(edge.kind) or _RELATIONS.get(edge.kind, "-->")
        label = f" : {escape(edge.label)}" if edge.label else ""
        lines.append(f"{INDENT}{edge.source} {relation} {edge.target}{label}")
    return lines


def er_lines(graph: Graph) -> list[str]:
    lines = ["erDiagram", *accessible_title(graph)]
    if graph.direction:
        lines.append(f"{INDENT}direction {graph.direction}")
    for node in graph.nodes:
        attributes = [_attribute(member) for member in node.members]
        lines.append(f"{INDENT}{node.id}[{quoted(node.label)}]" + (" {" if attributes else ""))
        if attributes:
            lines += [*(f"{INDENT * 2}{attribute}" for attribute in attributes), f"{INDENT}}}"]
    for edge in graph.edges:
        left, right, optional = cardinalities(edge.kind) or ("one", "zero-or-more", False)
        line = f"{_LEFT[left]}{'..' if optional else '--'}{_RIGHT[right]}"
        lines.append(f"{INDENT}{edge.source} {line} {edge.target} : {quoted(edge.label)}")
    return lines


def _class(node: Node, depth: int) -> list[str]:
    body = [f"<<{node.kind}>>"] if node.kind in _ANNOTATIONS else []
    body += [_class_member(member) for member in node.members]
    head = f"{INDENT * depth}class {node.id}[{quoted(node.label)}]"
    if not body:
        return [head]
    return [f"{head} {{", *(INDENT * (depth + 1) + line for line in body), f"{INDENT * depth}}}"]


def _class_member(text: str) -> str:
    """A method keeps its parentheses, and its result stands after them without a colon: Mermaid adds
    one. Parentheses elsewhere would make a method of what is none."""
    method = _METHOD.fullmatch(text)
    if method is None:
        return escape_line(text, ACTIVE_KEYWORDS).replace("(", "#40;").replace(")", "#41;")
    name, parameters, result = (part.strip() for part in method.groups())
    after = f" {escape(result)}" if result else ""
    return f"{escape_line(name, ACTIVE_KEYWORDS)}({escape(parameters)}){after}"


def _namespaces(graph: Graph) -> dict[str, str]:
    """A namespace shows its id, so that is made from the label."""
    names = assign_identifiers(group.label for group in graph.groups)
    return {group.id: names[group.label] for group in graph.groups}


def _attribute(member: str) -> str:
    """`type name [keys] ["the member as it was"]`: words of letters and digits, the rest in the comment."""
    keys = list(dict.fromkeys(_KEYS.findall(member)))
    rest = _KEYS.sub(" ", member).strip()
    name, colon, kind = (part.strip() for part in rest.partition(":"))
    if not colon:
        kind, _, name = (part.strip() for part in rest.partition(" "))
        kind, name = (kind, name) if name else ("", kind)
    words = [_attribute_word(kind) or "any", _attribute_word(name) or "attribute"]
    faithful = words == [kind or "any", name]
    return " ".join([*words, *([", ".join(keys)] if keys else []), *([] if faithful else [quoted(rest)])])


def _attribute_word(text: str) -> str:
    """A word of the er grammar's ATTRIBUTE_WORD, which is no key."""
    word = re.sub(r"[^A-Za-z0-9_]+", "_", text).strip("_")
    if not word:
        return ""
    return f"_{word}" if word[0].isdigit() or word.lower() in _NO_ATTRIBUTE else word
