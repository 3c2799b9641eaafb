"""POST /functions/v1/index-document: store (optional) and index one document."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import IndexDocumentBody
from shared.auth import authenticate
from shared.documents import content_of, index_stored, store_and_index
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call


async def index_document(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_json(request, IndexDocumentBody)
    services = services_of(request)
    content = content_of(body)
    if content is None:
        work = index_stored(services, call, body.document_id)
    else:
        work = store_and_index(services, call, body.document_id, body.title, content)
    return json_answer(await run_until_disconnect(request, work))


routes = [Route("/functions/v1/index-document", index_document, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
