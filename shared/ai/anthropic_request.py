"""A chat completion's body in OpenAI's form as one of Anthropic's Messages API. Pure.

https://platform.claude.com/docs/en/api/messages. What OpenAI's API has and Anthropic's has no place
for is left out, as Anthropic's own compatible endpoint does; a field that OpenAI's does not know either
goes as it is, so that `thinking` or `top_k` reach the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeAlias

from shared.ai.json_mode import instruction
from shared.ai.openai_fields import OPENAI_FIELDS
from shared.ai.schemas import is_closed, without_bounds
from shared.providers import Target
from shared.types import Json, JsonObject

_Body: TypeAlias = Mapping[str, Json]

_NOT_AS_THEY_ARE = OPENAI_FIELDS - {"model", "stream", "top_p"}  # translated, or left out
_EFFORTS = {"minimal": "low", **{level: level for level in ("low", "medium", "high", "xhigh", "max")}}
_SERVICE_TIERS = {"auto": "auto", "default": "standard_only"}
_SYSTEM = ("system", "developer")


def messages_request(body: JsonObject, target: Target) -> JsonObject:
    """The same request for `POST /v1/messages`."""
    sent: JsonObject = {name: value for name, value in body.items() if name not in _NOT_AS_THEY_ARE}
    translated: JsonObject = {
        "max_tokens": _max_tokens(body, target),
        "system": _system(body),
        "messages": _messages(body["messages"]),
        "temperature": _temperature(body.get("temperature")),
        "stop_sequences": _stop_sequences(body.get("stop")),
        "tools": _tools(body) or None,
        "tool_choice": _tool_choice(body),
        "output_config": _output_config(body, target),
        "metadata": {"user_id": body["user"]} if isinstance(body.get("user"), str) else None,
        "service_tier": _SERVICE_TIERS.get(str(body.get("service_tier"))),
    }
    return {name: value for name, value in {**sent, **translated}.items() if value is not None}


def _max_tokens(body: _Body, target: Target) -> Json:
    """Anthropic demands one."""
    asked = (body.get("max_completion_tokens"), body.get("max_tokens"), target.provider.default_max_tokens)
    return next((bound for bound in asked if bound is not None), None)


def _temperature(found: Json) -> Json:
    """OpenAI's goes to 2, Anthropic's to 1."""
    return min(found, 1) if isinstance(found, int | float) else found


def _stop_sequences(stop: Json) -> list[str] | None:
    """White space alone is refused."""
    stops = [stop] if isinstance(stop, str) else _list(stop)
    return [each for each in stops if isinstance(each, str) and each.strip()] or None


# --- what is said --------------------------------------------------------------------------------


def _system(body: _Body) -> Json:
    """All system messages, which stand at the beginning here, and how JSON is asked for if not by a field."""
    blocks = [
        block
        for message in body["messages"]
        if message.get("role") in _SYSTEM
        for block in _blocks(message.get("content"))
    ]
    if told := _json_instruction(body.get("response_format")):
        blocks.append({"type": "text", "text": told})
    if any(set(block) != {"type", "text"} for block in blocks):
        return blocks
    return "\n\n".join(block["text"] for block in blocks) or None


def _messages(messages: Sequence[_Body]) -> list[JsonObject]:
    """Turns of one role that follow one another become one, as a tool's results have to."""
    turns: list[JsonObject] = []
    called = 0  # functions, which have no ids in OpenAI's older form
    for message in messages:
        called += bool(message.get("function_call"))
        role = "assistant" if message.get("role") == "assistant" else "user"
        blocks = [] if message.get("role") in _SYSTEM else list(_turn(message, f"function-{called}"))
        if blocks and turns and turns[-1]["role"] == role:
            turns[-1]["content"] += blocks
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return [{**turn, "content": _plainly(turn["content"])} for turn in turns]


def _turn(message: _Body, function_id: str) -> Iterator[JsonObject]:
    role = message.get("role")
    if role in ("tool", "function"):
        content = _plainly(_blocks(message.get("content")))
        yield {
            "type": "tool_result",
            "tool_use_id": message.get("tool_call_id") or function_id,
            **({"content": content} if content else {}),
        }
        return
    yield from _blocks(message.get("content"))
    yield from _blocks(message.get("refusal"))
    for call in map(_object, _list(message.get("tool_calls"))):
        yield _tool_use(_object(call.get("function")), call.get("id"))
    if message.get("function_call"):
        yield _tool_use(_object(message["function_call"]), function_id)


