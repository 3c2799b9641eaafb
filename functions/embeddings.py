"""POST /v1/embeddings: OpenAI's API in front of every provider that has embeddings, and of our own."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.auth import authenticate
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_object
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call
from shared.text.completions import served_by

MAX_BODY_BYTES = 20 * 1024 * 1024


async def embeddings(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_object(request, max_bytes=MAX_BODY_BYTES)
    work = services_of(request).embeddings.embed(call, body)
    start, answer = await run_until_disconnect(request, work)
    return json_answer(answer, headers=served_by(start.provider, start.model))


routes = [Route("/v1/embeddings", embeddings, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
