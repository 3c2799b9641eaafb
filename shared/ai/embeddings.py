"""Vectors of texts from a provider's embeddings endpoint."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.ai.calls import Instruments, Meter
from shared.ai.client import Client
from shared.ai.frames import decode_usage
from shared.ai.payload import embedding_payload
from shared.ai.retry import DEADLINE, Move, Standing, decide
from shared.errors import AllProvidersFailed, ApiError, FailedAttempt, ProviderError, ProviderTimeout
from shared.providers import Target
from shared.settings import VECTOR_DIMENSIONS, Limits
from shared.single_flight import SingleFlight
from shared.types import Attempt, CallContext, Cause, Json, JsonObject, Outcome, Usage

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_BATCH_CHARACTERS = 400_000  # OpenAI takes 300,000 tokens a request, all texts together
_CONCURRENT_BATCHES = 4


class ProviderEmbedder:
    """Asks one provider's embedding model, in batches, a few at a time."""

    def __init__(
        self,
        client: Client,
        target: Target,
        *,
        dimensions: int = VECTOR_DIMENSIONS,
        limits: Limits | None = None,
        record: Callable[[Attempt], None],
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._client = client
        self._target = target
        self._dimensions = dimensions
        self._limits = limits or Limits()
        self._instruments = Instruments(record, clock, now)
        self._sleep = sleep
        self._chance = chance
        self._places = asyncio.Semaphore(_CONCURRENT_BATCHES)
        self._flights: SingleFlight[NDArray[np.float32]] = SingleFlight()

    @property
    def model(self) -> str:
        """The name that vectors are stored under: vectors of two names must never be compared."""
        name = f"{self._target.provider.name}/{self._target.model}"
        if self._target.provider.embedding_takes_dimensions and self._dimensions != VECTOR_DIMENSIONS:
            return f"{name}@{self._dimensions}"
        return name

    async def embed(self, texts: Sequence[str], *, context: CallContext) -> NDArray[np.float32]:
        """Shape (texts, 1536), each of length 1, shorter ones padded with zeros; not to be written to.

        A tenant's texts that are being embedded already are not sent again. Raises AllProvidersFailed
        or ProviderTimeout; then no text has a vector.
        """
        asked = (context.tenant_id, *texts)
        return await self._flights.do(asked, lambda: self._embedded(texts, context))

    async def _embedded(self, texts: Sequence[str], context: CallContext) -> NDArray[np.float32]:
        import numpy as np

        deadline = self._instruments.clock() + self._limits.timeout
        batches = list(_batches(texts, self._target.provider.embedding_batch))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._batch(batch, context, deadline)) for batch in batches]
        except* ApiError as failures:
            failure = _first(failures)
        else:
            parts = [task.result() for task in tasks]
            empty = np.zeros((0, VECTOR_DIMENSIONS), dtype=np.float32)
            vectors = np.concatenate([empty, *parts])
            vectors.flags.writeable = False  # several may have got it
            return vectors
        raise failure

    async def _batch(
        self, texts: Sequence[str], context: CallContext, deadline: float
    ) -> NDArray[np.float32]:
        """Retries as a chat does; there is no other target, because models must not be mixed."""
        failed: list[FailedAttempt] = []
        async with self._places:
            while True:
                try:
                    return await self._ask(texts, context, deadline, again=bool(failed))
                except ProviderError as error:
                    wait = self._wait(error, failed, deadline)
                await self._sleep(wait)

    def _wait(self, error: ProviderError, failed: list[FailedAttempt], deadline: float) -> float:
        """Seconds before the next try. Raises the ApiError when there is none."""
        name, model = self._target.provider.name, self._target.model
        failed.append(FailedAttempt(name, model, error.outcome, error.status, error.code))
        standing = Standing(
            tries=len(failed),
            attempts_left=1 + self._limits.max_retries - len(failed),
            targets_left=0,
            time_left=deadline - self._instruments.clock(),
            max_wait=self._limits.max_retry_wait,
            output_sent=False,
        )
        decision = decide(error, standing, chance=self._chance())
        if decision.move is Move.AGAIN:
            return decision.wait
        if {attempt.outcome for attempt in failed} == {Outcome.TIMEOUT}:
            raise ProviderTimeout("the embedding provider did not answer in time", attempts=failed)
        raise AllProvidersFailed(
            "the embedding provider failed", attempts=failed, retry_after=error.retry_after
        )

    async def _ask(
        self, texts: Sequence[str], context: CallContext, deadline: float, *, again: bool
    ) -> NDArray[np.float32]:
        """One attempt, recorded. Raises ProviderError."""
        cause = Cause.RETRY if again else Cause.FIRST
        meter = Meter(self._target, context, self._instruments, streamed=False, cause=cause)

        def estimate() -> Usage | None:
            return _estimate(texts) if meter.was_sent else None

        try:
            document = await self._post(texts, deadline, meter)
            meter.usage = decode_usage(document) or _estimate(texts)
            vectors = _vectors(document, len(texts))
        except ProviderError as error:
            meter.settle(error.outcome, error, estimate=estimate if error.code == DEADLINE else None)
            raise
        except asyncio.CancelledError:
            meter.settle(Outcome.CANCELLED, estimate=estimate)
            raise
        meter.settle(Outcome.OK)
        return vectors

    async def _post(self, texts: Sequence[str], deadline: float, meter: Meter) -> JsonObject:
        payload = embedding_payload(texts, self._target, dimensions=self._dimensions)
        try:
            async with asyncio.timeout(max(0.0, deadline - self._instruments.clock())):
                return await self._client.post(
                    self._target,
                    "/embeddings",
                    payload,
                    connect_timeout=self._limits.connect_timeout,
                    on_sent=meter.sent,
                )
        except TimeoutError:
            raise ProviderError(Outcome.TIMEOUT, "no answer in time", code=DEADLINE) from None


