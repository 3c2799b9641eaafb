"""POST /functions/v1/analyze-document: structured analysis, stored, whole or as a stream."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import AnalyzeDocumentBody
from shared.auth import authenticate
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import event_stream, requested_format, run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call, collect
from shared.text.sse import StreamFormat

DEFAULT_FORMAT: StreamFormat = "events"


async def analyze_document(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_json(request, AnalyzeDocumentBody)
    events = services_of(request).service.analyze_document(
        call, document_id=body.document_id, content=body.content, refresh=body.refresh
    )
    if body.stream:
        return event_stream(request, events, format=requested_format(request, DEFAULT_FORMAT))
    return json_answer(await run_until_disconnect(request, collect(events)))


routes = [Route("/functions/v1/analyze-document", analyze_document, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
