"""OpenAI's chat completions over Anthropic's Messages API: requests there, answers back."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.anthropic_answers import MessageReader
from shared.ai.payload import chat_payload
from shared.ai.schemas import is_closed, without_bounds
from shared.providers import PROVIDERS, Target
from shared.types import ChatRequest, JsonSchema, Message, Passthrough
from tests.simulator import Reply, Simulator
from tests.simulator.asking import asking

ROW = PROVIDERS["anthropic"]
HI = [{"role": "user", "content": "Hi"}]
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "integer", "minimum": 1, "maximum": 9}},
    "required": ["a"],
    "additionalProperties": False,
}


def to(model: str = "claude-haiku-4-5") -> Target:
    return Target(ROW, model, ROW.base_url, "the-key")


def sent(model: str = "claude-haiku-4-5", **body: Any) -> dict[str, Any]:
    """What Anthropic gets of a caller's body."""
    asked = Passthrough({"messages": HI, **body}, "anthropic", model)
    return chat_payload(ChatRequest((), passthrough=asked), to(model))


# --- requests ------------------------------------------------------------------------------------


def test_a_task_s_request_is_a_message_s() -> None:
    request = ChatRequest(
        (Message("system", "Be brief."), Message("user", "Hi"), Message("assistant", "Yes?")),
        max_output_tokens=9,
        temperature=0.0,
        stop=("END", " "),
        response_schema=JsonSchema("answer", CLOSED),
    )
    assert chat_payload(request, to()) == {
        "model": "claude-haiku-4-5",
        "stream": True,
        "max_tokens": 9,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}],
        "temperature": 0.0,
        "stop_sequences": ["END"],
        "output_config": {"format": {"type": "json_schema", "schema": without_bounds(CLOSED)}},
    }


def test_a_bound_on_tokens_is_always_sent_because_it_is_demanded() -> None:
    assert sent()["max_tokens"] == ROW.default_max_tokens
    assert sent(max_tokens=0)["max_tokens"] == 0
    assert sent(max_tokens=5, max_completion_tokens=7)["max_tokens"] == 7


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"temperature": 1.7}, {"temperature": 1}),
        ({"stop": "END"}, {"stop_sequences": ["END"]}),
        ({"stop": ["\n", ""]}, {}),
        ({"user": "u-1", "metadata": {"a": "b"}}, {"metadata": {"user_id": "u-1"}}),
        ({"service_tier": "default"}, {"service_tier": "standard_only"}),
        ({"service_tier": "flex"}, {}),
        ({"n": 1, "seed": 3, "logprobs": True, "logit_bias": {}, "store": False}, {}),
        ({"presence_penalty": 1, "frequency_penalty": 1, "stream_options": {}}, {}),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "top_k": 5},
            {"thinking": {"type": "enabled", "budget_tokens": 2048}, "top_k": 5},
        ),
        ({"reasoning_effort": "low"}, {}),
        ({"response_format": {"type": "text"}}, {}),
        ({"parallel_tool_calls": False}, {}),
        ({"stream": None, "top_p": None, "temperature": None, "stop": None}, {}),
    ],
)
def test_a_field_is_translated_left_out_or_passed(body: dict[str, Any], expected: Mapping[str, Any]) -> None:
    usual = {"model": "claude-haiku-4-5", "messages": HI, "max_tokens": ROW.default_max_tokens}
    assert sent(**body) == {**usual, **expected}


@pytest.mark.parametrize(
    ("asked", "effort"),
    [("minimal", "low"), ("low", "low"), ("high", "high"), ("xhigh", "xhigh"), ("none", None)],
)
def test_effort_goes_to_models_that_know_it(asked: str, effort: str | None) -> None:
    config = sent("claude-sonnet-5", reasoning_effort=asked).get("output_config")
    assert config == (None if effort is None else {"effort": effort})