def _batches(texts: Sequence[str], size: int) -> Iterator[Sequence[str]]:
    """At most `size` texts and MAX_BATCH_CHARACTERS characters each."""
    start = characters = 0
    for index, text in enumerate(texts):
        full = index - start >= size or characters + len(text) > MAX_BATCH_CHARACTERS
        if full and index > start:
            yield texts[start:index]
            start, characters = index, 0
        characters += len(text)
    if start < len(texts):
        yield texts[start:]


def _vectors(document: JsonObject, count: int) -> NDArray[np.float32]:
    """The rows in the order of the texts. Raises ProviderError for anything that is not `count` vectors."""
    import numpy as np

    rows = document.get("data")
    if not isinstance(rows, list) or len(rows) != count or not all(isinstance(r, dict) for r in rows):
        raise _wrong("not one vector for each text")
    ordered = sorted(enumerate(rows), key=lambda pair: _place(pair[1].get("index"), pair[0]))
    vectors = np.zeros((count, VECTOR_DIMENSIONS), dtype=np.float32)
    for place, (_, row) in enumerate(ordered):
        vector = _vector(row.get("embedding"))
        if not 0 < vector.size <= VECTOR_DIMENSIONS or not np.isfinite(vector).all():
            raise _wrong("a vector is empty, too wide, or not of numbers")
        vectors[place, : vector.size] = vector
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    np.divide(vectors, lengths, out=vectors, where=lengths > 0)
    return vectors


def _place(index: Json, otherwise: int) -> int:
    return index if isinstance(index, int) else otherwise


def _vector(value: Json) -> NDArray[np.float32]:
    """From a list of numbers, or base64 of little-endian float32."""
    import numpy as np

    try:
        if isinstance(value, str):
            return np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        return np.asarray(value, dtype=np.float32).reshape(-1)
    except (ValueError, TypeError, binascii.Error):
        raise _wrong("a vector cannot be read") from None


def _wrong(detail: str) -> ProviderError:
    return ProviderError(Outcome.PROTOCOL_ERROR, detail, status=200)


def _estimate(texts: Sequence[str]) -> Usage:
    return Usage(input_tokens=-(-sum(len(text.encode()) for text in texts) // 4), estimated=True)


def _first(failures: BaseExceptionGroup[ApiError]) -> ApiError:
    error = failures.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
