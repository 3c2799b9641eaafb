"""Retrieval as it is served: the embedded database, its ranking by words, by vector, and both.

Indexes the documents of each set as a tenant of their own with the built-in embedder, asks every question,
and prints the share with a right passage among the first 1, 5 and 8, the mean reciprocal rank and the median
time; then the same for thresholds of the cosine, for questions with a slip of the pen in every second longer
word, for twenty passages, and how near the passages are that belong to no question.

    python -m benchmarks.retrieval
"""

from __future__ import annotations

import asyncio
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from uuid import UUID

from benchmarks._ranking import Worth
from benchmarks._retrieval_data import Collection, Passage, Question, collections, is_right
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.indexing import index_document
from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate
from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.text.positions import Utf16Text
from shared.types import CallContext, Caller, DocumentKind, Match, Task

THRESHOLDS = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4)
COUNT = 8
FOREIGN = 150  # questions of the other sets
UNDURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Bench:
    """One set, indexed."""

    def __init__(self, store: Store, collection: Collection, number: int) -> None:
        tenant = str(UUID(int=number))
        claims = {"sub": tenant, "role": "authenticated", "app_metadata": {"tenant_id": tenant}}
        self._store = store
        self._collection = collection
        self._caller = Caller(tenant, claims=claims)
        self._context = CallContext("benchmark", tenant, Task.EMBEDDING)
        self._embedder = BuiltinEmbedder()
        self._places = {name: Utf16Text(text) for name, text in collection.documents.items()}

    async def index(self) -> None:
        began = time.perf_counter()
        chunks = 0
        for name, content in self._collection.documents.items():
            document = await self._store.put_document(
                self._caller, document_id=name, title=None, kind=DocumentKind.MARKDOWN, content=content
            )
            result = await index_document(
                self._store, self._embedder, self._caller, document, context=self._context
            )
            chunks += result.counts.total
        megabytes = sum(map(len, self._collection.documents.values())) / 1e6
        taken = time.perf_counter() - began
        name, questions = self._collection.name, len(self._collection.questions)
        print(f"\n{name}: {questions} questions; {chunks} passages of {megabytes:.1f} MB in {taken:.1f} s")

    async def run(self, foreign: Sequence[str]) -> None:
        print(f"  {'':26}  R@1    R@5    R@8    MRR")
        await self._row("words", vector=False)
        await self._row("vector", words=False)
        for threshold in THRESHOLDS:
            await self._row(f"both, from cosine {threshold:.2f}", threshold=threshold)
        await self._row("20 passages, 0.10: last R@", threshold=0.1, count=20)
        await self._row("slips: words", vector=False, slips=True)
        await self._row("slips: vector", words=False, slips=True)
        for threshold in THRESHOLDS:
            await self._row(f"slips: both, {threshold:.2f}", threshold=threshold, slips=True)
        print(f"  cosine of the best right passage: {await self._right_cosines()}")
        print(f"  of the best passage for a question on something else: {await self._best_cosines(foreign)}")

    async def _row(
        self,
        name: str,
        *,
        words: bool = True,
        vector: bool = True,
        threshold: float = 0.0,
        count: int = COUNT,
        slips: bool = False,
    ) -> None:
        chance = random.Random(1)  # the same slips in every row
        ranks: list[int | None] = []
        times: list[float] = []
        for question in self._collection.questions:
            began = time.perf_counter()
            query = _with_slips(question.text, chance) if slips else question.text
            matches = await self._matches(query, words, vector, threshold, count)
            times.append(time.perf_counter() - began)
            ranks.append(next((n for n, match in enumerate(matches) if self._right(question, match)), None))
        row = Worth(tuple(ranks)).row(1, 5, count)
        print(f"  {name:26}  {row}  {statistics.median(times) * 1000:5.1f} ms", flush=True)

    async def _matches(
        self, query: str, words: bool, vector: bool, threshold: float, count: int = COUNT
    ) -> tuple[Match, ...]:
        found = await self._store.match_document_chunks(
            self._caller,
            query_text=query if words else None,
            query_embedding=(await self._embedder.embed([query]))[0] if vector else None,
            query_model=self._embedder.model,
            match_threshold=threshold,
            match_count=count,
        )
        return found.matches

    def _right(self, question: Question, match: Match) -> bool:
        places = self._places[match.document_id]
        passage = Passage(match.document_id, places.to_index(match.start), places.to_index(match.end))
        return is_right(question, passage)

    async def _right_cosines(self) -> str:
        cosines = []
        for question in self._collection.questions:
            matches = await self._matches(question.text, words=True, vector=True, threshold=0.0, count=40)
            right = [match.similarity or 0.0 for match in matches if self._right(question, match)]
            cosines.append(max(right, default=0.0))
        return _quartiles(cosines)

    async def _best_cosines(self, foreign: Sequence[str]) -> str:
        best = []
        for question in foreign:
            matches = await self._matches(question, words=False, vector=True, threshold=0.0, count=1)
            best.append(matches[0].similarity or 0.0)
        return _quartiles(best)


def _with_slips(question: str, chance: random.Random) -> str:
    """Two neighbouring letters change places in every second word of five letters or more, at random."""
    words = question.split(" ")
    for number, word in enumerate(words):
        if len(word) >= 5 and chance.random() < 0.5:
            place = chance.randrange(1, len(word) - 2)
            words[number] = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return " ".join(words)


def _quartiles(values: Sequence[float]) -> str:
    low, middle, high = statistics.quantiles(values, n=4)
    return f"quartiles {low:.2f} {middle:.2f} {high:.2f}"


async def main() -> None:
    sets = collections()
    with tempfile.TemporaryDirectory(prefix="marginalia-") as folder:
        server = EmbeddedServer(Path(folder), settings=UNDURABLE)
        try:
            url = await server.start()
            await migrate(url)
            store = Store(PostgresTransport(url))
            for number, collection in enumerate(sets, 1):
                bench = Bench(store, collection, number)
                await bench.index()
                others = [one.text for other in sets if other is not collection for one in other.questions]
                await bench.run(others[:: max(1, len(others) // FOREIGN)])
            await store.close()
        finally:
            await asyncio.to_thread(server.stop_blocking)


if __name__ == "__main__":
    asyncio.run(main())
