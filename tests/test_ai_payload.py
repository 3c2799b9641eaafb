"""What is sent to whom."""

from dataclasses import replace
from typing import Any

import pytest

from shared.ai.payload import Repair, chat_payload, embedding_payload, is_strict, repaired
from shared.providers import PROVIDERS, Provider, Target
from shared.types import ChatRequest, JsonSchema, Message

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


@pytest.mark.parametrize("model", ["o3", "o4-mini", "gpt-5", "openai/o3"])
def test_a_reasoning_model_is_not_sent_what_it_refuses(model: str) -> None:
    request = replace(ASKED, temperature=0.0, stop=("END",))
    payload = chat_payload(request, to(PROVIDERS["openai"], model))
    assert not {"temperature", "stop"} & set(payload)


def test_refused_parameters_are_dropped() -> None:
    row = replace(PROVIDERS["openai"], refuses=frozenset({"temperature", "stream_options"}))
    assert not {"temperature", "stream_options"} & set(chat_payload(replace(ASKED, temperature=1.0), to(row)))


@pytest.mark.parametrize(
    ("name", "kind", "instructed"),
    [
        ("openai", "json_schema", False),
        ("together", "json_schema", True),
        ("local", "json_schema", True),
        ("groq", "json_object", True),
        ("anthropic", None, True),
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
