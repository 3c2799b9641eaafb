"""Whom a body is for: whatever it says, somebody or a clear refusal."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.addressing import MAX_MODEL, Addressing
from shared.ai.catalog import Catalog
from shared.ai.client import Client
from shared.errors import ApiError, InvalidRequest, NotConfigured, NotFound
from shared.settings import Settings

TWO = {"TOGETHER_API_KEY": "k", "GROQ_API_KEY": "k"}
ONE = {"GROQ_API_KEY": "k"}


def addressing(environ: dict[str, str]) -> Addressing:
    """With the shipped lists: the catalogue has nobody to ask."""
    settings = Settings.from_env(environ)
    return Addressing(settings, Catalog(Client(), {}), dict.fromkeys(settings.access, "default"))


async def place(environ: dict[str, str], body: dict[str, Any]) -> tuple[str, str]:
    found = addressing(environ)
    return found.named(body) or await found.placed(body["model"])


@pytest.mark.parametrize(
    ("environ", "body", "expected"),
    [
        (TWO, {"model": "groq/x/y"}, ("groq", "x/y")),
        (TWO, {"model": "x", "provider": "Google-AI-Studio"}, ("google_ai_studio", "x")),
        (TWO, {"provider": "groq"}, ("groq", "default")),
        (TWO, {"model": "llama-3.1-8b-instant"}, ("groq", "llama-3.1-8b-instant")),
        (TWO, {"model": "openai/gpt-oss-120b"}, ("together", "openai/gpt-oss-120b")),  # both list it
        (TWO, {"model": "openai/gpt-4o"}, ("openai", "gpt-4o")),  # nobody else lists it
        ({**TWO, "OPENAI_API_KEY": "k"}, {"model": "openai/gpt-oss-120b"}, ("openai", "gpt-oss-120b")),
        (ONE, {"model": "whatever"}, ("groq", "whatever")),
        (ONE, {"model": "openai/gpt-oss-20b"}, ("groq", "openai/gpt-oss-20b")),
        (ONE, {"model": "acme/unheard-of"}, ("groq", "acme/unheard-of")),
    ],
    ids=str,
)
async def test_a_body_is_for_somebody(
    environ: dict[str, str], body: dict[str, Any], expected: tuple[str, str]
) -> None:
    assert await place(environ, body) == expected


@pytest.mark.parametrize(
    ("body", "error", "words"),
    [
        ({"model": "gpt-4o"}, NotConfigured, "OPENAI_API_KEY"),
        ({"model": "llama-3.1-8b-instnat"}, NotFound, "groq/llama-3.1-8b-instant"),
        ({"model": "m", "provider": "acme"}, InvalidRequest, "known are together"),
        ({"model": ""}, InvalidRequest, "model is required"),
        ({}, InvalidRequest, "model is required"),
    ],
    ids=str,
)
async def test_or_it_is_refused_with_what_would_help(
    body: dict[str, Any], error: type[ApiError], words: str
) -> None:
    with pytest.raises(error, match=words):
        await place(TWO, body)


async def test_where_no_provider_is_set_up_that_is_what_is_said() -> None:
    with pytest.raises(NotConfigured, match="TOGETHER_API_KEY"):
        await place({}, {"model": "anything"})


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "model": st.one_of(
                st.text(),
                st.none(),
                st.integers(),
                st.text().map("groq/{}".format),
                st.text(min_size=200, max_size=300),
            ),
            "provider": st.one_of(st.text(), st.none(), st.dictionaries(st.text(), st.text())),
        },
    ),
    st.sampled_from([{}, ONE, TWO]),
)
def test_whatever_it_says_a_model_comes_out_or_an_error_of_ours(
    body: dict[str, Any], environ: dict[str, str]
) -> None:
    refusals: list[ApiError] = []
    try:
        provider, model = asyncio.run(place(environ, body))
    except ApiError as error:
        refusals.append(error)
    if refusals:
        assert refusals[0].param in ("model", "provider")
        return
    assert provider in Settings.from_env({}).access
    assert 0 < len(model) <= MAX_MODEL
    assert model.isprintable()
