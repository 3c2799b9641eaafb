"""What TypeScript and JSON say that a diagram can show: types and their relations, calls, nesting."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from shared.text.mermaid.graph import Edge, Node
from shared.text.mermaid.labels import clean_text
from shared.text.mermaid.mend import Parts
from shared.text.offline.typescript_scan import scan_typescript
from shared.types import Json

MAX_DRAWN = 40
_MAX_MEMBERS = 12
_MAX_LEVELS = 4
_MAX_CHILDREN = 12

_TYPE = re.compile(
    r"\b(?:export\s+)?(?:default\s+)?(?:declare\s+)?(abstract\s+class|class|interface|enum|type)\s+([A-Za-z_$][\w$]*)"
    r"([^{};=]{0,300}=?\s*)\{"
)
_EXTENDS = re.compile(r"\bextends\s+([^{}]+?)(?=\bimplements\b|$)")
_IMPLEMENTS = re.compile(r"\bimplements\s+([^{}]+)$")
_TYPE_NAME = re.compile(r"[A-Za-z_$][\w$]*")
_MODIFIERS = r"(?:(?:public|private|protected|static|readonly|override|abstract|async|declare|get|set)\s+)*"
_METHOD = re.compile(
    rf"({_MODIFIERS})[*#]?([\w$]+)\??\s*(?:<[^<>()]*>)?\s*\(([^()]*)\)\s*(?::\s*([^{{}};=]+))?"
)
_PROPERTY = re.compile(rf"({_MODIFIERS})#?([\w$]+)([?!]?)\s*:\s*([^;=]+)")
_ENUM_VALUE = re.compile(r"[A-Za-z_$][\w$]*")
_FUNCTION = re.compile(
    r"\b(?:export\s+)?(?:default\s+)?(?:async\s+)?function\s*\*?\s*([A-Za-z_$][\w$]*)\s*(?:<[^<>()]*>)?\([^{};]{0,500}\{"
    r"|\b(?:export\s+)?const\s+([A-Za-z_$][\w$]*)\s*=\s*(?:async\s*)?\([^{};]{0,500}=>\s*\{"
)
_NOT_NAMES = frozenset(
    {"if", "for", "while", "switch", "catch", "return", "constructor", "function", "new", "super"}
)


@dataclass(frozen=True, slots=True)
class _Declared:
    """A type as it is declared: `head` is what stands between its name and its body."""

    word: str
    name: str
    head: str
    quote: str
    members: tuple[_Member, ...]


@dataclass(frozen=True, slots=True)
class _Member:
    name: str
    type: str
    method: bool
    private: bool

    @property
    def text(self) -> str:
        after = f": {self.type}" if self.type else ""
        return f"{'-' if self.private else '+'}{self.name}{after}"


def class_model(content: str) -> Parts | None:
    """Classes, interfaces, enums and object types with members, inheritance and what they hold."""
    declared = list(islice(_declarations(content), MAX_DRAWN))
    if not declared:
        return None
    names = {each.name for each in declared}
    nodes = tuple(_class_node(each) for each in declared)
    edges = tuple(edge for each in declared for edge in _class_edges(each, names))
    return Parts("class", nodes, edges)


def schema_model(content: str) -> Parts | None:
    """Interfaces, object types and classes as entities: what one holds of another relates them."""
    shaped = (each for each in _declarations(content) if each.word != "enum")
    declared = list(islice(shaped, MAX_DRAWN))
    fields = {each.name: [member for member in each.members if not member.method] for each in declared}
    if not any(fields.values()):
        return None
    nodes = tuple(
        Node(each.name, each.name, quote=each.quote, members=tuple(m.text[1:] for m in fields[each.name]))
        for each in declared
    )
    edges = [
        Edge(
            name,
            other,
            member.name,
            "one-to-zero-or-more" if _is_list(member.type) else "zero-or-more-to-one",
        )
        for name, members in fields.items()
        for member in members
        for other in _mentioned(member.type, set(fields) - {name})
    ]
    return Parts("er", nodes, tuple(edges))


def function_calls(content: str) -> Parts | None:
    """Functions, and which of them calls which."""
    code = scan_typescript(content).code
    bodies: dict[str, tuple[str, str]] = {}
    for found in islice(_FUNCTION.finditer(code), MAX_DRAWN):
        name = found.group(1) or found.group(2)
        line = content[found.start() : found.end()].strip().split("\n", 1)[0]
        bodies.setdefault(name, (_body(code, found.end()), line))
    if not bodies:
        return None
    nodes = tuple(Node(name, name, quote=quote) for name, (_, quote) in bodies.items())
    edges = tuple(
        Edge(name, other)
        for name, (body, _) in bodies.items()
        for other in dict.fromkeys(re.findall(r"(?<![.\w$])([A-Za-z_$][\w$]*)\s*\(", body))
        if other in bodies and other != name
    )
    return Parts("flowchart", nodes, edges)


def json_tree(content: str, title: str) -> Parts | None:
    """The keys of a JSON document, a few levels deep. None when it is not JSON with keys."""
    data = _loaded(content)
    if isinstance(data, list):
        data = next((entry for entry in data if isinstance(entry, dict)), None)
    if not isinstance(data, dict) or not data:
        return None
    label = clean_text(title) or "document"
    nodes, edges = [Node("document", label)], list[Edge]()
    waiting: list[tuple[str, Json, int]] = [("document", data, 1)]
    left = 0
    while waiting:
        parent, value, level = waiting.pop(0)
        for number, (key, inner) in enumerate(_keys(value)):
            if number >= _MAX_CHILDREN or len(nodes) >= MAX_DRAWN:
                left += 1
                continue
            path = f"{parent}.{key}" if parent != "document" else str(key)
            path = path if path != "document" else "document key"
            nodes.append(Node(path, _key_label(key, inner), quote=_key_quote(content, key)))
            edges.append(Edge(parent, path))
            if level < _MAX_LEVELS:
                waiting.append((path, inner, level + 1))
    notes = (f"{left} more keys are not drawn.",) if left else ()
    return Parts("mindmap", tuple(nodes), tuple(edges), title=title, notes=notes)


def json_shares(content: str) -> Parts | None:
    """The first object of a JSON document whose values are two or more numbers."""
    waiting: list[Json] = [_loaded(content)]
    for _ in range(1_000):
        if not waiting:
            break
        value = waiting.pop(0)
        numbers = {key: inner for key, inner in _keys(value) if _is_number(inner)}
        if len(numbers) >= 2 and all(number >= 0 for number in numbers.values()) and any(numbers.values()):
            nodes = tuple(
                Node(str(key), str(key), quote=_key_quote(content, key), value=float(number))
                for key, number in list(numbers.items())[:MAX_DRAWN]
            )
            return Parts("pie", nodes)
        waiting += [inner for _, inner in _keys(value)]
    return None


def _declarations(content: str) -> Iterator[_Declared]:
    code = scan_typescript(content).code
    for found in _TYPE.finditer(code):
        word = found.group(1).split()[0]
        if word == "type" and "=" not in found.group(3):
            continue
        quote = content[found.start() : found.end() - 1].strip().split("\n", 1)[0].rstrip(" =")
        body = _body(code, found.end())
        members = tuple(_members(body, word))[:_MAX_MEMBERS]
        yield _Declared(word, found.group(2), found.group(3).rstrip(" =\n"), quote, members)


def _body(code: str, start: int) -> str:
    """What stands from an opening brace, which ends at `start`, to its closing one; `code` has no strings."""
    depth = 1
    for found in re.compile(r"[{}]").finditer(code, start):
        depth += 1 if found.group() == "{" else -1
        if depth == 0:
            return code[start : found.start()]
    return code[start:]


def _members(body: str, word: str) -> Iterator[_Member]:
    """The members on the outermost level of a body."""
    for line in _outer_lines(body, commas=word == "enum"):
        if word == "enum":
            if found := _ENUM_VALUE.match(line):
                yield _Member(found.group(), "", False, False)
        elif (found := _METHOD.match(line)) and found.group(2) not in _NOT_NAMES:
            name = f"{found.group(2)}({' '.join(found.group(3).split())})"
            yield _Member(name, _type_text(found.group(4)), True, _is_private(found.group(1)))
        elif found := _PROPERTY.match(line):
            yield _Member(found.group(2), _type_text(found.group(4)), False, _is_private(found.group(1)))


def _outer_lines(body: str, *, commas: bool) -> Iterator[str]:
    """The statements outside of inner braces; inner ones are left out whole."""
    outer, depth = [], 0
    for piece in re.split(r"([{}])", body):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth -= 1
            outer.append("\n" if depth == 0 else "")
        elif depth == 0:
            outer.append(piece)
    for line in re.split(r"[;\n,]" if commas else r"[;\n]", "".join(outer)):
        if stripped := line.strip():
            yield stripped


def _class_node(declared: _Declared) -> Node:
    kinds = {"interface": "interface", "type": "interface", "enum": "enumeration", "abstract": "abstract"}
    members = tuple(member.name if declared.word == "enum" else member.text for member in declared.members)
    return Node(
        declared.name, declared.name, kinds.get(declared.word, ""), quote=declared.quote, members=members
    )


def _class_edges(declared: _Declared, names: set[str]) -> Iterator[Edge]:
    head = " ".join(_without_generics(declared.head).split())
    parents: set[str] = set()
    for pattern, kind in ((_EXTENDS, "inheritance"), (_IMPLEMENTS, "realization")):
        found = pattern.search(head)
        for name in _mentioned(found.group(1), names - {declared.name}) if found else ():
            parents.add(name)
            yield Edge(declared.name, name, kind=kind)
    for member in declared.members:
        for name in _mentioned(member.type, names - parents - {declared.name}):
            yield Edge(declared.name, name, "" if member.method else member.name, "association")


def _without_generics(text: str) -> str:
    """Without what stands in angle brackets, the inner ones first."""
    while (stripped := re.sub(r"<[^<>]*>", "", text)) != text:
        text = stripped
    return text


def _mentioned(text: str, names: set[str]) -> list[str]:
    return [name for name in dict.fromkeys(_TYPE_NAME.findall(text)) if name in names]


def _is_list(text: str) -> bool:
    return "[]" in text or re.match(r"(?:ReadonlyArray|Array|Set|Map|Record)\b", text) is not None


def _is_private(modifiers: str) -> bool:
    return "private" in modifiers or "protected" in modifiers


def _type_text(text: str | None) -> str:
    return clean_text((text or "").replace("\ufffc", "…").strip(" ,"), _MAX_MEMBER_TYPE)


_MAX_MEMBER_TYPE = 60


def _loaded(content: str) -> Json:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        return None


def _keys(value: Json) -> list[tuple[str, Json]]:
    """The keys of an object, or of the first object of a list."""
    if isinstance(value, list):
        value = next((entry for entry in value if isinstance(entry, dict)), None)
    return list(value.items()) if isinstance(value, dict) else []


def _key_label(key: str, value: Json) -> str:
    """The key, with its value where that is short."""
    if isinstance(value, str | int | float) and len(str(value)) <= 30:
        return clean_text(f"{key}: {str(value).lower() if isinstance(value, bool) else value}", 60) or "?"
    return clean_text(f"{key} ({len(value)})" if isinstance(value, list) else str(key), 60) or "?"


def _key_quote(content: str, key: str) -> str | None:
    """The key in its quotation marks as they stand in the document, with what follows on its line."""
    for written in (json.dumps(key, ensure_ascii=False), json.dumps(key)):
        if found := re.search(re.escape(written) + r"\s*:", content):
            return found.group()
    return None


def _is_number(value: Json) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
