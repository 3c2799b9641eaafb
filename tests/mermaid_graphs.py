"""Graphs as a model could send them, with labels that try to break out. benchmarks/diagrams.py
draws from them too."""

from __future__ import annotations

import re
from random import Random
from typing import Any

from shared.text.mermaid.kinds import EDGE_KINDS, GROUP_KINDS, NODE_KINDS

HOSTILE = (
    'say "hi"',
    '"]; click a href "javascript:alert(1)" %%',
    "end",
    "End",
    "a end b",
    "subgraph",
    "%% comment",
    "50%% of it %%",
    '%%{init: {"theme": "dark", "securityLevel": "loose"}}%%',
    "---\ntitle: x\nconfig:\n  securityLevel: loose\n---\n",
    "line one\nline two\r\nline three",
    "line\u2028separator\u2029paragraph\x85next",
    "semi;colon; again;",
    "a:::evil",
    "class a evil",
    "classDef evil fill:#f00;",
    "style a fill:#f00,stroke:#333;",
    "code style: #35; x;",
    "lifestyle::#35;",
    "linkStyle 0 stroke:#f00",
    "click a callback",
    'click a call alert("x")',
    "`**bold** text`",
    '"`markdown`"',
    "`",
    "```mermaid",
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '<a href="javascript:alert(1)">x</a>',
    "<br/>",
    "&lt;b&gt; &#60; &amp;",
    "#35; #quot; #amp; #colon;",
    "#",
    ";",
    "ﬂ°°60¶ß ﬂ°lt¶ß",
    "[[x]] ((y)) {{z}} [(w)] [/v/] [\\u\\]",
    "a --> b",
    "A->>B: hi",
    "x --o y --x z",
    "|pipe|",
    "direction TB",
    "redirection\tLR",
    "DIRECTION lr",
    "accTitle: x",
    "accDescr { x }",
    "title of it",
    "section two",
    "timeline LR",
    "gantt",
    "2024-01-01",
    "dateFormat YYYY",
    "1. first",
    "2) second",
    "- bullet",
    "+ bullet",
    "* bullet",
    "# heading",
    "> quote",
    "_under_ __score__ snake_case _",
    "~~strike~~ ~generic~",
    "List~T~ Map<K, V>",
    "https://example.com/a?b=c#d",
    "www.example.com",
    "mail@example.com",
    "a@{shape: rect}",
    "fa:fa-car",
    "$$x^2$$",
    "\\n \\\\ \\",
    "state x <<fork>>",
    "[*]",
    "note right of a : x",
    "wrap: text",
    "nowrap:text",
    "box red",
    "red",
    "loop forever",
    "else",
    "::icon(fa fa-x)",
    "id as alias",
    "foo() : void",
    "foo)bar(",
    "+method(a: int, b) Promise<string>$",
    "-field*",
    "<<interface>>",
    "{x}",
    "}",
    "{",
    "\x00\x01\x1b[31m\x7f",
    "\ud800lone",
    "\ufffe\uffff",
    "😀 emoji 👨‍👩‍👧 🇫🇷",
    "שלום עולם",
    "مرحبا",
    "\u202eoverride\u202c \u2066isolate\u2069",
    "e\u0301 combining Z̷a̷l̷g̷o̷",
    "日本語のラベル",
    "ﬁ ½ Ⅷ ß İ ı",
    "   ",
    "",
    "x" * 300,
    "long " * 80,
    "__proto__",
    "constructor",
    "toString",
    "${injection} {{template}} <%= erb %>",
    "'; DROP TABLE documents; --",
    "PK",
    "id: int PK",
    "title",
    "0.5",
    "1+",
    "only one",
    "u",
    "o",
    "x",
    "v",
)
PLAIN = (
    "Parser", "Read the file", "API gateway", "Users", "Is it valid?", "Retry (3 times)", "Postgres 16",
    "Send an e-mail", "Order", "Customer", "Idle", "Running", "Done", "Phase 1", "Q&A", "C++", "naïve",
)  # fmt: skip
_LETTERS = "abcdefXYZ0189 _-:;#\"'`<>(){}[]|\\/&%$@!?*+~^=,.\n\té日😀\u202e"

