"""Class and entity relationship diagrams, read (https://mermaid.js.org/syntax/)."""

from __future__ import annotations

import re
from dataclasses import replace

from shared.text.mermaid.graph import DIRECTIONS, Edge, Group, Node
from shared.text.mermaid.kinds import node_kind
from shared.text.mermaid.mend import Parts
from shared.text.mermaid.source import Source, label_text, statement, unreadable

_IGNORED = re.compile(
    r"(?:click|link|callback|style|classDef|cssClass|note|accDescr|href)\b(?!\s*[:({\[]|\s+[\"<*o|.-])",
    re.IGNORECASE,
)
_TITLE = re.compile(r"(?:accTitle\s*:|title\s)\s*(.+)")
_DIRECTION = re.compile(r"direction\s+(TB|BT|LR|RL)$", re.IGNORECASE)

# Without the lines of relations inside, so that there is one way to read a name.
_PLAIN_NAME = r"(?:(?!--|\.\.)[^\s\"`~<>*|:{}\[\]()])"
_NAME = rf"(?:`[^`]+`|(?!-){_PLAIN_NAME}+)(?:~[^\s]*~)?"
_CLASS = re.compile(rf"class\s+({_NAME})\s*(?:\[(.*?)\])?\s*(?::::\s*[\w-]+)?\s*(?:<<(.+?)>>)?\s*(\{{.*)?$")
_NAMESPACE = re.compile(r"namespace\s+(`[^`]+`|[^\s{\[]+)\s*(?:\[(.*?)\])?\s*\{\s*$")
_ANNOTATION = re.compile(rf"<<\s*(.+?)\s*>>\s*({_NAME})?$")
_RELATION = re.compile(
    rf"({_NAME})\s*(\"[^\"]*\")?\s*((?:<\||\*|(?<=[\s\"])o|<|>|\|>|\(\))?(?:--|\.\.)(?:\|>|<\||\*|o(?=[\s\"])|>|<|\(\))?)"
    rf"\s*(\"[^\"]*\")?\s*({_NAME})\s*(?::\s*(.*))?$"
)
_MEMBER = re.compile(rf"({_NAME})\s*(?::::\s*[\w-]+)?\s*(?::\s*(.+))?$")

_ENTITY = r"(?:\"[^\"]*\"|[^\s\"\[\]{}:|,]+)"
_ENTITY_LINE = re.compile(rf"({_ENTITY})\s*(?:\[(.*?)\])?\s*(?::::\s*[\w,\s-]+?)?\s*(\{{.*)?$")
_SIDE = (
    r"\|\||\|o|o\||\}\||\}o|o\{|\|\{|one or zero|one or more|one or many|zero or one|zero or more"
    r"|zero or many|only one|many\([01]\)|many|one|1\+|0\+|1"
)
_ER_RELATION = re.compile(
    rf"({_ENTITY}?)\s*(?::::[\w-]+)?\s*({_SIDE})\s*(--|\.\.|\.-|-\.|optionally to|to)\s*({_SIDE})"
    rf"\s*({_ENTITY})\s*(?::::[\w-]+)?\s*(?::\s*(.*))?$",
    re.IGNORECASE,
)
_ATTRIBUTE = re.compile(r"(\S+)\s+(\S+?)((?:\s*,?\s*\b(?:PK|FK|UK)\b)*)\s*(\"[^\"]*\")?$")
_SIDES = {
    **dict.fromkeys(("||", "only one", "one", "1"), "one"),
    **dict.fromkeys(("|o", "o|", "one or zero", "zero or one"), "zero-or-one"),
    **dict.fromkeys(("}|", "|{", "one or more", "one or many", "1+", "many(1)"), "one-or-more"),
}


def class_parts(source: Source) -> Parts:
    """Raises ValueError for a statement that is none of a class diagram's."""
    reader = _ClassReader()
    for number, line in enumerate(source.lines, start=1):
        reader.read(statement(line), number)
    return reader.parts()


def er_parts(source: Source) -> Parts:
    """Raises ValueError for a statement that is none of an entity relationship diagram's."""
    reader = _EntityReader()
    for number, line in enumerate(source.lines, start=1):
        reader.read(line.strip(), number)
    return reader.parts()


class _Shared:
    """What both readers keep."""

    def __init__(self, diagram_type: str) -> None:
        self._type = diagram_type
        self._nodes: dict[str, Node] = {}
        self._edges: list[Edge] = []
        self._groups: dict[str, Group] = {}
        self._open: str | None = None  # the class or entity whose body is being read
        self._title = ""
        self._direction: str | None = None

    def parts(self) -> Parts:
        nodes, groups = tuple(self._nodes.values()), tuple(self._groups.values())
        return Parts(self._type, nodes, tuple(self._edges), groups, self._title, self._direction)

    def _read_setting(self, text: str) -> bool:
        """Title, direction, and what is not drawn."""
        if found := _TITLE.match(text):
            self._title = label_text(found.group(1))
        elif found := _DIRECTION.match(text):
            self._direction = next(name for name in DIRECTIONS if name == found.group(1).upper())
        else:
            return _IGNORED.match(text) is not None
        return True

    def _add_member(self, name: str, member: str) -> None:
        if member:
            known = self._nodes[name]
            self._nodes[name] = replace(known, members=(*known.members, member))


