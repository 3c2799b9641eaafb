"""Answers from passages, found or all there are: every marker that is sent is one that was checked."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
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

    @property
    def texts(self) -> Mapping[str, Utf16Text]:
        """The documents' own texts, by content_hash, as far as they came along."""
        return {**self.found.texts, **self.reading.texts} if self.reading else self.found.texts

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
        self._citations: list[JsonObject] = []  # that were sent

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
                self._citations.clear()
            case Finish():
                yield from self._end(event)

    def _messages(self, pieces: Sequence[AnswerEvent]) -> Iterator[StreamMessage]:
        for piece in pieces:
            if isinstance(piece, str):
                yield Delta(0, piece)
            else:
                self._citations.append(citation_json(piece, self._enquiry))
                yield CitationEvent(self._citations[-1])

    def _end(self, finish: Finish) -> Iterator[StreamMessage]:
        yield from self._messages(self._checker.finish())
        checked = self._checker.result
        if not checked.answer.strip():
            raise MalformedOutput("The model answered without any text")
        finishes = [*(note.finish for note in self._notes), finish]
        meta = answered_meta(self._request_id, finishes, **self._enquiry.extra())
        reason: Literal["stop", "length"] = "length" if finish.reason == "length" else "stop"
        yield _done(checked, self._citations, self._enquiry, meta, reason)


def citation_json(citation: CheckedCitation, enquiry: Enquiry) -> JsonObject:
    match = enquiry.matches[citation.match_index]
    return {
        "marker": citation.marker,
        "document_id": match.document_id,
        "document_title": match.document_title,
        "chunk_id": match.chunk_id,
        "anchor": passage_anchor(match, citation.start, citation.end, enquiry.texts).to_json(),
        "support": citation.support,
    }


def passage_anchor(match: Match, start: int, end: int, texts: Mapping[str, Utf16Text]) -> Anchor:
    """The anchor of `match.text[start:end]` in its document, of the very version that was found.

    `texts` are by content_hash. Where the document's is not among them, the anchor is made from the passage
    alone: it stands where it says, and may have a twin that it is not told apart from.
    """
    whole = texts.get(match.content_hash)
    text, first = (whole, whole.to_index(match.start)) if whole else (Utf16Text(match.text), 0)
    anchor = make_anchor(
        text,
        first + start,
        first + end,
        content_hash=match.content_hash,
        document_id=match.document_id,
    )
    if whole:
        return anchor
    position = Position(anchor.position.start + match.start, anchor.position.end + match.start)
    return replace(anchor, position=position)


def _done(
    checked: CheckedAnswer,
    citations: Sequence[JsonObject],
    enquiry: Enquiry,
    meta: Meta,
    reason: Literal["stop", "length"] = "stop",
) -> Done:
    """The answer as a whole. Where the documents do not say it, `meta.offered` has the passages that come
    nearest."""
    abstained = is_abstention(checked.answer)
    if abstained:
        offered = [_offer(match, enquiry.texts) for match in enquiry.found.matches[:OFFERED]]
        meta = replace(meta, extra={**meta.extra, "offered": offered})
    result: JsonObject = {
        "answer": checked.answer,
        "citations": list(citations),
        "unsupported": list(checked.unsupported),
        "abstained": abstained,
    }
    return Done(meta, result, reason)


def _offer(match: Match, texts: Mapping[str, Utf16Text]) -> JsonObject:
    return {
        "document_id": match.document_id,
        "document_title": match.document_title,
        "chunk_id": match.chunk_id,
        "anchor": passage_anchor(match, 0, len(match.text), texts).to_json(),
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
    citations = [citation_json(citation, enquiry) for citation in checked.citations]
    for citation in citations:
        yield CitationEvent(citation)
    yield _done(checked, citations, enquiry, meta)
