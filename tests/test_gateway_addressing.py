"""/v1/chat/completions: which provider and which model a body is for, and which bodies are refused."""

from pathlib import Path
from typing import Any

import pytest

from functions import chat_completions
from shared.ai.catalog import Catalog
from tests.gateway_client import HELLO, URL, alone, body
from tests.marginalia import with_simulators
from tests.simulator import Reply, Simulator


@pytest.mark.parametrize(
    ("asked", "provider", "model"),
    [
        ({"model": "together/a/b"}, "together", "a/b"),
        ({"model": "Together/a"}, "together", "a"),
        ({"model": "a/b", "provider": "openai"}, "openai", "a/b"),
        ({"model": "together/x", "provider": "openai"}, "openai", "together/x"),
        ({"provider": "openai"}, "openai", "gpt-4o"),
        ({"model": "together/x", "provider": {"order": ["a"]}}, "together", "x"),
    ],
    ids=str,
)
async def test_a_body_says_whom_it_is_for(
    asked: dict[str, Any], provider: str, model: str, database_url: str
) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        response = await client.post(URL, json={"messages": HELLO, **asked})
        assert response.headers["x-marginalia-provider"] == provider
        (request,) = (together if provider == "together" else openai).requests
        assert request.json["model"] == model
        assert isinstance(request.json.get("provider", {}), dict)
        assert ("provider" in request.json) == isinstance(asked.get("provider"), dict)


async def test_the_only_provider_there_is_needs_no_name(database_url: str) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(model="a/b"))
        assert response.status_code == 200
        assert together.requests[0].json["model"] == "a/b"


@pytest.mark.parametrize(
    ("model", "provider"),
    [
        ("gpt-4o", "openai"),
        ("meta-llama/Llama-3.3-70B-Instruct-Turbo", "together"),
        ("claude-sonnet-5", None),
    ],
)
async def test_a_model_s_name_alone_finds_its_provider_in_the_catalogue(
    model: str, provider: str | None, database_url: str
) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        response = await client.post(URL, json=body(model=model))
        if provider is None:
            error = response.json()["error"]
            assert (response.status_code, error["code"], error["param"]) == (503, "not_configured", "model")
            assert "ANTHROPIC_API_KEY" in error["message"]
            return
        assert response.headers["x-marginalia-provider"] == provider
        chats = [r for r in [*together.requests, *openai.requests] if r.method == "POST"]
        assert [chat.json["model"] for chat in chats] == [model]


async def test_a_model_that_only_a_live_list_has_is_found(database_url: str) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        openai.models = ["brand-new"]
        response = await client.post(URL, json=body(model="brand-new"))
        assert response.headers["x-marginalia-provider"] == "openai"
        assert {request.path for request in together.requests} == {"/v1/models"}


async def test_a_provider_of_one_s_own_is_found_by_its_models_and_has_vectors(
    database_url: str, tmp_path: Path
) -> None:
    async with Simulator() as own:
        own.models = ["acme-chat", "acme-vectors"]
        rows = ("[acme]", f'base_url = "{own.base_url}"', 'models = { quality = "acme-chat" }')
        table = "\n".join([*rows, 'embedding_model = "acme-vectors"'])
        (tmp_path / "own.toml").write_text(table, encoding="utf-8")
        environ = {"AI_CUSTOM_PROVIDERS": str(tmp_path / "own.toml"), "ACME_API_KEY": "k"}
        async with with_simulators(database_url, environ) as (client, _, _openai):
            response = await client.post(URL, json=body(model="acme-chat"))
            assert response.headers["x-marginalia-provider"] == "acme"
            made = await client.post("/v1/embeddings", json={"model": "acme-vectors", "input": "a"})
            assert made.headers["x-marginalia-provider"] == "acme"
            listed = (await client.get("/v1/models")).json()["data"]
            assert "acme/acme-chat" in {model["id"] for model in listed}


async def test_of_several_providers_that_list_a_model_the_first_is_asked(database_url: str) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        together.models = openai.models = ["brand-new"]
        response = await client.post(URL, json=body(model="brand-new"))
        assert response.headers["x-marginalia-provider"] == "together"


