"""Analysis of a document: findings tied to its text, sections it lacks, scores."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Coroutine, Iterator, Sequence
from contextlib import aclosing
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from shared.tasks.asking import OFFLINE, OFFLINE_MODEL, Asker, Subject, answered_meta
from shared.tasks.side_by_side import Turns, side_by_side
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
from shared.text.sse import Delta, Done, Progress, Start, StreamMessage
from shared.types import ChatRequest, Finish, JsonObject, Meta, StreamStart, Task, Usage

ANALYSIS_TYPE = "completeness"
PART_TOKENS = 12_000  # a longer document is analysed in parts
PARALLEL_PARTS = 8
OUTLINE = 4_000  # characters of the outline that goes with each part of several


@dataclass(frozen=True, slots=True)
class Part:
    """`content[start:end]` of the document, in Python indexes."""

    number: int  # from 1
    text: str
    start: int


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What came of one part."""

    part: Part
    reply: AnalysisReply
    improvements: list[JsonObject]  # verified, in the order of the text
    dropped: int  # findings for which nothing stands in the text
    finish: Finish


async def ask(asker: Asker, subject: Subject) -> AsyncGenerator[StreamMessage, None]:
    """A model's analysis. A long document is analysed whole, in parts side by side, and merged.

    Start comes as soon as a model answers, Progress with each part's findings as soon as they are verified,
    Done holds the whole. Raises the router's errors; one part that fails fails the whole.
    """
    text = Utf16Text(subject.content)
    parts = await asyncio.to_thread(split, subject, text)
    review = _Review(asker, subject, text, len(parts), outline_of(subject) if len(parts) > 1 else "")
    works: list[Coroutine[Any, Any, StreamStart | Reviewed]] = [review.begun(), *map(review.of, parts)]
    reviewed: list[Reviewed] = []
    async with aclosing(side_by_side(works)) as results:
        async for result in results:
            if isinstance(result, StreamStart):
                yield Start(asker.context.request_id, Task.ANALYSIS.value, result.provider, result.model)
            else:
                reviewed.append(result)
                yield _progress(result, reviewed, parts)
    reviewed.sort(key=lambda one: one.part.number)
    meta = answered_meta(
        asker.context.request_id,
        [one.finish for one in reviewed],
        parts=len(parts),
        dropped_findings=sum(one.dropped for one in reviewed),
        prompt=load_prompt("analysis").hash,
    )
    for message in _whole(await asyncio.to_thread(merge, reviewed, subject), meta):
        yield message


def _progress(last: Reviewed, reviewed: Sequence[Reviewed], parts: Sequence[Part]) -> Progress:
    return Progress(last.part.number, len(reviewed), len(parts), {"improvements": last.improvements})


class _Review:
    """The review of one document's parts."""

    def __init__(self, asker: Asker, subject: Subject, text: Utf16Text, parts: int, outline: str) -> None:
        self._asker = asker
        self._subject = subject
        self._text = text
        self._parts = parts
        self._outline = outline
        self._turns = Turns(PARALLEL_PARTS)
        self._begun: asyncio.Future[StreamStart] = asyncio.get_running_loop().create_future()

    async def begun(self) -> StreamStart:
        """Once the first model answers."""
        return await self._begun

    def _begin(self, start: StreamStart) -> None:
        if not self._begun.done():
            self._begun.set_result(start)

    async def of(self, part: Part) -> Reviewed:
        request = _request(self._subject, part, self._parts, self._outline)
        async with self._turns.turn():
            reply, finish = await self._asker.parsed(request, parse_analysis, self._subject.tier, self._begin)
        self._begin(StreamStart(finish.provider, finish.model))  # in case that the answer came in one piece
        improvements, dropped = await asyncio.to_thread(_verified, reply, part, self._subject, self._text)
        return Reviewed(part, reply, improvements, dropped, finish)


def _request(subject: Subject, part: Part, parts: int, outline: str) -> ChatRequest:
    nonce = secrets.token_hex(8)
    messages = load_prompt("analysis").messages(
        nonce=nonce,
        title=delimit(subject.title, "title", nonce),
        kind=subject.kind.value,
        part=f"{part.number} of {parts}",
        outline=delimit(outline, "outline", nonce) if outline else "it is all here",
        document=delimit(part.text, "document", nonce),
    )
    return ChatRequest(messages, temperature=0.2, response_schema=ANALYSIS_SCHEMA)


def split(subject: Subject, text: Utf16Text) -> list[Part]:
    """The document in parts of at most PART_TOKENS, cut at headings and paragraphs."""
    from shared.text.chunking import chunk_document

    if len(subject.content) <= PART_TOKENS * 2:  # a token is at least two characters of most texts
        return [Part(1, subject.content, 0)]
    chunks = chunk_document(subject.content, subject.kind, max_tokens=PART_TOKENS, fill=True)
    return [Part(number, chunk.text, text.to_index(chunk.start)) for number, chunk in enumerate(chunks, 1)]


