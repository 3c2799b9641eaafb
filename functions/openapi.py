"""GET /openapi.json: the description of every endpoint, OpenAPI 3.1."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.http.answers import json_answer
from shared.http.app import create_app


async def openapi(request: Request) -> Response:
    from shared.openapi import describe

    return json_answer(describe())


routes = [Route("/openapi.json", openapi, methods=["GET"])]
app = create_app(routes)
