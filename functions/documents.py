"""/functions/v1/documents: list, read, write and delete. What is written is indexed as well."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.api import DocumentBody
from shared.auth import authenticate
from shared.documents import (
    checked_document_id,
    content_of,
    document_json,
    missing_content,
    store_and_index,
    summary_json,
)
from shared.errors import InvalidRequest
from shared.http.answers import json_answer, request_id
from shared.http.app import create_app
from shared.http.body import read_json
from shared.http.streaming import run_until_disconnect
from shared.services import lifespan, services_of
from shared.tasks.asking import Call

PAGE = 100
MAX_PAGE = 1000


async def list_documents(request: Request) -> Response:
    caller = authenticate(request)
    limit = _limit(request.query_params.get("limit"))
    after = request.query_params.get("after")
    store = services_of(request).store
    found = await store.list_documents(caller, limit=limit + 1, after=after)
    page = found[:limit]
    return json_answer(
        {
            "documents": [summary_json(summary) for summary in page],
            "next_after": page[-1].document_id if len(found) > limit else None,
        }
    )


def _limit(found: str | None) -> int:
    if found is None:
        return PAGE
    if not found.isdecimal() or not 1 <= int(found) <= MAX_PAGE:
        raise InvalidRequest(
            f"limit is {found[:20]!r}; allowed is a whole number from 1 to {MAX_PAGE}", param="limit"
        )
    return int(found)


async def read_document(request: Request) -> Response:
    caller = authenticate(request)
    document_id = checked_document_id(request.path_params["document_id"])
    stored = await services_of(request).store.get_document(caller, document_id)
    return json_answer(document_json(stored.document))


async def write_document(request: Request) -> Response:
    call = Call(request_id(request), authenticate(request))
    document_id = checked_document_id(request.path_params["document_id"])
    body = await read_json(request, DocumentBody)
    content = content_of(body)
    if content is None:
        raise missing_content()
    work = store_and_index(services_of(request), call, document_id, body.title, content)
    return json_answer(await run_until_disconnect(request, work))


async def delete_document(request: Request) -> Response:
    caller = authenticate(request)
    document_id = checked_document_id(request.path_params["document_id"])
    await services_of(request).store.delete_document(caller, document_id)
    return Response(status_code=204)


ONE = "/functions/v1/documents/{document_id:path}"
routes = [
    Route("/functions/v1/documents", list_documents, methods=["GET"]),
    Route(ONE, read_document, methods=["GET"]),
    Route(ONE, write_document, methods=["PUT"]),
    Route(ONE, delete_document, methods=["DELETE"]),
]
app = create_app(routes, lifespan=lifespan(long_running=False))
