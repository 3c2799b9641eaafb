"""/metrics: read by Prometheus' own parser, and true to what happened."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from shared.telemetry.metrics import MAX_MODELS, SECONDS, Metrics
from shared.types import LOCAL_TENANT_ID, Attempt, Outcome, Task, Usage
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator

ROW = Attempt(
    request_id="r",
    tenant_id=LOCAL_TENANT_ID,
    task=Task.GATEWAY,
    provider="together",
    model="m",
    outcome=Outcome.OK,
    usage=Usage(100, 20, 30, 5),
    cost_usd=Decimal("0.25"),
    started_at=datetime(2026, 1, 1, tzinfo=UTC),
    duration_ms=600.0,
    first_token_ms=40.0,
)

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def samples(text: str) -> Samples:
    """Every sample by its name and labels. Raises for what Prometheus would refuse."""
    found: Samples = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
        for one in family.samples:
            key = (one.name, frozenset(one.labels.items()))
            assert key not in found
            found[key] = one.value
    return found


async def scraped(client: httpx.AsyncClient) -> Samples:
    response = await client.get("/metrics")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return samples(response.text)


def value(found: Samples, name: str, **labels: str) -> float:
    """The sum of the samples that have these labels."""
    wanted = set(labels.items())
    return sum(one for (named, has), one in found.items() if named == name and wanted <= has)


def chat(model: str = "together/m", **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "Hello?"}], **more}


async def test_requests_and_attempts_are_counted_as_they_happened(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        together.reply(Reply(status=500))
        variables = {**two_providers(together.base_url, openai.base_url), "AI_MAX_RETRIES": "0"}
        async with marginalia(database_url, variables) as client:
            assert (await client.post("/v1/chat/completions", json=chat())).status_code == 200
            streamed = await client.post("/v1/chat/completions", json=chat(stream=True))
            assert streamed.content.endswith(b"data: [DONE]\n\n")
            assert (await client.get("/functions/v1/documents/a/b")).status_code == 404
            assert (await client.get("/nowhere/at/all")).status_code == 404
            found = await scraped(client)
    requests = "marginalia_requests_total"
    assert value(found, requests, method="POST", route="/v1/chat/completions", status="200") == 2
    assert value(found, requests, route="/functions/v1/documents/{document_id:path}", status="404") == 1
    assert value(found, requests, route="other", status="404") == 1
    assert value(found, "marginalia_request_duration_seconds_count", route="/v1/chat/completions") == 2
    attempts = "marginalia_attempts_total"
    assert value(found, attempts, provider="together", outcome="server_error", task="gateway") == 2
    assert value(found, attempts, provider="openai", outcome="ok") == 2
    causes = "marginalia_attempts_by_cause_total"
    assert value(found, causes, provider="together", cause="first", task="gateway") == 2
    assert value(found, causes, provider="openai", cause="fallback", task="gateway") == 2
    assert value(found, "marginalia_first_token_seconds_count", provider="openai") == 2
    assert value(found, "marginalia_first_token_seconds_count", provider="together") == 0
    assert value(found, "marginalia_tokens_total", provider="openai", kind="output") > 0
    assert value(found, "marginalia_cost_usd_total", provider="openai") > 0
    assert value(found, "marginalia_requests_in_flight") == 1  # the one that asks


async def test_open_streams_breakers_and_waiting_rows_are_read_when_asked(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        openai.reply(Reply(text="word " * 50, stall_after=5))
        together.reply(Reply(status=429, headers={"retry-after": "100"}))
        variables = {**two_providers(together.base_url, openai.base_url), "TOGETHER_API_KEY": "a-secret"}
        async with marginalia(database_url, variables) as client:
            stream = client.stream("POST", "/v1/chat/completions", json=chat(stream=True))
            async with stream as response:
                await anext(response.aiter_bytes())
                found = await scraped(client)
                assert value(found, "marginalia_open_streams") == 1
                assert value(found, "marginalia_breaker_state", provider="together", model="m") == 2
                assert value(found, "marginalia_breaker_state", provider="openai") == 0
                assert "a-secret" not in str(found)
            for _ in range(100):
                found = await scraped(client)
                if value(found, "marginalia_open_streams") == 0:
                    break
                await asyncio.sleep(0.02)
            assert value(found, "marginalia_open_streams") == 0
            assert value(found, "marginalia_requests_total", status="499") == 1
            assert ("marginalia_ledger_waiting_rows", frozenset[tuple[str, str]]()) in found


async def test_callers_cannot_fill_the_metrics_with_model_names_of_their_own(database_url: str) -> None:
    async with Simulator() as together, Simulator() as openai:
        together.reply(Reply(status=404))
        variables = {**two_providers(together.base_url, openai.base_url), "AI_FALLBACK_PROVIDER": "none"}
        async with marginalia(database_url, variables) as client:
            for number in range(3):
                await client.post("/v1/chat/completions", json=chat(f"together/made-up-{number}"))
            found = await scraped(client)
    assert value(found, "marginalia_attempts_total", model="other", outcome="not_found") == 3
    assert "made-up" not in str([key for key in found if key[0] == "marginalia_attempts_total"])


def test_models_that_answer_are_named_up_to_a_bound_and_configured_ones_always() -> None:
    metrics = Metrics([("together", "configured")])
    for number in range(MAX_MODELS + 5):
        metrics.attempt(replace(ROW, model=f"m{number}"))
    metrics.attempt(replace(ROW, model="configured", outcome=Outcome.TIMEOUT))
    found = samples(metrics.text().decode())
    assert value(found, "marginalia_attempts_total", model="other") == 5
    assert value(found, "marginalia_attempts_total", model="configured", outcome="timeout") == 1
    assert len([key for key in found if key[0] == "marginalia_cost_usd_total"]) == MAX_MODELS + 2


def test_a_cost_that_is_not_known_is_counted_and_not_taken_for_free() -> None:
    metrics = Metrics()
    metrics.attempt(ROW)
    metrics.attempt(replace(ROW, cost_usd=None))
    metrics.attempt(replace(ROW, cost_usd=None, usage=Usage(), outcome=Outcome.OK))
    found = samples(metrics.text().decode())
    assert value(found, "marginalia_cost_usd_total") == 0.25
    assert value(found, "marginalia_attempts_of_unknown_cost_total") == 1
    assert value(found, "marginalia_tokens_total", kind="cached") == 60


@given(st.lists(st.floats(0, 200, allow_nan=False), min_size=1))
def test_a_histogram_holds_each_time_at_or_below_its_bound(times: list[float]) -> None:
    metrics = Metrics()
    for seconds in times:
        metrics.request("GET", "/", 200, seconds)
    found = samples(metrics.text().decode())
    name = "marginalia_request_duration_seconds"
    for bound in SECONDS:
        assert value(found, f"{name}_bucket", le=str(bound)) == sum(one <= bound for one in times)
    assert value(found, f"{name}_bucket", le="+Inf") == value(found, f"{name}_count") == len(times)
    assert value(found, f"{name}_sum") == pytest.approx(sum(times))


@given(st.text(), st.text())
def test_any_name_comes_through_as_it_is(model: str, other: str) -> None:
    metrics = Metrics()
    for name in {model, other}:
        metrics.attempt(replace(ROW, model=name))
    labels = {dict(has)["model"] for name, has in samples(metrics.text().decode()) if "cost_usd" in name}
    assert labels == {model, other}
