"""Rules about JSON documents: what is wrong, empty, said twice or still to be filled in."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shared.text.offline.json_scan import JsonText, Value
from shared.text.offline.model import Finding, Severity

_PLACEHOLDER = re.compile(
    r"(?<![A-Za-z0-9_])(?:TODO|TBD|TBC|FIXME|X{3,}|CHANGE[_ ]?ME)(?![A-Za-z0-9])|lorem ipsum"
    r"|<(?:your|insert|enter)\b[^<>]*>",
)
_EMPTY = {'""': Severity.INFORMATION, "{}": Severity.HINT, "[]": Severity.HINT, "null": Severity.HINT}


def syntax_errors(scanned: JsonText) -> Iterator[Finding]:
    if scanned.error is not None and scanned.content.strip():
        start, expected = scanned.error
        start = min(start, len(scanned.content) - 1)
        line = scanned.content.count("\n", 0, start) + 1
        yield Finding(
            Severity.ERROR, "invalid-json", f"Line {line}: expected {expected} here.", start, start + 1
        )


def duplicate_keys(scanned: JsonText) -> Iterator[Finding]:
    seen: set[tuple[int, str]] = set()
    for value in scanned.values:
        if (key := scanned.key(value)) is None:
            continue
        if (value.parent, key) in seen:
            yield Finding(
                Severity.WARNING,
                "duplicate-key",
                f"The key “{key[:60]}” stands twice in this object; the last one wins, remove the other.",
                value.key_start,
                value.key_end,
            )
        seen.add((value.parent, key))


def empty_values(scanned: JsonText) -> Iterator[Finding]:
    for value in scanned.values:
        if (severity := empty_severity(scanned, value)) is None or value.depth == 0:
            continue
        name = scanned.key(value)
        what = f"“{name[:60]}”" if name else "An entry of this list"
        text = scanned.content[value.start : value.end]
        shown = (
            "an empty string"
            if text == '""'
            else text
            if value.kind == "literal"
            else f"an empty {value.kind}"
        )
        yield Finding(
            severity,
            "empty-value",
            f"{what} holds {shown}; fill it in or remove it.",
            value.start,
            value.end,
        )


def empty_severity(scanned: JsonText, value: Value) -> Severity | None:
    """How much an empty value matters; None when it is not empty."""
    if value.kind in ("object", "array"):
        return Severity.HINT if value.children == 0 and value.depth else None
    return _EMPTY.get(scanned.content[value.start : value.end]) if value.end - value.start <= 4 else None


def placeholder_values(scanned: JsonText) -> Iterator[Finding]:
    for value in scanned.values:
        if value.kind != "string":
            continue
        if found := _PLACEHOLDER.search(scanned.content, value.start, value.end):
            yield Finding(
                Severity.WARNING,
                "placeholder",
                f"“{found[0][:60]}” is a placeholder; put the real value here.",
                found.start(),
                found.end(),
            )


RULES = (syntax_errors, duplicate_keys, empty_values, placeholder_values)
