"""Documents as they come in and go out over HTTP: stored and indexed in one step."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from shared.errors import InvalidRequest, Unprocessable
from shared.tasks.asking import Call
from shared.types import Document, DocumentKind, DocumentSummary, Json, JsonObject, Meta, Task

if TYPE_CHECKING:
    from shared.api import DocumentBody
    from shared.services import Services

CONTENT_FIELDS = {
    "markdown_content": DocumentKind.MARKDOWN,
    "typescript_content": DocumentKind.TYPESCRIPT,
    "json_file": DocumentKind.JSON,
}
MAX_DOCUMENT_ID = 512  # characters
MAX_TITLE = 1000


@dataclass(frozen=True, slots=True)
class Content:
    kind: DocumentKind
    text: str


def content_of(body: DocumentBody) -> Content | None:
    """The content that was sent; None where no content field was.

    Raises Unprocessable where all that were sent are null, InvalidRequest for several contents.
    """
    sent = [name for name in CONTENT_FIELDS if getattr(body, name) is not None]
    if not sent:
        if body.model_fields_set & CONTENT_FIELDS.keys():
            raise missing_content()
        return None
    if len(sent) > 1:
        raise InvalidRequest(f"Send one content, not {' and '.join(sent)}", param=sent[1])
    kind = CONTENT_FIELDS[sent[0]]
    found: Json = getattr(body, sent[0])
    return Content(kind, found if isinstance(found, str) and kind is not DocumentKind.JSON else pretty(found))


def missing_content() -> Unprocessable:
    names = ", ".join(CONTENT_FIELDS)
    return Unprocessable(f"The document has no content: send one of {names}", param="markdown_content")


def pretty(value: Json) -> str:
    """JSON as it is stored and cited. A string is taken for the text of a JSON file.

    Raises Unprocessable where that text is not JSON.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise Unprocessable(f"json_file is text that is not JSON: {error}", param="json_file") from None
    return json.dumps(value, ensure_ascii=False, indent=2)


def title_of(content: Content, document_id: str) -> str:
    """The first heading, else the id."""
    from shared.text.titles import first_heading

    heading = first_heading(content.text) if content.kind is DocumentKind.MARKDOWN else None
    return (heading or document_id)[:MAX_TITLE]


def checked_document_id(document_id: str) -> str:
    """Raises InvalidRequest for an id that no document can have."""
    if not 1 <= len(document_id) <= MAX_DOCUMENT_ID or "\0" in document_id:
        raise InvalidRequest(
            f"document_id has {len(document_id)} characters; allowed are 1 to {MAX_DOCUMENT_ID}, no NUL",
            param="document_id",
        )
    return document_id


async def store_and_index(
    services: Services, call: Call, document_id: str, title: str | None, content: Content
) -> JsonObject:
    """Store the document and make it searchable. Raises StoreUnavailable."""
    document = await services.store.put_document(
        call.caller,
        document_id=document_id,
        title=title or title_of(content, document_id),
        kind=content.kind,
        content=content.text,
    )
    return await _index(services, call, document)


async def index_stored(services: Services, call: Call, document_id: str) -> JsonObject:
    """Make a stored document searchable. Raises NotFound, Unprocessable for one without content."""
    stored = await services.store.get_document(call.caller, document_id)
    return await _index(services, call, stored.document)


async def _index(services: Services, call: Call, document: Document) -> JsonObject:
    from shared.indexing import index_document
    from shared.types import CallContext

    context = CallContext(call.request_id, call.caller.tenant_id, Task.EMBEDDING)
    try:
        result = await index_document(
            services.store, services.embedder, call.caller, document, context=context
        )
    finally:
        await services.ledger.settle()
    return {
        "document_id": document.document_id,
        "content_hash": document.content_hash,
        "chunks": asdict(result.counts),
        "meta": Meta(
            call.request_id,
            provider=result.provider,
            model=result.model,
            degraded=result.without_vectors,
            usage=result.usage,
            cost_usd=result.cost_usd,
        ).to_json(),
    }


def summary_json(summary: DocumentSummary) -> JsonObject:
    return {
        "document_id": summary.document_id,
        "title": summary.title,
        "kind": summary.kind.value if summary.kind else None,
        "content_hash": summary.content_hash,
        "indexed": summary.indexed,
        "created_at": summary.created_at.isoformat(),
        "updated_at": summary.updated_at.isoformat(),
    }


def document_json(document: Document) -> JsonObject:
    contents: JsonObject = dict.fromkeys(CONTENT_FIELDS)
    if document.kind is DocumentKind.JSON:
        contents["json_file"] = json.loads(document.content)
    else:
        contents[f"{document.kind.value}_content"] = document.content
    return {
        "document_id": document.document_id,
        "title": document.title,
        **contents,
        "content_hash": document.content_hash,
        "created_at": document.created_at.isoformat(),
        "updated_at": document.updated_at.isoformat(),
    }
