"""POST /functions/v1/create-diagram: Mermaid for a concept, with context from documents."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import CreateDiagramBody
from shared.auth import authenticate
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call


async def create_diagram(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_json(request, CreateDiagramBody)
    answer = services_of(request).service.create_diagram(
        call,
        concept=body.concept,
        document_id=body.document_id,
        context=body.context,
        diagram_type=body.diagram_type,
    )
    return json_answer(await run_until_disconnect(request, answer))


routes = [Route("/functions/v1/create-diagram", create_diagram, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
