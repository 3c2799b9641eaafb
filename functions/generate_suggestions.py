"""POST /functions/v1/generate-suggestions: suggestions at the cursor, as a stream."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import GenerateSuggestionsBody
from shared.auth import authenticate
from shared.http.answers import request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import event_stream, requested_format
from shared.services import lifespan, services_of
from shared.tasks.asking import Call
from shared.text.sse import StreamFormat

DEFAULT_FORMAT: StreamFormat = "events"


async def generate_suggestions(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    format = requested_format(request, DEFAULT_FORMAT)
    body = await read_json(request, GenerateSuggestionsBody)
    events = services_of(request).service.generate_suggestions(
        call,
        content=body.content,
        line=body.cursor_position.line,
        character=body.cursor_position.character,
        document_id=body.document_id,
        count=body.count,
        inline=body.mode == "inline",
        session=body.session,
        revision=body.revision,
    )
    return event_stream(request, events, format=format)


routes = [Route("/functions/v1/generate-suggestions", generate_suggestions, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
