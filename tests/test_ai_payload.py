"""What is sent to whom."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ai.payload import (
    REASONING_TOKENS,
    Repair,
    chat_payload,
    embedding_payload,
    headers,
    repaired,
)
from shared.ai.schemas import is_strict
from shared.providers import PROVIDERS, Provider, Target
from shared.types import ChatRequest, JsonSchema, Message, Passthrough

ASKED = ChatRequest((Message("system", "Be brief."), Message("user", "Hi")))
CLOSED = {
    "type": "object",
    "properties": {"a": {"type": "string"}},
    "required": ["a"],
    "additionalProperties": False,
}
OPEN = {"type": "object", "properties": {"a": {"type": "string"}}}


def to(row: Provider, model: str = "m") -> Target:
    return Target(row, model, row.base_url, None)


def test_what_is_not_asked_for_is_not_sent() -> None:
    payload = chat_payload(ASKED, to(PROVIDERS["together"]))
    assert set(payload) == {"model", "messages", "stream", "stream_options"}


def test_a_temperature_of_zero_is_sent() -> None:
    assert chat_payload(replace(ASKED, temperature=0.0), to(PROVIDERS["openai"]))["temperature"] == 0.0


@pytest.mark.parametrize("name", PROVIDERS)
def test_the_bound_on_tokens_has_the_name_the_provider_knows(name: str) -> None:
    payload = chat_payload(replace(ASKED, max_output_tokens=9), to(PROVIDERS[name]))
    assert payload[PROVIDERS[name].max_tokens_field] == 9
    assert len({"max_tokens", "max_completion_tokens"} & set(payload)) == 1


@pytest.mark.parametrize(
    ("provider", "model", "refused"),
    [
        ("openai", "o3", {"temperature", "stop"}),
        ("openai", "o4-mini", {"temperature", "stop"}),
        ("openai", "openai/gpt-5", {"temperature", "stop"}),
        ("openai", "gpt-4o", set()),
        ("anthropic", "claude-sonnet-5", {"temperature"}),
        ("anthropic", "claude-haiku-4-5", set()),
        ("groq", "openai/gpt-oss-20b", set()),
    ],
)
def test_a_model_is_not_sent_what_it_refuses(provider: str, model: str, refused: set[str]) -> None:
    request = replace(ASKED, temperature=0.0, stop=("END",))
    payload = chat_payload(request, to(PROVIDERS[provider], model))
    asked = {"temperature", "stop_sequences" if provider == "anthropic" else "stop"}
    assert asked - set(payload) == refused


def fallen_back(provider: str, model: str, **more: Any) -> dict[str, Any]:
    """A caller's body for one provider, as another gets it."""
    body = {"messages": [{"role": "user", "content": "Hi"}], **more}
    passed = ChatRequest((), passthrough=Passthrough(body, "elsewhere", "its-model"))
    return chat_payload(passed, to(PROVIDERS[provider], model))


@pytest.mark.parametrize(
    ("provider", "model", "passes"),
    [
        ("openai", "gpt-5-mini", True),
        ("openai", "gpt-4o", False),
        ("groq", "openai/gpt-oss-120b", True),
        ("groq", "llama-3.3-70b-versatile", False),
        ("cerebras", "gpt-oss-120b", True),
        ("google_ai_studio", "gemini-3.5-flash", True),
        ("google_ai_studio", "gemma-4-31b-it", False),
        ("openrouter", "meta-llama/llama-3.1-8b-instruct", True),
        ("together", "openai/gpt-oss-20b", True),
        ("together", "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo", False),
        ("local", "gpt-oss:20b", True),
        ("local", "llama3.1", False),
    ],
)
def test_reasoning_effort_goes_to_those_who_understand_it(provider: str, model: str, passes: bool) -> None:
    sent = fallen_back(provider, model, reasoning_effort="low")
    assert sent.get("reasoning_effort") == ("low" if passes else None)


@pytest.mark.parametrize(
    ("provider", "model", "thinks"),
    [
        ("groq", "openai/gpt-oss-20b", True),
        ("openai", "gpt-5-mini", True),
        ("openai", "gpt-4o-mini", False),
        ("google_ai_studio", "gemini-3.5-flash", True),
        ("google_ai_studio", "gemini-2.5-flash-lite", False),
        ("openrouter", "meta-llama/llama-3.1-8b-instruct", False),
        ("anthropic", "claude-sonnet-5", False),
    ],
)
def test_a_model_that_reasons_is_told_how_much_and_given_room_for_it(
    provider: str, model: str, thinks: bool
) -> None:
    row = PROVIDERS[provider]
    request = replace(ASKED, max_output_tokens=160, reasoning_effort="low")
    payload = chat_payload(request, to(row, model))
    assert payload.get("reasoning_effort") == ("low" if thinks else None)
    assert payload[row.max_tokens_field] == 160 + (REASONING_TOKENS if thinks else 0)


def test_a_body_for_the_provider_that_was_named_is_sent_as_it_came() -> None:
    body = {"messages": [], "temperature": 2, "reasoning_effort": "low", "of_their_own": [1]}
    asked = ChatRequest((), passthrough=Passthrough(body, "groq", "m"))
    assert chat_payload(asked, to(PROVIDERS["groq"])) == {**body, "model": "m"}


def test_what_only_the_provider_named_understands_does_not_go_to_others() -> None:
    sent = fallen_back("openai", "gpt-4o", top_k=5, transforms=["x"], seed=3, temperature=0)
    assert set(sent) == {"model", "messages", "seed", "temperature"}


