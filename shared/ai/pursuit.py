"""One request on its way over several attempts: asks providers as the state machine of `failover.py` says.

Everything that decides is pure and stands elsewhere; here are the awaits. Closing a pursuit, or
cancelling the task that is in it, closes the provider's connection and still writes the row.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from shared.ai.breaker import Health, Trial
from shared.ai.calls import ChatCall, Instruments
from shared.ai.client import Client
from shared.ai.failover import Ask, ContextLength, Failover
from shared.ai.frames import Frame
from shared.ai.hedging import Hedging, Racer, race
from shared.ai.inquiry import Inquiry
from shared.ai.payload import Repair
from shared.ai.prices import Cost
from shared.ai.retry import Budget
from shared.errors import ProviderError
from shared.types import (
    Attempt,
    Finish,
    Message,
    Outcome,
    StreamEvent,
    Usage,
)

Verify: TypeAlias = Callable[[str], None]  # raises ValueError: what is wrong with an answer


@dataclass(slots=True)
class Means:
    """What all requests of a router share; it says what each is for."""

    client: Client
    record: Callable[[Attempt], None]
    capture: Callable[[Attempt, Sequence[Message], str], None] | None
    clock: Callable[[], float]
    now: Callable[[], datetime]
    sleep: Callable[[float], Awaitable[None]]
    chance: Callable[[], float]
    context_length: ContextLength
    cost: Cost
    health: Health
    hedging: Hedging


@dataclass(slots=True)
class _Hedge:
    waits: Sequence[float]  # seconds of silence, each before one more target is asked
    counted: bool  # the first of them is within the budget


class Pursuit:
    """`next()` until it is `over`, then `finish()`; `close()` always follows. Raises as `Router.stream`."""

    def __init__(
        self,
        means: Means,
        inquiry: Inquiry,
        budget: Budget,
        *,
        streamed: bool,
        verify: Verify | None = None,
    ) -> None:
        means.hedging.budget.request()
        self.over = False
        self._means = means
        self._limits = inquiry.limits
        self._context = inquiry.context
        self._streamed = streamed
        self._verbatim = inquiry.request.passthrough is not None
        self._verify = verify
        self._rows: list[Attempt] = []
        self._failover = Failover(
            inquiry.request,
            inquiry.targets,
            inquiry.limits,
            budget=budget,
            health=means.health,
            context_length=means.context_length,
        )
        self._ask = self._failover.begin()
        self._racer: Racer | None = None  # the attempt under way

    async def next(self) -> list[StreamEvent]:
        """What the caller sees next, maybe nothing. The last time Finish is among it."""
        while True:
            try:
                racer = self._racer
                if racer is not None:
                    return self._shown(racer, await racer.call.next())
                if self._ask.wait > 0:
                    await self._means.sleep(self._ask.wait)
                self._racer = racer = await self._attempt()
                if racer.head:
                    return self._shown(racer, racer.head)
            except ProviderError as failure:
                await self.close()
                self._follow(failure)

    async def finish(self) -> None:
        """After the end: the connection is kept, if the body ends soon."""
        if self._racer is not None:
            await self._racer.call.drain()

    async def close(self) -> None:
        racer, self._racer = self._racer, None
        if racer is not None:
            await racer.call.close()

    # --- attempts --------------------------------------------------------------------------------

    def _follow(self, failure: ProviderError) -> None:
        """What is asked after an attempt that failed. Raises the ApiError when there is nothing."""
        target, means = self._failover.asked, self._means
        if failure.retry_after is not None and failure.retry_after > self._limits.max_retry_wait:
            means.health.rest(target, failure.retry_after)
        repair = failure.repair if isinstance(failure, _Malformed) else None
        self._ask = self._failover.failed(failure, now=means.clock(), chance=means.chance(), repair=repair)

    async def _attempt(self) -> Racer:
        """A call that has begun, or the winner of a race. Raises ProviderError."""
        racer = self._start(self._ask)
        hedge = self._hedge()
        return racer if hedge is None else await self._race(racer, hedge)

    def _start(self, ask: Ask) -> Racer:
        means = self._means
        trial = means.health.begin(ask.target)

        def record(row: Attempt) -> None:
            self._keep(ask, trial, row)

        call = ChatCall(
            means.client,
            ask,
            self._limits,
            deadline=self._failover.deadline,
            context=self._context,
            instruments=Instruments(record, means.clock, means.now, means.cost),
            streamed=self._streamed,
        )
        return Racer(ask, call, trial)

    def _hedge(self) -> _Hedge | None:
        """Whether and when the next target is asked as well.

        An answer that comes whole has no first token to wait for, so silence does not tell a provider
        that is gone from one that is long about it: after that time the next one is asked beside it,
        whatever the budget, and so on.
        """
        whole = self._verbatim and not self._streamed
        overdue = [self._limits.first_token_timeout] * self._failover.left if whole else []
        if self._limits.hedge_after is not None:
            hedging = self._means.hedging
            provider = self._ask.target.provider.name
            delay = hedging.delay(self._limits.hedge_after, self._context.task, provider)
            if delay is not None:
                return _Hedge([delay, *overdue], counted=True)
        return _Hedge(overdue, counted=False) if overdue else None

    async def _race(self, first: Racer, hedge: _Hedge) -> Racer:
        """The attempt that speaks first: this one, or the next target's, asked as well after a while.

        While a whole answer does not come, one target after the other is asked. Raises ProviderError when
        none speaks.
        """
        failover, budget, running = self._failover, self._means.hedging.budget, [first]

        counted = hedge.counted

        def another() -> Racer | None:
            nonlocal counted
            hedged, counted = counted, False
            ask = failover.hedge(overdue=not hedged) if budget.allows or not hedged else None
            if ask is None:
                return None
            if hedged:
                budget.spend()
            running.append(self._start(ask))
            return running[-1]

        def lost(racer: Racer) -> None:
            running.remove(racer)
            if racer.error is not None:
                failover.lost(racer.ask, racer.error)

        winner = await race(first, another, waits=hedge.waits, lost=lost)
        failover.chosen(winner.ask, over=[racer.ask for racer in running if racer is not winner])
        if winner.error is not None:
            raise winner.error
        return winner

    # --- answers ---------------------------------------------------------------------------------

    def _shown(self, racer: Racer, batch: Sequence[Frame]) -> list[StreamEvent]:
        events = self._failover.accept(batch) if batch else []
        if racer.call.finished:
            if racer.call.row is None:
                events += self._concluded(racer.call)
                events.append(self._finish(racer))
            self.over = True
        elif racer.trial.good is None and racer.call.alive:
            racer.trial.heard()
        return events

    def _concluded(self, call: ChatCall) -> list[StreamEvent]:
        """The end of a whole answer. Raises ProviderError if it is not what was asked for."""
        try:
            events = self._failover.conclude()
            if self._verify is not None:
                _check(self._verify, self._failover.text)
        except ProviderError as error:
            call.settle(error.outcome, error)
            raise
        call.conclude()
        return events

    def _finish(self, racer: Racer) -> Finish:
        rows = self._rows
        return Finish(
            provider=racer.ask.target.provider.name,
            model=racer.ask.target.model,
            reason=racer.call.finish or "stop",
            usage=rows[0].usage if len(rows) == 1 else sum((row.usage for row in rows), Usage()),
            cost_usd=_total(rows),
            attempts=len(rows),
        )

    def _keep(self, ask: Ask, trial: Trial, row: Attempt) -> None:
        means = self._means
        self._rows.append(row)
        trial.settle(row)
        means.hedging.times.note(row)
        if means.capture is not None and not self._verbatim:
            means.capture(row, ask.request.messages, self._failover.text)
        means.record(row)


async def drive(pursuit: Pursuit, see: Callable[[StreamEvent], None]) -> None:
    """To its end; `see` gets every event as it comes."""
    try:
        while not pursuit.over:
            for event in await pursuit.next():
                see(event)
        await pursuit.finish()
    finally:
        await pursuit.close()


class _Malformed(ProviderError):
    """A whole answer that is not of the form asked for, and what to tell the provider about it."""

    def __init__(self, repair: Repair) -> None:
        super().__init__(Outcome.MALFORMED_OUTPUT, "not of the form asked for", status=200)
        self.repair = repair


def _check(verify: Verify, text: str) -> None:
    try:
        verify(text)
    except ValueError as problem:
        raise _Malformed(Repair(text, str(problem))) from None


def _total(rows: Sequence[Attempt]) -> Decimal | None:
    """None when the cost of any attempt that used tokens is unknown."""
    costs = [row.cost_usd for row in rows if row.usage.input_tokens or row.usage.output_tokens]
    if not costs or None in costs:
        return None
    return sum((cost for cost in costs if cost is not None), Decimal(0))
