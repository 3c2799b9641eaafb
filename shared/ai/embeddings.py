"""Vectors of texts from a provider's embeddings endpoint."""

from __future__ import annotations

import asyncio
import base64
import binascii
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from shared.ai.calls import Instruments
from shared.ai.client import Client
from shared.ai.embedding_calls import Batch, EmbeddingCalls, estimated, first_of, in_batches, wrong
from shared.ai.payload import embedding_payload
from shared.ai.prices import Cost, cost_usd
from shared.errors import AllProvidersFailed, ApiError, FailedAttempt, ProviderError, ProviderTimeout
from shared.providers import Target
from shared.settings import VECTOR_DIMENSIONS, Limits
from shared.single_flight import SingleFlight
from shared.types import Attempt, CallContext, Json, Outcome

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
        cost: Cost = cost_usd,
    ) -> None:
        self._target = target
        self._dimensions = dimensions
        self._limits = limits or Limits()
        self._clock = clock
        self._calls = EmbeddingCalls(
            client, Instruments(record, clock, now, cost), self._limits, _vector, _given_up, sleep, chance
        )
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

        deadline = self._clock() + self._limits.timeout
        batches = list(in_batches(texts, self._target.provider.embedding_batch, len))
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(self._batch(batch, context, deadline)) for batch in batches]
        except* ApiError as failures:
            failure = first_of(failures)
        else:
            vectors = np.zeros((len(texts), VECTOR_DIMENSIONS), dtype=np.float32)
            for place, vector in enumerate(vector for task in tasks for vector in task.result()):
                vectors[place, : vector.size] = vector
            lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
            np.divide(vectors, lengths, out=vectors, where=lengths > 0)
            vectors.flags.writeable = False  # several may have got it
            return vectors
        raise failure

    async def _batch(
        self, texts: Sequence[str], context: CallContext, deadline: float
    ) -> Sequence[NDArray[np.float32]]:
        batch = Batch(
            lambda target: embedding_payload(texts, target, dimensions=self._dimensions),
            len(texts),
            estimated(sum(len(text.encode()) for text in texts)),
        )
        async with self._places:
            found = await self._calls.ask(batch, [self._target], context=context, deadline=deadline)
        return found.vectors


def _given_up(failed: Sequence[FailedAttempt], last: ProviderError) -> ApiError:
    if {attempt.outcome for attempt in failed} == {Outcome.TIMEOUT}:
        return ProviderTimeout("the embedding provider did not answer in time", attempts=failed)
    return AllProvidersFailed("the embedding provider failed", attempts=failed, retry_after=last.retry_after)


def _vector(value: Json) -> NDArray[np.float32]:
    """From a list of numbers, or base64 of little-endian float32. Raises ProviderError."""
    import numpy as np

    try:
        if isinstance(value, str):
            vector = np.frombuffer(base64.b64decode(value, validate=True), dtype="<f4")
        else:
            vector = np.asarray(value, dtype=np.float32).reshape(-1)
    except (ValueError, TypeError, binascii.Error):
        raise wrong("a vector cannot be read") from None
    if not 0 < vector.size <= VECTOR_DIMENSIONS or not np.isfinite(vector).all():
        raise wrong("a vector is empty, too wide, or not of numbers")
    return vector
