"""The ledger: every attempt becomes one row of `ai_usage`, off the hot path and without loss.

`record` only appends. A long-running server writes batches in the background (`run`) and the rest at
its end; a handler that runs alone writes before its answer ends (`settle`), since its process may be
frozen right after.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING

from shared.errors import ApiError, StoreUnavailable
from shared.types import Attempt

if TYPE_CHECKING:
    from shared.store.store import Store

log = logging.getLogger("marginalia.ledger")

BATCH = 500  # rows a round trip
MAX_WAITING = 100_000  # rows kept while the database is away; the oldest go first


class Ledger:
    def __init__(self, store: Store, *, batched: bool, interval: float = 0.5) -> None:
        """`batched`: `run` writes every `interval` seconds; otherwise `settle` does."""
        self._store = store
        self._batched = batched
        self._interval = interval
        self._waiting: deque[Attempt] = deque()
        self._writing = asyncio.Lock()

    @property
    def waiting(self) -> int:
        """Rows that are not written yet."""
        return len(self._waiting)

    def record(self, attempt: Attempt) -> None:
        self._waiting.append(attempt)
        if len(self._waiting) > MAX_WAITING:
            self._waiting.popleft()
            log.error("ledger full: the oldest row was dropped")

    async def settle(self) -> None:
        """Write what waits, unless the background writer does."""
        if not self._batched:
            await self.flush()

    async def flush(self) -> None:
        """Write all that waits. Rows that cannot be written now stay, and are logged."""
        async with self._writing:
            while self._waiting:
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
                try:
                    await self._write(batch)
                except StoreUnavailable as error:
                    self._waiting.extendleft(reversed(batch))
                    log.warning("ledger: %d rows wait for the database: %s", len(self._waiting), error)
                    return

    async def _write(self, batch: Sequence[Attempt]) -> None:
        """A row that the database refuses is dropped and logged; the others of its batch are kept.

        A row that is written twice counts once, so that a batch may be tried again in parts.
        """
        try:
            await self._store.record_usage(batch)
        except StoreUnavailable:
            raise
        except ApiError as error:
            if len(batch) == 1:
                refused = batch[0].request_id
                log.log(logging.ERROR, "ledger: a row was refused: request_id=%s %s", refused, error.code)
                return
            half = len(batch) // 2
            await self._write(batch[:half])
            await self._write(batch[half:])

    async def run(self) -> None:
        """The background writer; ends when cancelled. Call `flush` afterwards."""
        while True:
            await asyncio.sleep(self._interval)
            await asyncio.shield(self.flush())
