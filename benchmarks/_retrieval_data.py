"""Documents and questions whose right passages are known, from ../shared/data."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.types import Json

DATA = Path(__file__).parents[1].parent / "shared" / "data"


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    document: str
    spans: tuple[tuple[int, int], ...]  # of the answer, in characters; none: anywhere in the document


@dataclass(frozen=True, slots=True)
class Passage:
    document: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Collection:
    name: str
    documents: dict[str, str]
    questions: tuple[Question, ...]
    unanswerable: tuple[str, ...] = ()


def collections() -> list[Collection]:
    """The three sets. Ends the program, loudly, where the data is not there."""
    if not DATA.is_dir():
        sys.exit(f"SKIPPED: the benchmark's data is not at {DATA}")
    return [_squad(), _chunking_eval(), _aws()]


def is_right(question: Question, passage: Passage) -> bool:
    """Whether the passage holds a part of the answer."""
    return passage.document == question.document and (
        not question.spans
        or any(passage.start < end and start < passage.end for start, end in question.spans)
    )


def read_lines(path: str) -> Iterator[Json]:
    """The records of a file of ../shared/data/retrieval."""
    with (DATA / "retrieval" / path).open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _squad() -> Collection:
    """Every sixth question: 427 that have an answer and 422 that have none."""
    questions = list(read_lines("squad2_dev/questions.jsonl"))
    answerable = [one for one in questions if one["answerable"]][::6]
    return Collection(
        "SQuAD 2.0",
        {one["doc_id"]: one["text"] for one in read_lines("squad2_dev/docs.jsonl")},
        tuple(
            Question(
                one["question"], one["doc_id"], ((one["answers"][0]["start"], one["answers"][0]["end"]),)
            )
            for one in answerable
        ),
        tuple(one["question"] for one in questions if not one["answerable"])[::6],
    )


def _chunking_eval() -> Collection:
    return Collection(
        "Chunking evaluation",
        {one["doc_id"]: one["text"] for one in read_lines("chunking_eval/docs.jsonl")},
        tuple(
            Question(
                one["question"],
                one["doc_id"],
                tuple((span["start"], span["end"]) for span in one["gold_spans"]),
            )
            for one in read_lines("chunking_eval/questions.jsonl")
        ),
    )


def _aws() -> Collection:
    files = sorted((DATA / "markdown_corpus").rglob("*.md"))
    texts = {str(file.relative_to(DATA)): file.read_text(encoding="utf-8") for file in files}
    return Collection(
        "AWS questions",
        {path: text for path, text in texts.items() if text.strip()},
        tuple(
            Question(one["question"], one["gold_docs"][0]["path"], ())
            for one in read_lines("aws_docs_qa/questions.jsonl")
        ),
    )
