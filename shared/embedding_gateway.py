"""`/v1/embeddings` without HTTP (https://platform.openai.com/docs/api-reference/embeddings/create).

The body goes to the provider as it came, in as many requests as that one's batches need. An embedding
never comes from another model than the one asked for: only a provider that lists the very same model
takes over. The embedder built in is the provider `builtin`, and needs no key.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
import random
import struct
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

from shared.addressing import Addressing
from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.ai.embedding_calls import Batch, EmbeddingCalls, Vectors, estimated, first_of, in_batches, wrong
from shared.ai.verdict import verdict
from shared.errors import ApiError, FailedAttempt, InvalidRequest, NotConfigured, ProviderError
from shared.settings import BUILTIN_EMBEDDER, VECTOR_DIMENSIONS
from shared.types import CallContext, Json, JsonObject, Outcome, StreamStart, Task, Tier

if TYPE_CHECKING:
    from shared.ai.calls import Instruments
    from shared.ai.catalog import Catalog
    from shared.ai.client import Client
    from shared.ledger import Ledger
    from shared.providers import Provider, Target
    from shared.settings import Settings
    from shared.tasks.asking import Call

MAX_INPUTS = 2048  # as OpenAI has it
MAX_DIMENSIONS = 65_536
_CONCURRENT_BATCHES = 4
_BUILTIN_MODEL = BuiltinEmbedder.model.removeprefix(f"{BUILTIN_EMBEDDER}/")

Text: TypeAlias = str | list[int]  # a text, or the numbers of its tokens


@dataclass(frozen=True, slots=True)
class AskedEmbedding:
    """A body of OpenAI's form, checked."""

    body: Mapping[str, Json]  # without what is said here
    provider: str
    model: str
    texts: Sequence[Text]
    base64: bool
    dimensions: int | None

    @property
    def tokens(self) -> bool:
        return not isinstance(self.texts[0], str)


@dataclass(frozen=True, slots=True)
class _Made:
    """All the vectors of a request."""

    start: StreamStart  # who made them
    model: str
    vectors: Sequence[Sequence[float]]
    tokens: int


