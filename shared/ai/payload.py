"""What is sent: a ChatRequest as the body that one provider's row asks for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from string import Template

from shared.errors import ProviderError
from shared.providers import Provider, Target
from shared.types import ChatRequest, Json, JsonObject, JsonSchema, Message, Outcome


@dataclass(frozen=True, slots=True)
class Repair:
    """An answer that did not satisfy the caller, and what is wrong with it."""

    reply: str
    problem: str


def chat_payload(request: ChatRequest, target: Target, *, prefill: str = "") -> JsonObject:
    """The body of a streaming chat completion. What is None is not sent; 0 is."""
    row = target.provider
    reasoning = _reasons(row, target.model)
    payload: JsonObject = {
        "model": target.model,
        "messages": _messages(request, row, prefill),
        "stream": True,
        "stream_options": {"include_usage": True} if row.usage_in_streams else None,
        row.max_tokens_field: request.max_output_tokens,
        "temperature": None if reasoning else request.temperature,
        "stop": list(request.stop) or None if not reasoning else None,
        "response_format": _response_format(request.response_schema, row),
    }
    return {name: value for name, value in payload.items() if value is not None and name not in row.refuses}


def embedding_payload(texts: Sequence[str], target: Target, *, dimensions: int) -> JsonObject:
    """The body of an embeddings request. An empty text goes as a space: an empty one is refused."""
    row = target.provider
    payload: JsonObject = {"model": target.model, "input": [text or " " for text in texts]}
    if row.embedding_takes_dimensions:
        payload["dimensions"] = dimensions
    if row.embedding_base64:
        payload["encoding_format"] = "base64"
    return payload


def headers(target: Target) -> dict[str, str]:
    """Raises ProviderError for a key that cannot stand in a header: it would be quoted in an error."""
    sent = {
        "content-type": "application/json",
        "accept": "text/event-stream, application/json",
        "accept-encoding": "identity",  # a compressed stream is a buffered stream
        **target.provider.headers,
    }
    if target.api_key is not None:
        if not (target.api_key.isascii() and target.api_key.isprintable()):
            raise ProviderError(Outcome.AUTH_ERROR, "the key has characters no key has", code="malformed_key")
        sent["authorization"] = f"Bearer {target.api_key}"
    return sent


def repaired(request: ChatRequest, repair: Repair) -> ChatRequest:
    """The same request, with the answer that was wrong and a turn that says what is wrong with it."""
    turns = (
        Message("assistant", repair.reply),
        Message("user", _prompt("repair").substitute(problem=repair.problem)),
    )
    return replace(request, messages=(*request.messages, *turns))


def _messages(request: ChatRequest, row: Provider, prefill: str) -> list[JsonObject]:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.response_schema is not None and (row.json_output != "schema" or row.schema_in_prompt):
        _instruct(messages, request.response_schema)
    if prefill:
        messages.append({"role": "assistant", "content": prefill})
    return messages


def _instruct(messages: list[dict[str, str]], schema: JsonSchema) -> None:
    """Says the schema in the system message, so that it survives a provider that cannot enforce it."""
    text = _prompt("json_answer").substitute(schema=json.dumps(schema.schema, ensure_ascii=False))
    for message in messages:
        if message["role"] == "system":
            message["content"] = f"{message['content']}\n\n{text}"
            return
    messages.insert(0, {"role": "system", "content": text})


def _response_format(schema: JsonSchema | None, row: Provider) -> JsonObject | None:
    if schema is None or row.json_output == "prompt":
        return None
    if row.json_output == "object":
        return {"type": "json_object"}
    named: JsonObject = {"name": schema.name, "schema": schema.schema}
    if is_strict(schema.schema):
        named["strict"] = True
    return {"type": "json_schema", "json_schema": named}


def is_strict(schema: Json) -> bool:
    """Whether every object in it names all its properties as required and allows no others.

    OpenAI refuses `strict` for any other schema
    (https://platform.openai.com/docs/guides/structured-outputs#supported-schemas).
    """
    if isinstance(schema, list):
        return all(is_strict(item) for item in schema)
    if not isinstance(schema, Mapping):
        return True
    properties = schema.get("properties")
    if isinstance(properties, Mapping):
        closed = schema.get("additionalProperties") is False
        if not closed or set(schema.get("required", ())) != set(properties):
            return False
    return all(is_strict(value) for value in schema.values())


def _reasons(row: Provider, model: str) -> bool:
    return model.rsplit("/", 1)[-1].startswith(row.reasoning_model_prefixes or ("\0",))


@cache
def _prompt(name: str) -> Template:
    return Template((Path(__file__).with_name("prompts") / f"{name}.md").read_text(encoding="utf-8").strip())
