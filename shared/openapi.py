"""The OpenAPI 3.1 description (https://spec.openapis.org/oas/v3.1.1), made from `shared/api.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from shared import api, api_models, api_usage
from shared.ai.model_choice import ORDERS
from shared.ai.model_lists import CAPABILITIES
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
from shared.types import JsonObject, Task

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


_TIME_RANGE = {
    "name": "time_range",
    "in": "query",
    "description": "How far back: a number with s, m, h, d or w, at most 3660d",
    "schema": {"type": "string", "pattern": "^[0-9]{1,9}[smhdw]$", "default": "24h", "examples": ["7d"]},
}
_GROUP_BY = {
    "name": "group_by",
    "in": "query",
    "description": "Any of task, provider, model, outcome and day (UTC), with commas; empty: the total alone",
    "schema": {"type": "string", "default": "task,provider,model"},
}
_GATEWAY = {
    "name": "gateway",
    "in": "path",
    "required": True,
    "description": "A known provider's name",
    "schema": {"type": "string"},
}
_MODEL_ID = {
    "name": "model_id",
    "in": "path",
    "required": True,
    "description": "May hold slashes",
    "schema": {"type": "string", "minLength": 1},
}
_GATEWAY = {
    "name": "gateway",
    "in": "query",
    "description": "A provider's name; without it all of them",
    "schema": {"type": "string"},
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
    text: str | None = None  # the media type of an answer that is not JSON
    parameters: tuple[JsonObject, ...] = ()
    errors: tuple[type[ApiError], ...] = ()


OPERATIONS = (
    Operation(
        "/functions/v1/analyze-document",
        "post",
        "analyzeDocument",
        "Structured analysis of a document; unchanged content is not asked about twice; may stream",
        api.AnalyzeDocumentBody,
        api.AnalysisAnswer,
        streams=True,
        parameters=(_FORMAT,),
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
    Operation(
        "/functions/v1/usage",
        "get",
        "usage",
        "What was asked of providers, its tokens, cost and speed, by group",
        answer=api_usage.UsageReportAnswer,
        parameters=(_TIME_RANGE, _GROUP_BY),
        errors=(InvalidRequest,),
    ),
    Operation(
        "/catalog/gateway/{gateway}/stats",
        "get",
        "gatewayStats",
        "What was asked of one provider, its tokens, cost and speed, with each model's",
        answer=api_usage.GatewayStatsAnswer,
        parameters=(_GATEWAY, _TIME_RANGE),
        errors=(InvalidRequest, NotFound),
    ),
    Operation(
        "/v1/embeddings",
        "post",
        "createEmbedding",
        "OpenAI's embeddings in front of every provider that has them, and of the embedder built in",
        api_models.EmbeddingsBody,
        api_models.EmbeddingsAnswer,
        errors=(*_ASKS_PROVIDERS, ContextLengthExceeded, NotFound, RateLimited),
    ),
    Operation(
        "/v1/models",
        "get",
        "listModels",
        "The models of the providers that are set up, in OpenAI's form",
        answer=api_models.OpenAIModelsAnswer,
    ),
    Operation(
        "/v1/models/{model_id}",
        "get",
        "retrieveModel",
        "One of them",
        answer=api_models.OpenAIModelAnswer,
        parameters=(_MODEL_ID,),
        errors=(NotFound,),
    ),
    Operation(
        "/catalog/models",
        "get",
        "listCatalog",
        "What models there are, what they can do and what they cost",
        answer=api_models.CatalogAnswer,
        parameters=(
            _GATEWAY,
            {
                "name": "task",
                "in": "query",
                "description": "Those alone that suit it",
                "schema": {"type": "string", "enum": [task.value for task in Task]},
            },
            {
                "name": "capability",
                "in": "query",
                "description": "Those alone that are known to have it",
                "schema": {"type": "string", "enum": list(CAPABILITIES)},
            },
            {
                "name": "sort",
                "in": "query",
                "description": "Without it by cost where a task is named, else by name",
                "schema": {"type": "string", "enum": list(ORDERS)},
            },
        ),
        errors=(InvalidRequest,),
    ),
    Operation(
        "/catalog/model/{model_id}",
        "get",
        "readCatalogModel",
        "One model",
        answer=api_models.CatalogOneAnswer,
        parameters=(_MODEL_ID, _GATEWAY),
        errors=(InvalidRequest, NotFound),
    ),
    Operation("/health", "get", "health", "The process lives", answer=api.StatusAnswer),
    Operation("/ready", "get", "ready", "The database is migrated and answers", answer=api.StatusAnswer),
    Operation(
        "/metrics",
        "get",
        "metrics",
        "Counts and times of this process, in Prometheus' text format",
        text="text/plain; version=0.0.4; charset=utf-8",
    ),
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
    if operation.text:
        content |= {operation.text: {"schema": {"type": "string"}}}
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
