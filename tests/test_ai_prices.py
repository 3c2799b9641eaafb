"""What tokens cost, to the last decimal; and nothing where the price is not known."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.prices import Price, cost_usd
from shared.providers import PROVIDERS
from shared.types import Tier, Usage


def test_input_and_output_are_charged_by_the_million() -> None:
    assert cost_usd("openai", "gpt-4o", Usage(1_000_000, 1_000_000)) == Decimal("12.50")
    assert cost_usd("openai", "gpt-4o-mini", Usage(1, 1)) == Decimal("0.00000075")


def test_what_came_from_the_provider_s_cache_is_charged_as_such() -> None:
    assert cost_usd("openai", "gpt-4o", Usage(1_000_000, 0, cached_tokens=400_000)) == Decimal("2.00")


def test_what_went_into_the_provider_s_cache_costs_more() -> None:
    usage = Usage(1_000_000, 0, cached_tokens=200_000, cache_write_tokens=400_000)
    assert cost_usd("anthropic", "claude-haiku-4-5", usage) == Decimal("0.40") + Decimal("0.02") + Decimal(
        "0.50"
    )
    assert cost_usd("openai", "gpt-4o", usage) is None


def test_an_unknown_price_is_none_and_never_zero() -> None:
    assert cost_usd("openai", "gpt-unheard-of", Usage(10, 10)) is None
    assert cost_usd("together", "gpt-4o", Usage(10, 10)) is None
    assert cost_usd("local", "llama3.1", Usage(10, 10)) is None


def test_beyond_the_known_scale_the_cost_is_not_known() -> None:
    assert cost_usd("anthropic", "claude-sonnet-4-5", Usage(200_000, 1)) is not None
    assert cost_usd("anthropic", "claude-sonnet-4-5", Usage(200_001, 1)) is None


@pytest.mark.parametrize("name", [name for name in PROVIDERS if name != "local"])
def test_every_default_model_has_a_price(name: str) -> None:
    for tier in Tier:
        assert cost_usd(name, PROVIDERS[name].models[tier], Usage(1, 1)) is not None


@given(st.integers(0, 10**7), st.integers(0, 10**7), st.integers(0, 10**8))
def test_no_cost_is_negative_and_more_tokens_never_cost_less(given_: int, made: int, cached: int) -> None:
    price = Price(Decimal("2.50"), Decimal("10"), Decimal("1.25"))
    cost = price.cost(Usage(given_, made, cached))
    more = price.cost(Usage(given_ + 1, made + 1, cached))
    assert cost is not None
    assert more is not None
    assert 0 <= cost < more
