"""Hedging: when a provider is slow to say its first word, the next one is asked as well.

Dean and Barroso, "The Tail at Scale" (CACM 56, 2013): the first to answer wins, the other is
cancelled, and a budget keeps the extra work to a few per cent of the requests.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from shared.ai.breaker import Trial
from shared.ai.calls import ChatCall
from shared.ai.failover import Ask
from shared.ai.frames import Frame
from shared.errors import ProviderError
from shared.types import Attempt, Outcome, Task

_SAMPLES = 200  # first-token times kept for each task and provider
_LEAST_SAMPLES = 20  # before `auto` knows what is slow


class HedgeBudget:
    """`share` of the requests may be hedged, and `burst` of them at once."""

    def __init__(self, share: float = 0.05, burst: float = 10.0) -> None:
        self._share = share
        self._burst = burst
        self._credit = burst

    def request(self) -> None:
        self._credit = min(self._burst, self._credit + self._share)

    @property
    def allows(self) -> bool:
        return self._credit >= 1.0

    def spend(self) -> None:
        self._credit -= 1.0


class FirstTokenTimes:
    """How long providers take to their first token, by task."""

    def __init__(self) -> None:
        self._times: dict[tuple[Task, str], deque[float]] = {}

    def note(self, row: Attempt) -> None:
        if row.first_token_ms is not None and row.outcome is Outcome.OK:
            key = (row.task, row.provider)
            times = self._times.get(key)
            if times is None:
                times = self._times[key] = deque(maxlen=_SAMPLES)
            times.append(row.first_token_ms / 1000)

    def p95(self, task: Task, provider: str) -> float | None:
        """Seconds; None until enough is known."""
        times = self._times.get((task, provider), ())
        return sorted(times)[int(0.95 * len(times))] if len(times) >= _LEAST_SAMPLES else None


class Hedging:
    """When to hedge."""

    def __init__(self) -> None:
        self.budget = HedgeBudget()
        self.times = FirstTokenTimes()

    def delay(self, after: float | Literal["auto"] | None, task: Task, provider: str) -> float | None:
        """Seconds after which the next provider is asked as well; None: it is not."""
        return self.times.p95(task, provider) if after == "auto" else after


@dataclass(slots=True)
class Racer:
    """A call on its way to its first word."""

    ask: Ask
    call: ChatCall
    trial: Trial
    head: list[Frame] = field(default_factory=list)  # what came up to the first word
    error: ProviderError | None = None  # instead of a first word

    async def lead(self) -> None:
        """Reads to the first word, to the end, or to the failure."""
        try:
            spoken = False
            while not spoken and not self.call.finished:
                batch = await self.call.next()
                self.head.extend(batch)
                spoken = any(self._speaks(frame) for frame in batch)
        except ProviderError as error:
            self.error = error

    def _speaks(self, frame: Frame) -> bool:
        """A tool call is a first word too, where it is given on."""
        return bool(frame.text or (self.ask.verbatim and frame.alive and frame.raw))


async def race(
    first: Racer,
    another: Callable[[], Racer | None],
    *,
    waits: Sequence[float],
    lost: Callable[[Racer], None],
) -> Racer:
    """The one that speaks first, or the last one to fail. The others are cancelled.

    `another` may start one more each time that the newest has been silent for the next of `waits`, in
    seconds; `lost` hears of one that fails while others run.
    """
    loop = asyncio.get_running_loop()
    running = {asyncio.create_task(first.lead()): first}
    began = {id(first): loop.time()}
    left = iter(waits)
    wait = next(left, None)
    winner: Racer | None = None
    try:
        while True:
            newest = max(began[id(racer)] for racer in running.values())
            patience = None if wait is None else max(0.0, newest + wait - loop.time())
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                wait = next(left, None)
                if (more := another()) is not None:
                    began[id(more)] = loop.time()
                    running[asyncio.create_task(more.lead())] = more
            for task in [task for task in running if task in done]:
                racer = running.pop(task)
                task.result()
                if racer.error is not None:
                    await racer.call.close()
                if racer.error is None or _decides(racer.error) or not running:
                    for other in running.values():
                        if began[id(other)] < began[id(racer)]:
                            other.call.outrun()
                    winner = racer
                    return racer
                lost(racer)
    finally:
        try:
            await _cancel(running)
        except asyncio.CancelledError:  # nobody will take the winner
            if winner is not None:
                await winner.call.close()
            raise


def _decides(error: ProviderError) -> bool:
    return error.outcome is Outcome.CONTENT_FILTER


async def _cancel(running: dict[asyncio.Task[None], Racer]) -> None:
    for task, racer in running.items():
        task.cancel()
        await racer.call.close()  # first, as the waiting that follows may be cut short
    await asyncio.gather(*running, return_exceptions=True)