class EmbeddingGateway:
    def __init__(
        self,
        *,
        settings: Settings,
        client: Client,
        instruments: Instruments,
        catalog: Catalog,
        ledger: Ledger,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._catalog = catalog
        self._ledger = ledger
        self._limits = settings.tasks[Task.GATEWAY].limits
        self._clock = instruments.clock
        self._calls = EmbeddingCalls(client, instruments, self._limits, vector, _given_up, sleep, chance)
        self._rows = {name: tiers[Tier.QUALITY] for name, tiers in settings.access.items()}
        defaults = {name: target.provider.embedding_model for name, target in self._rows.items()}
        self._addressing = Addressing(settings, catalog, {**defaults, BUILTIN_EMBEDDER: _BUILTIN_MODEL})

    async def embed(self, call: Call, body: JsonObject) -> tuple[StreamStart, JsonObject]:
        """Who made the vectors, and the answer in OpenAI's form.

        Raises InvalidRequest for a wrong body and for what the provider finds wrong, NotFound,
        NotConfigured, and as `Router.stream` when nobody answers.
        """
        asked = await self._asked(body)
        builtin = asked.provider == BUILTIN_EMBEDDER
        made = await (_built_in(asked) if builtin else self._by_provider(call, asked))
        if asked.dimensions is not None and len(made.vectors[0]) != asked.dimensions:
            raise InvalidRequest(
                f"dimensions is {asked.dimensions}; {made.start.provider}/{made.model} makes vectors of "
                f"{len(made.vectors[0])}",
                param="dimensions",
            )
        return made.start, _answer(made, as_base64=asked.base64)

    async def _asked(self, body: JsonObject) -> AskedEmbedding:
        texts = _texts(body.get("input"))
        encoding = body.get("encoding_format", "float")
        if encoding not in ("float", "base64"):
            raise InvalidRequest(
                f"encoding_format is {str(encoding)[:40]!r}; allowed are float, base64",
                param="encoding_format",
            )
        dimensions = body.get("dimensions")
        if dimensions is not None and (type(dimensions) is not int or not 1 <= dimensions <= MAX_DIMENSIONS):
            raise InvalidRequest(
                f"dimensions should be a whole number from 1 to {MAX_DIMENSIONS}", param="dimensions"
            )
        provider, model = self._addressing.named(body) or await self._addressing.placed(body["model"])
        own = {"model", "input", "encoding_format"} | (
            {"provider"} if isinstance(body.get("provider"), str) else set()
        )
        rest = {name: value for name, value in body.items() if name not in own}
        return AskedEmbedding(rest, provider, model, texts, encoding == "base64", dimensions)

    # --- a provider's ---------------------------------------------------------------------------

    async def _by_provider(self, call: Call, asked: AskedEmbedding) -> _Made:
        targets = self._targets(asked)
        context = CallContext(call.request_id, call.caller.tenant_id, Task.GATEWAY)
        deadline = self._clock() + self._limits.timeout
        places = asyncio.Semaphore(_CONCURRENT_BATCHES)

        async def batch(texts: Sequence[Text]) -> Vectors[Sequence[float]]:
            async with places:
                return await self._calls.ask(
                    _batch(asked, texts), targets, context=context, deadline=deadline
                )

        size = min(target.provider.embedding_batch for target in targets)
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(batch(texts)) for texts in in_batches(asked.texts, size, _size)]
        except* ApiError as failures:
            failure = first_of(failures)
        else:
            return _joined([task.result() for task in tasks])
        finally:
            await self._ledger.settle()
        raise failure

    def _targets(self, asked: AskedEmbedding) -> list[Target]:
        """The provider that was named, then those that list the very same model. Raises ApiError."""
        if self._settings.offline == "only":
            raise NotConfigured("AI_OFFLINE is `only`: no provider is asked")
        named = self._rows[asked.provider]
        _check_row(named.provider, asked)
        others = [
            target
            for name, target in self._rows.items()
            if name != asked.provider
            and target.configured
            and target.provider.embedding_model is not None
            and (target.provider.embedding_takes_tokens or not asked.tokens)
            and self._catalog.find(name, asked.model) is not None
        ]
        targets = [replace(target, model=asked.model) for target in (named, *others) if target.ready]
        if not targets:
            raise NotConfigured(f"{asked.provider} has no key: set {named.provider.variable_prefix}_API_KEY")
        return targets


def _check_row(row: Provider, asked: AskedEmbedding) -> None:
    if row.embedding_model is None:
        raise InvalidRequest(f"{row.name} has no embeddings", param="model")
    if asked.tokens and not row.embedding_takes_tokens:
        raise InvalidRequest(f"{row.name} takes texts, not numbers of tokens", param="input")


def _batch(asked: AskedEmbedding, texts: Sequence[Text]) -> Batch:
    def payload(target: Target) -> JsonObject:
        encoding = {"encoding_format": "base64"} if target.provider.embedding_base64 else {}
        return {**asked.body, "model": target.model, "input": list(texts), **encoding}

    return Batch(payload, len(texts), estimated(sum(map(_size, texts))))


def _joined(parts: Sequence[Vectors[Sequence[float]]]) -> _Made:
    first = parts[0]
    return _Made(
        StreamStart(first.target.provider.name, first.target.model),
        first.model or first.target.model,
        [vector for part in parts for vector in part.vectors],
        sum(part.usage.input_tokens for part in parts),
    )


def _given_up(failed: Sequence[FailedAttempt], last: ProviderError) -> ApiError:
    if last.outcome is Outcome.BAD_REQUEST:
        return InvalidRequest(
            last.said or "the provider finds the request wrong", param=last.param, attempts=failed
        )
    outcomes = {attempt.outcome for attempt in failed}
    kind, message = verdict(outcomes, last.outcome, passed_through=True)
    return kind(message, attempts=failed, retry_after=last.retry_after)


