"""Single flight: what several ask for at the same time is done once, and all get it.

The work belongs to those who wait for it. One who leaves does not disturb the others; when the last
one has left it is cancelled, so that nobody pays for an answer that nobody hears.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Hashable
from contextlib import aclosing
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class _Flight(Generic[T]):
    task: asyncio.Task[T]

    def __init__(self) -> None:
        self.waiting = 0


class SingleFlight(Generic[T]):
    """For one event loop. Nothing is kept once the work is done: this is no cache."""

    def __init__(self) -> None:
        self._flights = _Flights[_Flight[T]]()

    async def do(self, key: Hashable, work: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """What `work` gives: this call's own, or that of one with the same key that is under way.

        All who wait get the same object, and raise the same error. The last one to be cancelled
        waits for the end of the work's clean-up.
        """
        flight = self._flights.join(key, _Flight[T], lambda _: work())
        try:
            await asyncio.wait({flight.task})
        finally:
            await self._flights.leave(key, flight)
        return flight.task.result()


class _StreamFlight(_Flight[None], Generic[T]):
    def __init__(self) -> None:
        super().__init__()
        self.said: list[T] = []
        self._news = asyncio.Event()

    async def run(self, messages: AsyncGenerator[T, None]) -> None:
        try:
            async with aclosing(messages):
                async for message in messages:
                    self.said.append(message)
                    self._tell()
        finally:
            self._tell()  # the task is done by the time that those who wait look

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, heard: int) -> bool:
        """Waits for more than `heard` messages; False when there will be none."""
        while len(self.said) <= heard:
            if self.task.done():
                return False
            await self._news.wait()
        return True


class SharedStreams(Generic[T]):
    """Single flight for streams. Who joins one under way hears it from its beginning."""

    def __init__(self) -> None:
        self._flights = _Flights[_StreamFlight[T]]()

    async def listen(
        self, key: Hashable, work: Callable[[], AsyncGenerator[T, None]]
    ) -> AsyncGenerator[T, None]:
        """What `work` yields, and raises; or what that of another with the same key does."""
        flight = self._flights.join(key, _StreamFlight[T], lambda flight: flight.run(work()))
        heard = 0
        try:
            while await flight.after(heard):
                yield flight.said[heard]
                heard += 1
        finally:
            await self._flights.leave(key, flight)
        flight.task.result()


F = TypeVar("F", bound=_Flight[Any])


class _Flights(Generic[F]):
    """Those under way, by key."""

    def __init__(self) -> None:
        self._under_way: dict[Hashable, F] = {}

    def join(self, key: Hashable, new: Callable[[], F], work: Callable[[F], Coroutine[Any, Any, Any]]) -> F:
        flight = self._under_way.get(key) or self._begin(key, new(), work)
        flight.waiting += 1
        return flight

    async def leave(self, key: Hashable, flight: F) -> None:
        """Ends the work when it was the last one."""
        flight.waiting -= 1
        if not flight.waiting and not flight.task.done():
            self._land(key, flight)
            flight.task.cancel()
            await asyncio.wait({flight.task})

    def _begin(self, key: Hashable, flight: F, work: Callable[[F], Coroutine[Any, Any, Any]]) -> F:
        self._under_way[key] = flight
        flight.task = asyncio.create_task(work(flight))
        flight.task.add_done_callback(lambda _: self._landed(key, flight))
        return flight

    def _landed(self, key: Hashable, flight: F) -> None:
        self._land(key, flight)
        if not flight.task.cancelled():
            flight.task.exception()  # taken note of, also where nobody is left to raise it to

    def _land(self, key: Hashable, flight: F) -> None:
        """Nobody can join any more."""
        if self._under_way.get(key) is flight:
            del self._under_way[key]
