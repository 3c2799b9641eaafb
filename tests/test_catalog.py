"""The catalogue keeps lists for half an hour, and never makes anybody wait for a list it has."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.ai.catalog import MAX_AGE, Catalog, Clocks, shipped
from shared.ai.client import Client
from shared.ai.prices import price_of
from shared.providers import PROVIDERS, Target
from shared.types import Tier, Usage
from tests.simulator import Reply, Simulator

NOW = datetime(2026, 11, 1, tzinfo=UTC)


class Time:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def listed(*ids: str, **fields: Any) -> Reply:
    body = json.dumps({"data": [{"id": name, **fields} for name in ids]}).encode()
    return Reply(body=body, content_type="application/json")


@asynccontextmanager
async def catalogue(provider: str = "openai") -> AsyncIterator[tuple[Catalog, Simulator, Time]]:
    async with Simulator() as simulator:
        clock, client = Time(), Client()
        target = Target(PROVIDERS[provider], "m", simulator.base_url, "key-of-test")
        catalog = Catalog(client, {provider: target}, clocks=Clocks(clock, lambda: NOW))
        try:
            yield catalog, simulator, clock
        finally:
            await catalog.aclose()
            await client.aclose()


async def settled(catalog: Catalog, provider: str = "openai") -> None:
    """Until what is under way in the background has ended."""
    await catalog.first(provider, wait=5.0)
    for task in [task for task in asyncio.all_tasks() if task.get_name().startswith("models of")]:
        await task


async def test_without_a_network_the_snapshot_answers() -> None:
    async with catalogue() as (catalog, simulator, _):
        found = catalog.loaded("openai")
        assert (found.source, found.stale) == ("snapshot", False)
        assert "gpt-4o" in found.models
        assert catalog.context_length("openai", "gpt-4o") == 128000
        assert catalog.context_length("openai", "gpt-nobody-knows") is None
        assert catalog.context_length("nobody", "x") is None
        assert simulator.requests == []


async def test_the_first_list_is_waited_for_and_then_kept_for_half_an_hour() -> None:
    async with catalogue() as (catalog, simulator, clock):
        simulator.script(listed("gpt-4o", "gpt-new", context_length=5))
        found = await catalog.first("openai")
        assert (found.source, found.as_of, list(found.models)) == ("live", NOW, ["gpt-4o", "gpt-new"])
        clock.now += MAX_AGE - 1
        assert (await catalog.first("openai")).stale is False
        (request,) = simulator.requests
        assert (request.method, request.path) == ("GET", "/v1/models")
        assert request.headers["authorization"] == "Bearer key-of-test"


async def test_an_old_list_is_given_at_once_while_one_request_renews_it() -> None:
    async with catalogue() as (catalog, simulator, clock):
        simulator.script(listed("old"), replace(listed("new"), delay=0.1))
        await catalog.first("openai")
        clock.now += MAX_AGE
        for _ in range(5):
            found = catalog.listing("openai")
            assert (list(found.models), found.stale) == (["old"], True)
        assert list((await catalog.first("openai")).models) == ["old"], "nobody waits for what there is"
        await settled(catalog)
        assert (list(catalog.loaded("openai").models), catalog.loaded("openai").stale) == (["new"], False)
        assert len(simulator.requests) == 2


async def test_a_silent_provider_holds_up_nobody_for_long() -> None:
    async with catalogue() as (catalog, simulator, _):
        simulator.script(Reply(before_headers="stall"))
        found = await asyncio.wait_for(catalog.first("openai", wait=0.05), 5)
        assert found.source == "snapshot"
        await catalog.aclose()
        await asyncio.wait_for(simulator.requests[0].client_left.wait(), 5)


@pytest.mark.parametrize(
    "bad",
    [
        Reply(status=500),
        Reply(status=401),
        Reply(body=b"<html>", content_type="text/html"),
        Reply(body=b'{"data": 7}'),
        Reply(body=b"{"),
        Reply(body=b'{"error": {"message": "no"}}'),
        Reply(before_headers="reset"),
    ],
    ids=["500", "401", "a page", "no list", "cut", "an error", "reset"],
)
async def test_a_provider_that_fails_is_left_in_peace_for_longer_and_longer(bad: Reply) -> None:
    async with catalogue() as (catalog, simulator, clock):
        simulator.script(bad, bad, listed("new"))
        assert (await catalog.first("openai")).source == "snapshot"
        await catalog.first("openai")
        assert len(simulator.requests) == 1, "it rests"
        clock.now += 15
        await catalog.first("openai")
        clock.now += 15
        await catalog.first("openai")
        assert len(simulator.requests) == 2, "twice as long"
        clock.now += 15
        assert list((await catalog.first("openai")).models) == ["new"]


async def test_what_fails_later_leaves_the_old_list_and_says_that_it_is_old() -> None:
    async with catalogue() as (catalog, simulator, clock):
        simulator.script(listed("old"), Reply(status=500))
        await catalog.first("openai")
        clock.now += MAX_AGE
        catalog.listing("openai")
        await settled(catalog)
        found = catalog.loaded("openai")
        assert (list(found.models), found.source, found.stale) == (["old"], "live", True)


async def test_what_a_live_list_leaves_open_comes_from_the_snapshot_and_the_prices() -> None:
    async with catalogue() as (catalog, simulator, _):
        simulator.script(listed("gpt-4o"))
        model = (await catalog.first("openai")).models["gpt-4o"]
        known = price_of("openai", "gpt-4o")
        assert known is not None
        assert (model.context_length, model.has("tools")) == (128000, True)
        assert (model.input_price, model.output_price) == (known.input, known.output)


async def test_what_a_live_list_says_goes_before_the_snapshot() -> None:
    async with catalogue("together") as (catalog, simulator, _):
        name = "meta-llama/Llama-3.3-70B-Instruct-Turbo"
        simulator.script(listed(name, type="chat", context_length=77, pricing={"input": 9, "output": 9.5}))
        model = (await catalog.first("together")).models[name]
        assert (model.context_length, model.input_price, model.output_price) == (77, 9, Decimal("9.5"))


async def test_what_prices_json_does_not_know_costs_what_the_provider_s_list_says() -> None:
    used = Usage(input_tokens=1_000_000, output_tokens=500_000, cached_tokens=200_000)
    async with catalogue("together") as (catalog, simulator, _):
        assert catalog.cost("together", "new", used) is None
        simulator.script(listed("new", "Qwen/Qwen2.5-Coder-32B-Instruct", pricing={"input": 2, "output": 4}))
        await catalog.first("together")
        assert catalog.cost("together", "new", used) == Decimal(4)
        listed_price = price_of("together", "Qwen/Qwen2.5-Coder-32B-Instruct")
        assert listed_price is not None
        assert catalog.cost("together", "Qwen/Qwen2.5-Coder-32B-Instruct", used) == listed_price.cost(used)
        assert catalog.cost("openai", "nobody-knows", used) is None


async def test_a_server_asks_for_its_lists_before_anybody_needs_them() -> None:
    async with catalogue() as (catalog, simulator, _):
        simulator.script(listed("new"))
        catalog.warm()
        catalog.warm()
        await settled(catalog)
        assert catalog.find("openai", "new") is not None
        assert len(simulator.requests) == 1


async def test_names_that_a_provider_takes_and_does_not_list_are_known() -> None:
    async with catalogue("anthropic") as (catalog, simulator, _):
        simulator.models = ["claude-haiku-4-5-20251001", "claude-haiku-4-5-20250901", "claude-sonnet-5"]
        found = await catalog.first("anthropic")
        assert found.source == "live"
        model = found.find("claude-haiku-4-5")
        assert model is not None
        assert (model.id, model.context_length) == ("claude-haiku-4-5-20251001", 200000)
        assert found.find("claude-haiku") is None
        (request,) = simulator.requests
        assert request.path == "/v1/models?limit=1000"
        assert request.headers["x-api-key"] == "key-of-test"
        assert "anthropic-version" in request.headers
    async with catalogue("local") as (catalog, simulator, _):
        simulator.models = ["llama3.1:latest", "qwen2.5-coder:7b"]
        found = await catalog.first("local")
        assert found.find("llama3.1") is not None
        assert found.find("qwen2.5-coder") is None


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, 1.0, 14.0, 16.0, 600.0, MAX_AGE]), st.booleans(), st.booleans()),
        max_size=12,
    )
)
@settings(max_examples=25, deadline=None)
def test_whatever_comes_the_last_good_list_stays_and_nobody_is_pestered(
    steps: list[tuple[float, bool, bool]],
) -> None:
    """Each step: seconds that pass, whether the provider answers well, whether the asker waits."""

    async def play() -> None:
        async with catalogue() as (catalog, simulator, clock):
            good: list[str] | None = None
            asked: list[tuple[float, bool]] = []  # when, and whether it went well
            for number, (seconds, well, waits) in enumerate(steps):
                clock.now += seconds
                simulator.models = [f"model-{number}"] if well else [None]  # type: ignore[list-item]  # no id
                seen = len(simulator.requests)
                found = await catalog.first("openai", wait=5.0) if waits else catalog.listing("openai")
                if good is not None and not waits:
                    assert list(found.models) == good
                await settled(catalog)
                assert len(simulator.requests) - seen <= 1
                if len(simulator.requests) > seen:
                    if asked:
                        before, went_well = asked[-1]
                        assert clock.now - before >= (MAX_AGE if went_well else 15)
                    asked.append((clock.now, well))
                    good = [f"model-{number}"] if well else good
                kept = catalog.loaded("openai")
                assert kept.source == ("snapshot" if good is None else "live")
                assert good is None or list(kept.models) == good

    asyncio.run(play())


def test_the_snapshot_knows_every_model_that_is_asked_unless_another_is_named() -> None:
    for row in PROVIDERS.values():
        if row.name == "local":  # whatever its owner has loaded
            continue
        names = {row.models[tier] for tier in Tier} | ({row.embedding_model} - {None})
        assert names <= set(shipped(row.name).models), row.name


def test_the_snapshot_says_when_and_by_whom() -> None:
    listing = shipped("openai")
    assert listing.as_of is not None
    assert datetime(2026, 6, 1, tzinfo=UTC) < listing.as_of
    assert shipped("nobody").as_of is None
    for name in PROVIDERS:
        for model in shipped(name).models.values():
            assert (model.has("chat") is True) != (model.has("embeddings") is True), model.id
            assert model.context_length is None or model.context_length >= 512