def test_system_and_developer_messages_stand_at_the_beginning() -> None:
    messages = [
        {"role": "system", "content": "One."},
        {"role": "user", "content": "Hi"},
        {"role": "developer", "content": [{"type": "text", "text": "Two."}]},
        {"role": "user", "content": "again"},
    ]
    body = sent(messages=messages)
    assert body["system"] == "One.\n\nTwo."
    assert body["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "again"}]}
    ]


def test_a_mark_for_the_cache_passes() -> None:
    marked = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = sent(messages=[{"role": "system", "content": [marked]}, {"role": "user", "content": [marked]}])
    block = {"type": "text", "text": "Long.", "cache_control": {"type": "ephemeral"}}
    assert body["system"] == [block]
    assert body["messages"] == [{"role": "user", "content": [block]}]


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (
            {"type": "image_url", "image_url": {"url": "https://example.org/a.png", "detail": "low"}},
            {"type": "image", "source": {"type": "url", "url": "https://example.org/a.png"}},
        ),
        (
            {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
        ),
        (
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,AA=="}},
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "AA=="},
            },
        ),
        ({"type": "search_result", "source": "x"}, {"type": "search_result", "source": "x"}),
    ],
)
def test_pictures_and_files_are_blocks(part: Any, block: Any) -> None:
    content = [{"type": "text", "text": "Look:"}, {"type": "text", "text": ""}, part]
    body = sent(messages=[{"role": "user", "content": content}])
    assert body["messages"][0]["content"] == [{"type": "text", "text": "Look:"}, block]


TOOL = {
    "type": "function",
    "function": {"name": "find", "description": "finds", "parameters": CLOSED, "strict": True},
}


def test_tools_their_calls_and_their_results_are_translated() -> None:
    messages = [
        {"role": "user", "content": "Find both."},
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "find", "arguments": '{"a": 1}'}},
                {"id": "b", "type": "function", "function": {"name": "find", "arguments": ""}},
            ],
        },
        {"role": "tool", "tool_call_id": "a", "content": "one"},
        {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "two"}]},
        {"role": "user", "content": "And?"},
    ]
    body = sent(messages=messages, tools=[TOOL, {"type": "web_search_20250305", "name": "web_search"}])
    assert body["tools"] == [
        {"name": "find", "description": "finds", "input_schema": without_bounds(CLOSED), "strict": True},
        {"type": "web_search_20250305", "name": "web_search"},
    ]
    assert body["messages"] == [
        {"role": "user", "content": "Find both."},
        {
            "role": "assistant",
            "content": [
                {"type": "tool_use", "id": "a", "name": "find", "input": {"a": 1}},
                {"type": "tool_use", "id": "b", "name": "find", "input": {}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "one"},
                {"type": "tool_result", "tool_use_id": "b", "content": "two"},
                {"type": "text", "text": "And?"},
            ],
        },
    ]


def test_functions_of_the_older_form_are_tools() -> None:
    messages = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": "one"},
        {"role": "assistant", "content": None, "function_call": {"name": "find", "arguments": "{}"}},
        {"role": "function", "name": "find", "content": "two"},
    ]
    body = sent(messages=messages, functions=[{"name": "find"}], function_call={"name": "find"})
    assert body["tools"] == [{"name": "find", "input_schema": {"type": "object", "properties": {}}}]
    assert body["tool_choice"] == {"type": "tool", "name": "find"}
    ids = [m["content"][0].get("id") or m["content"][0]["tool_use_id"] for m in body["messages"][1:]]
    assert ids == ["function-1", "function-1", "function-2", "function-2"]


@pytest.mark.parametrize(
    ("choice", "more", "expected"),
    [
        ("auto", {}, {"type": "auto"}),
        ("none", {"parallel_tool_calls": False}, {"type": "none"}),
        ("required", {}, {"type": "any"}),
        ({"type": "function", "function": {"name": "find"}}, {}, {"type": "tool", "name": "find"}),
        (None, {"parallel_tool_calls": False}, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, {}, None),
    ],
)
def test_the_choice_of_tools_is_translated(choice: Any, more: dict[str, Any], expected: Any) -> None:
    assert sent(tools=[TOOL], tool_choice=choice, **more).get("tool_choice") == expected


