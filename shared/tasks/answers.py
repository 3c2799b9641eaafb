"""Answers from passages, found or all there are: every marker that is sent is one that was checked."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.errors import MalformedOutput
from shared.tasks.asking import Asker, answered_meta, free_meta
from shared.tasks.reading import Note, Reading, take_notes
from shared.text.anchors import make_anchor
from shared.text.citations import (
    ABSTENTION,
    AnswerEvent,
    CheckedAnswer,
    CheckedCitation,
    CitationChecker,
    is_abstention,
)
from shared.text.positions import Utf16Text
from shared.text.prompting import delimit, delimit_passages, load_prompt
from shared.text.sse import CitationEvent, Delta, Done, ResetEvent, Start, StreamMessage, SwitchEvent
from shared.types import (
    Anchor,
    ChatRequest,
    Finish,
    JsonObject,
    Match,
    Meta,
    Position,
    Reset,
    StreamEvent,
    StreamStart,
    Switch,
    Task,
    TextDelta,
)

if TYPE_CHECKING:
    from shared.retrieval import Retrieved
    from shared.text.support import Similarity

HISTORY_SENT = 12  # messages
OFFERED = 3  # passages, where the answer is that the documents do not say


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A question and what was found for it."""

    question: str
    query: str  # the question with the earlier words it leans on
    history: tuple[tuple[str, str], ...]  # (role, text), oldest first
    found: Retrieved
    weak: bool = False  # nothing found is near enough to be worth a model's time
    reading: Reading | None = None  # of whole documents, for a question that is about them

    @property
    def matches(self) -> tuple[Match, ...]:
        """What is read and may be cited; marker [1] is the first."""
        return self.reading.passages if self.reading else self.found.matches

    def extra(self) -> JsonObject:
        """What `meta` says of it."""
        found: JsonObject = {"passages": len(self.matches), "stale_chunks": self.found.stale_chunks}
        return {**found, **self.reading.extra()} if self.reading else found

    def conversation(self, nonce: str) -> str:
        """The end of the earlier conversation, for a prompt."""
        said = "\n\n".join(f"{role}: {text}" for role, text in self.history[-HISTORY_SENT:])
        return delimit(said or "none", "conversation", nonce)


async def ask(
    asker: Asker, enquiry: Enquiry, similarity: Similarity | None = None
) -> AsyncGenerator[StreamMessage, None]:
    """A model's answer. Raises the router's errors, MalformedOutput for an empty answer.

    `similarity` of two texts, 0 to 1, is asked before a paraphrase is accepted; it must not block for long.
    """
    notes: list[Note] = []
    if enquiry.reading is not None and len(enquiry.reading.parts) > 1:
        notes = await take_notes(asker, enquiry.question, enquiry.conversation, enquiry.reading)
        if any(note.finish.reason == "length" for note in notes):
            enquiry = replace(enquiry, reading=replace(enquiry.reading, complete=False))
        if not any(note.text for note in notes):
            for message in _nothing_said(asker, enquiry, notes):
                yield message
            return
    request = _combining(enquiry, notes) if notes else _request(enquiry)
    stream = AnswerStream(asker.context.request_id, enquiry, notes, similarity)
    async with aclosing(asker.stream(request, None)) as events:
        async for event in events:
            for message in stream.feed(event):
                yield message


def _request(enquiry: Enquiry) -> ChatRequest:
    nonce = secrets.token_hex(8)
    whole = enquiry.reading is not None and enquiry.reading.complete
    messages = load_prompt("qa").messages(
        nonce=nonce,
        abstention=ABSTENTION,
        scope="all of the documents, in their order" if whole else "those that fit the question best",
        passages=delimit_passages(enquiry.matches, nonce),
        history=enquiry.conversation(nonce),
        question=delimit(enquiry.question, "question", nonce),
    )
    return ChatRequest(messages, temperature=0.0)


def _combining(enquiry: Enquiry, notes: Sequence[Note]) -> ChatRequest:
    nonce = secrets.token_hex(8)
    texts = [
        delimit(note.text, f"notes on part {number}", nonce)
        for number, note in enumerate(notes, 1)
        if note.text
    ]
    messages = load_prompt("qa_combine").messages(
        nonce=nonce,
        abstention=ABSTENTION,
        notes="\n\n".join(texts),
        history=enquiry.conversation(nonce),
        question=delimit(enquiry.question, "question", nonce),
    )
    return ChatRequest(messages, temperature=0.0)


def _nothing_said(asker: Asker, enquiry: Enquiry, notes: Sequence[Note]) -> Iterator[StreamMessage]:
    """No part of the whole holds anything on the question."""
    meta = answered_meta(asker.context.request_id, [note.finish for note in notes], **enquiry.extra())
    yield from _given(CheckedAnswer(ABSTENTION, (), ()), enquiry, meta)


def _checker(matches: Sequence[Match]) -> CitationChecker:
    """Alike is by the built-in vectors, whatever embedder is configured: no request for each sentence."""
    return CitationChecker(matches, BuiltinEmbedder().similarity)


