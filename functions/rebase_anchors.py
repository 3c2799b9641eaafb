"""POST /functions/v1/rebase-anchors: anchors mapped onto newer text, or declared stale."""

from __future__ import annotations

import asyncio

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import RebaseAnchorsBody
from shared.auth import authenticate
from shared.errors import InvalidRequest
from shared.http.answers import json_answer
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Subject
from shared.types import Anchor, Caller, JsonObject, Position, Quote


async def rebase_anchors(request: Request) -> Response:
    caller = authenticate(request)
    body = await read_json(request, RebaseAnchorsBody)
    subject = await _subject(request, caller, body)
    return json_answer(await run_until_disconnect(request, asyncio.to_thread(_rebased, body, subject)))


async def _subject(request: Request, caller: Caller, body: RebaseAnchorsBody) -> Subject:
    """Raises InvalidRequest for neither text nor document or both, NotFound."""
    if (body.content is None) == (body.document_id is None):
        raise InvalidRequest("Send content or document_id, one of the two", param="content")
    if body.content is not None:
        return Subject.unsaved(body.content)
    stored = await services_of(request).store.get_document(caller, body.document_id or "")
    return Subject.of(stored.document)


def _rebased(body: RebaseAnchorsBody, subject: Subject) -> JsonObject:
    from shared.text.positions import Utf16Text
    from shared.text.rebasing import rebase

    anchors = [
        Anchor(
            content_hash=sent.content_hash,
            position=Position(sent.position.start, sent.position.end),
            quote=Quote(sent.quote.exact, sent.quote.prefix, sent.quote.suffix),
            document_id=sent.document_id,
        )
        for sent in body.anchors
    ]
    rebased = rebase(anchors, Utf16Text(subject.content), content_hash=subject.content_hash)
    return {
        "content_hash": subject.content_hash,
        "anchors": [
            {"status": one.status, "anchor": one.anchor.to_json() if one.anchor else None} for one in rebased
        ],
    }


routes = [Route("/functions/v1/rebase-anchors", rebase_anchors, methods=["POST"])]
app = create_app(routes, lifespan=lifespan(long_running=False))