def test_json_that_the_decoder_cannot_bind_is_asked_for_in_words() -> None:
    loose = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
    assert '"type": "object"' in sent(response_format=loose)["system"]
    assert "JSON object" in sent(response_format={"type": "json_object"})["system"]
    bound = {"type": "json_schema", "json_schema": {"name": "x", "schema": CLOSED}}
    assert "system" not in sent(response_format=bound)


def test_only_bounds_are_taken_from_a_schema_and_properties_of_their_names_stay() -> None:
    schema = {
        **CLOSED,
        "properties": {"minimum": {"type": "array", "minItems": 3, "items": {"type": "string"}}},
        "$defs": {"maximum": {"type": "number", "maximum": 3}},
    }
    assert without_bounds(schema) == {
        **CLOSED,
        "properties": {"minimum": {"type": "array", "items": {"type": "string"}}},
        "$defs": {"maximum": {"type": "number"}},
    }
    assert is_closed(schema)
    assert not is_closed({**CLOSED, "properties": {"a": {"type": "object", "properties": {}}}})


# --- over the wire -------------------------------------------------------------------------------


async def test_a_request_goes_to_messages_with_the_key_in_its_own_header() -> None:
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {"id": "m", "model": "x", "usage": {"input_tokens": 3}}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello."}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 2}},
    ]
    body = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
    async with Simulator() as sim, asking() as asker:
        sim.reply(Reply(body=body.encode(), content_type="text/event-stream"))
        heard = await asker.stream([Target(ROW, "claude-haiku-4-5", sim.base_url, "the-key")])
    assert heard.error is None
    assert heard.text == "Hello."
    request = sim.requests[0]
    assert request.path == "/v1/messages"
    assert request.headers["x-api-key"] == "the-key"
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert "authorization" not in request.headers
    assert request.json["system"] == "Be brief."


# --- nothing raises ------------------------------------------------------------------------------


def words(text: str) -> st.SearchStrategy[str]:
    return st.sampled_from(text.split())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)
fields = words(
    "role content tool_calls function name arguments type text image_url url file file_data refusal "
    "function_call tool_call_id cache_control json_schema schema properties"
)
shaped = st.recursive(
    values,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(fields, inner, max_size=4),
    max_leaves=8,
)
optional = words(
    "max_tokens temperature stop tools tool_choice functions function_call response_format "
    "reasoning_effort user service_tier parallel_tool_calls thinking"
)


@given(
    st.lists(st.dictionaries(fields, shaped, max_size=4), max_size=4),
    st.dictionaries(optional, shaped, max_size=4),
)
def test_no_body_raises(messages: list[dict[str, Any]], more: dict[str, Any]) -> None:
    assert isinstance(sent(messages=messages, **more)["messages"], list)


event_types = words(
    "message message_start content_block_start content_block_delta content_block_stop message_delta "
    "message_stop ping error other"
)
parts = words(
    "type index message content content_block delta text partial_json input id name model usage "
    "stop_reason input_tokens output_tokens output_tokens_details thinking"
)
kinds = st.sampled_from(["text", "tool_use", "text_delta", "input_json_delta", "thinking_delta"])
event_values = st.recursive(
    values | kinds,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(parts, inner, max_size=4),
    max_leaves=8,
)


@given(st.lists(st.tuples(event_types, st.dictionaries(parts, event_values, max_size=4)), max_size=6))
def test_no_event_raises(events: list[tuple[str, dict[str, Any]]]) -> None:
    reader = MessageReader(0)
    for kind, event in events:
        for document in reader.read({**event, "type": kind}):
            json.dumps(document)
