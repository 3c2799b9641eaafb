"""Mermaid's own parser without Node: mermaid.js from the package mermaidx, run in QuickJS.

mermaidx carries mermaid.js 11.16 and a DOM shim for it in its assets; a parse takes milliseconds once
they are loaded (about 0.4 s). A parse that is interrupted leaves the context unusable: the next parse
gets a new one.
"""

from __future__ import annotations

import html
import json
import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import quickjs

MAX_SECONDS = 20.0  # of one parse
_STACK_BYTES = 4 * 1024 * 1024
_PARSES_PER_CONTEXT = 2_000  # mermaid keeps some state between parses: bound it

# What the shim asks its host for. Nothing is measured when nothing is drawn.
_HOST = """
globalThis.__exec = RegExp.prototype.exec;
globalThis.__log = () => {};
globalThis.__measureText = () => 1;
globalThis.__measureTextFull = () => ({width: 1, height: 1, ascent: 1, descent: 0});
globalThis.__measureGlyphs = () => [];
globalThis.__measureForeignObject = () => ({width: 1, height: 1});
"""

# getDiagramFromText is what mermaid.parse calls; it also gives the database that the grammar filled.
_DRIVER = """

// QuickJS looks for ^(?:...) at every place of the text, and a jison lexer tries a hundred such patterns for
// each token: large diagrams take minutes. Sticky copies of them look at the first place alone, as V8 does.
// This also takes the shim's own exec away, which copies the text at every match, for drawing.
const anchored = new WeakMap();
const isAnchored = (source) => {
  if (!source.startsWith("^(?:")) return false;
  let depth = 0, inClass = false;
  for (let i = 1; i < source.length; i++) {
    if (source.charCodeAt(i) === 92) i++;
    else if (source[i] === "[") inClass = true;
    else if (source[i] === "]") inClass = false;
    else if (!inClass && source[i] === "(") depth++;
    else if (!inClass && source[i] === ")" && --depth === 0) return i === source.length - 1;
  }
  return false;
};
RegExp.prototype.exec = function (text) {
  let sticky = anchored.get(this);
  if (sticky === undefined) {
    const plain = (this.flags === "" || this.flags === "i") && isAnchored(this.source);
    sticky = plain ? new RegExp(this.source, this.flags + "y") : null;
    anchored.set(this, sticky);
  }
  if (sticky === null) return __exec.call(this, text);
  sticky.lastIndex = 0;
  return __exec.call(sticky, text);
};
mermaid.initialize({startOnLoad: false});
const plain = (key, value) =>
  value instanceof Map ? Object.fromEntries(value) : value instanceof Set ? [...value] : value;
const call = (db, name) => { try { return db[name] ? db[name]() : null } catch (error) { return null } };
globalThis.__parse = (text, methods) => {
  globalThis.__result = null;
  mermaid.mermaidAPI.parse(text)
    .then(({diagramType}) => methods.length === 0 ? {type: diagramType, db: null} :
      mermaid.mermaidAPI.getDiagramFromText(text).then(({type, db}) => ({
        type, db: Object.fromEntries(methods.map((name) => [name, call(db, name)])),
      })))
    .then((found) => { globalThis.__result = JSON.stringify(found, plain); })
    .catch((error) => {
      globalThis.__result = JSON.stringify({error: String(error && error.message || error)});
    });
};
"""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What mermaid.parse says of a text: its type, or the error."""

    diagram_type: str | None
    error: str | None
    database: dict[str, Any] | None = None

    @property
    def valid(self) -> bool:
        return self.error is None


class MermaidParser:
    """One JavaScript context with mermaid.js loaded; use it from one thread."""

    def __init__(self) -> None:
        self._context: quickjs.Context | None = None
        self._parses = 0

    def parse(self, text: str, *getters: str) -> Parsed:
        """`getters`: methods of the diagram's database to call, such as getVertices."""
        context = self._fresh_context()
        try:
            context.eval(f"__parse({_literal(text)}, {json.dumps(getters)})")
            while context.execute_pending_job():
                pass
            answer = context.eval("__result === null ? null : __result.slice(0)")
        except quickjs.JSException as error:
            self._context = None
            return Parsed(None, f"interrupted: {error}")
        if answer is None:
            self._context = None
            return Parsed(None, "the parser never answered")
        found = json.loads(str(answer))
        return Parsed(found.get("type"), found.get("error"), found.get("db"))

    def _fresh_context(self) -> quickjs.Context:
        if self._context is None or self._parses >= _PARSES_PER_CONTEXT:
            self._context, self._parses = _loaded_context(), 0
        self._parses += 1
        return self._context


def _loaded_context() -> quickjs.Context:
    assets = files("mermaidx") / "assets"
    context = quickjs.Context()
    context.set_max_stack_size(_STACK_BYTES)
    for script in (
        _HOST,
        (assets / "dom_shim.js").read_text(encoding="utf-8"),
        (assets / "mermaid.js").read_text(encoding="utf-8"),
        "globalThis.mermaid = __esbuild_esm_mermaid_nm.mermaid.default;",
        _DRIVER,
    ):
        context.eval(script)
    context.set_time_limit(MAX_SECONDS)
    return context


def _literal(text: str) -> str:
    """A JavaScript string literal; JSON in ASCII is one."""
    return json.dumps(text)


_GETTERS = {
    "flowchart": "getVertices",
    "sequence": "getActors",
    "class": "getClasses",
    "state": "getStates",
    "er": "getEntities",
    "mindmap": "getMindmap",
    "timeline": "getTasks",
    "gantt": "getTasks",
    "pie": "getSections",
    "quadrant": "getQuadrantData",
}


def shown_labels(parser: MermaidParser, diagram_type: str, text: str) -> dict[str, str]:
    """What the diagram shows for each of its nodes, as its grammar read it and Mermaid decodes it.

    By node id; by label where the type has no ids.
    """
    getter = _GETTERS[diagram_type]
    parsed = parser.parse(text, getter)
    assert parsed.database is not None, parsed.error
    found = {key: decoded(label) for key, label in _labels(diagram_type, parsed.database[getter])}
    return (
        found
        if diagram_type not in ("timeline", "pie", "quadrant")
        else {each: each for each in found.values()}
    )


def decoded(text: str) -> str:
    """As `decodeEntities` of mermaid's utils.ts and then the browser read a text."""
    references = re.sub("ﬂ°°", "&#", text)
    return html.unescape(re.sub("ﬂ°", "&", references).replace("¶ß", ";")).strip()


def _labels(diagram_type: str, found: Any) -> list[tuple[str, str]]:
    match diagram_type:
        case "flowchart":
            return [(key, each["text"]) for key, each in found.items()]
        case "sequence":
            return [(key, each["description"]) for key, each in found.items()]
        case "class":
            return [(key, each["label"]) for key, each in found.items()]
        case "state":
            return [(key, each["descriptions"][0]) for key, each in found.items() if each.get("descriptions")]
        case "er":
            return [(key, each["alias"]) for key, each in found.items()]
        case "mindmap":
            return _topics(found)
        case "gantt":
            return [(each["id"], each["task"]) for each in found]
        case "timeline":
            return [(each["task"], each["task"]) for each in found]
        case "pie":
            return [(key, key) for key in found]
        case _:
            return [(each["text"]["text"], each["text"]["text"]) for each in found["points"]]


def _topics(topic: Any) -> list[tuple[str, str]]:
    inner = [label for child in topic["children"] for label in _topics(child)]
    return [(topic["nodeId"], topic["descr"]), *inner]
