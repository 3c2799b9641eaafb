"""The gateway in front of simulated providers, for its tests: how it is asked, and what came of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx
import psycopg

from functions import chat_completions
from tests.marginalia import marginalia
from tests.simulator import Reply, Simulator
from tests.sse_decoder import decode

URL = "/v1/chat/completions"
MODEL = "meta-llama/Llama-X"
TEXT = Reply().text
HELLO = [{"role": "user", "content": "Hello?"}]


def body(**more: Any) -> dict[str, Any]:
    return {"model": f"together/{MODEL}", "messages": HELLO, **more}


@asynccontextmanager
async def alone(
    database_url: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator]]:
    """The one function, with Together and no fallback."""
    async with Simulator() as together:
        variables = {
            "TOGETHER_API_KEY": "k",
            "TOGETHER_BASE_URL": together.base_url,
            "AI_FALLBACK_PROVIDER": "none",
            "AI_EMBEDDING_PROVIDER": "builtin",
            **(environ or {}),
        }
        async with marginalia(database_url, variables, function=chat_completions) as client:
            yield client, together


def data_of(response: httpx.Response) -> list[Any]:
    """The stream's events, parsed; `[DONE]` as it stands."""
    found = [event.data for event in decode(response.content)]
    return [data if data == "[DONE]" else json.loads(data) for data in found]


def text_of(events: list[Any]) -> str:
    return "".join(
        choice["delta"].get("content") or ""
        for event in events
        if event != "[DONE]"
        for choice in event.get("choices", ())
    )


def ledger(database_url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            "select task, provider, model, outcome, streamed from public.ai_usage order by started_at"
        ).fetchall()
