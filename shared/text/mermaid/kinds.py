"""The kinds of nodes, edges and groups that each type of diagram knows, and other names for them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType

NODE_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flowchart": (
            "process",
            "decision",
            "terminal",
            "database",
            "data",
            "subroutine",
            "circle",
            "hexagon",
            "rounded",
        ),
        "sequence": ("participant", "actor"),
        "class": ("class", "interface", "abstract", "enumeration", "service"),
        "state": ("state", "start", "end", "choice", "fork", "join"),
        "gantt": ("task", "done", "active", "critical", "milestone"),
    }
)

EDGE_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "flowchart": ("arrow", "dotted", "thick", "line", "both"),
        "sequence": ("call", "reply", "async", "open", "lost", "note"),
        "class": (
            "association",
            "inheritance",
            "realization",
            "composition",
            "aggregation",
            "dependency",
            "link",
        ),
    }
)

GROUP_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"sequence": ("box", "loop", "opt", "alt", "else", "par", "and", "critical", "option", "break")}
)

_ALIASES: Mapping[str, str] = MappingProxyType(
    {
        "start": "terminal",
        "end": "terminal",
        "stop": "terminal",
        "stadium": "terminal",
        "pill": "terminal",
        "diamond": "decision",
        "condition": "decision",
        "rhombus": "decision",
        "db": "database",
        "datastore": "database",
        "storage": "database",
        "store": "database",
        "cylinder": "database",
        "io": "data",
        "input": "data",
        "output": "data",
        "parallelogram": "data",
        "subprocess": "subroutine",
        "round": "rounded",
        "dashed": "dotted",
        "bold": "thick",
        "none": "line",
        "undirected": "line",
        "bidirectional": "both",
        "user": "actor",
        "person": "actor",
        "human": "actor",
        "enum": "enumeration",
        "abstract class": "abstract",
        "final": "end",
        "initial": "start",
        "crit": "critical",
        "response": "reply",
        "return": "reply",
        "sync": "call",
        "request": "call",
        "message": "call",
        "asynchronous": "async",
        "event": "async",
        "extends": "inheritance",
        "generalization": "inheritance",
        "implements": "realization",
        "implementation": "realization",
        "uses": "dependency",
        "depends": "dependency",
        "depends on": "dependency",
        "imports": "dependency",
        "contains": "composition",
        "has": "aggregation",
        "optional": "opt",
        "parallel": "par",
    }
)

_SIDE = r"(one|zero-or-one|one-or-more|zero-or-more|many)"
_ER_KIND = re.compile(rf"(optional-)?{_SIDE}-to-{_SIDE}")
_SIDE_NAMES: Mapping[str, str] = MappingProxyType({"many": "zero-or-more"})


def node_kind(diagram_type: str, name: str) -> str:
    """A kind the type knows, or "" (its plain form)."""
    return _known(NODE_KINDS.get(diagram_type, ()), name)


def edge_kind(diagram_type: str, name: str) -> str:
    if diagram_type == "er":
        found = cardinalities(name)
        return "" if found is None else f"{'optional-' if found[2] else ''}{found[0]}-to-{found[1]}"
    return _known(EDGE_KINDS.get(diagram_type, ()), name)


def group_kind(diagram_type: str, name: str) -> str:
    return _known(GROUP_KINDS.get(diagram_type, ()), name)


def cardinalities(kind: str) -> tuple[str, str, bool] | None:
    """The two sides of an entity relationship, and whether it is not identifying (a dotted line)."""
    folded = re.sub(r"[\s_-]+", "-", kind.strip().lower())
    found = _ER_KIND.fullmatch(folded)
    if found is None:
        return None
    left, right = (_SIDE_NAMES.get(side, side) for side in found.group(2, 3))
    return left, right, found.group(1) is not None


def _known(kinds: tuple[str, ...], name: str) -> str:
    folded = re.sub(r"[\s_-]+", " ", name.strip().lower())
    if folded in kinds:
        return folded
    alias = _ALIASES.get(folded, "")
    return alias if alias in kinds else ""
