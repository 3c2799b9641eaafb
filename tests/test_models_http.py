"""/catalog and /v1/models over HTTP: what models there are, what they cost, which suit a task."""

import gc
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from functions import __main__ as whole_server
from functions import catalog as catalog_function
from functions import models as models_function
from shared.ai.catalog import shipped
from shared.ai.model_choice import NEEDS
from shared.catalog_json import listing_json
from shared.types import Task
from tests.marginalia import marginalia, two_providers
from tests.server import serving
from tests.simulator import Reply, Simulator

TOGETHER = [
    {"id": "acme/cheap", "type": "chat", "context_length": 8192, "pricing": {"input": 0.1, "output": 0.9}},
    {"id": "acme/even", "type": "chat", "context_length": 131072, "pricing": {"input": 0.3, "output": 0.3}},
    {"id": "acme/dear", "type": "chat", "context_length": 65536, "pricing": {"input": 5, "output": 9}},
    {"id": "acme/secret", "type": "chat", "context_length": 65536},
    {"id": "acme/small", "type": "chat", "context_length": 512, "pricing": {"input": 0.01, "output": 0.01}},
    {"id": "acme/vectors", "type": "embedding", "pricing": {"input": 0.02, "output": 0}},
    {"id": 7},
]


@asynccontextmanager
async def server(
    database_url: str, **environ: str
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator, Simulator]]:
    async with Simulator() as together, Simulator() as openai:
        together.script(Reply(body=json.dumps(TOGETHER).encode(), content_type="application/json"))
        variables = {**two_providers(together.base_url, openai.base_url), **environ}
        async with marginalia(database_url, variables) as client:
            yield client, together, openai


async def get(client: httpx.AsyncClient, url: str, status: int = 200) -> Any:
    response = await client.get(url)
    assert response.status_code == status, response.text
    return response.json()


async def test_a_gateway_s_models_are_those_of_its_own_list(database_url: str) -> None:
    async with server(database_url) as (client, together, openai):
        found = await get(client, "/catalog/models?gateway=together")
        (source,) = found["gateways"]
        assert {name: source[name] for name in ("gateway", "source", "models", "skipped")} == {
            "gateway": "together",
            "source": "live",
            "models": 6,
            "skipped": 1,
        }
        assert [model["id"] for model in found["data"]] == sorted(str(entry["id"]) for entry in TOGETHER[:-1])
        cheap = next(model for model in found["data"] if model["id"] == "acme/cheap")
        assert cheap["prices"] == {"input": 0.1, "output": 0.9, "cached": None, "mixed": 0.3}
        assert cheap["capabilities"]["chat"] is True
        assert cheap["capabilities"]["tools"] is None
        assert not openai.requests, "nobody else is asked"
        await get(client, "/catalog/models?gateway=together")
        assert len(together.requests) == 1


@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("task=suggestions", ["cheap", "even", "dear", "secret"]),
        ("task=diagrams", ["even", "dear", "secret"]),
        ("task=suggestions&sort=context", ["even", "dear", "secret", "cheap"]),
        ("task=analysis&sort=cost", ["even", "dear", "secret"]),
        ("task=embedding", ["vectors"]),
        ("capability=embeddings", ["vectors"]),
        ("capability=tools", []),
        ("sort=cost", ["small", "vectors", "cheap", "even", "dear", "secret"]),
    ],
)
async def test_models_are_chosen_and_ordered(query: str, ids: list[str], database_url: str) -> None:
    async with server(database_url) as (client, _, _openai):
        found = await get(client, f"/catalog/models?gateway=together&{query}")
        assert [model["id"].removeprefix("acme/") for model in found["data"]] == ids


def test_the_page_names_the_rules_as_they_are() -> None:
    page = (Path(__file__).parents[1] / "docs" / "gateway.md").read_text(encoding="utf-8")
    for task, needs in NEEDS.items():
        found = re.search(rf"^\| {task} \| (.*) \| (\d+) % \|$", page, re.MULTILINE)
        assert found is not None, task
        assert int(found[2]) == needs.output_share * 100
        assert (f"{needs.context:,} tokens" in found[1]) == bool(needs.context)
        assert ("JSON schemas" in found[1]) == ("json_schema" in needs.not_without)
        assert ("reasons first" in found[1]) == (not needs.reasons)


async def test_without_a_gateway_every_provider_s_models_are_there(database_url: str) -> None:
    async with server(database_url) as (client, _, _openai):
        found = await get(client, "/catalog/models?task=qa")
        sources = {source["gateway"]: source["source"] for source in found["gateways"]}
        assert (sources["together"], sources["openai"], sources["groq"]) == ("live", "live", "snapshot")
        assert {"together", "groq", "anthropic"} <= {model["gateway"] for model in found["data"]}
        mixed = [model["prices"]["mixed"] for model in found["data"]]
        known = [price for price in mixed if price is not None]
        assert known == sorted(known)
        assert mixed[: len(known)] == known, "what has no known price comes last"


