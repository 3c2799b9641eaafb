"""What asks providers, for everybody: in a stream, whole, or until an answer has the form asked for.

How one request goes over several attempts stands in `pursuit.py`.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from shared.ai.breaker import Health, Policy
from shared.ai.client import Client
from shared.ai.failover import ContextLength
from shared.ai.hedging import Hedging
from shared.ai.inquiry import Inquiry
from shared.ai.prices import Cost, cost_usd
from shared.ai.pursuit import Means, Pursuit, Verify, drive
from shared.ai.retry import Budget
from shared.providers import Target
from shared.settings import Limits
from shared.types import (
    Attempt,
    Completion,
    Finish,
    Message,
    Reset,
    StreamEvent,
    StreamStart,
    TextDelta,
    Verbatim,
)

T = TypeVar("T")


class Router:
    """Asks the targets in their order until one has answered.

    `record` gets one Attempt for every request that was made, as soon as it has ended; just before
    that `capture` gets what was asked in it and the text so far, except of what is passed through.
    A text that is too long for one model goes to one that takes more, as `context_length` knows.
    """

    def __init__(
        self,
        client: Client,
        *,
        record: Callable[[Attempt], None],
        capture: Callable[[Attempt, Sequence[Message], str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
        breakers: Policy | None = None,
        context_length: ContextLength = lambda _: None,
        cost: Cost = cost_usd,
    ) -> None:
        self.health = Health(clock, breakers)
        self._means = Means(
            client=client,
            record=record,
            capture=capture,
            clock=clock,
            now=now,
            sleep=sleep,
            chance=chance,
            context_length=context_length,
            cost=cost,
            health=self.health,
            hedging=Hedging(),
        )

    def budget(self, targets: Sequence[Target], limits: Limits) -> Budget:
        """A fresh one, to be given to each of the questions that one request becomes."""
        return Budget(self._means.clock() + limits.timeout, max(0, 1 + limits.max_retries - len(targets)))

    def stream(self, inquiry: Inquiry, budget: Budget | None = None) -> AsyncGenerator[StreamEvent, None]:
        """StreamStart, then text, Switch and Reset as they happen, and Finish at the end.

        Without Finish the answer is not whole: it ends in NotConfigured, AllProvidersFailed,
        ProviderTimeout, ContentFiltered or ContextLengthExceeded, raised at the first step if
        nothing was shown before. Close it (`aclosing`) to cancel.

        A request that is passed through has Verbatim in place of most text: text comes only once another
        provider goes on with what was sent. Asked for whole, its answer is one Verbatim.
        """
        passed = inquiry.request.passthrough
        streamed = passed is None or passed.stream

        def begin() -> Pursuit:
            return self._pursuit(inquiry, budget, streamed=streamed)

        return _events(begin)

    async def pass_whole(self, inquiry: Inquiry) -> tuple[StreamStart, bytes]:
        """Who answered a request that is passed through, and the whole answer. Raises as `stream()` does."""
        events: list[StreamEvent] = []
        await drive(self._pursuit(inquiry), events.append)
        if len(events) == 3:
            start, answer, _ = events
            if isinstance(start, StreamStart) and isinstance(answer, Verbatim):
                return start, answer.events[0]
        raise RuntimeError(f"a whole answer that was none: {[type(event).__name__ for event in events]}")

    async def complete(self, inquiry: Inquiry, budget: Budget | None = None) -> Completion:
        """The whole answer. Raises as `stream()` does."""
        return await _collected(self._pursuit(inquiry, budget))

    async def complete_parsed(
        self,
        inquiry: Inquiry,
        budget: Budget | None = None,
        *,
        parse: Callable[[str], T],
        started: Callable[[StreamStart], None] | None = None,
    ) -> tuple[T, Finish]:
        """The answer as `parse` reads it. `parse` raises ValueError to say what is wrong with a text.

        The provider is then told so and asked once more, then the next one is asked, all within the
        same attempts and the same deadline. `started` is told who speaks first, when that happens.
        Raises MalformedOutput when nobody gets it right, else as `stream()` does.
        """
        parsed: list[T] = []

        def verify(text: str) -> None:
            parsed[:] = [parse(text)]

        completion = await _collected(self._pursuit(inquiry, budget, verify=verify), started)
        return parsed[0], completion.finish

    def _pursuit(
        self,
        inquiry: Inquiry,
        budget: Budget | None = None,
        *,
        streamed: bool = False,
        verify: Verify | None = None,
    ) -> Pursuit:
        own = budget or self.budget(inquiry.targets, inquiry.limits)
        return Pursuit(self._means, inquiry, own, streamed=streamed, verify=verify)

    async def aclose(self) -> None:
        await self._means.client.aclose()


async def _events(begin: Callable[[], Pursuit]) -> AsyncGenerator[StreamEvent, None]:
    pursuit = begin()
    try:
        while not pursuit.over:
            for event in await pursuit.next():
                yield event
        await pursuit.finish()
    finally:
        await pursuit.close()


async def _collected(pursuit: Pursuit, started: Callable[[StreamStart], None] | None = None) -> Completion:
    finish: Finish | None = None
    text: list[str] = []

    def see(event: StreamEvent) -> None:
        nonlocal finish
        match event:
            case TextDelta():
                text.append(event.text)
            case Reset():
                text.clear()
            case Finish():
                finish = event
            case StreamStart() if started:
                started(event)

    await drive(pursuit, see)
    if finish is None:
        raise RuntimeError("an answer ended without Finish")
    return Completion("".join(text), finish)
