"""Apps that stream what a test's generator gives, and their clients."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http import create_app, event_stream, requested_format
from shared.text.sse import Done, Start, StreamMessage
from shared.types import Meta
from tests.server import serving

START = Start("r1", "qa", "together", "llama")
DONE = Done(Meta("r1"))
SECONDS = 10  # a bound for what should happen at once

Events = AsyncGenerator[StreamMessage, None]


def streaming(make: Callable[[Request], Events], **options: Any) -> Any:
    """An app whose one endpoint streams what `make` gives."""

    async def endpoint(request: Request) -> Response:
        chosen = requested_format(request, "events")
        return event_stream(request, make(request), format=chosen, now=lambda: 1.0, **options)

    return create_app([Route("/", endpoint, methods=["POST"])], new_request_id=lambda: "r1")


@asynccontextmanager
async def client_of(app: Any, **options: Any) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        serving(app, **options) as url,
        httpx.AsyncClient(base_url=url, trust_env=False, timeout=SECONDS) as client,
    ):
        yield client