async def test_a_model_that_nobody_lists_is_not_found_and_near_names_are_told(database_url: str) -> None:
    async with with_simulators(database_url) as (client, together, openai):
        openai.models = ["gpt-4o", "gpt-4o-mini"]
        response = await client.post(URL, json=body(model="gpt-4o-mimi"))
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (404, "not_found", "model")
        assert "openai/gpt-4o-mini" in error["message"]
        assert not [r for r in [*together.requests, *openai.requests] if r.method == "POST"]


async def test_lists_that_do_not_come_hold_up_nobody_for_long(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Catalog.first, "__kwdefaults__", {"wait": 0.05})
    async with with_simulators(database_url) as (client, together, openai):
        together.script(Reply(before_headers="stall"))
        openai.script(Reply(before_headers="stall"))
        response = await client.post(URL, json=body(model="who-knows"))
        assert response.status_code == 404


async def test_a_provider_s_name_that_is_part_of_another_s_model_is_not_asked_in_vain(
    database_url: str,
) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(model="openai/gpt-oss-120b"))
        assert response.headers["x-marginalia-provider"] == "together"
        assert together.requests[0].json["model"] == "openai/gpt-oss-120b"


@pytest.mark.parametrize(
    ("change", "asked"),
    [
        ({}, True),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, False),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            False,
        ),
    ],
    ids=["text", "tools", "a picture"],
)
async def test_a_fallback_that_cannot_take_what_is_sent_is_not_asked(
    change: dict[str, Any], asked: bool, database_url: str
) -> None:
    environ = {"AI_MAX_RETRIES": "0", "OPENAI_QUALITY_MODEL": "gpt-3.5-turbo"}
    async with with_simulators(database_url, environ) as (client, together, openai):
        together.reply(Reply(status=503))
        response = await client.post(URL, json=body(**change))
        assert bool(openai.requests) is asked
        assert response.status_code == (200 if asked else 502)


async def test_a_provider_without_a_key_is_not_configured(database_url: str) -> None:
    async with alone(database_url) as (client, _):
        response = await client.post(URL, json=body(provider="groq", model="a"))
        assert (response.status_code, response.json()["error"]["code"]) == (503, "not_configured")
        assert "GROQ_API_KEY" in response.json()["error"]["message"]


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hello"}, "messages"),
        ({"messages": ["hello"]}, "messages"),
        ({"model": None}, "model"),
        ({"model": 7}, "model"),
        ({"model": "together/a\r\nb: c"}, "model"),
        ({"model": "together/" + "a" * 300}, "model"),
        ({"provider": "nobody"}, "provider"),
        ({"stream": "yes"}, "stream"),
        ({"stream_options": 1}, "stream_options"),
        ({"response_format": "json"}, "response_format"),
        ({"n": 0}, "n"),
        ({"n": "2"}, "n"),
        ({"n": True}, "n"),
    ],
    ids=str,
)
async def test_a_body_that_cannot_be_sent_on_is_refused(
    change: dict[str, Any], param: str, database_url: str
) -> None:
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(**change))
        error = response.json()["error"]
        assert (response.status_code, error["code"], error["param"]) == (400, "invalid_request", param)
        assert together.requests == []


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b"[]", 400),
        (b"\xff", 400),
        (b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}", 400),
        (b"x" * 5000, 413),
    ],
    ids=["empty", "cut", "list", "not utf-8", "deep", "large"],
)
async def test_a_body_that_is_no_object_is_refused(
    content: bytes, status: int, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chat_completions, "MAX_BODY_BYTES", 4999)
    async with alone(database_url) as (client, _):
        response = await client.post(URL, content=content, headers={"content-type": "application/json"})
        assert response.status_code == status
        assert response.json()["error"]["code"] == ("invalid_request" if status == 400 else "too_large")


async def test_a_picture_of_some_megabytes_passes_through(database_url: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "A" * (5 << 20)}}
    async with alone(database_url) as (client, together):
        response = await client.post(URL, json=body(messages=[{"role": "user", "content": [picture]}]))
        assert response.status_code == 200
        assert together.requests[0].json["messages"][0]["content"] == [picture]
