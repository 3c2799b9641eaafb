"""What the offline analysis and the offline answers give. All places are Python indexes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """The numbers of the Language Server Protocol's DiagnosticSeverity."""

    ERROR = 1
    WARNING = 2
    INFORMATION = 3
    HINT = 4


@dataclass(frozen=True, slots=True)
class MissingSection:
    """`after_heading` is the text of the heading to put it behind; None: at the beginning."""

    title: str
    reason: str
    after_heading: str | None
    outline: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Finding:
    """`content[start:end]` is the text meant; `replacement` takes its place and changes nothing else."""

    severity: Severity
    category: str
    message: str
    start: int
    end: int
    replacement: str | None = None


@dataclass(frozen=True, slots=True)
class Scores:
    """Each 0 to 100; 100 is: nothing found."""

    completeness: int
    clarity: int
    structure: int


@dataclass(frozen=True, slots=True)
class OfflineAnalysis:
    summary: str
    missing_sections: tuple[MissingSection, ...]
    findings: tuple[Finding, ...]  # in the order of the text
    scores: Scores


@dataclass(frozen=True, slots=True)
class Cited:
    """`matches[match_index].text[start:end]` are the words quoted behind `[marker]`."""

    marker: int
    match_index: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class OfflineAnswer:
    answer: str
    citations: tuple[Cited, ...]
    abstained: bool