def outline_of(subject: Subject) -> str:
    """The names of the document's sections, one a line, of as many levels as fit."""
    from shared.text.outline import outline

    sections = outline(subject.content, subject.kind)
    text = ""
    for depth in range(max((len(section.path) for section in sections), default=0)):
        lines = [
            "  " * (len(section.path) - 1) + section.path[-1]
            for section in sections
            if 0 < len(section.path) <= depth + 1
        ]
        more = "\n".join(lines)
        if text and len(more) > OUTLINE:
            break
        text = more
    return text if len(text) <= OUTLINE else text[:OUTLINE].rsplit("\n", 1)[0] + "\n…"


def _verified(
    reply: AnalysisReply, part: Part, subject: Subject, text: Utf16Text
) -> tuple[list[JsonObject], int]:
    """The part's findings as they are sent, and how many fell away: not found in it, or there twice.

    They are final: ids depend on the document's text alone, and no other part has findings here.
    """
    located, lost = locate_findings(reply.improvements, Utf16Text(part.text))
    findings = [
        replace(finding, start=finding.start + part.start, end=finding.end + part.start)
        for finding in located
    ]
    improvements = improvements_json(
        findings, text, content_hash=subject.content_hash, document_id=subject.document_id
    )
    return improvements, lost + len(findings) - len(improvements)


def merge(reviewed: Sequence[Reviewed], subject: Subject) -> JsonObject:
    """One analysis of those of the parts, which are in the order of the text."""
    replies = [one.reply for one in reviewed]
    return {
        "summary": " ".join(dict.fromkeys(reply.summary for reply in replies)),
        "missing_sections": _missing_sections(replies, subject.content),
        "improvements": [improvement for one in reviewed for improvement in one.improvements],
        "scores": _scores(reviewed),
    }


def _missing_sections(replies: Sequence[AnalysisReply], content: str) -> list[JsonObject]:
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


def _scores(reviewed: Sequence[Reviewed]) -> dict[str, int]:
    """The mean of the parts, by their length."""
    weights = [max(1, len(one.part.text)) for one in reviewed]
    scores = [percent(one.reply.scores) for one in reviewed]
    return {
        name: round(
            sum(score[name] * weight for score, weight in zip(scores, weights, strict=True)) / sum(weights)
        )
        for name in ("completeness", "clarity", "structure")
    }


def offline(subject: Subject, meta: Meta) -> Iterator[StreamMessage]:
    """The analysis that needs no model."""
    from shared.text.offline.analysis import analyze

    analysis = analyze(subject.content, subject.kind)
    findings = [
        Finding(one.severity, one.category, one.message, one.start, one.end, one.replacement)
        for one in analysis.findings
    ]
    text = Utf16Text(subject.content)
    improvements = improvements_json(
        findings, text, content_hash=subject.content_hash, document_id=subject.document_id
    )
    yield Start(meta.request_id, Task.ANALYSIS.value, OFFLINE, OFFLINE_MODEL)
    yield Progress(1, 1, 1, {"improvements": improvements})
    result: JsonObject = {
        "summary": analysis.summary,
        "missing_sections": [
            {**asdict(section), "outline": list(section.outline)} for section in analysis.missing_sections
        ],
        "improvements": improvements,
        "scores": asdict(analysis.scores),
    }
    yield from _whole(result, meta)


def _whole(result: JsonObject, meta: Meta) -> Iterator[StreamMessage]:
    """The end of a stream. Where it is shown as text, the summary is what it says."""
    yield Delta(0, result["summary"])
    yield Done(meta, result)


# --- analyses that cost nothing now --------------------------------------------------------------


def from_store(stored: JsonObject, request_id: str) -> Iterator[StreamMessage]:
    """A stored analysis as an answer."""
    result = {name: value for name, value in stored.items() if name != "meta"}
    meta = _free(_stored_meta(stored["meta"]), request_id)
    yield Start(request_id, Task.ANALYSIS.value, meta.provider, meta.model)
    yield from _whole(result, replace(meta, cached=True))


_META_FIELDS = {"request_id", "provider", "model", "cached", "degraded", "attempts", "usage", "cost_usd"}


def _stored_meta(stored: JsonObject) -> Meta:
    extra = {name: value for name, value in stored.items() if name not in _META_FIELDS}
    return Meta(
        stored["request_id"], stored["provider"], stored["model"], degraded=stored["degraded"], extra=extra
    )


def for_request(message: StreamMessage, request_id: str) -> StreamMessage:
    """A message of a shared analysis as one of this request's.

    What another request has paid has its cost there, where `shared_with` says.
    """
    match message:
        case Start():
            return replace(message, request_id=request_id)
        case Done(meta) if meta.request_id != request_id:
            extra = {**meta.extra, "shared_with": meta.request_id}
            return replace(message, meta=replace(_free(meta, request_id), extra=extra))
        case _:
            return message


def _free(meta: Meta, request_id: str) -> Meta:
    return replace(meta, request_id=request_id, attempts=0, usage=Usage(), cost_usd=Decimal(0))
