"""Time limits on the awaits of a stream, with one timer for all of them.

A timer per await is a third of the work of passing on a token. So the timer stays where it is, and
when it fires looks whether the await of the moment is due; if not, it is set anew.
"""

from __future__ import annotations

import asyncio
from types import TracebackType


class Watchdog:
    """`with watchdog.limit(seconds):` around one await at a time. `close()` it when done.

    The await is cancelled when its time is over, and TimeoutError raised.
    """

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._task: asyncio.Task[object] | None = None  # who waits now
        self._cancelling = 0  # requests to cancel it that are not ours
        self._due = 0.0  # the loop's time
        self._fired = False

    def limit(self, seconds: float) -> Watchdog:
        self._due = self._loop.time() + seconds
        if self._timer is None or self._timer.when() > self._due:
            self.close()
            self._timer = self._loop.call_at(self._due, self._look)
        return self

    def __enter__(self) -> None:
        task = asyncio.current_task(self._loop)
        if task is None:
            raise RuntimeError("must be awaited in a task")
        self._task, self._cancelling, self._fired = task, task.cancelling(), False

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        task, self._task = self._task, None
        if self._fired and task is not None:
            task.uncancel()
            if kind is asyncio.CancelledError and task.cancelling() <= self._cancelling:
                raise TimeoutError from None

    def close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._timer = None
        if self._task is None:
            return  # nobody waits: the next one sets the timer
        if self._loop.time() < self._due:
            self._timer = self._loop.call_at(self._due, self._look)
        else:
            self._fired = True
            self._task.cancel()