JSON_SCHEMA = {"type": "json_schema", "json_schema": {"name": "answer", "schema": CLOSED, "strict": True}}


@pytest.mark.parametrize(
    ("provider", "asked", "sent_as"),
    [
        ("openai", JSON_SCHEMA, JSON_SCHEMA),
        ("openai", {"type": "json_object"}, {"type": "json_object"}),
        ("openrouter", JSON_SCHEMA, {"type": "json_object"}),
        ("openrouter", {"type": "json_object"}, {"type": "json_object"}),
        ("groq", JSON_SCHEMA, {"type": "text"}),
        ("groq", {"type": "json_object"}, {"type": "text"}),
        ("groq", {"type": "text"}, {"type": "text"}),
    ],
)
def test_json_falls_to_a_provider_as_far_as_it_takes_it_and_else_the_model_is_told(
    provider: str, asked: dict[str, Any], sent_as: dict[str, Any]
) -> None:
    sent = fallen_back(provider, "m", response_format=asked)
    assert sent["response_format"] == sent_as
    told = "".join(message["content"] for message in sent["messages"] if message["role"] == "system")
    assert bool(told) == (asked != sent_as)
    assert ("additionalProperties" in told) == (asked == JSON_SCHEMA != sent_as)


@pytest.mark.parametrize(("provider", "header"), [("openai", "authorization"), ("anthropic", "x-api-key")])
def test_the_key_stands_where_the_provider_looks_for_it(provider: str, header: str) -> None:
    row = PROVIDERS[provider]
    sent = headers(Target(row, "m", row.base_url, "the-key"))
    assert sent[header].removeprefix("Bearer ") == "the-key"
    assert sum("the-key" in value for value in sent.values()) == 1


def test_refused_parameters_are_dropped() -> None:
    row = replace(PROVIDERS["openai"], refuses=frozenset({"temperature", "stream_options"}))
    assert not {"temperature", "stream_options"} & set(chat_payload(replace(ASKED, temperature=1.0), to(row)))


@pytest.mark.parametrize(
    ("name", "kind", "instructed"),
    [
        ("openai", "json_schema", False),
        ("together", "json_schema", True),
        ("local", "json_schema", True),
        ("openrouter", "json_object", True),
        ("groq", None, True),
        ("cerebras", None, True),
    ],
)
def test_json_is_asked_for_as_the_provider_can_give_it(name: str, kind: str | None, instructed: bool) -> None:
    request = replace(ASKED, response_schema=JsonSchema("answer", CLOSED))
    payload = chat_payload(request, to(PROVIDERS[name]))
    assert payload.get("response_format", {}).get("type") == kind
    system, user = payload["messages"]
    assert system["content"].startswith("Be brief.")
    assert ("additionalProperties" in system["content"]) == instructed
    assert user == {"role": "user", "content": "Hi"}


def test_the_instruction_makes_a_system_message_where_there_is_none() -> None:
    request = ChatRequest((Message("user", "Hi"),), response_schema=JsonSchema("answer", OPEN))
    messages = chat_payload(request, to(PROVIDERS["groq"]))["messages"]
    assert [message["role"] for message in messages] == ["system", "user"]
    assert "JSON" in messages[0]["content"]


def test_dollar_signs_in_a_schema_or_a_problem_stay_as_they_are() -> None:
    schema = JsonSchema("answer", {"$defs": {"x": {}}, "description": "costs $5 ${name}"})
    text = chat_payload(replace(ASKED, response_schema=schema), to(PROVIDERS["groq"]))["messages"][0][
        "content"
    ]
    assert "${name}" in text
    assert "$defs" in text
    turn = repaired(ASKED, Repair("reply", "missing $price")).messages[-1]
    assert "missing $price" in turn.content


@pytest.mark.parametrize(
    ("schema", "strict"),
    [
        (CLOSED, True),
        (OPEN, False),
        ({**CLOSED, "required": []}, False),
        ({**CLOSED, "properties": {"a": OPEN}}, False),
        ({**CLOSED, "properties": {"a": {"type": "array", "items": CLOSED}}}, True),
        ({**CLOSED, "properties": {"a": {"anyOf": [CLOSED, OPEN]}}}, False),
        ({**CLOSED, "$defs": {"b": OPEN}}, False),
        ({**CLOSED, "properties": {"a": {"type": "object"}}}, False),
    ],
)
def test_strict_is_said_only_of_schemas_that_openai_takes_so(schema: Any, strict: bool) -> None:
    assert is_strict(schema) is strict
    request = replace(ASKED, response_schema=JsonSchema("answer", schema))
    sent = chat_payload(request, to(PROVIDERS["openai"]))["response_format"]["json_schema"]
    assert sent.get("strict", False) is strict


def test_a_prefill_is_the_last_message() -> None:
    messages = chat_payload(ASKED, to(PROVIDERS["together"]), prefill="Hello the")["messages"]
    assert messages[-1] == {"role": "assistant", "content": "Hello the"}


def test_embeddings_are_asked_for_as_the_provider_can_give_them() -> None:
    texts = ["a", ""]
    openai = embedding_payload(texts, to(PROVIDERS["openai"]), dimensions=512)
    assert openai == {"model": "m", "input": ["a", " "], "dimensions": 512, "encoding_format": "base64"}
    assert embedding_payload(texts, to(PROVIDERS["local"]), dimensions=512) == {
        "model": "m",
        "input": ["a", " "],
    }
