"""The OpenAPI 3.1 description (https://spec.openapis.org/oas/v3.1.1), made from `shared/api.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared import api
from shared.errors import (
    AllProvidersFailed,
    ApiError,
    ContentFiltered,
    ContextLengthExceeded,
    Forbidden,
    InvalidRequest,
    MethodNotAllowed,
    NotConfigured,
    NotFound,
    ProviderTimeout,
    RateLimited,
    StoreUnavailable,
    TooLarge,
    Unprocessable,
    UnsupportedMediaType,
)
from shared.types import JsonObject

_REFERENCE = "#/components/schemas/{model}"
_WITH_BODY = (InvalidRequest, TooLarge, UnsupportedMediaType, Unprocessable)
_ALWAYS = (Forbidden, StoreUnavailable)
_ASKS_PROVIDERS = (ContentFiltered, AllProvidersFailed, NotConfigured, ProviderTimeout)
_FORMAT = {
    "name": "format",
    "in": "query",
    "description": "The stream's dialect; goes before Accept",
    "schema": {"type": "string", "enum": ["events", "openai", "ui-message", "text"], "default": "events"},
}
_DOCUMENT_ID = {
    "name": "document_id",
    "in": "path",
    "required": True,
    "description": "May hold slashes",
    "schema": {"type": "string", "minLength": 1, "maxLength": 512},
}


@dataclass(frozen=True, slots=True)
class Operation:
    path: str
    method: str
    id: str
    summary: str
    body: type[BaseModel] | None = None
    answer: type[BaseModel] | None = None
    streams: bool = False  # answers as a stream of events; with an `answer` only when asked to
    status: str = "200"
    parameters: tuple[JsonObject, ...] = ()
    errors: tuple[type[ApiError], ...] = ()


OPERATIONS = (
    Operation(
        "/functions/v1/analyze-document",
        "post",
        "analyzeDocument",
        "Structured analysis of a document; of unchanged content the stored one",
        api.AnalyzeDocumentBody,
        api.AnalysisAnswer,
        errors=(NotFound, *_ASKS_PROVIDERS),
    ),
    Operation(
        "/functions/v1/generate-suggestions",
        "post",
        "generateSuggestions",
        "Suggestions at the cursor, as a stream",
        api.GenerateSuggestionsBody,
        streams=True,
        parameters=(_FORMAT,),
        errors=(NotFound, *_ASKS_PROVIDERS),
    ),
    Operation(
        "/functions/v1/answer-question",
        "post",
        "answerQuestion",
        "An answer with verified citations; a stream when the body says so",
        api.AnswerQuestionBody,
        api.QuestionAnswer,
        streams=True,
        parameters=(_FORMAT,),
        errors=(NotFound, *_ASKS_PROVIDERS),
    ),
    Operation(
        "/functions/v1/create-diagram",
        "post",
        "createDiagram",
        "Mermaid for a concept, compiled from a graph",
        api.CreateDiagramBody,
        api.DiagramAnswer,
        errors=(NotFound, *_ASKS_PROVIDERS),
    ),
    Operation(
        "/functions/v1/index-document",
        "post",
        "indexDocument",
        "Store (when content is sent) and index one document",
        api.IndexDocumentBody,
        api.IndexAnswer,
        errors=(NotFound,),
    ),
    Operation(
        "/functions/v1/documents",
        "get",
        "listDocuments",
        "The documents, in order of their ids, a page at a time",
        answer=api.DocumentListAnswer,
        parameters=(
            {"name": "limit", "in": "query", "schema": {"type": "integer", "minimum": 1, "maximum": 1000}},
            {"name": "after", "in": "query", "schema": {"type": "string"}},
        ),
        errors=(InvalidRequest,),
    ),
    Operation(
        "/functions/v1/documents/{document_id}",
        "get",
        "readDocument",
        "One document",
        answer=api.DocumentAnswer,
        parameters=(_DOCUMENT_ID,),
        errors=(NotFound,),
    ),
    Operation(
        "/functions/v1/documents/{document_id}",
        "put",
        "writeDocument",
        "Write and index one document",
        api.DocumentBody,
        api.IndexAnswer,
        parameters=(_DOCUMENT_ID,),
    ),
    Operation(
        "/functions/v1/documents/{document_id}",
        "delete",
        "deleteDocument",
        "Delete one document with all that was made from it",
        status="204",
        parameters=(_DOCUMENT_ID,),
        errors=(NotFound,),
    ),
    Operation(
        "/functions/v1/rebase-anchors",
        "post",
        "rebaseAnchors",
        "Anchors mapped onto newer text, or declared stale",
        api.RebaseAnchorsBody,
        api.RebaseAnswer,
        errors=(NotFound,),
    ),
    Operation(
        "/v1/chat/completions",
        "post",
        "createChatCompletion",
        "OpenAI's chat completions in front of every provider; a stream when the body says so",
        api.ChatCompletionBody,
        api.ChatCompletionAnswer,
        streams=True,
        errors=(*_ASKS_PROVIDERS, ContextLengthExceeded, NotFound, RateLimited),
    ),
    Operation("/health", "get", "health", "The process lives", answer=api.StatusAnswer),
    Operation("/ready", "get", "ready", "The database is migrated and answers", answer=api.StatusAnswer),
    Operation("/openapi.json", "get", "openapi", "This description"),
)


def describe() -> JsonObject:
    """The whole description."""
    models = {model for one in OPERATIONS for model in (one.body, one.answer) if model} | {api.ErrorAnswer}
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template=_REFERENCE,
    )
    paths: JsonObject = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Marginalia",
            "summary": "The AI backend behind an editor",
            "version": version("marginalia"),
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": paths,
        "components": {"schemas": schemas.get("$defs", {})},
    }


def _operation(operation: Operation) -> JsonObject:
    described: JsonObject = {
        "operationId": operation.id,
        "summary": operation.summary,
        "responses": {operation.status: _success(operation), **_errors(operation)},
    }
    if operation.parameters:
        described["parameters"] = list(operation.parameters)
    if operation.body:
        described["requestBody"] = {"required": True, "content": _json(operation.body)}
    return described


def _success(operation: Operation) -> JsonObject:
    content: JsonObject = _json(operation.answer) if operation.answer else {}
    if operation.streams:
        content |= {"text/event-stream": {"schema": {"type": "string"}}}
    described: JsonObject = {"description": operation.summary}
    return {**described, "content": content} if content else described


def _errors(operation: Operation) -> JsonObject:
    """The errors by status; each is told from the others of its status by `code`."""
    kinds: Sequence[type[ApiError]] = (
        *_ALWAYS,
        *(_WITH_BODY if operation.body else ()),
        *operation.errors,
        MethodNotAllowed,
    )
    codes: dict[str, list[str]] = {}
    for kind in kinds:
        codes.setdefault(str(kind.status), []).append(kind.code)
    return {
        status: {"description": " or ".join(dict.fromkeys(names)), "content": _json(api.ErrorAnswer)}
        for status, names in sorted(codes.items())
    }


def _json(model: type[BaseModel]) -> JsonObject:
    return {"application/json": {"schema": {"$ref": _REFERENCE.format(model=model.__name__)}}}
