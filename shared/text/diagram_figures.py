"""What a Markdown document gives dates or percentages to, in its lists and tables."""

from __future__ import annotations

import re
from dataclasses import replace

from shared.text.diagram_markdown import LIST_MARK, MAX_DRAWN, MAX_LABEL, MarkdownPart, unique
from shared.text.markdown_inline import plain_text
from shared.text.mermaid.graph import Node
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts

_MIN_PERIODS = 2

_DATE = re.compile(
    r"\b(?:\d{4}-\d{2}(?:-\d{2})?|(?:Q[1-4]\s+|(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*\.?\s+)?"
    r"(?:1[5-9]|20|21)\d{2})\b"
)
_DAY = re.compile(r"\b\d{4}-\d{2}-\d{2}\b")
_SHARE = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,9})?)\s?(?:%|percent\b)")


def dated_periods(part: MarkdownPart) -> Parts | None:
    """Headings and list items that begin with a date, with what they say of it."""
    nodes: dict[str, Node] = {}
    for line, _ in part.lines():
        text = plain_text(LIST_MARK.sub("", line))
        found = _DATE.match(text.lstrip("* [(")) if LIST_MARK.match(line) else None
        if found is None or (len(nodes) >= MAX_DRAWN and found.group() not in nodes):
            continue
        event = clean_text(text.replace(found.group(), "", 1).strip(" :–—-()[]*,."), MAX_LABEL)
        known = nodes.get(found.group(), Node(found.group(), found.group(), quote=line.strip()))
        nodes[found.group()] = replace(known, members=(*known.members, event) if event else known.members)
    if len(nodes) < _MIN_PERIODS:
        return None
    return Parts("timeline", tuple(nodes.values()), title=part.title)


def dated_tasks(part: MarkdownPart) -> Parts | None:
    """Lines of lists and tables that name a task and a day, or two: from and to."""
    nodes: list[Node] = []
    for line, _ in part.lines():
        days = _DAY.findall(line)
        if not days or not (LIST_MARK.match(line) or line.lstrip().startswith("|")):
            continue
        text = _DAY.sub(" ", plain_text(LIST_MARK.sub("", line)))
        cells = [cell.strip(" :–—-().,") for cell in text.split("|")]
        label = clean_text(next(filter(None, cells), ""), MAX_LABEL)
        if label and len(nodes) < MAX_DRAWN:
            end = days[1] if len(days) > 1 else None
            nodes.append(
                Node(unique(label, days[0], nodes), label, quote=line.strip(), start=days[0], end=end)
            )
    return Parts("gantt", tuple(nodes), title=part.title) if nodes else None


def shares(part: MarkdownPart) -> Parts | None:
    """Lines of lists and tables that give something a percentage."""
    nodes: list[Node] = []
    for line, _ in part.lines():
        found = _SHARE.findall(line)
        if len(found) != 1 or not (LIST_MARK.match(line) or line.lstrip().startswith("|")):
            continue
        text = _SHARE.sub(" ", plain_text(LIST_MARK.sub("", line)))
        label = clean_text(
            next(filter(None, (cell.strip(" :–—-().,=") for cell in text.split("|"))), ""), MAX_LABEL
        )
        if label and len(nodes) < MAX_DRAWN:
            nodes.append(
                Node(unique(label, "again", nodes), label, quote=line.strip(), value=float(found[0]))
            )
    return Parts("pie", tuple(nodes), title=part.title) if len(nodes) >= 2 else None
