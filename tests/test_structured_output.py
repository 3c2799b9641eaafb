"""Structured answers over HTTP: the form is asked for, checked, repaired once, and kept by the fallback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from shared.providers import PROVIDERS
from shared.services import Pace
from tests.marginalia import marginalia, two_providers
from tests.simulator import Reply, SeenRequest, Simulator

PATH = "/functions/v1/analyze-document"
TEXT = "# Plan\n\nWe ship on Tuesday, at ten, whatever comes.\n"
REVIEW = json.dumps(
    {
        "summary": "A plan.",
        "missing_sections": [],
        "improvements": [
            {"severity": 2, "category": "clarity", "message": "Say where.", "quote": "We ship on Tuesday"}
        ],
        "scores": {"completeness": 60, "clarity": 80, "structure": 70},
    }
)
OPENAI_WIRE = [row for row in PROVIDERS.values() if row.name != "anthropic"]


async def no_sleep(_: float) -> None:
    return None


@asynccontextmanager
async def server(
    database_url: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator, Simulator]]:
    async with Simulator() as together, Simulator() as openai:
        variables = {**two_providers(together.base_url, openai.base_url), "AI_OFFLINE": "never"}
        async with marginalia(
            database_url, {**variables, **(environ or {})}, pace=Pace(sleep=no_sleep)
        ) as client:
            yield client, together, openai


async def analyse(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post(PATH, json={"content": TEXT})


def asks_for_form(request: SeenRequest) -> str:
    """How a request asks for the form: `schema`, `object` or `prompt`."""
    kind = (request.json.get("response_format") or {}).get("type")
    names = {"json_schema": "schema", "json_object": "object", None: "prompt"}
    return names[kind]


@pytest.mark.parametrize("row", OPENAI_WIRE, ids=lambda row: row.name)
async def test_each_provider_is_asked_in_the_strictest_way_it_has(database_url: str, row: Any) -> None:
    environ = {
        "AI_ANALYSIS_PROVIDER": row.name,
        "AI_FALLBACK_PROVIDER": "none",
        f"{row.variable_prefix}_API_KEY": "key",
    }
    async with Simulator() as provider:
        provider.reply_text(REVIEW)
        environ[f"{row.variable_prefix}_BASE_URL"] = provider.base_url
        async with marginalia(database_url, environ) as client:
            answer = await analyse(client)
    assert answer.json()["meta"]["provider"] == row.name
    (request,) = provider.requests
    assert asks_for_form(request) == row.json_output
    if row.json_output == "schema":
        sent = request.json["response_format"]["json_schema"]
        assert (sent["strict"], sent["schema"]["additionalProperties"]) == (True, False)
    else:
        assert '"missing_sections"' in request.prompt


@pytest.mark.parametrize(
    "reply",
    [
        f"```json\n{REVIEW}\n```",
        f"Here is the review.\n\n{REVIEW}\n\nAnything else?",
        f"<think>Hm.</think>{REVIEW}",
    ],
    ids=["fence", "prose", "thoughts"],
)
async def test_fences_and_prose_around_the_object_need_no_repair(database_url: str, reply: str) -> None:
    async with server(database_url) as (client, together, _):
        together.reply_text(reply)
        answer = (await analyse(client)).json()
    assert (answer["summary"], answer["meta"]["attempts"]) == ("A plan.", 1)
    assert len(answer["improvements"]) == 1


@pytest.mark.parametrize("finish", ["length", "stop"])
async def test_an_answer_that_is_cut_off_is_repaired_once_then_left_to_the_next(
    database_url: str, finish: str
) -> None:
    async with server(database_url) as (client, together, openai):
        together.reply(Reply(REVIEW[:-40], finish=finish))
        openai.reply_text(REVIEW)
        answer = (await analyse(client)).json()
    assert (answer["meta"]["provider"], answer["meta"]["attempts"]) == ("openai", 3)
    assert (len(together.requests), len(openai.requests)) == (2, 1)
    assert together.requests[1].json["messages"][-2]["role"] == "assistant"
    assert asks_for_form(openai.requests[0]) == "schema"
    assert len(answer["improvements"]) == 1


async def test_where_nobody_gives_the_whole_object_there_is_no_half_result(database_url: str) -> None:
    async with server(database_url) as (client, together, openai):
        for simulator in (together, openai):
            simulator.reply(Reply(REVIEW[:-40], finish="length"))
        response = await analyse(client)
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (502, "malformed_output")
    assert [attempt["outcome"] for attempt in error["attempts"]] == ["malformed_output"] * 4
    assert "Tuesday" not in response.text


@pytest.mark.parametrize(("retries", "asked"), [("0", (1, 1)), ("1", (1, 1)), ("2", (2, 1)), ("3", (2, 2))])
async def test_repairs_come_out_of_the_attempts_that_there_are(
    database_url: str, retries: str, asked: tuple[int, int]
) -> None:
    async with server(database_url, {"AI_MAX_RETRIES": retries}) as (client, together, openai):
        for simulator in (together, openai):
            simulator.reply_text("I had rather not.")
        response = await analyse(client)
    assert response.status_code == 502
    assert (len(together.requests), len(openai.requests)) == asked


async def test_the_form_survives_a_fallback_in_mid_stream(database_url: str) -> None:
    async with server(database_url) as (client, together, openai):
        together.reply(Reply(REVIEW, cut_after=4))
        openai.reply_text(REVIEW)
        answer = (await analyse(client)).json()
    assert answer["meta"]["provider"] == "openai"
    assert asks_for_form(openai.requests[0]) == "schema"
    assert [message["role"] for message in openai.requests[0].json["messages"]] == ["system", "user"]
