"""Three figures of a document, each 0 to 100, from what the rules found.

Every score is 100 less fixed points: per finding, or per share of the text that is concerned. The points are
chosen so that one slip costs a few and a document full of them loses most; they are no measure of quality.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from shared.text.offline.json_rules import empty_severity
from shared.text.offline.json_scan import JsonText
from shared.text.offline.model import Finding, Scores
from shared.text.offline.typescript_rules import Export
from shared.text.offline.typescript_scan import TypeScript
from shared.text.offline.view import MarkdownView

# Points off per finding, and the most that one category takes.
_STRUCTURE_POINTS = {
    "heading-jump": (6, 24),
    "several-titles": (8, 8),
    "missing-title": (6, 6),
    "duplicate-heading": (3, 15),
    "empty-section": (5, 25),
    "heading-space": (5, 15),
    "unclosed-fence": (20, 40),
    "fence-language": (1, 10),
    "dead-link": (5, 30),
    "empty-link": (3, 12),
    "undefined-reference": (5, 30),
    "image-text": (1, 8),
}
_CODE_POINTS = {
    "any-type": (3, 45),
    "suppressed-error": (8, 40),
    "empty-catch": (8, 32),
}
_SHORT = 100  # words: what is shorter cannot be complete


def _clamped(score: float) -> int:
    return max(0, min(100, round(score)))


def _points(findings: Iterable[Finding], table: dict[str, tuple[int, int]]) -> int:
    counts = Counter(finding.category for finding in findings)
    return sum(min(counts[category] * each, most) for category, (each, most) in table.items())


def markdown_scores(view: MarkdownView, findings: Sequence[Finding], expected: int, missing: int) -> Scores:
    counts = Counter(finding.category for finding in findings)
    present = 1.0 if not expected else (expected - missing) / expected
    gaps = min(40, 4 * counts["placeholder"] + 4 * counts["empty-section"])
    length = min(1.0, view.words / _SHORT)
    return Scores(
        completeness=_clamped((100 * present - gaps) * length),
        clarity=_clamped(100 - _unclear(view, counts)) if view.words else 0,
        structure=_clamped(100 - _points(findings, _STRUCTURE_POINTS)),
    )


def _unclear(view: MarkdownView, counts: Counter[str]) -> float:
    """Points off clarity: by the share of long sentences and paragraphs, and by slips per 1,000 words."""
    long_sentences = counts["long-sentence"] / max(1, len(view.sentences))
    long_paragraphs = counts["long-paragraph"] / max(1, len(view.markdown.paragraphs))
    thousands = max(1.0, view.words / 1_000)
    slips = min(20, 4 * counts["repeated-word"] / thousands)
    acronyms = min(20, 2 * counts["undefined-acronym"] / thousands)
    return min(40, 100 * long_sentences) + min(20, 100 * long_paragraphs) + slips + acronyms


def typescript_scores(
    scanned: TypeScript, exported: Sequence[Export], findings: Sequence[Finding], missing: int
) -> Scores:
    """Completeness by documented exports, clarity by types left open, structure by unmatched brackets."""
    counts = Counter(finding.category for finding in findings)
    documented = sum(export.documented for export in exported) / len(exported) if exported else 1.0
    todo = min(30, 3 * counts["placeholder"])
    unmatched = len(scanned.opened) + scanned.unmatched
    return Scores(
        completeness=_clamped(90 * documented + 10 * (missing == 0) - todo),
        clarity=_clamped(100 - _points(findings, _CODE_POINTS)),
        structure=_clamped(100 - min(60, 20 * unmatched)),
    )


def json_scores(scanned: JsonText, findings: Sequence[Finding]) -> Scores:
    """Completeness by values filled in, clarity by placeholders, structure by errors and repeated keys."""
    counts = Counter(finding.category for finding in findings)
    leaves = [value for value in scanned.values if not value.children]
    empty = sum(empty_severity(scanned, value) is not None for value in leaves)
    filled = (len(leaves) - empty) / len(leaves) if leaves else 0.0
    wrong = 60 * counts["invalid-json"] + min(40, 10 * counts["duplicate-key"])
    return Scores(
        completeness=_clamped(100 * filled - min(40, 4 * counts["placeholder"])),
        clarity=_clamped(100 - min(60, 6 * counts["placeholder"])),
        structure=_clamped(100 - wrong),
    )
