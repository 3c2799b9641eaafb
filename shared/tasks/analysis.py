"""Analysis of a document: findings tied to its text, sections it lacks, scores."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import asdict, dataclass

from shared.tasks.asking import Asker, Subject, answered_meta
from shared.text.findings import (
    ANALYSIS_SCHEMA,
    AnalysisReply,
    Finding,
    improvements_json,
    locate_findings,
    parse_analysis,
    percent,
)
from shared.text.positions import Utf16Text
from shared.text.prompting import delimit, load_prompt
from shared.types import ChatRequest, Finish, Json, JsonObject, Meta

ANALYSIS_TYPE = "completeness"
PART_TOKENS = 12_000  # a longer document is analysed in parts
PARALLEL_PARTS = 4


@dataclass(frozen=True, slots=True)
class Part:
    """`content[start:end]` of the document, in Python indexes."""

    text: str
    start: int


async def ask(asker: Asker, subject: Subject) -> JsonObject:
    """A model's analysis. A long document is analysed whole, in parts side by side, and merged.

    Raises the router's errors; one part that fails fails the whole.
    """
    text = Utf16Text(subject.content)
    parts = await asyncio.to_thread(split, subject, text)
    free = asyncio.Semaphore(PARALLEL_PARTS)

    async def one(number: int) -> tuple[AnalysisReply, Finish]:
        async with free:
            return await _ask_part(asker, subject, parts[number], f"{number + 1} of {len(parts)}")

    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(one(number)) for number in range(len(parts))]
    except ExceptionGroup as group_error:
        raise group_error.exceptions[0] from None
    results = [task.result() for task in tasks]
    replies = [reply for reply, _ in results]
    merged, dropped = await asyncio.to_thread(merge, replies, parts, subject, text)
    meta = answered_meta(
        asker.context.request_id,
        [finish for _, finish in results],
        parts=len(parts),
        dropped_findings=dropped,
        prompt=load_prompt("analysis").hash,
    )
    return {**merged, "meta": meta.to_json()}


async def _ask_part(
    asker: Asker, subject: Subject, part: Part, position: str
) -> tuple[AnalysisReply, Finish]:
    nonce = secrets.token_hex(8)
    messages = load_prompt("analysis").messages(
        nonce=nonce,
        title=delimit(subject.title, "title", nonce),
        kind=subject.kind.value,
        part=position,
        document=delimit(part.text, "document", nonce),
    )
    request = ChatRequest(messages, temperature=0.2, response_schema=ANALYSIS_SCHEMA)
    return await asker.parsed(request, parse_analysis, subject.tier)


def split(subject: Subject, text: Utf16Text) -> list[Part]:
    """The document in parts of at most PART_TOKENS, cut at headings and paragraphs."""
    from shared.text.chunking import chunk_document

    if len(subject.content) <= PART_TOKENS * 2:  # a token is at least two characters of most texts
        return [Part(subject.content, 0)]
    chunks = chunk_document(subject.content, subject.kind, max_tokens=PART_TOKENS, fill=True)
    return [Part(chunk.text, text.to_index(chunk.start)) for chunk in chunks]


def merge(
    replies: list[AnalysisReply], parts: list[Part], subject: Subject, text: Utf16Text
) -> tuple[JsonObject, int]:
    """One analysis of several, and how many findings were dropped because nothing stands for them."""
    findings: list[Finding] = []
    dropped = 0
    for reply, part in zip(replies, parts, strict=True):
        inside = Utf16Text(part.text)
        located, lost = locate_findings(reply.improvements, inside)
        findings += [_shift(finding, part.start) for finding in located]
        dropped += lost
    improvements = improvements_json(
        findings, text, content_hash=subject.content_hash, document_id=subject.document_id
    )
    merged = {
        "summary": " ".join(reply.summary for reply in replies),
        "missing_sections": _missing_sections(replies, subject.content),
        "improvements": improvements,
        "scores": _scores(replies, parts),
    }
    return merged, dropped + len(findings) - len(improvements)


def _shift(finding: Finding, by: int) -> Finding:
    return Finding(
        finding.severity,
        finding.category,
        finding.message,
        finding.start + by,
        finding.end + by,
        finding.replacement,
    )


def _missing_sections(replies: list[AnalysisReply], content: str) -> list[JsonObject]:
    """Each once, and none that another part of the document holds."""
    from shared.text.markdown import heading_titles

    held = {title.casefold() for title in heading_titles(content)}
    sections: dict[str, JsonObject] = {}
    for reply in replies:
        for section in reply.missing_sections:
            name = section.title.lstrip("# ").casefold()
            if name not in held:
                sections.setdefault(name, section.model_dump())
    return list(sections.values())


def _scores(replies: list[AnalysisReply], parts: list[Part]) -> dict[str, int]:
    """The mean of the parts, by their length."""
    weights = [max(1, len(part.text)) for part in parts]
    scores = [percent(reply.scores) for reply in replies]
    return {
        name: round(
            sum(score[name] * weight for score, weight in zip(scores, weights, strict=True)) / sum(weights)
        )
        for name in ("completeness", "clarity", "structure")
    }


def offline(subject: Subject, meta: Meta) -> JsonObject:
    """The analysis that needs no model."""
    from shared.text.offline.analysis import analyze

    analysis = analyze(subject.content, subject.kind)
    findings = [
        Finding(one.severity, one.category, one.message, one.start, one.end, one.replacement)
        for one in analysis.findings
    ]
    return {
        "summary": analysis.summary,
        "missing_sections": [
            {**asdict(section), "outline": list(section.outline)} for section in analysis.missing_sections
        ],
        "improvements": improvements_json(
            findings,
            Utf16Text(subject.content),
            content_hash=subject.content_hash,
            document_id=subject.document_id,
        ),
        "scores": asdict(analysis.scores),
        "meta": meta.to_json(),
    }


def from_store(stored: JsonObject, request_id: str) -> JsonObject:
    """A stored analysis as an answer: it costs nothing now."""
    return _at_no_cost(stored, request_id, cached=True)


def for_request(answer: JsonObject, request_id: str) -> JsonObject:
    """An analysis as this request's answer: another's has its cost there, where `shared_with` says."""
    asked_by = answer["meta"]["request_id"]
    if asked_by == request_id:
        return answer
    return _at_no_cost(answer, request_id, shared_with=asked_by)


def _at_no_cost(answer: JsonObject, request_id: str, **extra: Json) -> JsonObject:
    meta = {
        **answer["meta"],
        "request_id": request_id,
        "attempts": 0,
        "usage": {"input_tokens": 0, "output_tokens": 0},
        "cost_usd": 0.0,
        **extra,
    }
    return {**answer, "meta": meta}
