"""What the ledger's endpoints give, of rows that real requests have left, and what they refuse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import BaseModel

from functions import usage
from shared.api_usage import GatewayStatsAnswer, UsageReportAnswer
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, Simulator

CHAT = "/v1/chat/completions"
REPORT = "/functions/v1/usage"
PRICED = "gpt-4o-mini"


@asynccontextmanager
async def used(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A server after one request that Together served, and one that OpenAI had to serve for it."""
    async with Simulator() as together, Simulator() as openai:
        environ = {**two_providers(together.base_url, openai.base_url), "AI_MAX_RETRIES": "1"}
        async with marginalia(database_url, environ) as client:
            together.script(Reply("one two three"), Reply(status=401))
            openai.reply(Reply("four five"))
            for number in range(2):
                body = {
                    "model": "together/some-model",
                    "messages": [{"role": "user", "content": "Say four words, please"}],
                }
                answer = await client.post(CHAT, json=body, headers={"x-request-id": f"r{number}"})
                assert answer.status_code == 200
        async with marginalia(database_url, environ, function=usage) as client:
            yield client


async def get(client: httpx.AsyncClient, path: str, **parameters: str) -> dict[str, Any]:
    answer = await client.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_usage_adds_up_by_group(database_url: str) -> None:
    async with used(database_url) as client:
        report = await get(client, REPORT, time_range="90m", group_by="provider,outcome")
    assert (report["time_range"], report["since_seconds"]) == ("90m", 5400)
    assert report["group_by"] == ["provider", "outcome"]
    rows = {(row["provider"], row["outcome"]): row for row in report["rows"]}
    assert list(rows) == [("openai", "ok"), ("together", "auth_error"), ("together", "ok")]
    openai, failed, together = rows.values()
    assert (together["input_tokens"], together["output_tokens"], openai["output_tokens"]) == (4, 3, 2)
    assert (failed["failures"], failed["failure_share"], failed["input_tokens"]) == (1, 1.0, 0)
    assert (together["cost_usd"], together["unknown_costs"]) == (None, 1)  # nobody knows that model
    assert openai["cost_usd"] == pytest.approx((4 * 2.5 + 2 * 10) / 1e6)
    total = report["total"]
    assert (total["calls"], total["requests"], total["fallbacks"], total["fallback_share"]) == (3, 2, 1, 0.5)
    assert (total["input_tokens"], total["output_tokens"]) == (8, 5)
    assert total["first_token_ms"]["p50"] > 0
    assert total["tokens_per_second"] > 0


async def test_usage_is_that_of_a_day_by_task_provider_and_model_unless_told_otherwise(
    database_url: str,
) -> None:
    async with used(database_url) as client:
        report = await get(client, REPORT)
        alone = await get(client, REPORT, group_by="")
        by_day = await get(client, REPORT, group_by="day")
    assert (report["time_range"], report["group_by"]) == ("24h", ["task", "provider", "model"])
    assert [row["model"] for row in report["rows"]] == ["gpt-4o", "some-model"]
    assert alone["total"] == report["total"]
    assert sum(row["calls"] for row in by_day["rows"]) == 3


async def test_a_gateway_has_its_own_figures_and_those_of_each_model(database_url: str) -> None:
    async with used(database_url) as client:
        stats = await get(client, "/catalog/gateway/together/stats", time_range="1w")
        other = await get(client, "/catalog/gateway/google-ai-studio/stats")
    assert (stats["gateway"], stats["calls"], stats["failures"], stats["failure_share"]) == (
        "together",
        2,
        1,
        0.5,
    )
    assert (stats["input_tokens"], stats["output_tokens"], stats["fallback_share"]) == (4, 3, 0.0)
    assert [(model["model"], model["calls"]) for model in stats["models"]] == [("some-model", 2)]
    assert (other["gateway"], other["calls"], other["failure_share"], other["models"]) == (
        "google_ai_studio",
        0,
        None,
        [],
    )
    assert (other["cost_usd"], other["first_token_ms"]["p95"]) == (0.0, None)


@pytest.mark.parametrize(
    "found", ["", "yesterday", "0h", "-1h", "1.5h", "24", "9999999w", "999999999w", "24 h", "２4h"]
)
@pytest.mark.parametrize("path", [REPORT, "/catalog/gateway/openai/stats"])
async def test_a_wrong_range_is_refused_by_its_name(database_url: str, path: str, found: str) -> None:
    async with marginalia(database_url, function=usage) as client:
        answer = await client.get(path, params={"time_range": found})
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (400, "invalid_request", "time_range")
    assert repr(found) in error["message"]
    assert "90m, 24h, 7d and 4w" in error["message"]


async def test_a_wrong_group_and_a_misspelt_parameter_are_refused_by_their_names(database_url: str) -> None:
    async with marginalia(database_url, function=usage) as client:
        group = (await client.get(REPORT, params={"group_by": "task,colour"})).json()["error"]
        parameter = (await client.get(REPORT, params={"time_rage": "7d"})).json()["error"]
    assert (group["code"], group["param"]) == ("invalid_request", "group_by")
    assert "'colour'; allowed are task, provider, model, outcome, day" in group["message"]
    assert (parameter["code"], parameter["param"]) == ("invalid_request", "time_rage")
    assert "allowed are time_range, group_by" in parameter["message"]


async def test_an_unknown_gateway_is_not_found_and_the_known_ones_are_named(database_url: str) -> None:
    async with marginalia(database_url, function=usage) as client:
        answer = await client.get("/catalog/gateway/oracle/stats")
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (404, "not_found", "gateway")
    assert "'oracle'; known are together, openai, anthropic" in error["message"]


async def test_what_is_given_is_what_is_described(database_url: str) -> None:
    async with used(database_url) as client:
        described: dict[str, type[BaseModel]] = {
            REPORT: UsageReportAnswer,
            "/catalog/gateway/together/stats": GatewayStatsAnswer,
        }
        for path, model in described.items():
            given = await get(client, path)
            assert model.model_validate(given).model_dump() == given
        paths = (await get_openapi(database_url))["paths"]
    assert {"/functions/v1/usage", "/catalog/gateway/{gateway}/stats"} <= paths.keys()


async def get_openapi(database_url: str) -> dict[str, Any]:
    async with marginalia(database_url) as client:
        return await get(client, "/openapi.json")
