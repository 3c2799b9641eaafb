"""Analysis replies of a model: checked against their schema, then tied to the document's text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from shared.text.anchors import locate, make_anchor
from shared.text.json_output import parse_json_object
from shared.text.positions import Utf16Text
from shared.types import Json, JsonObject, JsonSchema

_SEVERITIES = {"error": 1, "warning": 2, "information": 3, "info": 3, "hint": 4, "suggestion": 4}
MAX_FINDINGS = 200  # of one reply; looking for quotes takes time
_BESIDE = 60  # characters in which the words beside a quote are looked for
_WORDS_BEFORE = re.compile(r"(?:\S+[^\S\n]+){0,2}\S*\Z")
_WORDS_AFTER = re.compile(r"\S*(?:[^\S\n]+\S+){0,2}")
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Finding:
    """One improvement, tied to `text[start:end]` (Python indexes)."""

    severity: int  # LSP: 1 error, 2 warning, 3 information, 4 hint
    category: str
    message: str
    start: int
    end: int
    replacement: str | None = None


def _severity(value: Any) -> Any:
    if isinstance(value, str):
        return _SEVERITIES.get(value.strip().lower(), value)
    return value


def _sections(value: Any) -> Any:
    """Models often list missing sections as bare titles."""
    if isinstance(value, list):
        return [{"title": item} if isinstance(item, str) else item for item in value]
    return value


def _quote(value: Any) -> Any:
    """The quote itself, or an anchor that holds it."""
    while isinstance(value, dict):
        value = value.get("quote", value.get("exact"))
    return value


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)


class ReplySection(_Lenient):
    title: str = Field(min_length=1)
    reason: str = ""
    after_heading: str | None = None
    outline: list[str] = Field(default_factory=list)


class ReplyImprovement(_Lenient):
    severity: Annotated[int, BeforeValidator(_severity), Field(ge=1, le=4)] = 3
    category: str = "general"
    message: str = Field(min_length=1, validation_alias=AliasChoices("message", "description"))
    quote: Annotated[str | None, BeforeValidator(_quote)] = Field(
        None, validation_alias=AliasChoices("quote", "anchor", "text")
    )
    replacement: str | None = None


class ReplyScores(_Lenient):
    completeness: float
    clarity: float
    structure: float


class AnalysisReply(_Lenient):
    """What a model must answer."""

    summary: str = Field(min_length=1)
    missing_sections: Annotated[list[ReplySection], BeforeValidator(_sections)]
    improvements: list[ReplyImprovement]
    scores: ReplyScores


def _object(properties: JsonObject) -> JsonObject:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


# OpenAI's strict structured outputs: every property required, no additional ones
# (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
ANALYSIS_SCHEMA = JsonSchema(
    "document_analysis",
    _object(
        {
            "summary": {"type": "string"},
            "missing_sections": {
                "type": "array",
                "items": _object(
                    {
                        "title": {"type": "string"},
                        "reason": {"type": "string"},
                        "after_heading": {"type": ["string", "null"]},
                        "outline": {"type": "array", "items": {"type": "string"}},
                    }
                ),
            },
            "improvements": {
                "type": "array",
                "items": _object(
                    {
                        "severity": {"type": "integer", "enum": [1, 2, 3, 4]},
                        "category": {"type": "string"},
                        "message": {"type": "string"},
                        "quote": {"type": "string"},
                        "replacement": {"type": ["string", "null"]},
                    }
                ),
            },
            "scores": _object(
                {name: {"type": "integer"} for name in ("completeness", "clarity", "structure")}
            ),
        }
    ),
)


def parse_analysis(reply: str) -> AnalysisReply:
    """Raises ValueError with a sentence that a repair round can quote."""
    try:
        return AnalysisReply.model_validate(_storable(parse_json_object(reply)))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{place}: {first['msg']}") from None


def _storable(value: Json) -> Json:
    """With U+FFFD for what no database takes: NUL and halves of surrogate pairs."""
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_UNSTORABLE.sub("\ufffd", key): _storable(item) for key, item in value.items()}
    return value


def percent(scores: ReplyScores) -> dict[str, int]:
    """Each score as 0..100. A model that answers in fractions of one is understood."""
    values = {name: float(value) for name, value in scores.model_dump().items()}
    fractions = all(0 <= value <= 1 for value in values.values()) and any(
        value % 1 for value in values.values()
    )
    scale = 100 if fractions else 1
    return {name: round(min(100.0, max(0.0, value * scale))) for name, value in values.items()}


def locate_findings(
    improvements: Iterable[ReplyImprovement], text: Utf16Text, *, near: int | None = None
) -> tuple[list[Finding], int]:
    """The findings whose quote stands in the text, and how many had none that does."""
    found: list[Finding] = []
    listed = list(improvements)
    dropped = max(0, len(listed) - MAX_FINDINGS)
    for improvement in listed[:MAX_FINDINGS]:
        place = locate(text, improvement.quote, near=near) if improvement.quote else None
        if place is None:
            dropped += 1
            continue
        found.append(
            Finding(
                improvement.severity,
                improvement.category.lower(),
                improvement.message,
                *place,
                improvement.replacement,
            )
        )
    return found, dropped


def improvements_json(
    findings: Sequence[Finding], text: Utf16Text, *, content_hash: str, document_id: str | None
) -> list[JsonObject]:
    """The findings as they are sent: in order of their place, each once, with ids and anchors.

    Replacements never overlap: of two that would, the earlier stays.
    """
    rows: list[JsonObject] = []
    places: set[tuple[int, int, str]] = set()
    fixed_up_to = 0
    for finding in sorted(findings, key=lambda one: (one.start, one.end, one.severity)):
        place = (finding.start, finding.end, finding.category)
        if place in places:
            continue
        places.add(place)
        replacement = finding.replacement if finding.start >= fixed_up_to else None
        if replacement == text.text[finding.start : finding.end]:
            replacement = None
        if replacement is not None:
            fixed_up_to = finding.end
        anchor = make_anchor(
            text, finding.start, finding.end, content_hash=content_hash, document_id=document_id
        )
        rows.append(
            {
                "id": finding_id(finding.category, text.text, finding.start, finding.end),
                "severity": finding.severity,
                "category": finding.category,
                "message": finding.message,
                "anchor": anchor.to_json(),
                "replacement": replacement,
            }
        )
    return rows


def finding_id(category: str, text: str, start: int, end: int) -> str:
    """The id of a finding of `text[start:end]`: the same while its words stand, wherever they move.

    It depends on the category and the quote alone where the text holds the quote once; else also on two
    words to each side in its line; and where even these stand more than once, on how many come before.
    So no other finding has a say in it.
    """
    exact = text[start:end]
    if text.find(exact) == start and text.find(exact, start + 1) < 0:
        return _digest(category, exact)
    before = _WORDS_BEFORE.search(text, max(0, start - _BESIDE), start)
    after = _WORDS_AFTER.match(text, end, min(len(text), end + _BESIDE))
    first = before.start() if before else start
    beside = text[first : after.end() if after else end]
    return _digest(category, exact, beside, str(text.count(beside, 0, first)))


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:16]
