"""Time limits on the awaits of a stream, with one timer for all of them.

A timer per await is a third of the work of passing on a token. So the timer stays where it is, and
when it fires looks whether the await of the moment is due; if not, it is set anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


class Watchdog:
    """For one await at a time. `close()` it when done."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None  # who waits now
        self._due = 0.0  # the loop's time
        self._fired = False

    async def wait(self, awaitable: Awaitable[T], seconds: float) -> T:
        """Its result. Raises TimeoutError after `seconds`; the awaitable is cancelled then."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("must be awaited in a task")
        cancelling = task.cancelling()
        self._watch(task, seconds)
        try:
            result = await awaitable
        except asyncio.CancelledError:
            if self._stand_down(task) and task.cancelling() <= cancelling:
                raise TimeoutError from None
            raise
        except BaseException:
            self._stand_down(task)
            raise
        self._stand_down(task)
        return result

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _watch(self, task: asyncio.Task[object], seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._task, self._fired = task, False
        self._due = loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self.close()
            self._timer = loop.call_at(self._due, self._look)

    def _stand_down(self, task: asyncio.Task[object]) -> bool:
        """Whether the cancellation of `task` was ours; takes it back if so."""
        self._task = None
        if self._fired:
            task.uncancel()
        return self._fired

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits: the next one sets the timer
        loop = asyncio.get_running_loop()
        if loop.time() < self._due:
            self._timer = loop.call_at(self._due, self._look)
        else:
            self._fired = True
            self._task.cancel()
