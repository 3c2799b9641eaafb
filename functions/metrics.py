"""GET /metrics: counts and times of this process, as Prometheus reads them."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.app import create_app
from shared.services import lifespan, services_of


async def metrics(request: Request) -> Response:
    from shared.telemetry.metrics import CONTENT_TYPE

    text = services_of(request).telemetry.metrics.text()
    return Response(text, headers={"content-type": CONTENT_TYPE, "cache-control": "no-store"})


routes = [Route("/metrics", metrics, methods=["GET"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
