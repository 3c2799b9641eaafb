"""Several pieces of work at the same time, their results as they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterable
from contextlib import asynccontextmanager
from typing import Any, TypeVar

T = TypeVar("T")


async def side_by_side(
    works: Iterable[Coroutine[Any, Any, T]],
) -> AsyncGenerator[T, None]:
    """The result of each, as soon as it is there; they begin in their order.

    The first error ends all, and is raised once they have ended; closing it ends them too.
    """
    tasks = [asyncio.create_task(work) for work in works]
    try:
        for result in asyncio.as_completed(tasks):
            yield await result
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Turns:
    """At most so many at work at a time; once one has failed, nobody else begins."""

    def __init__(self, most: int) -> None:
        self._free = asyncio.Semaphore(most)
        self._failed = False

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        async with self._free:
            if self._failed:
                raise asyncio.CancelledError
            try:
                yield
            except BaseException:
                self._failed = True
                raise
