"""POST /functions/v1/answer-question: an answer with citations, whole or as a stream."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import AnswerQuestionBody
from shared.auth import authenticate
from shared.errors import InvalidRequest
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import event_stream, requested_format, run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call, collect
from shared.text.sse import StreamFormat

DEFAULT_FORMAT: StreamFormat = "events"


async def answer_question(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    body = await read_json(request, AnswerQuestionBody)
    events = services_of(request).service.answer_question(
        call,
        question=body.question,
        document_ids=_document_ids(body),
        history=[(message.role, message.content) for message in body.history],
    )
    if body.stream:
        return event_stream(request, events, format=requested_format(request, DEFAULT_FORMAT))
    return json_answer(await run_until_disconnect(request, collect(events)))


def _document_ids(body: AnswerQuestionBody) -> list[str] | None:
    if body.document_id is None:
        return body.document_ids
    if body.document_ids is not None:
        raise InvalidRequest("Send document_id or document_ids, not both", param="document_ids")
    return [body.document_id]


routes = [Route("/functions/v1/answer-question", answer_question, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
