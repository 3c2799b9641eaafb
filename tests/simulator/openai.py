"""The documents of OpenAI's API that the simulator sends, all of them functions of the request."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import struct
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]

_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "tokens"}
_CODES = {401: "invalid_api_key", 404: "model_not_found", 429: "rate_limit_exceeded"}


def error(status: int, *, code: str | None = None, message: str = "simulated") -> Json:
    """OpenAI's error body."""
    kind = _TYPES.get(status, "server_error" if status >= 500 else "invalid_request_error")
    return {"error": {"message": message, "type": kind, "param": None, "code": code or _CODES.get(status)}}


def count_tokens(text: str) -> int:
    """Words: what the simulator bills."""
    return len(text.split())


def usage(request: Json, tokens: Sequence[str], *, cached: int = 0, reasoning: int = 0) -> Json:
    """`cached` of the tokens given, at most all; `reasoning` beside those that are seen."""
    given = sum(count_tokens(content_of(message)) for message in request.get("messages", ()))
    made = len(tokens) + reasoning
    return {
        "prompt_tokens": given,
        "completion_tokens": made,
        "total_tokens": given + made,
        "prompt_tokens_details": {"cached_tokens": min(cached, given)},
        "completion_tokens_details": {"reasoning_tokens": reasoning},
    }


def content_of(message: Mapping[str, Any]) -> str:
    content = message.get("content")
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return content or ""


def completion(request: Json, text: str, *, finish: str | None, usage: Json | None) -> Json:
    answer: Json = {
        "id": "chatcmpl-simulated",
        "object": "chat.completion",
        "created": 1,
        "model": request.get("model"),
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": finish}],
    }
    if usage is not None:
        answer["usage"] = usage
    return answer


class Chunks:
    """The chunks of one stream."""

    def __init__(self, request: Json) -> None:
        self.request = request
        options = request.get("stream_options") or {}
        self.wants_usage = bool(options.get("include_usage"))

    def delta(self, delta: Json, *, finish: str | None = None) -> Json:
        return self._chunk([{"index": 0, "delta": delta, "finish_reason": finish}])

    def usage(self, usage: Json) -> Json:
        return {**self._chunk([]), "usage": usage}

    def _chunk(self, choices: list[Json]) -> Json:
        return {
            "id": "chatcmpl-simulated",
            "object": "chat.completion.chunk",
            "created": 1,
            "model": self.request.get("model"),
            "choices": choices,
        }


def models(names: Sequence[str]) -> Json:
    return {
        "object": "list",
        "data": [{"id": name, "object": "model", "created": 1, "owned_by": "simulator"} for name in names],
    }


def embeddings(request: Json) -> Json:
    """Vectors by hashed words: texts that share words are near one another."""
    texts = request.get("input", [])
    texts = [texts] if isinstance(texts, str) else texts
    if texts and isinstance(texts[0], int):
        texts = [texts]
    texts = [text if isinstance(text, str) else " ".join(map(str, text)) for text in texts]
    dimensions = int(request.get("dimensions") or 1536)
    vectors = [_vector(text, dimensions) for text in texts]
    if request.get("encoding_format") == "base64":
        written: list[Any] = [base64.b64encode(struct.pack(f"<{dimensions}f", *v)).decode() for v in vectors]
    else:
        written = vectors
    tokens = sum(count_tokens(text) for text in texts)
    return {
        "object": "list",
        "model": request.get("model"),
        "data": [{"object": "embedding", "index": n, "embedding": v} for n, v in enumerate(written)],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }


def _vector(text: str, dimensions: int) -> list[float]:
    vector = [0.0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [""]:
        digest = hashlib.blake2b(word.encode(), digest_size=8).digest()
        number = int.from_bytes(digest, "big")
        vector[number % dimensions] += 1.0 if number >> 63 else -1.0
    length = math.sqrt(sum(value * value for value in vector)) or 1.0
    return [value / length for value in vector]


def sample(schema: Any, root: Any = None) -> Any:
    """A small value that satisfies a JSON Schema of the usual kind."""
    root = root if root is not None else schema
    if not isinstance(schema, Mapping):
        return "text"
    if "$ref" in schema:
        return sample(_resolve(root, schema["$ref"]), root)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            return sample(schema[key][0], root)
    return _of_type(schema, root)


def _of_type(schema: Mapping[str, Any], root: Any) -> Any:
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object" or "properties" in schema:
        return {name: sample(part, root) for name, part in schema.get("properties", {}).items()}
    if kind == "array":
        return [sample(schema.get("items", {}), root) for _ in range(max(1, schema.get("minItems", 1)))]
    if kind in ("integer", "number"):
        return schema.get("minimum", 1)
    return {"boolean": True, "null": None}.get(str(kind), "text")


def _resolve(root: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root
