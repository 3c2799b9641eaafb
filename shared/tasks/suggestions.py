"""Suggestions at the cursor: streamed as they come, then each one whole and cleaned."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from shared.errors import MalformedOutput
from shared.tasks.asking import OFFLINE, OFFLINE_MODEL, Asker, Subject, answered_meta
from shared.text.anchors import make_anchor
from shared.text.cursor import CursorContext, cursor_context
from shared.text.positions import Utf16Text
from shared.text.prompting import delimit, delimit_passages, load_prompt
from shared.text.sse import Delta, Done, Item, ResetEvent, Start, StreamMessage, SwitchEvent
from shared.text.suggestion_tail import TailHolder
from shared.text.suggestions import SEPARATOR, HeadTrimmer, SuggestionSplitter, clean_suggestion
from shared.types import (
    Anchor,
    ChatRequest,
    Finish,
    Match,
    Meta,
    Reset,
    StreamEvent,
    StreamStart,
    Switch,
    Task,
    TextDelta,
)

MAX_OUTPUT_TOKENS = 800
INLINE_OUTPUT_TOKENS = 160
MAX_TITLE = 300  # characters of the title, and of the headings above the cursor, the nearest last


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where something is to be suggested: `subject.content[:index]` stands before it."""

    subject: Subject
    text: Utf16Text
    index: int
    context: CursorContext
    count: int
    inline: bool

    def query(self) -> str:
        """What related passages are searched by: the section and the words before the cursor."""
        return " ".join((*self.context.heading_path, self.context.prefix[-400:]))

    def anchor(self) -> Anchor | None:
        """The words that end at the cursor; None where nothing stands before it."""
        before = self.subject.content[: self.index]
        start = max(0, len(before.rstrip()) - 32)
        exact = before[start:]
        if not exact.strip():
            return None
        return make_anchor(
            self.text,
            start,
            self.index,
            content_hash=self.subject.content_hash,
            document_id=self.subject.document_id,
        )


def cursor_at(subject: Subject, line: int, character: int, count: int, inline: bool) -> Cursor:
    """The cursor at a position as editors count it (0-based, UTF-16 units), clamped to the text."""
    text = Utf16Text(subject.content)
    index = text.index_at(line, character)
    context = cursor_context(subject.content, index, kind=subject.kind)
    return Cursor(subject, text, index, context, count, inline)


async def ask(asker: Asker, cursor: Cursor, matches: Sequence[Match]) -> AsyncGenerator[StreamMessage, None]:
    """A model's suggestions. Raises the router's errors, MalformedOutput for an empty answer."""
    stream = SuggestionStream(asker.context.request_id, cursor)
    async with aclosing(asker.stream(_request(cursor, matches), cursor.subject.tier)) as events:
        async for event in events:
            for message in stream.feed(event):
                yield message


def _request(cursor: Cursor, matches: Sequence[Match]) -> ChatRequest:
    nonce = secrets.token_hex(8)
    context = cursor.context
    messages = load_prompt("inline" if cursor.inline else "suggestions").messages(
        nonce=nonce,
        count=cursor.count,
        separator=SEPARATOR,
        place=context.place(),
        title=delimit(cursor.subject.title[:MAX_TITLE], "title", nonce),
        heading_path=delimit(" › ".join(context.heading_path)[-MAX_TITLE:], "section", nonce),
        passages=delimit_passages(matches, nonce) or "none",
        prefix=delimit(context.prefix, "before the cursor", nonce),
        suffix=delimit(context.suffix, "after the cursor", nonce),
    )
    return ChatRequest(
        messages,
        max_output_tokens=INLINE_OUTPUT_TOKENS if cursor.inline else MAX_OUTPUT_TOKENS,
        temperature=0.4,
        reasoning_effort="low",
    )


class SuggestionStream:
    """One model's stream as the events of suggestions. Fed events, does no I/O."""

    def __init__(self, request_id: str, cursor: Cursor) -> None:
        self._request_id = request_id
        self._cursor = cursor
        self._begin()

    def _begin(self) -> None:
        self._splitter = SuggestionSplitter(self._cursor.count, self._cursor.context)
        self._trimmers: dict[int, HeadTrimmer] = {}
        self._tails: dict[int, TailHolder] = {}
        self._shown: dict[int, str] = {}  # what was sent of each index

    def feed(self, event: StreamEvent) -> Iterator[StreamMessage]:
        """Raises MalformedOutput when the answer ends and holds no suggestion."""
        match event:
            case StreamStart(provider, model):
                yield Start(self._request_id, Task.SUGGESTIONS.value, provider, model)
            case TextDelta(text):
                yield from self._deltas(self._splitter.feed(text))
            case Switch(from_provider, to_provider, _, reason):
                yield SwitchEvent(from_provider, to_provider, reason)
            case Reset():
                yield from (ResetEvent(index) for index in sorted(self._shown))
                self._begin()
            case Finish():
                yield from self._end(event)

    def _deltas(self, pieces: Sequence[tuple[int, str]]) -> Iterator[StreamMessage]:
        for index, piece in pieces:
            if index not in self._trimmers:
                yield from self._finish_heads()
                self._trimmers[index] = HeadTrimmer(self._cursor.context)
                self._tails[index] = TailHolder(self._cursor.context)
            yield from self._delta(index, self._trimmers[index].feed(piece))

    def _finish_heads(self) -> Iterator[StreamMessage]:
        """The suggestion before is whole: what its head still held back can go."""
        if self._trimmers:
            index, trimmer = max(self._trimmers.items())
            yield from self._delta(index, trimmer.finish())

    def _delta(self, index: int, text: str) -> Iterator[StreamMessage]:
        return self._show(index, self._tails[index].feed(text)) if text else iter(())

    def _show(self, index: int, text: str) -> Iterator[StreamMessage]:
        if text:
            self._shown[index] = self._shown.get(index, "") + text
            yield Delta(index, text)

    def _end(self, finish: Finish) -> Iterator[StreamMessage]:
        yield from self._deltas(self._splitter.finish())
        yield from self._finish_heads()
        cleaned = [clean_suggestion(text, self._cursor.context) for text in self._splitter.texts]
        if not any(cleaned):
            raise MalformedOutput("The model answered without any suggestion")
        anchor = self._cursor.anchor()
        for index, text in enumerate(cleaned):
            if text:
                shown = self._shown.get(index, "")
                if shown and text.startswith(shown):
                    yield from self._show(index, text[len(shown) :])
                yield Item(index, text, anchor)
            elif index in self._shown:
                yield ResetEvent(index)
        meta = answered_meta(self._request_id, [finish])
        yield Done(meta, finish_reason="length" if finish.reason == "length" else "stop")


def offline(cursor: Cursor, meta: Meta) -> Iterator[StreamMessage]:
    """Suggestions that need no model: the document's own outline and lists go on."""
    from shared.text.offline.suggestions import suggest

    texts = suggest(cursor.subject.content, cursor.index, cursor.subject.kind, count=cursor.count)
    yield Start(meta.request_id, Task.SUGGESTIONS.value, OFFLINE, OFFLINE_MODEL)
    for index, text in enumerate(texts):
        yield Delta(index, text)
        yield Item(index, text, cursor.anchor())
    yield Done(meta)
