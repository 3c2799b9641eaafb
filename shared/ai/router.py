"""The driver: asks providers one after another as the state machine of `failover.py` says.

Everything that decides is pure and stands elsewhere; here are the awaits. Closing a stream, or
cancelling the task that reads it, closes the provider's connection and still writes the row.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import TypeVar

from shared.ai.breaker import Health, Policy
from shared.ai.calls import ChatCall, Instruments
from shared.ai.client import Client
from shared.ai.failover import Ask, ContextLength, Failover
from shared.ai.frames import Frame
from shared.ai.hedging import Hedging, Racer, race
from shared.ai.payload import Repair
from shared.ai.prices import Cost, cost_usd
from shared.ai.retry import Budget
from shared.errors import ProviderError
from shared.providers import Target
from shared.settings import Limits
from shared.types import (
    Attempt,
    CallContext,
    ChatRequest,
    Completion,
    Finish,
    Message,
    Outcome,
    Reset,
    StreamEvent,
    StreamStart,
    TextDelta,
    Usage,
)

T = TypeVar("T")
Verify = Callable[[str], None]  # raises ValueError: what is wrong with an answer


@dataclass(slots=True)
class _Run:
    """One request on its way."""

    failover: Failover
    limits: Limits
    context: CallContext
    streamed: bool
    verbatim: bool
    verify: Verify | None = None
    rows: list[Attempt] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        """Whether the provider is asked for the answer in one piece."""
        return not self.streamed and self.verbatim


@dataclass(frozen=True, slots=True)
class _Hedge:
    after: float  # seconds
    counted: bool  # within the budget


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
        self._client = client
        self._record = record
        self._capture = capture
        self._clock = clock
        self._now = now
        self._sleep = sleep
        self._chance = chance
        self._context_length = context_length
        self._cost = cost
        self.health = Health(clock, breakers)
        self._hedging = Hedging()

    def budget(self, targets: Sequence[Target], limits: Limits) -> Budget:
        """A fresh one, to be given to each of the questions that one request becomes."""
        return Budget(self._clock() + limits.timeout, max(0, 1 + limits.max_retries - len(targets)))

    def stream(
        self,
        request: ChatRequest,
        *,
        targets: Sequence[Target],
        limits: Limits,
        context: CallContext,
        budget: Budget | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        """StreamStart, then text, Switch and Reset as they happen, and Finish at the end.

        Without Finish the answer is not whole: it ends in NotConfigured, AllProvidersFailed,
        ProviderTimeout, ContentFiltered or ContextLengthExceeded, raised at the first step if
        nothing was shown before. Close it (`aclosing`) to cancel.
        """
        return self._events(request, targets, limits, context, streamed=True, budget=budget)

    def pass_through(
        self, request: ChatRequest, *, targets: Sequence[Target], limits: Limits, context: CallContext
    ) -> AsyncGenerator[StreamEvent, None]:
        """As `stream()` for a request that is passed through, with Verbatim in place of most text.

        Text comes only once another provider goes on with what was sent. A whole answer is one Verbatim.
        """
        streamed = request.passthrough is not None and request.passthrough.stream
        return self._events(request, targets, limits, context, streamed=streamed)

    async def complete(
        self,
        request: ChatRequest,
        *,
        targets: Sequence[Target],
        limits: Limits,
        context: CallContext,
        budget: Budget | None = None,
    ) -> Completion:
        """The whole answer. Raises as `stream()` does."""
        return await _collected(
            self._events(request, targets, limits, context, streamed=False, budget=budget)
        )

    async def complete_parsed(
        self,
        request: ChatRequest,
        *,
        parse: Callable[[str], T],
        targets: Sequence[Target],
        limits: Limits,
        context: CallContext,
        budget: Budget | None = None,
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

        events = self._events(request, targets, limits, context, streamed=False, verify=verify, budget=budget)
        completion = await _collected(events, started)
        return parsed[0], completion.finish

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _events(
        self,
        request: ChatRequest,
        targets: Sequence[Target],
        limits: Limits,
        context: CallContext,
        *,
        streamed: bool,
        verify: Verify | None = None,
        budget: Budget | None = None,
    ) -> AsyncGenerator[StreamEvent, None]:
        self._hedging.budget.request()
        budget = budget or self.budget(targets, limits)
        failover = Failover(
            request,
            targets,
            limits,
            budget=budget,
            health=self.health,
            context_length=self._context_length,
        )
        run = _Run(failover, limits, context, streamed, request.passthrough is not None, verify)
        ask = failover.begin()
        while True:
            if ask.wait > 0:
                await self._sleep(ask.wait)
            try:
                racer = await self._attempt(run, ask)
                async with racer.call as call:
                    if racer.head:
                        for event in self._shown(run, racer, racer.head):
                            yield event
                    while not call.finished:
                        for event in self._shown(run, racer, await call.next()):
                            yield event
            except ProviderError as failure:
                self._let_rest(failover.asked, failure, limits)
                repair = failure.repair if isinstance(failure, _Malformed) else None
                ask = failover.failed(failure, now=self._clock(), chance=self._chance(), repair=repair)
            else:
                return

    async def _attempt(self, run: _Run, ask: Ask) -> Racer:
        """A call that has begun, or the winner of a race. Raises ProviderError."""
        racer = self._start(run, ask)
        hedge = self._hedge(run, ask)
        return racer if hedge is None else await self._race(run, racer, hedge)

    def _shown(self, run: _Run, racer: Racer, batch: Sequence[Frame]) -> list[StreamEvent]:
        events = run.failover.accept(batch) if batch else []
        if racer.call.finished and racer.call.row is None:
            events += self._concluded(run, racer.call)
            events.append(_finish(run, racer))
        return events

    def _start(self, run: _Run, ask: Ask) -> Racer:
        self.health.begin(ask.target)
        return Racer(ask, self._call(run, ask))

    def _hedge(self, run: _Run, ask: Ask) -> _Hedge | None:
        """Whether and when the next target is asked as well.

        An answer that comes whole has no first token to wait for, so silence does not tell a provider
        that is gone from one that is long about it: after that time both are asked, whatever the budget.
        """
        delay = self._hedging.delay(run.limits.hedge_after, run.context.task, ask.target.provider.name)
        if delay is not None and (self._hedging.budget.allows or not run.whole):
            return _Hedge(delay, counted=True)
        if run.whole and run.failover.may_hedge:
            return _Hedge(run.limits.first_token_timeout, counted=False)
        return None

    async def _race(self, run: _Run, first: Racer, hedge: _Hedge) -> Racer:
        """The attempt that speaks first: this one, or the next target's, asked as well after a while.

        Raises ProviderError when neither does.
        """
        failover, running = run.failover, [first]

        def second() -> Racer | None:
            ask = failover.hedge() if self._hedging.budget.allows or not hedge.counted else None
            if ask is None:
                return None
            if hedge.counted:
                self._hedging.budget.spend()
            running.append(self._start(run, ask))
            return running[-1]

        def lost(racer: Racer) -> None:
            running.remove(racer)
            if racer.error is not None:
                failover.lost(racer.ask, racer.error)

        winner = await race(first, second, after=hedge.after, lost=lost)
        over = next((racer.ask for racer in running if racer is not winner), None)
        failover.chosen(winner.ask, over=over)
        if winner.error is not None:
            raise winner.error
        return winner

    def _let_rest(self, target: Target, failure: ProviderError, limits: Limits) -> None:
        if failure.retry_after is not None and failure.retry_after > limits.max_retry_wait:
            self.health.rest(target, failure.retry_after)

    def _concluded(self, run: _Run, call: ChatCall) -> list[StreamEvent]:
        """The end of a whole answer. Raises ProviderError if it is not what was asked for."""
        try:
            events = run.failover.conclude()
            _verify(run)
        except ProviderError as error:
            call.settle(error.outcome, error)
            raise
        call.conclude()
        return events

    def _call(self, run: _Run, ask: Ask) -> ChatCall:
        return ChatCall(
            self._client,
            ask,
            run.limits,
            deadline=run.failover.deadline,
            context=run.context,
            instruments=Instruments(
                lambda row: self._keep(run, ask, row), self._clock, self._now, self._cost
            ),
            streamed=run.streamed,
        )

    def _keep(self, run: _Run, ask: Ask, row: Attempt) -> None:
        run.rows.append(row)
        self.health.settle(ask.target, row)
        self._hedging.times.note(row)
        if self._capture is not None and not run.verbatim:
            self._capture(row, ask.request.messages, run.failover.text)
        self._record(row)


class _Malformed(ProviderError):
    """A whole answer that is not of the form asked for, and what to tell the provider about it."""

    def __init__(self, repair: Repair) -> None:
        super().__init__(Outcome.MALFORMED_OUTPUT, "not of the form asked for", status=200)
        self.repair = repair


def _verify(run: _Run) -> None:
    if run.verify is None:
        return
    text = run.failover.text
    try:
        run.verify(text)
    except ValueError as problem:
        raise _Malformed(Repair(text, str(problem))) from None


async def _collected(
    stream: AsyncGenerator[StreamEvent, None], started: Callable[[StreamStart], None] | None = None
) -> Completion:
    finish: Finish | None = None
    text: list[str] = []
    async with aclosing(stream) as events:
        async for event in events:
            match event:
                case TextDelta():
                    text.append(event.text)
                case Reset():
                    text.clear()
                case Finish():
                    finish = event
                case StreamStart() if started:
                    started(event)
    if finish is None:
        raise RuntimeError("a stream ended without Finish")
    return Completion("".join(text), finish)


def _finish(run: _Run, racer: Racer) -> Finish:
    rows = run.rows
    return Finish(
        provider=racer.ask.target.provider.name,
        model=racer.ask.target.model,
        reason=racer.call.finish or "stop",
        usage=rows[0].usage if len(rows) == 1 else sum((row.usage for row in rows), Usage()),
        cost_usd=_total(rows),
        attempts=len(rows),
    )


def _total(rows: Sequence[Attempt]) -> Decimal | None:
    """None when the cost of any attempt that used tokens is unknown."""
    costs = [row.cost_usd for row in rows if row.usage.input_tokens or row.usage.output_tokens]
    if not costs or None in costs:
        return None
    return sum((cost for cost in costs if cost is not None), Decimal(0))
