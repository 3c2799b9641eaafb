"""Answers from retrieved passages: every marker that is sent is one that was checked."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shared.errors import MalformedOutput
from shared.tasks.asking import OFFLINE, OFFLINE_MODEL, Asker, answered_meta, free_meta
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

HISTORY_SENT = 12  # messages


@dataclass(frozen=True, slots=True)
class Enquiry:
    """A question and what was found for it."""

    question: str
    history: tuple[tuple[str, str], ...]  # (role, text), oldest first
    matches: tuple[Match, ...]  # best first; marker [1] is the first
    stale_chunks: int

    def extra(self) -> JsonObject:
        return {"passages": len(self.matches), "stale_chunks": self.stale_chunks}


def search_query(question: str, history: Sequence[tuple[str, str]]) -> str:
    """What is searched for: a follow-up means little without the question before it."""
    asked = [text for role, text in history if role == "user"]
    return f"{asked[-1]}\n{question}" if asked else question


async def ask(asker: Asker, enquiry: Enquiry) -> AsyncGenerator[StreamMessage, None]:
    """A model's answer. Raises the router's errors, MalformedOutput for an empty answer."""
    stream = AnswerStream(asker.context.request_id, enquiry)
    async with aclosing(asker.stream(_request(enquiry), None)) as events:
        async for event in events:
            for message in stream.feed(event):
                yield message


def _request(enquiry: Enquiry) -> ChatRequest:
    nonce = secrets.token_hex(8)
    conversation = "\n\n".join(f"{role}: {text}" for role, text in enquiry.history[-HISTORY_SENT:])
    messages = load_prompt("qa").messages(
        nonce=nonce,
        abstention=ABSTENTION,
        passages=delimit_passages(enquiry.matches, nonce),
        history=delimit(conversation or "none", "conversation", nonce),
        question=delimit(enquiry.question, "question", nonce),
    )
    return ChatRequest(messages, temperature=0.0)


class AnswerStream:
    """One model's stream as the events of an answer. Fed events, does no I/O."""

    def __init__(self, request_id: str, enquiry: Enquiry) -> None:
        self._request_id = request_id
        self._enquiry = enquiry
        self._checker = CitationChecker(enquiry.matches)

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
                self._checker = CitationChecker(self._enquiry.matches)
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
        meta = answered_meta(self._request_id, [finish], **self._enquiry.extra())
        yield Done(
            meta, result_json(checked, self._enquiry), "length" if finish.reason == "length" else "stop"
        )


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


def abstain(enquiry: Enquiry, request_id: str) -> Iterator[StreamMessage]:
    """Nothing was found: nobody needs to be asked."""
    meta = free_meta(request_id, **enquiry.extra())
    yield from _given(CheckedAnswer(ABSTENTION, (), ()), enquiry, meta)


def offline(enquiry: Enquiry, meta: Meta) -> Iterator[StreamMessage]:
    """The answer that needs no model: the passages' own sentences."""
    from shared.text.offline.answers import answer

    found = answer(enquiry.question, enquiry.matches)
    citations = tuple(
        CheckedCitation(cited.marker, cited.match_index, cited.start, cited.end, "verified")
        for cited in found.citations
    )
    yield from _given(CheckedAnswer(found.answer, citations, ()), enquiry, meta)


def _given(checked: CheckedAnswer, enquiry: Enquiry, meta: Meta) -> Iterator[StreamMessage]:
    yield Start(meta.request_id, Task.QA.value, OFFLINE, OFFLINE_MODEL)
    yield Delta(0, checked.answer)
    for citation in checked.citations:
        yield CitationEvent(citation_json(citation, enquiry.matches))
    yield Done(meta, result_json(checked, enquiry))
