"""What models there are: of every provider, the list it gives itself, or the one shipped with us.

A list is good for half an hour. After that it is still given, at once, while a new one is asked for in
the background; never two at a time, and with growing rests while the provider does not answer. What a
live list does not say of a model (OpenAI's gives ids alone) is taken from the snapshot.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

from shared.ai.client import Client
from shared.ai.model_lists import Listing, Model, UnknownForm, from_modality, other_names, parse_models
from shared.ai.prices import Price, price_of
from shared.errors import ProviderError
from shared.providers import Target
from shared.types import Outcome, Usage

log = logging.getLogger("marginalia.catalog")

MAX_AGE = 30 * 60.0  # seconds
FIRST_WAIT = 3.0  # seconds that the first list of a provider is waited for
_FETCH_TIMEOUT = 20.0
_CONNECT_TIMEOUT = 5.0
_FIRST_REST = 15.0  # seconds until a provider that failed is asked again; doubled each time


@dataclass(slots=True)
class _Shelf:
    """What is kept of one provider."""

    listing: Listing | None = None  # a live one
    fetched: float = 0.0
    rest_until: float = 0.0
    failures: int = 0
    fetching: asyncio.Task[None] | None = None

    def note(self, answered: bool, now: float) -> None:
        """How a request for the list ended; the rests of a provider that does not answer grow."""
        if answered:
            self.fetched, self.failures = now, 0
        else:
            self.rest_until = now + min(MAX_AGE, _FIRST_REST * 2.0 ** min(self.failures, 10))
            self.failures += 1


@dataclass(frozen=True, slots=True)
class Clocks:
    monotonic: Callable[[], float] = time.monotonic  # seconds
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))


class Catalog:
    """For one event loop. `targets`: the providers that can be asked for their lists."""

    def __init__(
        self, client: Client, targets: Mapping[str, Target], *, clocks: Clocks | None = None
    ) -> None:
        self._client = client
        self._targets = targets
        self._clocks = clocks or Clocks()
        self._shelves = {name: _Shelf() for name in targets}

    @property
    def providers(self) -> Sequence[str]:
        """Those that can be asked, in order."""
        return list(self._targets)

    # --- from what is loaded --------------------------------------------------------------------

    def context_length(self, provider: str, model: str) -> int | None:
        """Tokens; None where it is not known."""
        found = self.find(provider, model)
        return None if found is None else found.context_length

    def find(self, provider: str, model: str) -> Model | None:
        """None: not in the list that is loaded."""
        return self.loaded(provider).find(model)

    def cost(self, provider: str, model: str, usage: Usage) -> Decimal | None:
        """US dollars: by prices.json, else by the provider's own list if that is loaded; None: not known."""
        listed = price_of(provider, model)
        if listed is not None:
            return listed.cost(usage)
        found = self.find(provider, model)
        if found is None or found.input_price is None:
            return None
        output = Decimal(0) if found.has("embeddings") else found.output_price
        if output is None:
            return None
        cached = found.input_price if found.cached_price is None else found.cached_price
        return Price(found.input_price, output, cached).cost(usage)

    def loaded(self, provider: str) -> Listing:
        """The list there is, of whatever age: asks nobody."""
        shelf = self._shelves.get(provider)
        if shelf is None or shelf.listing is None:
            return shipped(provider)
        old = self._clocks.monotonic() - shelf.fetched >= MAX_AGE
        return replace(shelf.listing, stale=True) if old else shelf.listing

    # --- asking ---------------------------------------------------------------------------------

    def listing(self, provider: str) -> Listing:
        """The list there is, at once. An old one is renewed in the background."""
        self._renew(provider)
        return self.loaded(provider)

    def warm(self) -> None:
        """Every list is asked for, behind the scenes: prices and contexts that only they know."""
        for provider in self._targets:
            self._renew(provider)

    async def first(self, provider: str, *, wait: float = FIRST_WAIT) -> Listing:
        """As `listing`, but while there is no live list yet one is waited for, at most `wait` seconds."""
        fetching = self._renew(provider)
        if fetching is not None and self._shelves[provider].listing is None:
            await asyncio.wait({fetching}, timeout=wait)
        return self.loaded(provider)

    async def aclose(self) -> None:
        """Ends what is under way in the background."""
        tasks = [shelf.fetching for shelf in self._shelves.values() if shelf.fetching is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _renew(self, provider: str) -> asyncio.Task[None] | None:
        """The request for a new list, if one is under way or is due now."""
        shelf = self._shelves.get(provider)
        if shelf is None or shelf.fetching is not None:
            return None if shelf is None else shelf.fetching
        now = self._clocks.monotonic()
        fresh = shelf.listing is not None and now - shelf.fetched < MAX_AGE
        if fresh or now < shelf.rest_until:
            return None
        shelf.fetching = asyncio.create_task(self._fetch(provider, shelf), name=f"models of {provider}")
        return shelf.fetching

    async def _fetch(self, provider: str, shelf: _Shelf) -> None:
        answered = False
        try:
            shelf.listing = await self._ask(self._targets[provider])
            answered = True
        except ProviderError as error:
            log.warning("no list of models: provider=%s outcome=%s", provider, error.outcome.value)
        finally:
            shelf.fetching = None
            shelf.note(answered, self._clocks.monotonic())

    async def _ask(self, target: Target) -> Listing:
        """Raises ProviderError."""
        try:
            async with asyncio.timeout(_FETCH_TIMEOUT):
                document = await self._client.get(
                    target, target.provider.models_path, connect_timeout=_CONNECT_TIMEOUT
                )
        except TimeoutError:
            raise ProviderError(Outcome.TIMEOUT, "no list of models in time") from None
        provider = target.provider.name
        try:
            found = parse_models(provider, document)
        except UnknownForm as problem:
            raise ProviderError(Outcome.PROTOCOL_ERROR, str(problem), status=200) from None
        known = shipped(provider).models
        models = {
            model_id: _priced(_completed(model, known.get(model_id)))
            for model_id, model in found.models.items()
        }
        return Listing(
            provider,
            models,
            "live",
            self._clocks.now(),
            skipped=found.skipped,
            other_names=other_names(models),
        )


def _completed(live: Model, known: Model | None) -> Model:
    """What the live list leaves open, from the snapshot."""
    if known is None:
        return live
    return replace(
        live,
        name=live.name or known.name,
        context_length=live.context_length or known.context_length,
        max_output=live.max_output or known.max_output,
        modality=live.modality or known.modality,
        capabilities={**known.capabilities, **live.capabilities},
    )


def _priced(model: Model) -> Model:
    """With the prices of prices.json where the provider's list has none."""
    listed = price_of(model.provider, model.id)
    if listed is None or model.input_price is not None or model.output_price is not None:
        return model
    output = None if model.has("embeddings") else listed.output
    return replace(model, input_price=listed.input, output_price=output, cached_price=listed.cached)


# --- the snapshot ---------------------------------------------------------------------------------


@cache
def shipped(provider: str) -> Listing:
    """The models of a provider that this version knew when it was made; none for a provider it did not."""
    snapshot = _snapshot()
    rows = snapshot["models"].get(provider)
    if rows is None:
        return Listing(provider, {}, "snapshot", None)
    as_of = datetime.fromisoformat(snapshot["as_of"]).replace(tzinfo=UTC)
    models = {model_id: _shipped(provider, model_id, row) for model_id, row in rows.items()}
    return Listing(provider, models, "snapshot", as_of)


@cache
def _snapshot() -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads(
        Path(__file__).with_name("catalog_snapshot.json").read_text(encoding="utf-8")
    )
    return document


def _shipped(provider: str, model_id: str, row: Mapping[str, Any]) -> Model:
    return _priced(
        Model(
            provider,
            model_id,
            context_length=row.get("context_length"),
            max_output=row.get("max_output"),
            modality=row.get("modality"),
            capabilities={
                **from_modality(row.get("modality")),
                **dict.fromkeys(row.get("can", ()), True),
                **dict.fromkeys(row.get("cannot", ()), False),
            },
        )
    )
