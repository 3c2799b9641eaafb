"""Reading whole documents for a question: in one piece where they fit, else in parts, with notes on each."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from itertools import pairwise

from shared.tasks.asking import Asker
from shared.tasks.side_by_side import Turns, side_by_side
from shared.text.positions import Utf16Text
from shared.text.prompting import delimit, delimit_passages, load_prompt
from shared.text.question_scope import Scope
from shared.text.tokens import estimate_tokens
from shared.types import ChatRequest, Finish, JsonObject, Match

PART_TOKENS = 12_000  # of passages that are read at once
MOST_TOKENS = 20 * PART_TOKENS  # of documents that are read whole, about a megabyte of English
PARALLEL_PARTS = 8
NOTHING = "nothing"
_LABEL_TOKENS = 40  # of the tags around a passage


@dataclass(frozen=True, slots=True)
class Reading:
    """The passages of whole documents, in the order of their text, numbered from [1]."""

    scope: Scope
    passages: tuple[Match, ...]
    parts: tuple[range, ...]  # the passages' indexes, as many together as are read at once
    documents: tuple[str, ...]  # that are read whole
    complete: bool  # these are all that were asked about
    texts: Mapping[str, Utf16Text]  # by content_hash: of the documents, as far as they came along

    def extra(self) -> JsonObject:
        """What `meta` says of it."""
        return {"whole": self.complete, "read_whole": list(self.documents), "parts": len(self.parts)}


def reading_of(
    scope: Scope,
    whole: Sequence[Match],
    further: Sequence[Match],
    texts: Mapping[str, Utf16Text],
    *,
    complete: bool,
) -> Reading:
    """Of whole documents, and after them of `further` passages that were found in others."""
    documents = tuple(dict.fromkeys(one.document_id for one in whole))
    passages = (*whole, *(match for match in further if match.document_id not in documents))
    return Reading(scope, passages, in_parts(passages), documents, complete, texts)


def in_parts(passages: Sequence[Match]) -> tuple[range, ...]:
    """Their indexes, divided so that a part has at most PART_TOKENS, or a single passage."""
    starts, size = [0], 0
    for index, passage in enumerate(passages):
        tokens = estimate_tokens(passage.text) + _LABEL_TOKENS
        if size + tokens > PART_TOKENS and index > starts[-1]:
            starts.append(index)
            size = 0
        size += tokens
    return tuple(range(*borders) for borders in pairwise([*starts, len(passages)]))


@dataclass(frozen=True, slots=True)
class Note:
    """What one part says on the question, each line with its marker; empty where it says nothing."""

    part: int
    text: str
    finish: Finish


async def take_notes(
    asker: Asker, question: str, conversation: Callable[[str], str], reading: Reading
) -> list[Note]:
    """The notes on each part, in order. `conversation` gives the earlier one, delimited by a nonce.

    Raises the router's errors; one part that fails fails the whole.
    """
    turns = Turns(PARALLEL_PARTS)
    parts = reading.parts

    async def read(number: int) -> Note:
        nonce = secrets.token_hex(8)
        part = parts[number]
        messages = load_prompt("qa_notes").messages(
            nonce=nonce,
            part=f"{number + 1} of {len(parts)}",
            passages=delimit_passages(reading.passages[part.start : part.stop], nonce, first=part.start + 1),
            history=conversation(nonce),
            question=delimit(question, "question", nonce),
        )
        async with turns.turn():
            completion = await asker.complete(ChatRequest(messages, temperature=0.0), None)
        return Note(number, _noted(completion.text), completion.finish)

    notes: list[Note] = []
    async with aclosing(side_by_side(read(number) for number in range(len(parts)))) as results:
        async for note in results:
            notes.append(note)
    return sorted(notes, key=lambda note: note.part)


def _noted(text: str) -> str:
    text = text.strip()
    return "" if text.strip(" .*_`").casefold() == NOTHING else text
