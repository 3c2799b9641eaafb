"""What the structure of a Markdown document says that a diagram can show: sections, steps, diagrams.

Each reader takes a part of a document and gives the parts of a graph, or None where there is nothing of
its sort. Quotes are words of the document as they stand.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice, pairwise

from shared.text.markdown import Heading, ListItem, Markdown, scan
from shared.text.markdown_inline import plain_text
from shared.text.mermaid.graph import Edge, Graph, Node
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.parse import graph_from_mermaid

MAX_DRAWN = 40  # nodes of one diagram: more cannot be read
MAX_LABEL = 60
_MIN_STEPS = 2
_MAX_LISTS = 500
_MANY_HEADINGS = 6
_MAX_POINTS = 500
_MAX_PARAGRAPHS = 8

_WORD = re.compile(r"[^\W_]+")
_COMMON_WORDS = """
    a an and are as at by diagram do does draw document flow for from how in is it of on overview show
    the this to what with
"""
_COMMON = frozenset(_COMMON_WORDS.split())
LIST_MARK = re.compile(r"^\s*(?:[-*+]|\d{1,9}[.)]|>|#+)\s+(?:\[[ xX]\]\s+)?")
_STEP_HEADING = re.compile(r"(?:step\s+)?\d{1,3}\s*[.:)–—-]\s*(.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MarkdownPart:
    """`content[start:end]`: the whole document, or one section of it with its heading."""

    markdown: Markdown
    start: int
    end: int
    title: str

    @classmethod
    def of(cls, content: str, title: str) -> MarkdownPart:
        return cls(scan(content), 0, len(content), title)

    @property
    def content(self) -> str:
        return self.markdown.content

    @property
    def headings(self) -> list[Heading]:
        return [heading for heading in self.markdown.top_headings if self.start <= heading.start < self.end]

    def section(self, concept: str) -> MarkdownPart | None:
        """The section whose heading shares most words with the concept; at least half of the heading's."""
        asked, said = _stems(concept), set(concept.lower().split())
        best: tuple[float, ...] = (0.0,)
        found: Heading | None = None
        for heading in self.headings[1:]:
            text = plain_text(heading.text)
            words = _stems(text)
            shared = len(words & asked)
            score = (float(shared), shared / len(words or "-"), float(len(said & set(text.lower().split()))))
            if score[1] >= 0.5 and score > best:
                best, found = score, heading
        if found is None:
            return None
        after = (
            other.start for other in self.headings if other.start > found.start and other.level <= found.level
        )
        return replace(
            self, start=found.start, end=next(after, self.end), title=clean_text(plain_text(found.text))
        )

    def lines(self) -> Iterator[tuple[str, int]]:
        """Lines outside of code in a language, with their places. What stands in a plain fence counts."""
        skipped = [fence for fence in self.markdown.fences if fence.info.strip() not in ("", "text")]
        skipped.reverse()
        place = self.start
        for line in self.content[self.start : self.end].splitlines(keepends=True):
            after = place + len(line)
            while skipped and skipped[-1].end <= place:
                skipped.pop()
            if not skipped or skipped[-1].start >= after:
                yield line.rstrip("\r\n"), place
            place = after


def drawn_diagram(part: MarkdownPart, wanted: str | None) -> Parts | None:
    """A diagram that already stands in the document, read."""
    for fence in part.markdown.fences:
        if part.start <= fence.start < part.end and fence.info.split()[:1] == ["mermaid"]:
            try:
                graph = graph_from_mermaid(part.content[fence.body_start : fence.body_end])
            except ValueError:
                continue
            if wanted in (None, graph.diagram_type):
                return _quoted_parts(graph, part)
    return None


def _quoted_parts(graph: Graph, part: MarkdownPart) -> Parts:
    nodes = tuple(
        replace(node, quote=node.label if node.label in part.content else None) for node in graph.nodes
    )
    return Parts(
        graph.diagram_type,
        nodes,
        graph.edges,
        graph.groups,
        graph.title,
        graph.direction,
        notes=(*graph.mended, "Read from a diagram in the document."),
    )


def heading_tree(part: MarkdownPart) -> Parts | None:
    """The headings under the title; where they are few, with the points of their lists."""
    headings = part.headings
    if not headings:
        return None
    top = min(heading.level for heading in headings)
    single = sum(heading.level == top for heading in headings) == 1 and headings[0].level == top
    root = Node(part.title or "Document", part.title or "Document")
    if single:
        label = clean_text(plain_text(headings[0].text), MAX_LABEL) or root.label
        root = Node(label, label, quote=_heading_quote(part, headings[0]))
    nodes, edges = [root], list[Edge]()
    around = [(top if single else top - 1, root.id)]
    leaves = _points(part) if len(headings) < 8 else []
    places = [(heading.start, heading.level, heading, "") for heading in headings[single:]]
    for place, level, found, text in sorted([*places, *leaves], key=lambda entry: entry[0]):
        while len(around) > 1 and around[-1][0] >= level:
            around.pop()
        label = clean_text(plain_text(found.text if found else text), MAX_LABEL)
        if not label or len(nodes) >= MAX_DRAWN:
            continue
        quote = _heading_quote(part, found) if found else _line_quote(part, place)
        node = Node(unique(label, around[-1][1], nodes), label, quote=quote)
        nodes.append(node)
        edges.append(Edge(around[-1][1], node.id))
        if found:
            around.append((level, node.id))
    left = len(places) + len(leaves) + 1 - len(nodes)
    notes = (f"{left} more headings and points are not drawn.",) if left > 0 else ()
    return Parts("mindmap", tuple(nodes), tuple(edges), title=part.title, notes=notes)