class _ClassReader(_Shared):
    def __init__(self) -> None:
        super().__init__("class")
        self._around: list[str] = []  # namespaces

    def read(self, text: str, number: int) -> None:
        if self._open is not None:
            self._read_body(text)
        elif text == "}":
            self._around = self._around[:-1]
        elif found := _NAMESPACE.match(text):
            self._open_namespace(*found.groups())
        elif found := _CLASS.match(text):
            self._add_class(*found.groups())
        elif found := _ANNOTATION.match(text):
            self._annotate(found.group(1), found.group(2))
        elif found := _RELATION.match(text):
            self._add_relation(*found.groups())
        elif text and not self._read_setting(text):
            self._read_member(text, number)

    def _read_body(self, text: str) -> None:
        name = self._open or ""
        closed = text.endswith("}")
        text = text.removesuffix("}").strip()
        if annotation := _ANNOTATION.match(text):
            self._annotate(annotation.group(1), name)
        elif text:
            self._add_member(name, _generic(label_text(text)))
        if closed:
            self._open = None

    def _open_namespace(self, name: str, label: str | None) -> None:
        text = name.strip("`")
        parent = self._around[-1] if self._around else None
        self._groups.setdefault(text, Group(text, label_text(label or text), parent=parent))
        self._around.append(text)

    def _add_class(self, name: str, label: str | None, annotation: str | None, body: str | None) -> None:
        known = self._class(name)
        group = self._around[-1] if self._around else None
        node = self._nodes[known]
        self._nodes[known] = replace(node, label=label_text(label) if label else node.label, group=group)
        if annotation:
            self._annotate(annotation, name)
        if body is not None:
            self._open = known
            for line in re.split(r"[;\n]", body[1:]):
                self._read_body(line.strip())

    def _annotate(self, annotation: str, name: str | None) -> None:
        if name:
            known = self._class(name)
            self._nodes[known] = replace(self._nodes[known], kind=node_kind("class", annotation))

    def _read_member(self, text: str, number: int) -> None:
        found = _MEMBER.match(text)
        if found is None:
            raise unreadable(text, number)
        name = self._class(found.group(1))
        if found.group(2):
            self._add_member(name, _generic(label_text(found.group(2))))

    def _add_relation(
        self,
        left: str,
        left_count: str | None,
        line: str,
        right_count: str | None,
        right: str,
        label: str | None,
    ) -> None:
        ends = self._class(left), self._class(right)
        kind, reverse = _relation(line)
        counts = " to ".join(label_text(count) for count in (left_count, right_count) if count)
        words = " ".join(part for part in (label_text(label or ""), f"({counts})" if counts else "") if part)
        source, target = reversed(ends) if reverse else ends
        self._edges.append(Edge(source, target, words, kind))

    def _class(self, name: str) -> str:
        text = name.strip("`")
        identifier = text.partition("~")[0]
        self._nodes.setdefault(identifier, Node(identifier, _generic(label_text(text))))
        return identifier


class _EntityReader(_Shared):
    def __init__(self) -> None:
        super().__init__("er")

    def read(self, text: str, number: int) -> None:
        if self._open is not None:
            self._read_attribute(text)
        elif re.match(r"(?:class|classDef|style)\s+[\w,]+\s+\S", text) or not text:
            return
        elif found := _ER_RELATION.match(text):
            self._add_relation(*found.groups())
        elif self._read_setting(text):
            return
        elif found := _ENTITY_LINE.match(text):
            self._add_entity(*found.groups())
        else:
            raise unreadable(text, number)

    def _read_attribute(self, text: str) -> None:
        name = self._open or ""
        if text.endswith("}"):
            self._open = None
            text = text[:-1].strip()
        if found := _ATTRIBUTE.match(text):
            kind, word, keys = found.group(1, 2, 3)
            self._add_member(name, label_text(f"{word}: {kind} {' '.join(re.findall('PK|FK|UK', keys))}"))
        elif text:
            self._add_member(name, label_text(text))

    def _add_entity(self, name: str, label: str | None, body: str | None) -> None:
        known = self._entity(name)
        if label:
            self._nodes[known] = replace(self._nodes[known], label=label_text(label))
        if body is not None:
            self._open = known
            if body[1:].strip():
                self._read_attribute(body[1:].strip())

    def _add_relation(
        self, left: str, left_side: str, line: str, right_side: str, right: str, label: str | None
    ) -> None:
        sides = [_SIDES.get(side.lower(), "zero-or-more") for side in (left_side, right_side)]
        optional = "optional-" if line in ("..", ".-", "-.", "optionally to") else ""
        ends = self._entity(left), self._entity(right)
        self._edges.append(Edge(*ends, label_text(label or ""), f"{optional}{sides[0]}-to-{sides[1]}"))

    def _entity(self, name: str) -> str:
        text = name.strip('"')
        self._nodes.setdefault(text, Node(text, label_text(text) or "entity"))
        return text


def _relation(line: str) -> tuple[str, bool]:
    """The kind, and whether it leads from right to left. A whole leads to its part: `A *-- B`."""
    dotted = ".." in line
    left, _, right = line.partition(".." if dotted else "--")
    if "|" in left or "|" in right:
        return ("realization" if dotted else "inheritance"), "|" in left and "|" not in right
    if "*" in (left, right):
        return "composition", left != "*"
    if "o" in (left, right):
        return "aggregation", left != "o"
    if left or right:
        return ("dependency" if dotted else "association"), not right
    return "link", False


def _generic(text: str) -> str:
    """List~int~ is shown as List<int>."""
    return re.sub(r"~([^~]*)~", r"<\1>", text)
