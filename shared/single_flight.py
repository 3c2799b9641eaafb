"""Single flight: what several ask for at the same time is done once, and all get it.

The work belongs to those who wait for it. One who leaves does not disturb the others; when the last
one has left it is cancelled, so that nobody pays for an answer that nobody hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Hashable
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    def __init__(self, task: asyncio.Task[T]) -> None:
        self.task = task
        self.waiting = 0


class SingleFlight(Generic[T]):
    """For one event loop. Nothing is kept once the work is done: this is no cache."""

    def __init__(self) -> None:
        self._flights: dict[Hashable, _Flight[T]] = {}

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives: this call's own, or that of one with the same key that is under way.

        All who wait get the same object, and raise the same error. The last one to be cancelled
        waits for the end of the work's clean-up.
        """
        flight = self._flights.get(key) or self._begin(key, work)
        flight.waiting += 1
        try:
            await asyncio.wait({flight.task})
        finally:
            flight.waiting -= 1
            if not flight.waiting and not flight.task.done():
                self._land(key, flight)
                flight.task.cancel()
                await asyncio.wait({flight.task})
        return flight.task.result()

    def _begin(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> _Flight[T]:
        flight = self._flights[key] = _Flight(asyncio.create_task(work()))
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return flight

    def _landed(self, key: Hashable, flight: _Flight[T]) -> None:
        self._land(key, flight)
        if not flight.task.cancelled():
            flight.task.exception()  # taken note of, also where nobody is left to raise it to

    def _land(self, key: Hashable, flight: _Flight[T]) -> None:
        """Nobody can join any more."""
        if self._flights.get(key) is flight:
            del self._flights[key]