def _points(part: MarkdownPart) -> list[tuple[int, int, Heading | None, str]]:
    """The outermost list items, else the paragraphs by their first sentences; as deep as nothing else."""
    places = [(item.start, item.content_start) for item in islice(_outermost_items(part), _MAX_POINTS)]
    if not places:
        inside = (each.start for each in part.markdown.paragraphs if part.start <= each.start < part.end)
        places = [(place, place) for place in islice(inside, _MAX_PARAGRAPHS)]
    return [
        (start, 99, None, _first_words(_line_at(part.content, text_start))) for start, text_start in places
    ]


def _outermost_items(part: MarkdownPart) -> Iterator[ListItem]:
    return (item for item in part.markdown.items if part.start <= item.start < part.end and item.depth == 1)


def numbered_steps(part: MarkdownPart) -> Parts | None:
    """The longest numbered list, or numbered headings: each step leads to the next."""
    runs = [run for run in islice(_numbered_lists(part), _MAX_LISTS) if not _are_questions(run)]
    return _chain(max([_step_headings(part), *runs], key=len), part)


def main_steps(part: MarkdownPart) -> Parts | None:
    """Numbered headings, or the numbered list of a text with few headings: what is a procedure at first
    sight. A list somewhere in a long document is not what the document is about."""
    if len(headed := _step_headings(part)) >= _MIN_STEPS:
        return _chain(headed, part)
    return numbered_steps(part) if len(part.headings) < _MANY_HEADINGS else None


def _are_questions(steps: list[tuple[str, str]]) -> bool:
    return 2 * sum(quote.endswith("?") for _, quote in steps) > len(steps)


def _chain(steps: list[tuple[str, str]], part: MarkdownPart) -> Parts | None:
    if len(steps) < _MIN_STEPS:
        return None
    nodes: list[Node] = []
    for label, quote in steps[:MAX_DRAWN]:
        kind = "decision" if label.endswith("?") else ""
        nodes.append(Node(unique(label, str(len(nodes) + 1), nodes), label, kind, quote=quote))
    notes = (f"{len(steps) - MAX_DRAWN} more steps are not drawn.",) if len(steps) > MAX_DRAWN else ()
    edges = tuple(Edge(before.id, after.id) for before, after in pairwise(nodes))
    return Parts("flowchart", tuple(nodes), edges, title=part.title, notes=notes)


def _numbered_lists(part: MarkdownPart) -> Iterator[list[tuple[str, str]]]:
    """Each numbered list of the outermost level. One that begins with 1 is a new one."""
    run: list[ListItem] = []
    for item in (*part.markdown.items, None):
        numbered = item is not None and item.depth == 1 and item.marker[:1].isdigit()
        ends = item is None or item.marker in ("1.", "1)") or (item.depth == 1 and not numbered)
        if ends and run:
            yield [_step(part, each) for each in run]
            run = []
        if item is not None and numbered and part.start <= item.start < part.end:
            run.append(item)


def _step(part: MarkdownPart, item: ListItem) -> tuple[str, str]:
    text = _line_at(part.content, item.content_start)
    label = clean_text(plain_text(_first_words(text)), MAX_LABEL) or item.marker
    return label, _line_quote(part, item.content_start)


def _step_headings(part: MarkdownPart) -> list[tuple[str, str]]:
    steps = []
    for heading in part.headings:
        if found := _STEP_HEADING.match(plain_text(heading.text)):
            steps.append((clean_text(found.group(1), MAX_LABEL), _heading_quote(part, heading)))
    return steps


def typescript_in_fences(part: MarkdownPart) -> str:
    """The code of the part's TypeScript fences, one after the other."""
    names = ("ts", "typescript", "tsx")
    return "\n".join(
        part.content[fence.body_start : fence.body_end]
        for fence in part.markdown.fences
        if part.start <= fence.start < part.end
        and fence.info.split()[:1]
        and fence.info.split()[0].lower() in names
    )


def _heading_quote(part: MarkdownPart, heading: Heading) -> str:
    """The heading's words; its whole line where the words alone stand more than once."""
    source = part.content[heading.start : heading.end].strip()
    words = heading.text.strip()
    return words if words and words in source and part.content.count(words) == 1 else source


def _line_quote(part: MarkdownPart, place: int) -> str:
    return _line_at(part.content, place).strip()


def _line_at(content: str, place: int) -> str:
    """From a place to the end of its line."""
    found = re.compile(r"[^\r\n]*").match(content, place)
    return found.group() if found else ""


def _first_words(text: str) -> str:
    """A point's first sentence; or its first words in bold, which name it."""
    text = LIST_MARK.sub("", text).rstrip("\\ ")
    if bold := re.match(r"\*\*(.+?)\*\*", text):
        return bold.group(1).strip(" :")
    return re.split(r"(?<=[.!?:;])\s", text, maxsplit=1)[0].rstrip(".:;")


def unique(label: str, context: str, nodes: list[Node]) -> str:
    """The label as an id; with its context where it stands already."""
    taken = Counter(node.id for node in nodes)
    if label not in taken:
        return label
    if f"{context} {label}" not in taken:
        return f"{context} {label}"
    return f"{context} {label} {len(nodes)}"


def _stems(text: str) -> set[str]:
    words = (word.lower() for word in _WORD.findall(text))
    return {word.rstrip("s") for word in words if word not in _COMMON}
