"""What is sent: a ChatRequest as the body that one provider's row asks for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from shared.ai.json_mode import instruction, prompt, response_format
from shared.ai.openai_fields import OPENAI_FIELDS
from shared.ai.wires import WIRES
from shared.errors import ProviderError
from shared.providers import JsonOutput, Provider, Target
from shared.types import ChatRequest, Json, JsonObject, JsonSchema, Message, Outcome, Passthrough

REASONING_TOKENS = 1024  # room for thoughts, which count as output, beside what is asked for
_FORMATS: Mapping[JsonOutput, tuple[str, ...]] = {
    "schema": ("text", "json_object", "json_schema"),
    "object": ("text", "json_object"),
    "prompt": ("text",),
}
_MAX_TOKENS = ("max_tokens", "max_completion_tokens")


@dataclass(frozen=True, slots=True)
class Repair:
    """An answer that did not satisfy the caller, and what is wrong with it."""

    reply: str
    problem: str


def chat_payload(request: ChatRequest, target: Target, *, prefill: str = "") -> JsonObject:
    """The body of a chat completion, a stream unless it is passed through. None is not sent; 0 is."""
    row = target.provider
    request_for = WIRES[row.wire].request
    if request.passthrough is not None:
        return request_for(_passed_through(request.passthrough, target, prefill), target)
    refused = row.refused_by(target.model)
    bound, effort = request.max_output_tokens, None
    if row.reasons(target.model):
        bound, effort = bound and bound + REASONING_TOKENS, request.reasoning_effort
    payload: JsonObject = {
        "model": target.model,
        "messages": _messages(request, row, prefill),
        "stream": True,
        "stream_options": {"include_usage": True} if row.usage_in_streams else None,
        row.max_tokens_field: bound,
        "reasoning_effort": effort,
        "temperature": request.temperature,
        "stop": list(request.stop) or None,
        "response_format": response_format(request.response_schema, row),
    }
    kept = {name: value for name, value in payload.items() if value is not None and name not in refused}
    return request_for(kept, target)


def _passed_through(asked: Passthrough, target: Target, prefill: str) -> JsonObject:
    """The caller's own body, untouched but for the model, and for usage, which is always wanted."""
    row = target.provider
    named = (row.name, target.model) == (asked.provider, asked.model)
    payload = {**asked.body, "model": target.model} if named else _fitted(asked.body, target)
    if asked.stream and row.usage_in_streams:
        payload["stream_options"] = {**(payload.get("stream_options") or {}), "include_usage": True}
    if prefill:
        payload["messages"] = [*payload["messages"], {"role": "assistant", "content": prefill}]
    return payload


def _fitted(body: Mapping[str, Json], target: Target) -> JsonObject:
    """The body for a provider it was not written for: what that one calls otherwise, and what it refuses.

    What OpenAI's API does not know was meant for the provider named: most others answer it with an error.
    """
    row = target.provider
    known = OPENAI_FIELDS - row.refused_by(target.model)
    payload = {name: value for name, value in body.items() if name in known}
    for name in _MAX_TOKENS:
        if name in payload:
            payload[row.max_tokens_field] = payload.pop(name)
    return {**payload, **_fitted_format(payload, row), "model": target.model}


def _fitted_format(body: Mapping[str, Json], row: Provider) -> JsonObject:
    """What becomes of `response_format` where it is not taken: JSON mode or none, and the model is told."""
    asked = body.get("response_format") or {}
    if asked.get("type", "text") in _FORMATS[row.json_output]:
        return {}
    named: JsonObject = found if isinstance(found := asked.get("json_schema"), dict) else {}
    schema = found if isinstance(found := named.get("schema"), dict) else None
    told = {"role": "system", "content": instruction(schema)}
    mode = {"type": "text" if row.json_output == "prompt" else "json_object"}
    return {"response_format": mode, "messages": [told, *body["messages"]]}


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
        "user-agent": "marginalia",  # some walls turn away who has none
        "accept-encoding": "identity",  # a compressed stream is a buffered stream
        **target.provider.headers,
    }
    if target.api_key is not None:
        key, name = _checked(target.api_key), target.provider.key_header
        sent[name] = f"Bearer {key}" if name == "authorization" else key
    if target.gateway_token is not None:
        sent["cf-aig-authorization"] = f"Bearer {_checked(target.gateway_token)}"
    return sent


def _checked(key: str) -> str:
    if not (key.isascii() and key.isprintable()):
        raise ProviderError(Outcome.AUTH_ERROR, "the key has characters no key has", code="malformed_key")
    return key


def repaired(request: ChatRequest, repair: Repair) -> ChatRequest:
    """The same request, with the answer that was wrong and a turn that says what is wrong with it."""
    turns = (
        Message("assistant", repair.reply),
        Message("user", prompt("repair").substitute(problem=repair.problem)),
    )
    return replace(request, messages=(*request.messages, *turns))


def may_go_on(request: ChatRequest) -> bool:
    """Whether an answer's beginning may be sent along: not for JSON, which is made anew and checked whole."""
    if request.passthrough is None:
        return request.response_schema is None and request.messages[-1].role != "assistant"
    body = request.passthrough.body
    kind = (body.get("response_format") or {}).get("type", "text")
    return bool(kind == "text" and body["messages"][-1].get("role") != "assistant")


def can_be_joined(body: Mapping[str, Json]) -> bool:
    """Whether the answer is one text and nothing else, so that another provider can go on with it."""
    more_than_text = any(body.get(name) for name in ("tools", "functions", "logprobs", "audio"))
    return not more_than_text and choices_asked(body) == 1


def choices_asked(body: Mapping[str, Json]) -> int:
    return body.get("n") or 1


def wants_usage(body: Mapping[str, Json]) -> bool:
    """Whether the caller asked for a stream's usage."""
    return bool((body.get("stream_options") or {}).get("include_usage"))


def request_size(request: ChatRequest) -> int:
    """Bytes of UTF-8 in all messages' texts."""
    if request.passthrough is None:
        return sum(len(message.content.encode()) for message in request.messages)
    return sum(_size(message.get("content")) for message in request.passthrough.body["messages"])


def _size(content: Json) -> int:
    if isinstance(content, str):
        return len(content.encode("utf-8", "replace"))
    if isinstance(content, list):
        return sum(_size(part.get("text")) for part in content if isinstance(part, dict))
    return 0


def _messages(request: ChatRequest, row: Provider, prefill: str) -> list[JsonObject]:
    messages = [{"role": message.role, "content": message.content} for message in request.messages]
    if request.response_schema is not None and (row.json_output != "schema" or row.schema_in_prompt):
        _instruct(messages, request.response_schema)
    if prefill:
        messages.append({"role": "assistant", "content": prefill})
    return messages


def _instruct(messages: list[dict[str, str]], schema: JsonSchema) -> None:
    """Says the schema in the system message, so that it survives a provider that cannot enforce it."""
    text = instruction(schema.schema)
    for message in messages:
        if message["role"] == "system":
            message["content"] = f"{message['content']}\n\n{text}"
            return
    messages.insert(0, {"role": "system", "content": text})
