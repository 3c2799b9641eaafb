"""The analysis that needs no model: what rules can say about a document, and nothing they cannot."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice

from shared.text.markdown_inline import plain_text
from shared.text.offline import json_rules, link_rules, prose_rules, structure_rules, typescript_rules
from shared.text.offline.json_scan import JsonText, scan_json
from shared.text.offline.model import Finding, MissingSection, OfflineAnalysis, Scores, Severity
from shared.text.offline.scores import json_scores, markdown_scores, typescript_scores
from shared.text.offline.sections import expected_sections, genre_of, missing_sections
from shared.text.offline.typescript_rules import Export, exports
from shared.text.offline.typescript_scan import TypeScript, scan_typescript
from shared.text.offline.view import MarkdownView
from shared.types import DocumentKind

MOST_FINDINGS = 100
_MOST_OF_A_RULE = 2_000  # findings; a text with more is no document, and looking further takes seconds
_LONGEST_QUOTE = 160  # characters of the first sentence in the summary


def analyze(content: str, kind: DocumentKind) -> OfflineAnalysis:
    """What stands out in a document, by rules. Any text will do; the same text gives the same analysis.

    At most MOST_FINDINGS findings are given, the most severe; the summary says how many there were.
    """
    if not content.strip():
        return OfflineAnalysis("The document is empty.", (), (), Scores(0, 0, 0))
    return _ANALYSES[kind](content)


def _analyze_markdown(content: str) -> OfflineAnalysis:
    view = MarkdownView.of(content)
    rules = (*structure_rules.RULES, *prose_rules.RULES, *link_rules.RULES)
    findings = _findings(rule(view) for rule in rules)
    genre = genre_of(view)
    missing = missing_sections(view, genre)
    scores = markdown_scores(view, findings, len(expected_sections(view, genre)), len(missing))
    return _analysis(_describe_markdown(view, genre.name), missing, findings, scores)


def _analyze_typescript(content: str) -> OfflineAnalysis:
    scanned = scan_typescript(content)
    findings = _findings(rule(scanned) for rule in typescript_rules.RULES)
    exported = exports(scanned)
    missing = () if _has_module_comment(scanned) else (_MODULE_COMMENT,)
    scores = typescript_scores(scanned, exported, findings, len(missing))
    return _analysis(_describe_typescript(scanned, exported), missing, findings, scores)


def _analyze_json(content: str) -> OfflineAnalysis:
    scanned = scan_json(content)
    findings = _findings(rule(scanned) for rule in json_rules.RULES)
    return _analysis(_describe_json(scanned), (), findings, json_scores(scanned, findings))


_ANALYSES: dict[DocumentKind, Callable[[str], OfflineAnalysis]] = {
    DocumentKind.MARKDOWN: _analyze_markdown,
    DocumentKind.TYPESCRIPT: _analyze_typescript,
    DocumentKind.JSON: _analyze_json,
}

_MODULE_COMMENT = MissingSection(
    "Module comment",
    "A comment at the top says what the module is for before its code is read.",
    None,
    ("What the module does, in one sentence", "What it must be given, and what it gives", "A short example"),
)


def _has_module_comment(scanned: TypeScript) -> bool:
    first = next(iter(scanned.comments), None)
    return first is not None and not scanned.code[: first[0]].strip()


def _findings(rules: Iterable[Iterator[Finding]]) -> list[Finding]:
    return list(chain.from_iterable(islice(found, _MOST_OF_A_RULE) for found in rules))


def _analysis(
    description: str, missing: Sequence[MissingSection], findings: list[Finding], scores: Scores
) -> OfflineAnalysis:
    kept = _most_severe(findings)
    summary = " ".join(
        filter(None, (description, _count_findings(findings, len(kept)), _name_missing(missing)))
    )
    return OfflineAnalysis(summary, tuple(missing), kept, scores)


def _most_severe(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    ranked = sorted(findings, key=lambda one: (one.severity, one.start, one.end, one.category))
    return tuple(
        sorted(ranked[:MOST_FINDINGS], key=lambda one: (one.start, one.end, one.severity, one.category))
    )


_SEVERITY_NAMES = {
    Severity.ERROR: ("error", "errors"),
    Severity.WARNING: ("warning", "warnings"),
    Severity.INFORMATION: ("note", "notes"),
    Severity.HINT: ("hint", "hints"),
}


def _count_findings(findings: Sequence[Finding], kept: int) -> str:
    if not findings:
        return "The rules found nothing to correct."
    counts = Counter(finding.severity for finding in findings)
    parts = [_counted(counts[severity], *_SEVERITY_NAMES[severity]) for severity in sorted(counts)]
    limit = f" The {kept} most severe are listed." if kept < len(findings) else ""
    by_rule = Counter(finding.category for finding in findings)
    at_least = "at least " if max(by_rule.values()) >= _MOST_OF_A_RULE else ""
    return f"The rules found {at_least}{_joined(parts)}.{limit}"


def _name_missing(missing: Sequence[MissingSection]) -> str:
    names = [f"“{section.title}”" for section in missing]
    return f"Missing: {_joined(names)}." if names else ""


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"


def _joined(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _describe_markdown(view: MarkdownView, genre: str) -> str:
    article = "An" if genre[0] in "Aa" else "A"
    name = f"{article} {genre}" + (f", “{_shortened(view.title)}”" if view.title else "")
    sections = max(1, len(view.markdown.top_headings))
    size = f"{_counted(view.words, 'word', 'words')} in {_counted(sections, 'section', 'sections')}"
    fences = len(view.markdown.fences)
    code = f", {_counted(fences, 'code block', 'code blocks')}" if fences else ""
    opening = _first_sentence(view)
    return f"{name}: {size}{code}." + (f" It begins: “{opening}”" if opening else "")


def _first_sentence(view: MarkdownView) -> str:
    """The first sentence of more than three words."""
    for start, end in view.sentences[:20]:
        text = plain_text(view.content[start:end])
        if text.count(" ") > 2:
            return _shortened(text)
    return ""


def _shortened(text: str) -> str:
    if len(text) <= _LONGEST_QUOTE:
        return text
    return text[:_LONGEST_QUOTE].rsplit(" ", 1)[0].rstrip(",;:") + " …"


def _describe_typescript(scanned: TypeScript, exported: Sequence[Export]) -> str:
    lines = _counted(scanned.content.count("\n") + (not scanned.content.endswith("\n")), "line", "lines")
    if not exported:
        return f"A TypeScript module of {lines} without named exports."
    documented = sum(export.documented for export in exported)
    names = ", ".join(export.name for export in exported[:4]) + (", …" if len(exported) > 4 else "")
    return (
        f"A TypeScript module of {lines} that exports {_counted(len(exported), 'name', 'names')} "
        f"({names}), {documented} of them with a comment."
    )


def _describe_json(scanned: JsonText) -> str:
    if not scanned.values:
        return "A JSON document that holds no value."
    root = scanned.values[0]
    depth = max(value.depth for value in scanned.values) + 1
    top = [key for value in scanned.values if value.parent == 0 and (key := scanned.key(value))]
    keys = f" with the keys {', '.join(top[:6])}{', …' if len(top) > 6 else ''}" if top else ""
    article = "An" if root.kind in ("object", "array") else "A"
    return (
        f"{article} {root.kind}{keys}: {_counted(len(scanned.values), 'value', 'values')} "
        f"in {_counted(depth, 'level', 'levels')}."
    )
