"""How TypeScript can go on at the cursor: what is open is closed, what is exported is described."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from shared.text.offline.typescript_rules import Export, exports
from shared.text.offline.typescript_scan import Opened, TypeScript, scan_typescript

_SKELETON = """/**
 * What this module is for, in one sentence.
 */

/** What goes in. */
export interface Options {
  name: string;
}

/**
 * What it does, in one sentence.
 *
 * @param options - What it needs.
 * @returns What it gives.
 */
export function run(options: Options): string {
  return options.name;
}
"""
_TYPE_SKELETON = """/** What it stands for. */
export interface Item {
  id: string;
  name: string;
}
"""
_CLASS_SKELETON = """/** What it is responsible for. */
export class Service {
  /** What it does. */
  run(): void {
    return;
  }
}
"""
_PARAMETERS = re.compile(r"\s*(?:<[^(){}]*>)?\s*(?:=\s*(?:async\s+)?(?:function\b\s*)?(?:<[^(){}]*>\s*)?)?\(")
_PARAMETER = re.compile(r"^\s*(?:public |private |protected |readonly )*(?:\.\.\.)?([A-Za-z_$][\w$]*)")
_RETURNS = re.compile(r"\s*:\s*([^{;=]+)")
_NOTHING = frozenset(("void", "Promise<void>", "never", "undefined"))
_MOST_OPENED = 20  # brackets that one suggestion closes
_LONGEST_SIGNATURE = 2_000  # characters


def typescript_suggestions(content: str, index: int) -> Iterator[str]:
    """The best first; possibly none in the middle of code that is whole. Line ends are \\n."""
    if not content.strip():
        yield from (_SKELETON, _TYPE_SKELETON, _CLASS_SKELETON)
        return
    before, after = content[:index], content[index:]
    prefix, whole = scan_typescript(before), scan_typescript(content)
    at_line_end = not after.partition("\n")[0].strip()
    if prefix.inside == "comment":
        yield from _in_comment(prefix, whole, before, after)
    elif prefix.inside == "string":
        yield from _string_end(prefix, before, after)
    elif prefix.inside == "template":
        if whole.inside == "template":
            yield "`" + _closed(_unclosed(prefix, whole)[:-1], before, inline=True)
    elif prefix.inside == "code":
        yield from _in_code(prefix, whole, before, after, at_line_end=at_line_end)


def _in_comment(prefix: TypeScript, whole: TypeScript, before: str, after: str) -> Iterator[str]:
    """Ends a comment nobody ends; a JSDoc comment first describes what comes after it."""
    start = prefix.comments[-1][0]
    if "*/" in after and whole.inside != "comment" and after.find("*/") < _next_opening(after):
        return
    line = before.rpartition("\n")[2]
    indent = (
        line[: len(line) - len(line.lstrip())]
        if "\n" in before[start:]
        else line[: len(line) - len(line.lstrip())] + " "
    )
    if before.startswith("/**", start) and _opens_description(before[start:]):
        following = _export_at(after.lstrip("\n"))
        tags = _tags(following, after) if following else []
        lines = ["Describe what it does.", *tags]
        yield "".join(f"\n{indent}* {text}".rstrip(" ") for text in lines) + f"\n{indent}*/"
    yield " */" if not before.endswith((" ", "\n")) else "*/"


def _next_opening(after: str) -> int:
    found = after.find("/*")
    return found if found >= 0 else len(after)


def _opens_description(comment: str) -> bool:
    return not comment.removeprefix("/**").strip(" *\n\t")


def _string_end(prefix: TypeScript, before: str, after: str) -> Iterator[str]:
    """The quotation mark of a string that its line does not close."""
    line = before.rpartition("\n")[2]
    quote = next((mark for mark in reversed(line) if mark in "\"'"), "")
    if quote and quote not in after.partition("\n")[0]:
        yield quote


def _in_code(
    prefix: TypeScript, whole: TypeScript, before: str, after: str, *, at_line_end: bool
) -> Iterator[str]:
    blank = not before.rpartition("\n")[2].strip()
    if blank:
        yield from _description(before, after)
    unclosed = _unclosed(prefix, whole)
    if unclosed:
        yield _closed(unclosed, before, inline=not at_line_end)
        if len(unclosed) > 1:
            yield _closed(unclosed[-1:], before, inline=not at_line_end)
    if not at_line_end:
        return
    if not prefix.opened:
        lead = (
            ""
            if blank and before.endswith(("\n\n", "")) and (not before or before.endswith("\n\n"))
            else "\n"
            if blank
            else "\n\n"
        )
        tail = "" if not after.strip() else "\n"
        yield from (f"{lead}{text}{tail}" for text in _new_exports(whole))
    elif blank and not unclosed:
        indent = before.rpartition("\n")[2]
        yield f"{'' if indent else _inner_indent(prefix, before)}// Why the next step is needed:"


def _unclosed(prefix: TypeScript, whole: TypeScript) -> list[Opened]:
    """What is open at the cursor and that nothing after it closes, outermost first; the innermost ones."""
    left = set(whole.opened)
    return [opened for opened in prefix.opened[-_MOST_OPENED:] if opened in left]


def _closed(opened: Sequence[Opened], before: str, *, inline: bool) -> str:
    """Closes innermost first; a brace opened on an earlier line gets a line of its own."""
    closers = ""
    for one in reversed(opened):
        own_line = before.find("\n", one.start) >= 0 or (
            one.text == "{" and before.rstrip().endswith("{") and not closers
        )
        if inline or not own_line or one.text in ("`", "${"):
            closers += one.closer
            continue
        indent = _indent_at(before, one.start)
        fresh = not closers and not before.rpartition("\n")[2].strip()
        gap = (
            f"\n{indent}  "
            if one.text == "{" and before.rstrip().endswith("{") and not closers and not fresh
            else ""
        )
        if fresh:
            typed = before.rpartition("\n")[2]
            closers += indent[len(typed) :] if indent.startswith(typed) else ""
            closers += one.closer
        else:
            closers += f"{gap}\n{indent}{one.closer}"
    return closers


def _indent_at(text: str, position: int) -> str:
    line = text[text.rfind("\n", 0, position) + 1 : position]
    return line[: len(line) - len(line.lstrip())]


def _inner_indent(prefix: TypeScript, before: str) -> str:
    return _indent_at(before, prefix.opened[-1].start) + "  "


def _description(before: str, after: str) -> Iterator[str]:
    """A JSDoc comment, when the next thing is an export without one."""
    code = after.removeprefix("\n")
    export = _export_at(code)
    last = before.rstrip()
    if export is None or (last.endswith("*/") and before[len(last) :].count("\n") <= 1):
        return
    lines = [
        "/**",
        " * Describe what it does.",
        *(f" * {tag}".rstrip() for tag in _tags(export, code)),
        " */",
    ]
    tail = "" if after.startswith("\n") else "\n"
    yield "\n".join(lines) + tail


def _export_at(code: str) -> Export | None:
    """The export that `code` begins with."""
    head = code[:_LONGEST_SIGNATURE]
    found = exports(scan_typescript(head))
    return found[0] if found and found[0].declared == len(head) - len(head.lstrip(" \t")) else None


def _tags(export: Export, code: str) -> list[str]:
    """@param and @returns of a function, as its signature says."""
    code = code.lstrip("\n")
    found_start = _PARAMETERS.match(code, export.end) if export.kind in ("function", "const", "let") else None
    if found_start is None or (export.kind != "function" and "=" not in found_start[0]):
        return []
    opening = found_start.end() - 1
    close = _matching(code, opening)
    if close < 0:
        return []
    names = [found[1] for part in _parts(code[opening + 1 : close]) if (found := _PARAMETER.match(part))]
    tags = [f"@param {name} - What it is." for name in names]
    returned = _RETURNS.match(code, close + 1)
    if returned and returned[1].strip() not in _NOTHING:
        tags.append("@returns What it gives.")
    return ["", *tags] if tags else []


def _matching(code: str, opening: int) -> int:
    depth = 0
    for position in range(opening, min(len(code), opening + _LONGEST_SIGNATURE)):
        depth += (code[position] in "([{") - (code[position] in ")]}")
        if depth == 0:
            return position
    return -1


def _parts(parameters: str) -> list[str]:
    """Split at the commas outside brackets."""
    parts, depth, start = [], 0, 0
    for position, character in enumerate(parameters):
        depth += (character in "([{<") - (
            character in ")]}" or (character == ">" and parameters[position - 1] != "=")
        )
        if character == "," and depth == 0:
            parts.append(parameters[start:position])
            start = position + 1
    return [*parts, parameters[start:]]


def _new_exports(whole: TypeScript) -> Iterator[str]:
    """New exports with names that the module does not have."""
    code = whole.code
    for name, text in (("run", _FUNCTION), ("Options", _INTERFACE), ("DEFAULT_LIMIT", _CONSTANT)):
        if not re.search(rf"\b{name}\b", code):
            yield text


_FUNCTION = "/**\n * Describe what it does.\n */\nexport function run(): void {\n  return;\n}\n"
_INTERFACE = "/** Describe what it stands for. */\nexport interface Options {\n  name: string;\n}\n"
_CONSTANT = "/** Describe what it limits. */\nexport const DEFAULT_LIMIT = 10;\n"
