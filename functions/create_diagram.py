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
from shared.pictures.drawing import Undrawable
from shared.services import Services, lifespan, services_of
from shared.tasks.asking import Call
from shared.types import JsonObject


async def create_diagram(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_json(request, CreateDiagramBody)
    return json_answer(await run_until_disconnect(request, _answer(services_of(request), call, body)))


async def _answer(services: Services, call: Call, body: CreateDiagramBody) -> JsonObject:
    if body.svg:
        services.pictures.check()  # before a model is asked and paid
    answer = await services.service.create_diagram(
        call,
        concept=body.concept,
        document_id=body.document_id,
        context=body.context,
        diagram_type=body.diagram_type,
    )
    if not body.svg:
        return answer
    try:
        picture = await services.pictures.draw(answer["mermaid"], "svg")
    except Undrawable as error:  # the diagram is good all the same
        return {**answer, "svg": None, "meta": {**answer["meta"], "picture": error.reason}}
    return {**answer, "svg": picture.decode()}


routes = [Route("/functions/v1/create-diagram", create_diagram, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
