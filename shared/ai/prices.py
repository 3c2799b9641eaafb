"""What tokens cost. Exact decimals; None where the price is not known, never 0."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import TypeAlias

from shared.types import Usage

_MILLION = Decimal(1_000_000)

Cost: TypeAlias = Callable[[str, str, Usage], Decimal | None]  # provider, model, usage: US dollars


@dataclass(frozen=True, slots=True)
class Price:
    """US dollars per million tokens."""

    input: Decimal
    output: Decimal
    cached: Decimal  # input tokens that the provider read from its cache
    max_input_tokens: int | None = None  # above that the provider has another scale
    written: Decimal | None = None  # input tokens that the provider put into its cache

    def cost(self, usage: Usage) -> Decimal | None:
        """US dollars. `usage.cached_tokens` and `cache_write_tokens` are part of `usage.input_tokens`."""
        if self.max_input_tokens is not None and usage.input_tokens > self.max_input_tokens:
            return None
        if usage.cache_write_tokens and self.written is None:
            return None
        cached = min(usage.cached_tokens, usage.input_tokens)
        written = min(usage.cache_write_tokens, usage.input_tokens - cached)
        fresh = usage.input_tokens - cached - written
        given = fresh * self.input + cached * self.cached + written * (self.written or 0)
        return (given + usage.output_tokens * self.output) / _MILLION


def cost_usd(provider: str, model: str, usage: Usage) -> Decimal | None:
    """US dollars, or None when the price of this model at this provider is not in prices.json."""
    price = price_of(provider, model)
    return None if price is None else price.cost(usage)


def price_of(provider: str, model: str) -> Price | None:
    """None: prices.json has no row."""
    return _prices().get((provider, model))


@cache
def _prices() -> dict[tuple[str, str], Price]:
    document = json.loads(Path(__file__).with_name("prices.json").read_text(encoding="utf-8"))
    return {
        (provider, model): _price(row)
        for provider, models in document["prices"].items()
        for model, row in models.items()
    }


def _price(row: dict[str, str | int]) -> Price:
    limit = row.get("max_input_tokens")
    return Price(
        input=Decimal(row["input"]),
        output=Decimal(row.get("output", "0")),
        cached=Decimal(row.get("cached", row["input"])),
        max_input_tokens=None if limit is None else int(limit),
        written=Decimal(row["written"]) if "written" in row else None,
    )
