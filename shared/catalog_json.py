"""Models as /catalog and /v1/models give them."""

from __future__ import annotations

from decimal import Decimal

from shared.ai.builtin_embedder import BuiltinEmbedder
from shared.ai.model_choice import mixed_price
from shared.ai.model_lists import CAPABILITIES, Listing, Model
from shared.settings import BUILTIN_EMBEDDER
from shared.types import JsonObject, Task

BUILTIN_MODEL: JsonObject = {
    "id": BuiltinEmbedder.model,
    "object": "model",
    "created": 0,
    "owned_by": BUILTIN_EMBEDDER,
    "context_length": None,
}


def model_json(model: Model, task: Task | None = None) -> JsonObject:
    """None is what is not known; prices in US dollars per million tokens, `mixed` for the task's mix."""
    return {
        "id": model.id,
        "gateway": model.provider,
        "name": model.name,
        "context_length": model.context_length,
        "max_output": model.max_output,
        "prices": {
            "input": _number(model.input_price),
            "output": _number(model.output_price),
            "cached": _number(model.cached_price),
            "mixed": _number(mixed_price(model, task)),
        },
        "capabilities": {name: model.has(name) for name in CAPABILITIES},
        "modality": model.modality,
    }


def listing_json(listing: Listing) -> JsonObject:
    """Where a list comes from: `stale` is a live one that is older than half an hour."""
    return {
        "gateway": listing.provider,
        "source": "stale" if listing.stale else listing.source,
        "as_of": None if listing.as_of is None else listing.as_of.isoformat(),
        "models": len(listing.models),
        "skipped": listing.skipped,
    }


def openai_json(listing: Listing, model: Model) -> JsonObject:
    """As OpenAI lists models (https://platform.openai.com/docs/api-reference/models/object).

    The id holds the provider, so that it can be given back as `model`.
    """
    return {
        "id": f"{model.provider}/{model.id}",
        "object": "model",
        "created": 0 if listing.as_of is None else int(listing.as_of.timestamp()),
        "owned_by": model.provider,
        "context_length": model.context_length,
    }


def _number(price: Decimal | None) -> float | None:
    return None if price is None else round(float(price), 9)
