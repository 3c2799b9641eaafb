"""The whole server for a test, on the test's database and with the variables the test names."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import httpx

from functions import __main__ as server
from shared.http.app import create_app
from shared.services import Pace, lifespan
from tests.server import serving
from tests.simulator import Simulator
from tests.sse_decoder import decode

TIMEOUT = 20.0


@asynccontextmanager
async def marginalia(
    database_url: str,
    environ: Mapping[str, str] | None = None,
    *,
    function: ModuleType | None = None,
    pace: Pace | None = None,
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the server, or of one function that runs alone."""
    variables = {"DATABASE_URL": database_url, **(environ or {})}
    alone = function is not None
    routes = (function or server).app.routes
    app = create_app(routes, lifespan=lifespan(long_running=not alone, environ=variables, pace=pace))
    async with serving(app) as base_url, httpx.AsyncClient(base_url=base_url, timeout=TIMEOUT) as client:
        yield client


def two_providers(together: str, openai: str) -> dict[str, str]:
    """Together first, OpenAI as its fallback, both at given addresses; embeddings built in."""
    return {
        "TOGETHER_API_KEY": "together-key",
        "TOGETHER_BASE_URL": together,
        "OPENAI_API_KEY": "openai-key",
        "OPENAI_BASE_URL": openai,
        "AI_EMBEDDING_PROVIDER": "builtin",
    }


@asynccontextmanager
async def with_simulators(
    database_url: str, environ: Mapping[str, str] | None = None
) -> AsyncIterator[tuple[httpx.AsyncClient, Simulator, Simulator]]:
    """A client of the server, and its two providers: Together, and OpenAI as its fallback."""
    async with Simulator() as together, Simulator() as openai:
        variables = {**two_providers(together.base_url, openai.base_url), **(environ or {})}
        async with marginalia(database_url, variables) as client:
            yield client, together, openai


async def events_of(response: httpx.Response) -> list[tuple[str, Any]]:
    """(event, data) of a native stream, in order."""
    return [(event.name, json.loads(event.data)) for event in decode(await response.aread())]
