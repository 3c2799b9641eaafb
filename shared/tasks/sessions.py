"""Editing sessions: a newer request of the same session ends the older one and its upstream call.

Of one process: with several workers a session's requests meet only where they reach the same one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import TypeAlias, TypeVar

from shared.errors import RevisionSuperseded

T = TypeVar("T")
Key: TypeAlias = tuple[str, str]  # tenant, session


class Turn:
    """One request of a session, until it ends or a newer one comes."""

    def __init__(self, revision: int | None) -> None:
        self.revision = revision
        self._superseded = False
        self._waiting: asyncio.Task[object] | None = None

    def supersede(self) -> None:
        self._superseded = True
        if self._waiting is not None:
            self._waiting.cancel()

    async def wait(self, awaitable: Awaitable[T]) -> T:
        """Its result. Raises RevisionSuperseded when a newer request comes first; it is cancelled then."""
        self.check()
        self._waiting = task = asyncio.current_task()
        cancelling = task.cancelling() if task else 0
        try:
            result = await awaitable
        except asyncio.CancelledError:
            if task is not None and self._superseded and task.uncancel() <= cancelling:
                self.check()
            raise
        finally:
            self._waiting = None
        if task is not None and self._superseded and task.cancelling() > cancelling:
            task.uncancel()
        self.check()
        return result

    def check(self) -> None:
        if self._superseded:
            raise RevisionSuperseded("A newer request of the same session has come", param="revision")


class Sessions:
    def __init__(self) -> None:
        self._turns: dict[Key, Turn] = {}

    @contextmanager
    def turn(self, key: Key | None, revision: int | None) -> Iterator[Turn]:
        """Ends the session's older request. No key: a request that belongs to no session.

        Raises RevisionSuperseded when one with a newer revision is under way.
        """
        turn = Turn(revision)
        if key is None:
            yield turn
            return
        older = self._turns.get(key)
        if older is not None:
            if older.revision is not None and revision is not None and revision < older.revision:
                turn.supersede()
                turn.check()
            older.supersede()
        self._turns[key] = turn
        try:
            yield turn
        finally:
            if self._turns.get(key) is turn:
                del self._turns[key]