@pytest.mark.parametrize(
    ("query", "param", "allowed"),
    [
        ("gateway=nobody", "gateway", "together, openai"),
        ("task=cooking", "task", ", ".join(Task)),
        ("sort=taste", "sort", "cost, context, name"),
        ("capability=dance", "capability", "chat, embeddings"),
        ("order=cost", "order", "gateway, task, capability, sort"),
    ],
)
async def test_what_is_not_known_is_refused_with_what_is_allowed(
    query: str, param: str, allowed: str, database_url: str
) -> None:
    async with server(database_url) as (client, _, _openai):
        error = (await get(client, f"/catalog/models?{query}", 400))["error"]
        assert (error["code"], error["param"]) == ("invalid_request", param)
        assert allowed in error["message"]


async def test_one_model_is_found_by_an_id_with_slashes(database_url: str) -> None:
    async with server(database_url) as (client, _, _openai):
        model = await get(client, "/catalog/model/acme/cheap?gateway=together")
        assert (model["id"], model["context_length"]) == ("acme/cheap", 8192)
        assert model["list"]["source"] == "live"
        encoded = await get(client, "/catalog/model/openai%2Fgpt-oss-20b?gateway=groq")
        assert (encoded["id"], encoded["list"]["source"]) == ("openai/gpt-oss-20b", "snapshot")
        error = (await get(client, "/catalog/model/acme/chaep?gateway=together", 404))["error"]
        assert error["code"] == "not_found"
        assert "acme/cheap" in error["message"]


def test_a_list_says_whether_it_is_fresh() -> None:
    live = replace(shipped("groq"), source="live", skipped=2)
    assert [listing_json(one)["source"] for one in (shipped("groq"), live, replace(live, stale=True))] == [
        "snapshot",
        "live",
        "stale",
    ]


async def test_offline_the_snapshot_is_all_there_is_and_nobody_is_asked(database_url: str) -> None:
    async with server(database_url, AI_OFFLINE="only") as (client, together, openai):
        found = await get(client, "/catalog/models?gateway=together")
        assert found["gateways"][0]["source"] == "snapshot"
        assert not [*together.requests, *openai.requests]


async def test_the_ledger_takes_a_price_that_only_the_live_list_knows(database_url: str) -> None:
    async with server(database_url) as (client, _, _openai):
        await get(client, "/catalog/models?gateway=together")
        for model in ("even", "secret"):
            body = {"model": f"together/acme/{model}", "messages": [{"role": "user", "content": "Hi"}]}
            assert (await client.post("/v1/chat/completions", json=body)).status_code == 200
    with psycopg.connect(database_url) as connection:
        rows = connection.execute("select cost_usd from public.ai_usage order by started_at").fetchall()
    (known,), (unknown,) = rows
    assert unknown is None, "never 0"
    assert known == Decimal("0.3") * (1 + len(Reply().text.split())) / 1_000_000


# --- /v1/models -----------------------------------------------------------------------------------


async def test_models_in_openai_s_form_have_ids_that_can_be_asked(database_url: str) -> None:
    async with server(database_url) as (client, together, _):
        found = await get(client, "/v1/models")
        assert found["object"] == "list"
        owners = {model["owned_by"] for model in found["data"]}
        assert owners == {"together", "openai", "builtin"}
        for model in found["data"]:
            assert set(model) >= {"id", "object", "created", "owned_by"}
            assert model["id"].startswith(f"{model['owned_by']}/")
            assert type(model["created"]) is int
        one = await get(client, "/v1/models/together/acme/cheap")
        assert one in found["data"]
        assert await get(client, "/v1/models/acme/cheap") == one
        body = {"model": one["id"], "messages": [{"role": "user", "content": "Hi"}]}
        await client.post("/v1/chat/completions", json=body)
        assert together.requests[-1].json["model"] == "acme/cheap"
        assert (await get(client, "/v1/models/acme/chaep", 404))["error"]["code"] == "not_found"


async def test_the_whole_server_asks_for_the_lists_as_it_starts(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    thresholds = gc.get_threshold()
    async with Simulator() as openai:
        for name, value in (
            ("DATABASE_URL", database_url),
            ("OPENAI_API_KEY", "k"),
            ("OPENAI_BASE_URL", openai.base_url),
            ("AI_EMBEDDING_PROVIDER", "builtin"),
        ):
            monkeypatch.setenv(name, value)
        try:
            async with serving(whole_server.app):
                (request,) = await openai.wait_for_requests(1)
        finally:
            gc.unfreeze()
            gc.set_threshold(*thresholds)
    assert (request.method, request.path) == ("GET", "/v1/models")


@pytest.mark.parametrize(
    ("function", "url"), [(models_function, "/v1/models"), (catalog_function, "/catalog/models")]
)
async def test_each_is_an_app_of_its_own(function: Any, url: str, database_url: str) -> None:
    async with marginalia(database_url, {}, function=function) as client:
        assert (await get(client, url))["data"]
