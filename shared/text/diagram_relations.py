"""What arrows and plain sentences of a Markdown document lead from where to where."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from shared.text.diagram_markdown import LIST_MARK, MAX_DRAWN, MAX_LABEL, MarkdownPart
from shared.text.markdown_inline import plain_text
from shared.text.mermaid.graph import Edge, Node
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts

_ARROW = re.compile(r"\s*(?:<?-{1,3}>{1,2}|={1,2}>|[→⟶⇒➜])\s*")
_BORDER = re.compile(r"[.;!?](?:\s|$)|\s[-–—]\s|[()|]")
# A name: in backticks; "the" or "a" and up to three words; or words in capitals.
_SMALL = "to|the|an?|in|on|of|for|with|and|or|by|when|which|that|from|at|as|if|then|is|are|after|before|via"
_SMALL_WORDS = rf"(?:[Tt]he|[Aa]n?)\s+[a-z][\w-]*(?:\s(?!(?:{_SMALL})\b)[a-z][\w-]*){{0,2}}"
_NAMES = (r"`[^`\n]{1,60}`", r"[A-Z]\w*(?:\s[A-Z]\w*){0,3}")
_SOURCE = f"({_NAMES[0]}|{_SMALL_WORDS}?|{_NAMES[1]})"
_TARGET = f"({_NAMES[0]}|{_SMALL_WORDS}|{_NAMES[1]})"
_VERBS = (
    "calls|invokes|uses|queries|notifies|triggers|imports|extends|implements|contains|creates|updates"
    "|reads from|writes to|depends on|connects to|talks to|forwards to|returns to|publishes to|subscribes to"
    "|listens to"
)
_RELATION = re.compile(
    rf"{_SOURCE}\s+({_VERBS}|(?:sends|returns|passes|forwards|writes)\s+[\w\s`-]{{1,40}}?\s+to)\s+{_TARGET}"
)
_ARTICLE = re.compile(r"^(?:the|an?)\s+", re.IGNORECASE)
_REPLY = re.compile(r"returns\b")


def flow_between(part: MarkdownPart) -> Parts | None:
    """What leads to what; at least two such relations."""
    found = _all_relations(part)
    return _graph_of(found, part, "flowchart") if len(found) >= 2 else None


def messages_between(part: MarkdownPart) -> Parts | None:
    """Who calls or sends to whom."""
    found = _all_relations(part)
    return _graph_of(found, part, "sequence") if found else None


def state_changes(part: MarkdownPart) -> Parts | None:
    """States that arrows lead between."""
    found = _arrows(part)
    return _graph_of(found, part, "state") if found else None


def _all_relations(part: MarkdownPart) -> list[_Relation]:
    """In the order of the text."""
    return sorted([*_arrows(part), *_relations(part)], key=lambda relation: relation.place)


@dataclass(frozen=True, slots=True)
class _Relation:
    source: str
    target: str
    label: str
    quote: str
    place: int


def _graph_of(relations: list[_Relation], part: MarkdownPart, diagram_type: str) -> Parts | None:
    """A name is one node however its letters are written; the first writing is shown."""
    nodes: dict[str, Node] = {}
    edges: list[Edge] = []
    for relation in relations:
        names = [(relation.source.casefold(), relation.source), (relation.target.casefold(), relation.target)]
        new = {key: Node(name, name, quote=relation.quote) for key, name in names if key not in nodes}
        if len(nodes) + len(new) > MAX_DRAWN:
            continue
        nodes |= new
        kind = "reply" if diagram_type == "sequence" and _REPLY.match(relation.label) else ""
        ends = [nodes[key].id for key, _ in names]
        edges.append(Edge(ends[0], ends[1], relation.label, kind))
    left = len(relations) - len(edges)
    notes = (f"{left} more relations are not drawn.",) if left else ()
    unique = tuple(dict.fromkeys(edges))
    return Parts(diagram_type, tuple(nodes.values()), unique, title=part.title, notes=notes)


def _arrows(part: MarkdownPart) -> list[_Relation]:
    found: list[_Relation] = []
    for line, place in part.lines():
        if len(line) > 1_000 or not _ARROW.search(line):
            continue
        names = _ARROW.split(LIST_MARK.sub("", line))
        last, _, label = names[-1].partition(": ")
        ends = [_before(names[0]), *(name.strip() for name in names[1:-1]), _after(last)]
        cleaned = [_name(end) for end in ends]
        if len(cleaned) > 1 and all(cleaned):
            quote = line.strip()
            for index, (source, target) in enumerate(pairwise(cleaned)):
                words = clean_text(plain_text(label), MAX_LABEL) if index == len(cleaned) - 2 else ""
                found.append(_Relation(source, target, words, quote, place))
    return found


def _relations(part: MarkdownPart) -> list[_Relation]:
    found: list[_Relation] = []
    for line, place in part.lines():
        for match in _RELATION.finditer(line[:2_000]):
            source, verb, target = match.groups()
            names = [_name(_ARTICLE.sub("", end)) for end in (source, target)]
            if all(names) and names[0] != names[1]:
                label = clean_text(plain_text(verb), MAX_LABEL)
                found.append(_Relation(names[0], names[1], label, match.group(), place + match.start()))
    return found


def _before(text: str) -> str:
    """The name right before an arrow: what follows the last border of a phrase."""
    return re.split(r"[.;:!?]\s|\s[-–—]\s|[(|]|,\s", text)[-1]


def _after(text: str) -> str:
    return _BORDER.split(text, maxsplit=1)[0]


def _name(text: str) -> str:
    """A name of up to four words, or nothing: more is a phrase with an arrow in it."""
    plain = clean_text(plain_text(text).strip(" *_`\"'.,;:"), 200)
    return plain if plain and len(plain) <= MAX_LABEL and len(plain.split()) <= 4 else ""
