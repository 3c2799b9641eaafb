"""Timeline, gantt, pie and quadrant charts: the lines of each (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date

from shared.text.mermaid.flows import INDENT
from shared.text.mermaid.graph import Graph, Group, Node
from shared.text.mermaid.identifiers import ACTIVE_KEYWORDS
from shared.text.mermaid.labels import escape, escape_line, quoted
from shared.text.mermaid.mend import ARBITRARY_START

_TAGS = {"done": "done", "active": "active", "critical": "crit", "milestone": "milestone"}
_MAX_DAYS = 36_500
_SMALLEST_SLICE = 0.01  # smaller ones would be rounded away
_LINE_STARTS = """
    timeline gantt title section acctitle accdescr accdescription dateformat axisformat tickinterval
    includes excludes todaymarker inclusiveenddates topaxis weekday weekend
"""
_LINE_KEYWORDS = ACTIVE_KEYWORDS | frozenset(_LINE_STARTS.split())


def timeline_lines(graph: Graph) -> list[str]:
    lines = ["timeline", *_title(graph)]
    for group, nodes in _sections(graph):
        if group is not None:
            lines.append(f"{INDENT}section {escape(group.label)}")
        for node in nodes:
            events = "".join(f" : {escape(member)}" for member in node.members)
            lines.append(f"{INDENT * 2}{escape_line(node.label, _LINE_KEYWORDS)}{events}")
    return lines


def gantt_lines(graph: Graph) -> list[str]:
    """Tasks with their dates; one without a start follows what it depends on, else the task before."""
    lines = ["gantt", *_title(graph), f"{INDENT}dateFormat YYYY-MM-DD"]
    before: dict[str, list[str]] = {}
    for edge in graph.edges:
        before.setdefault(edge.target, []).append(edge.source)
    drawn: list[str] = []
    for group, nodes in _sections(graph):
        if group is not None:
            lines.append(f"{INDENT}section {escape(group.label)}")
        for node in nodes:
            after = [name for name in before.get(node.id, ()) if name in drawn] or drawn[-1:]
            lines.append(f"{INDENT * 2}{_task(node, after)}")
            drawn.append(node.id)
    return lines


def pie_lines(graph: Graph) -> list[str]:
    """A label that stands twice is numbered: Mermaid would drop the second slice."""
    lines = ["pie", *_title(graph)]
    seen: Counter[str] = Counter()
    largest = max(abs(node.value or 0.0) for node in graph.nodes)
    scale = 100 / largest if 0 < largest < _SMALLEST_SLICE else 1.0  # shares stay, and nothing rounds to 0
    for node in graph.nodes:
        seen[node.label] += 1
        label = node.label if seen[node.label] == 1 else f"{node.label} ({seen[node.label]})"
        lines.append(f"{INDENT}{quoted(label)} : {_decimal(abs(node.value or 0.0) * scale)}")
    return lines


def quadrant_lines(graph: Graph) -> list[str]:
    lines = ["quadrantChart", *_title(graph)]
    labels = {group.id: quoted(group.label) for group in graph.groups}
    for axis in ("x", "y"):
        low, high = labels.get(f"{axis}_low"), labels.get(f"{axis}_high")
        if low or high:
            lines.append(f"{INDENT}{axis}-axis {low or quoted('-')}" + (f" --> {high}" if high else ""))
    for number in range(1, 5):
        if label := labels.get(f"quadrant_{number}"):
            lines.append(f"{INDENT}quadrant-{number} {label}")
    for node in graph.nodes:
        place = ", ".join(_decimal(min(1.0, max(0.0, axis or 0.0))) for axis in (node.x, node.y))
        lines.append(f"{INDENT}{quoted(node.label)}: [{place}]")
    return lines


def _title(graph: Graph) -> list[str]:
    return [f"{INDENT}title {escape(graph.title)}"] if graph.title else []


def _sections(graph: Graph) -> Iterator[tuple[Group | None, list[Node]]]:
    """What stands in no group comes first: it would else be read as part of the group before."""
    for group in (None, *graph.groups):
        nodes = [node for node in graph.nodes if node.group == (group.id if group else None)]
        if nodes:
            yield group, nodes


def _task(node: Node, after: list[str]) -> str:
    tag = _TAGS.get(node.kind)
    start = _day(node.start)
    begin = start.isoformat() if start else f"after {' '.join(after)}" if after else ARBITRARY_START
    end = _day(node.end)
    finish = end.isoformat() if start and end and end >= start else f"{_days(node)}d"
    data = [*([tag] if tag else []), node.id, begin, finish]
    return f"{escape_line(node.label, _LINE_KEYWORDS)} : {', '.join(data)}"


def _days(node: Node) -> str:
    if node.kind == "milestone":
        return "0"
    days = 1.0 if node.value is None or node.value <= 0 else node.value
    return _decimal(min(max(days, 0.01), float(_MAX_DAYS)))


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None


def _decimal(number: float) -> str:
    """Digits without exponent: the grammars know no other form."""
    return f"{number:.4f}".rstrip("0").rstrip(".")
