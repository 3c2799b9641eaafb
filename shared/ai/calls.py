"""One attempt: a request to one provider, timed, measured, and recorded exactly once."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from shared.ai.client import Client
from shared.ai.failover import Ask
from shared.ai.frames import FinishReason, Frame
from shared.ai.payload import chat_payload, choices_asked, request_size
from shared.ai.prices import Cost, cost_usd
from shared.ai.retry import DEADLINE, SILENCE
from shared.ai.watchdog import Watchdog
from shared.errors import ProviderError
from shared.providers import Target
from shared.settings import Limits
from shared.types import Attempt, CallContext, Cause, Outcome, Usage

logger = logging.getLogger(__name__)

USAGE_GRACE = 0.5  # seconds that an answer with a finish reason may take to send its usage
_DRAIN_GRACE = 0.1  # seconds that a body may take to end, so that its connection can serve again


@dataclass(slots=True)
class Instruments:
    """Where attempts are recorded, and by which clocks."""

    record: Callable[[Attempt], None]
    clock: Callable[[], float]  # seconds, monotonic
    now: Callable[[], datetime]  # the wall clock, UTC
    cost: Cost = cost_usd


class Meter:
    """Measures one attempt and writes its row, once."""

    usage: Usage | None = None  # as the provider counted
    was_sent = False  # from then on the provider may charge for it
    row: Attempt | None = None
    _first_token: float | None = None

    def __init__(
        self,
        target: Target,
        context: CallContext,
        instruments: Instruments,
        *,
        streamed: bool,
        cause: Cause,
    ) -> None:
        self._target = target
        self._context = context
        self._instruments = instruments
        self._streamed = streamed
        self._cause = cause
        self._started_at = instruments.now()
        self._began = instruments.clock()

    def sent(self) -> None:
        """The request goes out."""
        self.was_sent = True

    def token(self) -> None:
        """The first text has come."""
        self._first_token = self._instruments.clock()

    def settle(
        self,
        outcome: Outcome,
        error: ProviderError | None = None,
        *,
        estimate: Callable[[], Usage | None] | None = None,
    ) -> None:
        """Writes the row, unless it is written. `estimate` is asked where the provider did not count."""
        if self.row is not None:
            return
        usage = self.usage or (estimate() if estimate else None) or Usage()
        target = self._target
        self.row = Attempt(
            request_id=self._context.request_id,
            tenant_id=self._context.tenant_id,
            task=self._context.task,
            provider=target.provider.name,
            model=target.model,
            outcome=outcome,
            usage=usage,
            cost_usd=self._instruments.cost(target.provider.name, target.model, usage),
            started_at=self._started_at,
            duration_ms=self._milliseconds(self._instruments.clock()) or 0.0,
            first_token_ms=self._milliseconds(self._first_token),
            status=(200 if outcome is Outcome.OK else None) if error is None else error.status,
            code=None if error is None else error.code,
            streamed=self._streamed,
            cause=self._cause,
            own_key=target.own_key,
        )
        self._instruments.record(self.row)
        _log(self.row)

    def _milliseconds(self, moment: float | None) -> float | None:
        return None if moment is None else round((moment - self._began) * 1000, 3)


class ChatCall:
    """One chat completion: `next()` until it is `finished`, then `drain()`; `close()` always follows.

    Nothing is sent before the first `next()`. The row is written by `conclude()` or `settle()`, or by
    the call itself when it fails or is given up.
    """

    finish: FinishReason | None = None
    finished = False
    _silence: float  # seconds that may pass without a sign of life
    _means = SILENCE  # what it means when they have
    _waited = 0.0  # seconds of waiting since the last one
    _alive = False
    _refused = False
    _received = 0  # bytes of text
    _filtered: ProviderError | None = None  # the answer is what a filter has left of it
    _outrun = False

    def __init__(
        self,
        client: Client,
        ask: Ask,
        limits: Limits,
        *,
        deadline: float,
        context: CallContext,
        instruments: Instruments,
        streamed: bool,
    ) -> None:
        self._ask = ask
        self._deadline = deadline
        self._clock = instruments.clock
        self._began = instruments.clock()
        self._meter = Meter(ask.target, context, instruments, streamed=streamed, cause=ask.cause)
        payload = chat_payload(ask.request, ask.target, prefill=ask.prefill)
        self._limits = _with_patience(limits, ask.target)
        self._answer = client.chat(
            ask.target, payload, connect_timeout=limits.connect_timeout, on_sent=self._meter.sent
        )
        self._watchdog = Watchdog()
        passthrough = ask.request.passthrough
        whole = passthrough is not None and not streamed  # comes at once, whenever that is
        self._silence = math.inf if whole else self._limits.first_token_timeout
        self._open_choices = {0} if passthrough is None else set(range(choices_asked(passthrough.body)))

    @property
    def row(self) -> Attempt | None:
        return self._meter.row

    @property
    def alive(self) -> bool:
        """The model has given a sign of life."""
        return self._alive

    async def next(self) -> Sequence[Frame]:
        """The next frames, maybe none. Raises ProviderError, also for an end without a finish reason.

        None of them, where a finish reason has come, means that nothing more is worth waiting for.
        """
        began = self._clock()
        seconds, left = self._silence - self._waited, self._deadline - began
        try:
            try:
                with self._watchdog.limit(min(seconds, left)):
                    batch = await self._answer.read()
            except TimeoutError:
                if self.finish is None:
                    late, status = "nothing came in time", 200 if self._alive else None
                    code = self._means if seconds <= left else DEADLINE
                    raise ProviderError(Outcome.TIMEOUT, late, status=status, code=code) from None
                batch = None
            except ProviderError as error:
                if self.finish is None:
                    raise self._lost(error) from None
                batch = None  # whatever happened after the finish reason, the answer is whole
            finally:
                self._waited += self._clock() - began
            return self._take(batch)
        except ProviderError as error:
            self.settle(error.outcome, error)
            raise

    async def close(self) -> None:
        """Writes the row, if nobody has, and closes the connection, unless it can serve again."""
        self._watchdog.close()
        self._give_up()
        await self._answer.close()

    def conclude(self) -> None:
        """The answer was whole and is what was asked for."""
        if self._filtered is None:
            self.settle(Outcome.OK)
        else:
            self.settle(self._filtered.outcome, self._filtered)

    def settle(self, outcome: Outcome, error: ProviderError | None = None) -> None:
        abandoned = outcome in (Outcome.CANCELLED, Outcome.TIMEOUT)
        self._meter.settle(outcome, error, estimate=lambda: self._estimate(abandoned=abandoned))

    def _lost(self, error: ProviderError) -> ProviderError:
        """A connection that breaks within the answer has cut it."""
        if error.outcome is Outcome.CONNECT_ERROR and self._alive:
            return ProviderError(Outcome.CUT, error.detail, status=200, code="connection_lost")
        return error

    def _take(self, batch: Sequence[Frame] | None) -> Sequence[Frame]:
        if batch is None:
            self._end()
            return ()
        for index, frame in enumerate(batch):
            if frame.failure is not None and not self._takes_as_answer(frame):
                self._meter.usage = frame.usage or self._meter.usage
                return self._fail_after(batch[:index], frame.failure)
            if frame.done:
                self._end()
            else:
                self._note(frame)
        if self.finish is not None and self._meter.usage is not None:
            self._end()
        return batch if self._filtered is None or self._ask.verbatim else ()

    def _fail_after(self, good: Sequence[Frame], failure: ProviderError) -> Sequence[Frame]:
        if self.finish is None:
            raise failure
        self._end()
        return good

    def _takes_as_answer(self, frame: Frame) -> bool:
        """What a filter has ended is read on for its usage; given on as it comes, it says so itself."""
        if frame.finish is None:
            return False
        self._filtered = frame.failure
        return True

    def _note(self, frame: Frame) -> None:
        if frame.alive:
            self._waited = 0.0
            if not self._alive:
                self._alive = True
                self._silence, self._means = self._limits.idle_timeout, "idle_timeout"
        if text := frame.text:
            if not self._received:
                self._meter.token()
            self._received += len(text) if text.isascii() else len(text.encode())
        if frame.refused:
            self._refused = True
        if frame.usage is not None:
            self._meter.usage = frame.usage
        if frame.ended:
            self._open_choices.difference_update(frame.ended)
            if not self._open_choices:
                self.finish = frame.finish
                self._silence, self._waited = USAGE_GRACE, 0.0

    def _end(self) -> None:
        if self.finish is None:
            raise ProviderError(Outcome.CUT, "ended without a finish reason", status=200)
        if self._filtered is not None and not self._ask.verbatim:
            raise self._filtered
        if self._refused and not self._received:
            refusal = ProviderError(Outcome.CONTENT_FILTER, "the model refused", status=200, code="refusal")
            if not self._ask.verbatim:
                raise refusal
            self._filtered = refusal
        self.finished = True

    async def drain(self) -> None:
        """After a whole answer: reads on to the end of the body, if it comes soon, to keep the connection."""
        try:
            until = self._clock() + _DRAIN_GRACE
            while not self._answer.ended:
                with self._watchdog.limit(max(0.0, until - self._clock())):
                    await self._answer.read()
        except (TimeoutError, ProviderError):
            return

    def outrun(self) -> None:
        """Another attempt has won. One that was silent for longer than it may has failed by that."""
        self._outrun = self._clock() - self._began > self._limits.first_token_timeout

    def _give_up(self) -> None:
        """Writes the row of an attempt that nobody settles any more."""
        if self._meter.row is not None:
            return
        if self._outrun and not self._alive:
            silence = ProviderError(Outcome.TIMEOUT, "silent for too long", code=SILENCE)
            self.settle(Outcome.TIMEOUT, silence)
        self.settle(Outcome.CANCELLED)

    def _estimate(self, *, abandoned: bool) -> Usage | None:
        """What an attempt used that the provider did not count: nothing, if the provider refused it.

        One that we have `abandoned` was at work all the same, if it had been sent.
        """
        at_work = self._received or self._alive or self.finish is not None
        if not at_work and not (abandoned and self._meter.was_sent):
            return None
        size = request_size(self._ask.request) + len(self._ask.prefill.encode())
        return Usage(_tokens(size), _tokens(self._received), estimated=True)


def _with_patience(limits: Limits, target: Target) -> Limits:
    """A provider's own time to the first token goes before the task's."""
    own = target.first_token_timeout
    return limits if own is None else replace(limits, first_token_timeout=own)


def _tokens(size: int) -> int:
    """About four bytes of UTF-8 make a token, in most languages and models."""
    return -(-size // 4)


def _log(row: Attempt) -> None:
    level = logging.INFO if row.outcome in (Outcome.OK, Outcome.CANCELLED) else logging.WARNING
    if not logger.isEnabledFor(level):
        return
    logger.log(
        level,
        "provider=%s model=%s task=%s outcome=%s status=%s code=%s ms=%.0f request_id=%s",
        row.provider,
        row.model,
        row.task,
        row.outcome,
        row.status,
        row.code,
        row.duration_ms,
        row.request_id,
    )