class AnswerStream:
    """One model's stream as the events of an answer. Fed events, does no I/O."""

    def __init__(
        self, request_id: str, enquiry: Enquiry, notes: Sequence[Note], similarity: Similarity | None
    ) -> None:
        """`notes` are what was asked before, and belongs to the cost."""
        self._request_id = request_id
        self._enquiry = enquiry
        self._notes = notes
        self._checker = _checker(enquiry.matches)

    def feed(self, event: StreamEvent) -> Iterator[StreamMessage]:
        """Raises MalformedOutput when the answer ends and holds no text."""
        match event:
            case StreamStart(provider, model):
                yield Start(self._request_id, Task.QA.value, provider, model)
            case TextDelta(text):
                yield from self._messages(self._checker.feed(text))
            case Switch(from_provider, to_provider, _, reason):
                yield SwitchEvent(from_provider, to_provider, reason)
            case Reset():
                yield ResetEvent(0)
                self._checker = _checker(self._enquiry.matches)
            case Finish():
                yield from self._end(event)

    def _messages(self, pieces: Sequence[AnswerEvent]) -> Iterator[StreamMessage]:
        for piece in pieces:
            if isinstance(piece, str):
                yield Delta(0, piece)
            else:
                yield CitationEvent(citation_json(piece, self._enquiry.matches))

    def _end(self, finish: Finish) -> Iterator[StreamMessage]:
        yield from self._messages(self._checker.finish())
        checked = self._checker.result
        if not checked.answer.strip():
            raise MalformedOutput("The model answered without any text")
        finishes = [*(note.finish for note in self._notes), finish]
        meta = answered_meta(self._request_id, finishes, **self._enquiry.extra())
        reason: Literal["stop", "length"] = "length" if finish.reason == "length" else "stop"
        yield _done(checked, self._enquiry, meta, reason)


def result_json(checked: CheckedAnswer, enquiry: Enquiry) -> JsonObject:
    """The answer as a whole, but for its meta."""
    return {
        "answer": checked.answer,
        "citations": [citation_json(citation, enquiry.matches) for citation in checked.citations],
        "unsupported": list(checked.unsupported),
        "abstained": is_abstention(checked.answer),
    }


def citation_json(citation: CheckedCitation, matches: Sequence[Match]) -> JsonObject:
    match = matches[citation.match_index]
    return {
        "marker": citation.marker,
        "document_id": match.document_id,
        "document_title": match.document_title,
        "chunk_id": match.chunk_id,
        "anchor": passage_anchor(match, citation.start, citation.end).to_json(),
        "support": citation.support,
    }


def passage_anchor(match: Match, start: int, end: int) -> Anchor:
    """The anchor of `match.text[start:end]` in its document, whose text is not needed for it."""
    inside = make_anchor(
        Utf16Text(match.text),
        start,
        end,
        content_hash=match.content_hash,
        document_id=match.document_id,
    )
    position = Position(inside.position.start + match.start, inside.position.end + match.start)
    return Anchor(inside.content_hash, position, inside.quote, inside.document_id)


def _done(
    checked: CheckedAnswer, enquiry: Enquiry, meta: Meta, reason: Literal["stop", "length"] = "stop"
) -> Done:
    """Where the documents do not say it, `meta.offered` has the passages that come nearest."""
    result = result_json(checked, enquiry)
    if result["abstained"]:
        offered = [_offer(match) for match in enquiry.found.matches[:OFFERED]]
        meta = replace(meta, extra={**meta.extra, "offered": offered})
    return Done(meta, result, reason)


def _offer(match: Match) -> JsonObject:
    return {
        "document_id": match.document_id,
        "document_title": match.document_title,
        "chunk_id": match.chunk_id,
        "anchor": passage_anchor(match, 0, len(match.text)).to_json(),
    }


def abstain(enquiry: Enquiry, request_id: str) -> Iterator[StreamMessage]:
    """Nothing was found, or nothing that is near enough: nobody needs to be asked."""
    meta = free_meta(request_id, **enquiry.extra())
    yield from _given(CheckedAnswer(ABSTENTION, (), ()), enquiry, meta)


def offline(enquiry: Enquiry, meta: Meta) -> Iterator[StreamMessage]:
    """The answer that needs no model: the passages' own sentences."""
    from shared.text.offline.answers import answer
    from shared.text.offline.overview import overview

    if enquiry.reading is not None and enquiry.reading.scope == "summary":
        found = overview(enquiry.matches)
    else:
        enquiry = replace(enquiry, reading=None)  # rules look at the best passages, not at all of them
        found = answer(enquiry.query, enquiry.matches)
    citations = tuple(
        CheckedCitation(cited.marker, cited.match_index, cited.start, cited.end, "verified")
        for cited in found.citations
    )
    yield from _given(CheckedAnswer(found.answer, citations, ()), enquiry, meta)


def _given(checked: CheckedAnswer, enquiry: Enquiry, meta: Meta) -> Iterator[StreamMessage]:
    yield Start(meta.request_id, Task.QA.value, meta.provider, meta.model)
    yield Delta(0, checked.answer)
    for citation in checked.citations:
        yield CitationEvent(citation_json(citation, enquiry.matches))
    yield _done(checked, enquiry, meta)