# --- the embedder built in ------------------------------------------------------------------------


async def _built_in(asked: AskedEmbedding) -> _Made:
    """Raises InvalidRequest."""
    if asked.model != _BUILTIN_MODEL:
        raise InvalidRequest(
            f"model is {asked.model[:60]!r}; {BUILTIN_EMBEDDER} has {_BUILTIN_MODEL}", param="model"
        )
    texts = [text for text in asked.texts if isinstance(text, str)]
    if len(texts) < len(asked.texts):
        raise InvalidRequest(f"{BUILTIN_EMBEDDER} takes texts, not numbers of tokens", param="input")
    if asked.dimensions not in (None, VECTOR_DIMENSIONS):
        raise InvalidRequest(
            f"dimensions is {asked.dimensions}; {BUILTIN_EMBEDDER} makes vectors of {VECTOR_DIMENSIONS}",
            param="dimensions",
        )
    vectors = await BuiltinEmbedder().embed(texts)
    tokens = estimated(sum(map(_size, texts))).input_tokens
    return _Made(StreamStart(BUILTIN_EMBEDDER, asked.model), asked.model, vectors.tolist(), tokens)


# --- OpenAI's form --------------------------------------------------------------------------------


def _texts(given: Json) -> Sequence[Text]:
    """Raises InvalidRequest."""
    texts = [given] if isinstance(given, str) or _are_tokens(given) else given
    if not isinstance(texts, list) or not texts:
        raise InvalidRequest(
            "input should be a text, a list of texts, or tokens as a list of numbers or of such lists",
            param="input",
        )
    if len(texts) > MAX_INPUTS:
        raise InvalidRequest(f"input holds {len(texts)} texts; at most {MAX_INPUTS}", param="input")
    kinds = {str if isinstance(text, str) and text else list if _are_tokens(text) else None for text in texts}
    if None in kinds or len(kinds) > 1:
        place = next((n for n, text in enumerate(texts) if not text), None)
        empty = "" if place is None else f"; number {place} is empty"
        raise InvalidRequest(f"input should hold texts alone, or lists of tokens alone{empty}", param="input")
    return texts


def _are_tokens(value: Json) -> bool:
    return isinstance(value, list) and bool(value) and all(type(token) is int for token in value)


def _size(text: Text) -> int:
    """Bytes, about; of a token as of an average one."""
    return len(text.encode("utf-8", "surrogatepass")) if isinstance(text, str) else 4 * len(text)


def vector(value: Json) -> Sequence[float]:
    """From a list of numbers, or base64 of little-endian float32. Raises ProviderError."""
    try:
        numbers: Sequence[float] = value
        if isinstance(value, str):
            data = base64.b64decode(value, validate=True)
            numbers = struct.unpack(f"<{len(data) // 4}f", data)
        elif not isinstance(value, list) or not all(type(number) in (int, float) for number in value):
            raise wrong("a vector cannot be read")
        if numbers and all(map(math.isfinite, numbers)):
            return numbers
    except (ValueError, OverflowError, binascii.Error, struct.error):
        raise wrong("a vector cannot be read") from None
    raise wrong("a vector is empty, or not of finite numbers")


def _answer(made: _Made, *, as_base64: bool) -> JsonObject:
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": _packed(found) if as_base64 else list(found)}
            for index, found in enumerate(made.vectors)
        ],
        "model": made.model,
        "usage": {"prompt_tokens": made.tokens, "total_tokens": made.tokens},
    }


def _packed(numbers: Sequence[float]) -> str:
    """Base64 of little-endian float32; what is too large for one becomes the largest there is."""
    largest = 3.4028234663852886e38
    kept = [max(-largest, min(largest, number)) for number in numbers]
    return base64.b64encode(struct.pack(f"<{len(kept)}f", *kept)).decode()
