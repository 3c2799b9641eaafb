"""Rules about TypeScript: what is left to do, what the compiler is told to overlook, what has no comment."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass

from shared.text.offline.model import Finding, Severity
from shared.text.offline.typescript_scan import TypeScript

_TODO = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b[^\r\n]*?(?=\s*\*/|[ \t]*(?:[\r\n]|\Z))")
_ANY = re.compile(
    r"(?<=[:<,|&(])\s*\bany\b(?!\s*[:(.=?\w])|\bas\s+any\b|=>\s*any\b|(?<=[:<,|&(])\s*\bany\b(?=\s*=[^>])"
)
_SUPPRESSION = re.compile(r"@ts-(ignore|nocheck)\b|@ts-(expect-error)\b(?=\s*(?:\*/|[\r\n]|\Z))")
_EXPORT = re.compile(
    r"^[ \t]*export[ \t]+(?:default[ \t]+)?(?:declare[ \t]+)?(?:abstract[ \t]+)?(?:async[ \t]+)?"
    r"(function|class|interface|type|enum|const|let|var|namespace)\b[ \t]*\*?[ \t]*([\w$]+)",
    re.MULTILINE,
)
_DECORATOR_LINES = re.compile(r"(?:\s|@[\w.]+(?:\([^()]*\))?)*+\Z")
_DIRECTIVE = re.compile(r"/[/*]+\s*(?:@ts-|eslint|prettier|biome|istanbul|c8 |TODO|FIXME|#?(?:end)?region)")
_EMPTY_CATCH = re.compile(r"\bcatch\s*+(?:\([^()]*\)\s*+)?\{\s*+\}")


@dataclass(frozen=True, slots=True)
class Export:
    """`content[start:end]` is the name; the declaration begins at `declared`."""

    kind: str
    name: str
    declared: int
    start: int
    end: int
    documented: bool


def exports(scanned: TypeScript) -> tuple[Export, ...]:
    """The named exports of a module, each name once; overloads share a comment."""
    found_names: dict[str, Export] = {}
    ends = [end for _, end in scanned.comments]
    for found in _EXPORT.finditer(scanned.code):
        name = found[2]
        if name in ("extends", "implements") or name in found_names:
            continue
        declared = found.start() + len(found[0]) - len(found[0].lstrip())
        documented = _is_documented(scanned, declared, ends)
        found_names[name] = Export(found[1], name, declared, found.start(2), found.end(2), documented)
    return tuple(found_names.values())


def _is_documented(scanned: TypeScript, declared: int, comment_ends: list[int]) -> bool:
    """Whether a comment stands above, with nothing but decorators and at most one line end between."""
    index = bisect_right(comment_ends, declared) - 1
    if index < 0:
        return False
    start, end = scanned.comments[index]
    if _DIRECTIVE.match(scanned.content, start, end):
        return False
    between = scanned.code[end:declared]
    if len(between) > 2_000 or not _DECORATOR_LINES.match(between):
        return False
    gap = between.split("@")[0].replace("\r\n", "\n")
    line_start = max(scanned.content.rfind("\n", 0, start), scanned.content.rfind("\r", 0, start)) + 1
    return gap.count("\n") <= 1 and not scanned.code[line_start:start].strip()


def todo_comments(scanned: TypeScript) -> Iterator[Finding]:
    for start, end in scanned.comments:
        for found in _TODO.finditer(scanned.content, start, end):
            yield Finding(
                Severity.INFORMATION,
                "placeholder",
                f"A comment holds “{found[1]}”; do what it says, or track it elsewhere and remove it.",
                found.start(),
                found.end(),
            )


def any_types(scanned: TypeScript) -> Iterator[Finding]:
    for found in _ANY.finditer(scanned.code):
        start = found.end() - len("any")
        yield Finding(
            Severity.INFORMATION,
            "any-type",
            "The type any switches checking off; name the type, or use unknown and narrow it.",
            start,
            found.end(),
        )


def suppressions(scanned: TypeScript) -> Iterator[Finding]:
    for start, end in scanned.comments:
        for found in _SUPPRESSION.finditer(scanned.content, start, end):
            yield Finding(
                Severity.WARNING if found[1] else Severity.INFORMATION,
                "suppressed-error",
                _SUPPRESSION_ADVICE[found[1] or found[2]],
                found.start(),
                found.end(),
            )


_SUPPRESSION_ADVICE = {
    "ignore": "@ts-ignore hides every error of the next line; mend it, or give a reason to @ts-expect-error.",
    "nocheck": "@ts-nocheck switches type checking off for the whole file; remove it.",
    "expect-error": "@ts-expect-error gives no reason; write it behind.",
}


def undocumented_exports(scanned: TypeScript) -> Iterator[Finding]:
    for export in exports(scanned):
        if not export.documented:
            yield Finding(
                Severity.INFORMATION,
                "undocumented-export",
                f"The exported {export.kind} {export.name} has no comment; say above it what it is for.",
                export.start,
                export.end,
            )


def empty_catches(scanned: TypeScript) -> Iterator[Finding]:
    for found in _EMPTY_CATCH.finditer(scanned.code):
        if scanned.content[found.start() : found.end()] == found[0]:
            yield Finding(
                Severity.WARNING,
                "empty-catch",
                "This catch block swallows every error; handle it, or say in it why it may be lost.",
                found.start(),
                found.end(),
            )


RULES = (todo_comments, any_types, suppressions, undocumented_exports, empty_catches)