DANGEROUS = re.compile(
    r"""
    %% | (?<!<)</?[a-z!] | \bjavascript\s*: | ::: | ::icon | @\{ | ` | \$\$ | [\x00-\x09\x0b-\x1f\x7f-\x9f]
    | ^--- | ^\s*(click|href|call|style|classDef|linkStyle|callback|link|links|cssClass|properties|details)\b
    | [\u202a-\u202e\u2066-\u2069] | https?:
    """,
    re.VERBOSE | re.MULTILINE | re.IGNORECASE,
)


def random_graph(rng: Random, diagram_type: str) -> dict[str, Any]:
    """A graph as JSON; ids clash, edges name what is not there, groups nest in circles."""
    names = [_text(rng) for _ in range(rng.randint(1, 9))]
    groups = [_text(rng) for _ in range(rng.choice((0, 0, 1, 2, 3)))]
    return {
        "diagram_type": diagram_type,
        "title": rng.choice((None, _text(rng))),
        "direction": rng.choice((None, "LR", "TD", "sideways")),
        "nodes": [_node(rng, diagram_type, name, groups) for name in names],
        "edges": [_edge(rng, diagram_type, [*names, *groups]) for _ in range(rng.randint(0, 10))],
        "groups": [_group(rng, diagram_type, name, groups) for name in groups],
    }


def _text(rng: Random) -> str:
    choice = rng.random()
    if choice < 0.45:
        return rng.choice(HOSTILE)
    if choice < 0.6:
        return rng.choice(HOSTILE) + rng.choice((" ", "", "\n", ": ")) + rng.choice(HOSTILE)
    if choice < 0.8:
        return "".join(rng.choice(_LETTERS) for _ in range(rng.randint(1, 14)))
    return rng.choice(PLAIN)


def _node(rng: Random, diagram_type: str, name: str, groups: list[str]) -> dict[str, Any]:
    return {
        "id": name,
        "label": rng.choice((name, _text(rng), None)),
        "kind": rng.choice((*NODE_KINDS.get(diagram_type, ("",)), None, _text(rng))),
        "group": rng.choice((None, None, *groups, *groups)),
        "members": [_text(rng) for _ in range(rng.choice((0, 0, 1, 3)))],
        "value": rng.choice((None, 1, 2.5, 0, 1e-9, 40, -3, 1e15)),
        "x": rng.choice((None, 0, 1, 0.3333333, 7)),
        "y": rng.choice((0, 1, 0.5, -2)),
        "start": rng.choice((None, "2024-02-30", "2024-05-06", _text(rng))),
        "end": rng.choice((None, "2024-05-09", "2023-01-01")),
    }


def _edge(rng: Random, diagram_type: str, names: list[str]) -> dict[str, Any]:
    return {
        "from": rng.choice((*names, _text(rng))),
        "to": rng.choice(names),
        "label": rng.choice((None, _text(rng))),
        "kind": rng.choice(
            (*EDGE_KINDS.get(diagram_type, ("one-to-many", "optional-one-to-one")), _text(rng))
        ),
        "group": rng.choice((None, *names)) if diagram_type == "sequence" else None,
    }


def _group(rng: Random, diagram_type: str, name: str, groups: list[str]) -> dict[str, Any]:
    return {
        "id": rng.choice((name, "x-low", "x-high", "quadrant-1")) if diagram_type == "quadrant" else name,
        "label": rng.choice((name, _text(rng))),
        "kind": rng.choice((*GROUP_KINDS.get(diagram_type, ()), None)),
        "parent": rng.choice((None, None, *groups)),
    }
