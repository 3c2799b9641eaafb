"""One request for vectors, asked again as a chat is, and of nobody who has another model.

Vectors of two models mean nothing to each other. So there is no fallback but to a provider that has
the very same model, and the caller says who that is.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from shared.ai.calls import Instruments, Meter
from shared.ai.client import Client
from shared.ai.retry import DEADLINE, Move, Standing, decide
from shared.ai.usage_fields import decode_usage
from shared.errors import ApiError, FailedAttempt, ProviderError
from shared.providers import Target
from shared.settings import Limits
from shared.types import CallContext, Cause, Json, JsonObject, Outcome, Usage

MAX_BATCH_CHARACTERS = 400_000  # OpenAI takes 300,000 tokens a request, all texts together

T = TypeVar("T")
S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class Batch:
    """What one request asks: as many vectors as `count`."""

    payload: Callable[[Target], JsonObject]
    count: int
    estimate: Usage  # of what it takes, for a provider that does not count


@dataclass(frozen=True, slots=True)
class Vectors(Generic[T]):
    """In the order of what was asked."""

    target: Target  # who made them
    vectors: Sequence[T]
    usage: Usage
    model: str | None  # as the provider named it


@dataclass(frozen=True, slots=True)
class EmbeddingCalls(Generic[T]):
    """`decode` reads one vector, or raises ProviderError; `give_up` makes one error of all failures."""

    client: Client
    instruments: Instruments
    limits: Limits
    decode: Callable[[Json], T]
    give_up: Callable[[Sequence[FailedAttempt], ProviderError], ApiError]
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random

    async def ask(
        self, batch: Batch, targets: Sequence[Target], *, context: CallContext, deadline: float
    ) -> Vectors[T]:
        """`targets` have the same model. Raises what `give_up` makes."""
        failed: list[FailedAttempt] = []
        waiting = list(targets)
        target, tries = waiting.pop(0), 0
        while True:
            tries += 1
            try:
                return await self._once(batch, target, context, deadline, _cause(failed, target, targets))
            except ProviderError as error:
                failed.append(_failed(target, error))
                wait = self._wait(error, failed, tries, len(waiting), len(targets), deadline)
            if wait is None:
                target, tries = waiting.pop(0), 0
            else:
                await self.sleep(wait)

    def _wait(
        self,
        error: ProviderError,
        failed: Sequence[FailedAttempt],
        tries: int,
        left: int,
        targets: int,
        deadline: float,
    ) -> float | None:
        """Seconds before the same provider is asked again; None for the next one. Raises the ApiError."""
        standing = Standing(
            tries=tries,
            attempts_left=max(1 + self.limits.max_retries, targets) - len(failed),
            targets_left=left,
            time_left=deadline - self.instruments.clock(),
            max_wait=self.limits.max_retry_wait,
            output_sent=False,
        )
        decision = decide(error, standing, chance=self.chance())
        if decision.move is Move.STOP or error.outcome is Outcome.BAD_REQUEST:
            raise self.give_up(failed, error)
        return decision.wait if decision.move is Move.AGAIN else None

    async def _once(
        self, batch: Batch, target: Target, context: CallContext, deadline: float, cause: Cause
    ) -> Vectors[T]:
        """One attempt, recorded. Raises ProviderError."""
        meter = Meter(target, context, self.instruments, streamed=False, cause=cause)

        def estimate() -> Usage | None:
            return batch.estimate if meter.was_sent else None

        try:
            document = await self._post(batch, target, deadline, meter)
            meter.usage = decode_usage(document) or batch.estimate
            vectors = [self.decode(value) for value in in_order(document, batch.count)]
        except ProviderError as error:
            meter.settle(error.outcome, error, estimate=estimate if error.code == DEADLINE else None)
            raise
        except asyncio.CancelledError:
            meter.settle(Outcome.CANCELLED, estimate=estimate)
            raise
        meter.settle(Outcome.OK)
        model = document.get("model")
        return Vectors(target, vectors, meter.usage, model if isinstance(model, str) else None)

    async def _post(self, batch: Batch, target: Target, deadline: float, meter: Meter) -> JsonObject:
        try:
            async with asyncio.timeout(max(0.0, deadline - self.instruments.clock())):
                return await self.client.post(
                    target,
                    "/embeddings",
                    batch.payload(target),
                    connect_timeout=self.limits.connect_timeout,
                    on_sent=meter.sent,
                )
        except TimeoutError:
            raise ProviderError(Outcome.TIMEOUT, "no answer in time", code=DEADLINE) from None


def _cause(failed: Sequence[FailedAttempt], target: Target, targets: Sequence[Target]) -> Cause:
    if target is not targets[0]:
        return Cause.FALLBACK
    return Cause.RETRY if failed else Cause.FIRST


def _failed(target: Target, error: ProviderError) -> FailedAttempt:
    return FailedAttempt(target.provider.name, target.model, error.outcome, error.status, error.code)


def in_order(document: JsonObject, count: int) -> list[Json]:
    """The vectors as they were written. Raises ProviderError for anything that is not `count` of them."""
    rows = document.get("data")
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(r, dict) for r in rows):
        raise wrong("not one vector for each text")
    ordered = sorted(enumerate(rows), key=lambda pair: _place(pair[1].get("index"), pair[0]))
    return [row.get("embedding") for _, row in ordered]


def _place(index: Json, otherwise: int) -> int:
    return index if isinstance(index, int) else otherwise


def wrong(detail: str) -> ProviderError:
    return ProviderError(Outcome.PROTOCOL_ERROR, detail, status=200)


def in_batches(items: Sequence[S], count: int, size: Callable[[S], int]) -> Iterator[Sequence[S]]:
    """At most `count` items and, by `size`, MAX_BATCH_CHARACTERS a batch."""
    start = total = 0
    for index, item in enumerate(items):
        full = index - start >= count or total + size(item) > MAX_BATCH_CHARACTERS
        if full and index > start:
            yield items[start:index]
            start, total = index, 0
        total += size(item)
    if start < len(items):
        yield items[start:]


def estimated(size: int) -> Usage:
    """Of a text of so many bytes."""
    return Usage(input_tokens=-(-size // 4), estimated=True)


def first_of(failures: BaseExceptionGroup[ApiError]) -> ApiError:
    """The error that a group of requests failed with."""
    error = failures.exceptions[0]
    return first_of(error) if isinstance(error, BaseExceptionGroup) else error
