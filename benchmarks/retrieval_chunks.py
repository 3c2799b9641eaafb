"""How large passages should be, how many an edit changes, and how fast documents are cut.

For each size: the share of the answers' text that is in the first 800, 1,500 and 3,000 tokens retrieved
(ranking by words and the built-in embedder, fused); passages that have to be embedded anew after one sentence
was added to a paragraph; megabytes a second.

    python -m benchmarks.retrieval_chunks
"""

from __future__ import annotations

import asyncio
import random
import re
import statistics
import time
from collections.abc import Iterator, Sequence

import numpy as np

from benchmarks._ranking import Scores, fused, word_scores
from benchmarks._retrieval_data import Collection, Passage, Question, collections
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.text.chunking import chunk_document, embedded_text
from shared.text.positions import Utf16Text
from shared.types import DocumentKind

SIZES = (128, 256, 384, 512, 768)
BUDGETS = (800, 1500, 3000)
EDITS = 4  # of each document
ADDED = "Here is one more sentence that somebody wrote. "


def measure(collection: Collection, size: int) -> None:
    passages: list[Passage] = []
    texts: list[str] = []
    tokens: list[int] = []
    began = time.perf_counter()
    for name, content in collection.documents.items():
        places = Utf16Text(content)
        for chunk in chunk_document(content, DocumentKind.MARKDOWN, max_tokens=size):
            passages.append(Passage(name, places.to_index(chunk.start), places.to_index(chunk.end)))
            texts.append(embedded_text(chunk.text, chunk.heading_path))
            tokens.append(chunk.tokens)
    speed = sum(map(len, collection.documents.values())) / 1e6 / (time.perf_counter() - began)
    order = np.argsort(-_scores(texts, collection.questions), axis=1, kind="stable")
    shares = [
        statistics.fmean(
            _share(question, _within(row, tokens, budget), passages)
            for question, row in zip(collection.questions, order, strict=True)
        )
        for budget in BUDGETS
    ]
    changed = list(_changes(collection, size))
    print(
        f"  {size:4}  {len(passages):6}  {statistics.fmean(tokens):5.0f}  "
        f"{'  '.join(f'{share:.3f}' for share in shares)}  "
        f"{statistics.fmean(changed):6.2f} {max(changed):4}   {speed:5.2f}",
        flush=True,
    )


def _scores(texts: Sequence[str], questions: Sequence[Question]) -> Scores:
    async def vectors() -> Scores:
        embedder = BuiltinEmbedder()
        asked = await embedder.embed([question.text for question in questions])
        return np.asarray(asked @ (await embedder.embed(texts)).T)

    return fused(word_scores(texts, [question.text for question in questions]), asyncio.run(vectors()))


def _within(row: Sequence[int], tokens: Sequence[int], budget: int) -> Iterator[int]:
    for number in row:
        budget -= tokens[number]
        if budget < 0:
            return
        yield number


def _share(question: Question, numbers: Iterator[int], passages: Sequence[Passage]) -> float:
    """Of the answer, in characters; of a document, 1 where anything of it was found."""
    found = [passages[number] for number in numbers if passages[number].document == question.document]
    if not question.spans:
        return float(bool(found))
    held = sum(
        max(0, min(end, passage.end) - max(start, passage.start))
        for start, end in question.spans
        for passage in found
    )
    return min(1.0, held / sum(end - start for start, end in question.spans))


def _changes(collection: Collection, size: int) -> Iterator[int]:
    """How many passages are new after each edit."""
    chance = random.Random(1)  # the same edits for every size
    for content in list(collection.documents.values())[:40]:
        content = content[:60_000]
        paragraphs = [found.end() for found in re.finditer(r"\n\n(?=[A-Za-z])", content)]
        before = {
            chunk.text_hash for chunk in chunk_document(content, DocumentKind.MARKDOWN, max_tokens=size)
        }
        for place in chance.sample(paragraphs, min(EDITS, len(paragraphs))):
            edited = content[:place] + ADDED + content[place:]
            after = chunk_document(edited, DocumentKind.MARKDOWN, max_tokens=size)
            yield sum(chunk.text_hash not in before for chunk in after)


def main() -> None:
    for collection in collections():
        print(f"\n{collection.name}, {sum(map(len, collection.documents.values())) / 1e6:.1f} MB")
        print("  size  passages tokens   @800   @1500  @3000   new after an edit   MB/s")
        for size in SIZES:
            measure(collection, size)


if __name__ == "__main__":
    main()