def _tool_use(function: JsonObject, tool_use_id: Json) -> JsonObject:
    given = _arguments(function.get("arguments"))
    return {"type": "tool_use", "id": tool_use_id, "name": function.get("name"), "input": given}


def _arguments(written: Json) -> JsonObject:
    """What a model wrote as arguments; nothing where that was no object."""
    try:
        found = json.loads(written) if isinstance(written, str) else written
    except (ValueError, RecursionError):
        return {}
    return _object(found)


def _blocks(content: Json) -> list[JsonObject]:
    """Content blocks, without texts that are empty: those are refused."""
    parts = [{"type": "text", "text": content}] if isinstance(content, str) else _list(content)
    blocks = [_block(part) for part in parts if isinstance(part, dict)]
    return [block for block in blocks if block.get("type") != "text" or block.get("text")]


def _block(part: JsonObject) -> JsonObject:
    kind = part.get("type")
    cached = {"cache_control": {"type": "ephemeral"}} if part.get("cache_control") else {}
    if kind in ("text", "refusal"):
        return {"type": "text", "text": part.get(kind), **cached}
    if kind == "image_url":
        return {"type": "image", "source": _source(_object(part.get("image_url")).get("url")), **cached}
    if kind == "file":
        return {"type": "document", "source": _source(_object(part.get("file")).get("file_data")), **cached}
    return part


def _source(url: Json) -> JsonObject:
    """A `data:` URL (RFC 2397) carries its bytes, any other is fetched by the provider."""
    head, comma, data = url.partition(",") if isinstance(url, str) else ("", "", "")
    if comma and head.startswith("data:") and head.endswith(";base64"):
        media_type = head.removeprefix("data:").partition(";")[0]
        return {"type": "base64", "media_type": media_type, "data": data}
    return {"type": "url", "url": url}


def _plainly(blocks: list[JsonObject]) -> Json:
    """A text alone is written as one."""
    if len(blocks) == 1 and set(blocks[0]) == {"type", "text"} and blocks[0]["type"] == "text":
        return blocks[0]["text"]
    return blocks


# --- tools and forms -----------------------------------------------------------------------------


def _tools(body: _Body) -> list[Json]:
    functions = [{"type": "function", "function": each} for each in _list(body.get("functions"))]
    return [_tool(tool) for tool in _list(body.get("tools")) or functions]


def _tool(tool: Json) -> Json:
    """A tool of Anthropic's own, such as web search, goes as it is."""
    function = _object(_object(tool).get("function"))
    if not function:
        return tool
    schema = function.get("parameters") or {"type": "object", "properties": {}}
    strict = function.get("strict") is True
    described: JsonObject = {
        "name": function.get("name"),
        "description": function.get("description"),
        "input_schema": without_bounds(schema) if strict else schema,
        "strict": strict or None,
    }
    return {name: value for name, value in described.items() if value is not None}


def _tool_choice(body: _Body) -> JsonObject | None:
    if not body.get("tools") and not body.get("functions"):
        return None
    choice = _choice(body.get("tool_choice") or body.get("function_call"))
    if body.get("parallel_tool_calls") is False:
        choice = choice or {"type": "auto"}
        if choice["type"] != "none":
            return {**choice, "disable_parallel_tool_use": True}
    return choice


def _choice(asked: Json) -> JsonObject | None:
    if isinstance(asked, str):
        kind = {"auto": "auto", "none": "none", "required": "any"}.get(asked)
        return {"type": kind} if kind else None
    named = _object(asked)
    name = _object(named.get("function")).get("name") or named.get("name")
    return {"type": "tool", "name": name} if name else None


def _output_config(body: _Body, target: Target) -> JsonObject | None:
    config: JsonObject = {}
    effort = _EFFORTS.get(str(body.get("reasoning_effort")))
    if effort and target.provider.understands_effort(target.model):
        config["effort"] = effort
    schema = _schema(body.get("response_format"))
    if schema is not None and is_closed(schema):
        config["format"] = {"type": "json_schema", "schema": without_bounds(schema)}
    return config or None


def _json_instruction(asked: Json) -> str:
    """For any JSON object, and for a schema that the decoder does not take: the model is told."""
    schema = _schema(asked)
    if schema is not None:
        return "" if is_closed(schema) else instruction(schema)
    return instruction(None) if _object(asked).get("type") == "json_object" else ""


def _schema(asked: Json) -> _Body | None:
    """The schema of a `response_format`, where it has one."""
    schema = _object(_object(asked).get("json_schema")).get("schema")
    return schema if isinstance(schema, Mapping) else None


def _object(value: Json) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
