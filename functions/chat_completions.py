"""POST /v1/chat/completions: OpenAI's API in front of every provider."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.auth import authenticate
from shared.http.answers import request_id
from shared.http.app import create_app
from shared.http.body import read_object
from shared.http.passing import PassedAnswer, passed_stream
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call

MAX_BODY_BYTES = 20 * 1024 * 1024  # bodies hold pictures here


async def chat_completions(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    gateway = services_of(request).gateway
    asked = await gateway.asked(await read_object(request, max_bytes=MAX_BODY_BYTES))
    if asked.stream:  # what the body says, not Accept: OpenAI's SDKs accept JSON alone
        return passed_stream(request, gateway.stream(call, asked), asked.body, settle=gateway.settle)
    start, answer = await run_until_disconnect(request, gateway.complete(call, asked))
    return PassedAnswer(start, answer)


routes = [Route("/v1/chat/completions", chat_completions, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
