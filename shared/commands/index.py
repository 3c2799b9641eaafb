"""`marginalia index`: files become stored, searchable documents."""

from __future__ import annotations

import asyncio
import hashlib
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from shared.commands import progress as display
from shared.commands.files import (
    SUFFIXES,
    Found,
    SourceFile,
    SourceText,
    UnreadableFile,
    find_files,
    read_file,
)
from shared.commands.progress import Progress, Totals, amount
from shared.commands.running import run
from shared.commands.terminal import FAILED, fail, plain, print_json, say
from shared.errors import ApiError, StoreUnavailable
from shared.settings import Settings
from shared.types import LOCAL_CALLER, JsonObject, Task

if TYPE_CHECKING:
    from shared.indexing import IndexResult
    from shared.services import Services
    from shared.store.store import Store

CONCURRENCY = 4  # files at a time: enough to hide a provider's latency, few enough for its rate limit
_PAGE = 1000  # documents a round trip


def index(settings: Settings, paths: Sequence[Path], *, as_json: bool) -> int:
    """The exit code: 1 when a file could not be indexed."""
    found = find_files(paths)
    if not found.files and not found.problems:
        fail(f"no {SUFFIXES} files in {', '.join(map(str, paths))}")
    begin = time.monotonic()
    totals, model = run(_index(settings, found))
    seconds = time.monotonic() - begin
    for path, reason in totals.failures:
        say(f"failed: {path} {reason}")
    if as_json:
        print_json(_json(totals, model, seconds))
    else:
        print(plain(_summary(totals, model, seconds)))
    return FAILED if totals.failures else 0


async def _index(settings: Settings, found: Found) -> tuple[Totals, str]:
    from shared.services import open_services

    async with open_services(settings) as services:
        with display.shown(len(found.files) + len(found.problems)) as progress:
            return await index_files(services, found, progress), services.embedder.model


async def index_files(services: Services, found: Found, progress: Progress) -> Totals:
    """Store and index, a few files at a time. A file that fails does not stop the others.

    Raises StoreUnavailable when the database goes away.
    """
    indexer = _Indexer(
        services, await _indexed_hashes(services.store), Totals(failures=found.problems), progress
    )
    waiting = iter(found.files)
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(CONCURRENCY):
                group.create_task(indexer.work(waiting))
    except* StoreUnavailable as errors:
        raise errors.exceptions[0] from None
    return indexer.totals


async def _indexed_hashes(store: Store) -> dict[str, str]:
    """The content hash of every document whose chunks are those of its content."""
    hashes: dict[str, str] = {}
    after: str | None = None
    while page := await store.list_documents(LOCAL_CALLER, limit=_PAGE, after=after):
        hashes |= {row.document_id: row.content_hash for row in page if row.indexed and row.content_hash}
        after = page[-1].document_id
    return hashes


class _Indexer:
    """Workers take files from one iterator and add to one sum."""

    def __init__(
        self, services: Services, indexed: Mapping[str, str], totals: Totals, progress: Progress
    ) -> None:
        self.totals = totals
        self._services = services
        self._indexed = indexed
        self._progress = progress

    async def work(self, waiting: Iterator[SourceFile]) -> None:
        for source in waiting:
            try:
                text = await asyncio.to_thread(read_file, source)
                if await self._is_unchanged(source, text):
                    self.totals = replace(self.totals, unchanged=self.totals.unchanged + 1)
                else:
                    result = await self._index(source, text)
                    self.totals = _added(self.totals, result)
            except StoreUnavailable:
                raise
            except (UnreadableFile, ApiError) as error:
                failure = (source.path, str(error))
                self.totals = replace(self.totals, failures=(*self.totals.failures, failure))
            self._progress.update(self.totals)

    async def _is_unchanged(self, source: SourceFile, text: SourceText) -> bool:
        """The same content, in chunks that have vectors of the present model."""
        if self._indexed.get(source.document_id) != hashlib.sha256(text.text.encode()).hexdigest():
            return False
        return bool(
            await self._services.store.embedded_text_hashes(
                LOCAL_CALLER, source.document_id, self._services.embedder.model
            )
        )

    async def _index(self, source: SourceFile, text: SourceText) -> IndexResult:
        from shared.indexing import index_document
        from shared.types import CallContext

        document = await self._services.store.put_document(
            LOCAL_CALLER,
            document_id=source.document_id,
            title=text.title,
            kind=source.kind,
            content=text.text,
        )
        context = CallContext(f"cli-{uuid.uuid4()}", LOCAL_CALLER.tenant_id, Task.EMBEDDING)
        return await index_document(
            self._services.store, self._services.embedder, LOCAL_CALLER, document, context=context
        )


def _added(totals: Totals, result: IndexResult) -> Totals:
    return replace(
        totals,
        indexed=totals.indexed + 1,
        chunks=totals.chunks + result.counts.total,
        embedded=totals.embedded + result.counts.embedded,
        reused=totals.reused + result.counts.reused,
        removed=totals.removed + result.counts.removed,
        without_vectors=totals.without_vectors + result.without_vectors,
        tokens=totals.tokens + result.usage.input_tokens,
        cost_usd=_sum(totals.cost_usd, result.cost_usd),
    )


def _sum(total: Decimal | None, cost: Decimal | None) -> Decimal | None:
    return None if total is None or cost is None else total + cost


def _summary(totals: Totals, model: str, seconds: float) -> str:
    files = f"{totals.indexed} indexed, {totals.unchanged} unchanged, {len(totals.failures)} failed"
    chunks = f"{totals.embedded} embedded, {totals.reused} reused, {totals.removed} removed"
    lines = [
        f"Files:   {files}, in {seconds:.1f} s",
        f"Chunks:  {totals.chunks}: {chunks}",
        f"Tokens:  {totals.tokens}, by {model}; {amount(totals.cost_usd)}",
    ]
    if totals.without_vectors:
        lines.append(f"{totals.without_vectors} documents have no vectors: the embedder could not be asked")
    return "\n".join(lines)


def _json(totals: Totals, model: str, seconds: float) -> JsonObject:
    return {
        "files": {
            "found": totals.files,
            "indexed": totals.indexed,
            "unchanged": totals.unchanged,
            "failed": len(totals.failures),
        },
        "chunks": {
            "total": totals.chunks,
            "embedded": totals.embedded,
            "reused": totals.reused,
            "removed": totals.removed,
        },
        "without_vectors": totals.without_vectors,
        "model": model,
        "tokens": totals.tokens,
        "cost_usd": None if totals.cost_usd is None else float(totals.cost_usd),
        "seconds": round(seconds, 3),
        "failures": [{"path": str(path), "reason": reason} for path, reason in totals.failures],
    }
