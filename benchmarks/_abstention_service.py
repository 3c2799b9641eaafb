"""Abstention through the whole service: documents stored and asked about over HTTP, of who is configured."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

import httpx

from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate
from shared.types import JsonObject
from tests.marginalia import marginalia

_SEED = 20_261_121
_UNDURABLE = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


async def through_the_service(
    documents: Sequence[JsonObject],
    questions: Sequence[JsonObject],
    count: int,
    environ: Mapping[str, str] = os.environ,
) -> str:
    """What became of `count` questions, half of them without an answer: a table, and who answered."""
    chance = Random(_SEED)
    asked = [
        one
        for answerable in (True, False)
        for one in chance.sample([q for q in questions if q["answerable"] is answerable], count // 2)
    ]
    with tempfile.TemporaryDirectory(prefix="marginalia-") as folder:
        server = EmbeddedServer(Path(folder), settings=_UNDURABLE)
        url = await server.start()
        try:
            await migrate(url)
            variables = {name: value for name, value in environ.items() if name != "DATABASE_URL"}
            async with marginalia(url, variables) as client:
                client.timeout = httpx.Timeout(120)
                await _store(client, documents)
                counts = Counter[str]()
                for one in asked:
                    counts += await _ask(client, one)
        finally:
            await server.stop()
    return _table(counts)


async def _store(client: httpx.AsyncClient, documents: Sequence[JsonObject]) -> None:
    for one in documents:
        body = {"title": one["title"], "markdown_content": one["text"]}
        response = await client.put(f"/functions/v1/documents/{one['doc_id']}", json=body)
        response.raise_for_status()


async def _ask(client: httpx.AsyncClient, question: JsonObject) -> Counter[str]:
    body = {"question": question["question"]}
    response = await client.post("/functions/v1/answer-question", json=body)
    kind = "answerable" if question["answerable"] else "unanswerable"
    if response.status_code != 200:
        return Counter({f"{kind} failed": 1})
    answer = response.json()
    gold = any(one["text"].casefold() in answer["answer"].casefold() for one in question["answers"])
    return Counter(
        {
            f"{kind} asked": 1,
            f"{kind} answered": not answer["abstained"],
            f"{kind} gold": gold and not answer["abstained"],
            f"{kind} unsupported": bool(answer["unsupported"]) and not answer["abstained"],
            f"by {answer['meta']['provider']}/{answer['meta']['model']}": 1,
        }
    )


def _table(counts: Counter[str]) -> str:
    rows = [f"{'':<14}{'asked':>7}{'answered':>10}{'with gold':>11}{'some unsupported':>18}{'failed':>8}"]
    for kind in ("answerable", "unanswerable"):
        figures = [
            counts[f"{kind} {name}"] for name in ("asked", "answered", "gold", "unsupported", "failed")
        ]
        rows.append(
            f"{kind:<14}{figures[0]:>7}{figures[1]:>10}{figures[2]:>11}{figures[3]:>18}{figures[4]:>8}"
        )
    right, wrong = counts["answerable answered"], counts["unanswerable answered"]
    recall = right / max(1, counts["answerable asked"])
    rows.append(f"precision {right / max(1, right + wrong):.3f}, recall {recall:.3f}")
    rows += [f"{counts[name]} {name}" for name in sorted(counts) if name.startswith("by ")]
    return "\n".join(rows)
