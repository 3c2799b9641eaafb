"""Timeline, gantt, pie and quadrant charts, read (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

import re
from dataclasses import replace

from shared.text.mermaid.graph import Edge, Group, Node
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.source import Source, label_text, statement, unreadable

_TITLE = re.compile(r"(?:accTitle\s*:|title\s)\s*(.+)", re.IGNORECASE)
_SECTION = re.compile(r"section\s+(.+)", re.IGNORECASE)
_SLICE = re.compile(r"(\"[^\"]*\"|'[^']*')\s*:\s*(-?\d+(?:\.\d+)?)\s*$")
_PIE_HEADER = re.compile(r"pie\s*(?:showData\b)?\s*(?:title\s+(.+))?$", re.IGNORECASE)
_POINT = re.compile(r"(\"[^\"]*\"|[^:\[\"]+?)\s*(?::::\w+)?\s*:\s*\[\s*([\d.]+)\s*,\s*([\d.]+)\s*\]")
_AXIS = re.compile(r"([xy])-axis\s+(\"[^\"]*\"|.+?)\s*(?:--+>\s*(.*))?$", re.IGNORECASE)
_QUADRANT = re.compile(r"quadrant-([1-4])\s+(.+)$", re.IGNORECASE)
_GANTT_SETTING = re.compile(
    r"(?:dateFormat|axisFormat|tickInterval|excludes|includes|todayMarker|weekday|weekend|inclusiveEndDates"
    r"|topAxis|click|accDescr)\b",
    re.IGNORECASE,
)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|[smhdwMy])$")
_DAYS = {"ms": 1e-6, "s": 1e-4, "m": 1 / 1440, "h": 1 / 24, "d": 1.0, "w": 7.0, "M": 30.0, "y": 365.0}
_TAGS = {
    "done": "done",
    "active": "active",
    "crit": "critical",
    "milestone": "milestone",
    "vert": "milestone",
}


def pie_parts(source: Source) -> Parts:
    found = _PIE_HEADER.match(source.header)
    title = label_text(found.group(1) or "") if found else ""
    nodes: list[Node] = []
    for number, line in enumerate(source.lines, start=1):
        text = line.strip()
        if piece := _SLICE.match(text):
            label = (
                label_text(piece.group(1)) if piece.group(1)[0] == '"' else label_text(piece.group(1)[1:-1])
            )
            nodes.append(Node(label, label, value=float(piece.group(2))))
        elif heading := _TITLE.match(text):
            title = label_text(heading.group(1))
        elif not re.match(r"showData|accDescr", text):
            raise unreadable(text, number)
    return Parts("pie", tuple(nodes), title=title)


def quadrant_parts(source: Source) -> Parts:
    nodes: list[Node] = []
    groups: list[Group] = []
    title = ""
    for number, line in enumerate(source.lines, start=1):
        text = statement(line)
        if found := _TITLE.match(text):
            title = label_text(found.group(1))
        elif found := _AXIS.match(text):
            ends = zip(("low", "high"), found.group(2, 3), strict=True)
            groups += [
                Group(f"{found.group(1).lower()}-{end}", label_text(name)) for end, name in ends if name
            ]
        elif found := _QUADRANT.match(text):
            groups.append(Group(f"quadrant-{found.group(1)}", label_text(found.group(2))))
        elif found := _POINT.match(text):
            label = label_text(found.group(1))
            nodes.append(Node(label, label, x=float(found.group(2)), y=float(found.group(3))))
        elif not re.match(r"classDef|accDescr", text):
            raise unreadable(text, number)
    return Parts("quadrant", tuple(nodes), groups=tuple(groups), title=title)


def timeline_parts(source: Source) -> Parts:
    nodes: list[Node] = []
    title, section = "", None
    for line in source.lines:
        text = line.strip()
        if found := _TITLE.match(text):
            title = label_text(found.group(1))
        elif found := _SECTION.match(text):
            section = label_text(found.group(1))
        elif not text.startswith("accDescr"):
            period, *events = re.split(r"\s*:\s+|^:\s*", text)
            members = tuple(filter(None, (label_text(event) for event in events)))
            if period.strip() or not nodes:
                nodes.append(_period(label_text(period), section, members, len(nodes)))
            else:
                nodes[-1] = replace(nodes[-1], members=(*nodes[-1].members, *members))
    return Parts("timeline", tuple(nodes), title=title)


def _period(label: str, section: str | None, members: tuple[str, ...], number: int) -> Node:
    return Node(
        f"{section or ''} {label or number}".strip(), label or str(number), group=section, members=members
    )


def gantt_parts(source: Source) -> Parts:
    nodes: list[Node] = []
    edges: list[Edge] = []
    title, section = "", None
    for number, line in enumerate(source.lines, start=1):
        text = line.strip()
        if found := _TITLE.match(text):
            title = label_text(found.group(1))
        elif found := _SECTION.match(text):
            section = label_text(found.group(1))
        elif ":" in text and not _GANTT_SETTING.match(text):
            node, after = _task(text, section)
            known = {other.id for other in nodes}
            nodes.append(replace(node, id=f"{node.id} {number}") if node.id in known else node)
            edges += [Edge(name, nodes[-1].id) for name in after]
        elif not _GANTT_SETTING.match(text):
            raise unreadable(text, number)
    known = {node.id for node in nodes}
    kept = tuple(edge for edge in edges if edge.source in known)
    return Parts("gantt", tuple(nodes), kept, title=title)


def _task(text: str, section: str | None) -> tuple[Node, list[str]]:
    """`label : [tags,] [id,] [start | after ids,] [end | duration]`"""
    label, _, data = text.partition(":")
    node = Node(label_text(label), label_text(label), group=section)
    after: list[str] = []
    for part in (part.strip() for part in data.split(",")):
        if part in _TAGS:
            node = replace(node, kind=_TAGS[part])
        elif part.startswith("after "):
            after = part.split()[1:]
        elif found := _DATE.match(part):
            node = replace(node, end=found.group()) if node.start else replace(node, start=found.group())
        elif found := _DURATION.match(part):
            node = replace(node, value=round(float(found.group(1)) * _DAYS[found.group(2)], 4))
        elif re.fullmatch(r"[\w-]+", part) and not part[0].isdigit():
            node = replace(node, id=part)
    return node, after
