"""GET /health: the process lives. GET /ready: the database is migrated and answers."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.answers import json_answer
from shared.http.app import create_app
from shared.services import lifespan, services_of


async def health(request: Request) -> Response:
    return json_answer({"status": "ok"})


async def ready(request: Request) -> Response:
    """Raises StoreUnavailable while the database is away or not migrated."""
    await services_of(request).store.ping()
    return json_answer({"status": "ready", "database": "ok"})


routes = [Route("/health", health, methods=["GET"]), Route("/ready", ready, methods=["GET"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
