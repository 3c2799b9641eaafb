"""Which providers there are and how they are reached: rows, a file of further ones, an HTTP gateway."""

import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.providers import models_table, rows_table, written
from shared.custom_providers import custom_providers
from shared.errors import ConfigurationError
from shared.providers import PROVIDERS, Target
from shared.settings import Settings
from shared.types import Task, Tier
from tests.simulator import Reply, Simulator
from tests.simulator.asking import PATIENT, asking

MISTRAL = """
[mistral]
base_url = "https://api.mistral.ai/v1/"
models = { quality = "mistral-large-latest", fast = "mistral-small-latest" }
json_output = "schema"
refuses = ["user"]
headers = { X-Team = "docs" }
first_token_timeout = 30
embedding_model = "mistral-embed"
embedding_batch = 32
"""


def in_file(tmp_path: Path, text: str) -> dict[str, str]:
    path = tmp_path / "providers.toml"
    path.write_text(text, encoding="utf-8")
    return {"AI_CUSTOM_PROVIDERS": str(path)}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as raised:
        Settings.from_env(environ)
    return str(raised.value)


# --- further providers ---------------------------------------------------------------------------


def test_a_provider_of_the_file_is_used_like_one_of_ours(tmp_path: Path) -> None:
    environ = {
        **in_file(tmp_path, MISTRAL),
        "AI_QA_PROVIDER": "mistral",
        "AI_FALLBACK_PROVIDER": "openai,mistral",
        "AI_EMBEDDING_PROVIDER": "mistral",
        "MISTRAL_API_KEY": "k",
        "MISTRAL_QA_MODEL": "mistral-medium-latest",
    }
    settings = Settings.from_env(environ)
    asked = settings.tasks[Task.QA].targets[Tier.QUALITY][0]
    assert (asked.provider.name, asked.model) == ("mistral", "mistral-medium-latest")
    assert asked.base_url == "https://api.mistral.ai/v1"
    assert asked.first_token_timeout == 30.0
    assert asked.ready
    fallbacks = settings.tasks[Task.ANALYSIS].targets[Tier.FAST]
    assert [(t.provider.name, t.model) for t in fallbacks][-1] == ("mistral", "mistral-small-latest")
    assert settings.access["mistral"][Tier.CODE].model == "mistral-large-latest"
    assert settings.embedding.target is not None
    assert settings.embedding.target.model == "mistral-embed"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[mistral", ["providers.toml", "not TOML"]),
        ("mistral = 1", ["mistral", "found 1", "one table a provider"]),
        ("[Mistral]", ["[Mistral]", "small letters"]),
        ("[openai]", ["[openai]", "the name is taken"]),
        ("[builtin]", ["[builtin]", "the name is taken"]),
        ('[x]\nmodels = { quality = "m" }', ["[x]", "base_url is missing"]),
        ('[x]\nbase_url = "http://h/v1"', ["[x]", "models is missing"]),
        ("[x]\nbase_ulr = 1", ["[x]", "missing"]),
        ('[x]\nbase_url = "ftp://h"\nmodels = { quality = "m" }', ["[x] base_url", "'ftp://h'", "https://"]),
        (
            '[x]\nbase_url = "http://h"\nmodels = { fast = "m" }',
            ["[x] models", "{'fast': 'm'}", "quality is required"],
        ),
        (
            '[x]\nbase_url = "http://h"\nmodels = { quality = "m", slow = "n" }',
            ["[x] models", "'slow'", "fast, quality, code"],
        ),
    ],
)
def test_a_wrong_file_says_where_and_what_is_allowed(tmp_path: Path, text: str, told: list[str]) -> None:
    message = refusal(in_file(tmp_path, text))
    assert message.startswith("AI_CUSTOM_PROVIDERS: ")
    assert [part for part in told if part not in message] == []


GOOD = '[x]\nbase_url = "http://h/v1"\nmodels = { quality = "m" }\n'


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("temperature = 1", ["[x] temperature", "not a known key", "base_url, models"]),
        ('needs_key = "no"', ["[x] needs_key", "'no'", "true or false"]),
        ('json_output = "yaml"', ["[x] json_output", "'yaml'", "schema, object, prompt"]),
        ('wire = "smoke"', ["[x] wire", "'smoke'", "openai, anthropic"]),
        ("refuses = [1]", ["[x] refuses", "[1]", "a list of texts"]),
        ("first_token_timeout = 0", ["[x] first_token_timeout", "found 0", "seconds"]),
        ("embedding_batch = 1.5", ["[x] embedding_batch", "1.5", "whole number"]),
        ('key_header = "a b"', ["[x] key_header", "'a b'"]),
        ('embedding_model = ""', ["[x] embedding_model", "''", "a text"]),
    ],
)
def test_a_wrong_key_is_named_with_what_was_found(tmp_path: Path, line: str, told: list[str]) -> None:
    message = refusal(in_file(tmp_path, GOOD + line))
    assert [part for part in told if part not in message] == []


def test_a_header_s_value_is_not_told(tmp_path: Path) -> None:
    message = refusal(in_file(tmp_path, GOOD + 'headers = { a = "secret\\n" }'))
    assert "[x] headers" in message
    assert "secret" not in message


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert "No such file" in refusal({"AI_CUSTOM_PROVIDERS": str(tmp_path / "none.toml")})


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
keys = st.sampled_from(["base_url", "models", "headers", "refuses", "key_header", "wire", "embedding_batch"])


@given(st.dictionaries(keys, values, max_size=4))
def test_whatever_stands_in_the_file_it_is_taken_or_refused(table: dict[str, Any]) -> None:
    from shared.custom_providers import _FIELDS, _Wrong  # the checks, without a file for each example

    for key, value in table.items():
        with suppress(_Wrong):
            _FIELDS[key](value)


def test_the_example_in_the_documentation_is_a_good_file(tmp_path: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "providers.md").read_text(encoding="utf-8")
    example = page.partition("```toml\n")[2].partition("```")[0]
    path = tmp_path / "example.toml"
    path.write_text(example, encoding="utf-8")
    rows = custom_providers(path, PROVIDERS)
    assert len(rows) >= 2
    assert all(row.models[Tier.QUALITY] for row in rows.values())


# --- by an HTTP gateway --------------------------------------------------------------------------

GATEWAY = "https://gateway.ai.cloudflare.com/v1/account/docs"


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("OPENAI", f"{GATEWAY}/openai"),
        ("ANTHROPIC", f"{GATEWAY}/anthropic/v1"),
        ("GOOGLE_AI_STUDIO", f"{GATEWAY}/google-ai-studio/v1beta/openai"),
        ("GROQ", f"{GATEWAY}/groq"),
        ("CEREBRAS", f"{GATEWAY}/cerebras"),
        ("OPENROUTER", f"{GATEWAY}/openrouter"),
    ],
)
def test_a_provider_behind_the_gateway_has_the_gateway_s_url(name: str, url: str) -> None:
    settings = Settings.from_env({"AI_GATEWAY_URL": f"{GATEWAY}/", f"{name}_ROUTE": "gateway"})
    target = settings.access[name.lower()][Tier.FAST]
    assert (target.base_url, target.route) == (url, "gateway")
    others = [tiers[Tier.FAST].route for key, tiers in settings.access.items() if key != name.lower()]
    assert set(others) == {"direct"}


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"OPENAI_ROUTE": "tunnel"}, ["OPENAI_ROUTE", "'tunnel'", "direct, gateway"]),
        ({"OPENAI_ROUTE": "gateway"}, ["OPENAI_ROUTE", "AI_GATEWAY_URL is not set"]),
        ({"AI_GATEWAY_URL": "gateway.ai"}, ["AI_GATEWAY_URL", "'gateway.ai'", "https://"]),
        ({"AI_GATEWAY_URL": "http://["}, ["AI_GATEWAY_URL", "'http://['", "https://"]),
        ({"OPENAI_BASE_URL": "http://h:port/v1"}, ["OPENAI_BASE_URL", "'http://h:port/v1'"]),
        (
            {"AI_GATEWAY_URL": GATEWAY, "TOGETHER_ROUTE": "gateway"},
            ["TOGETHER_ROUTE", "no path for together", "direct"],
        ),
        ({"AI_GATEWAY_URL": GATEWAY, "LOCAL_ROUTE": "gateway"}, ["LOCAL_ROUTE", "no path for local"]),
        (
            {"AI_GATEWAY_URL": GATEWAY, "OPENAI_ROUTE": "gateway", "OPENAI_BASE_URL": "http://h/v1"},
            ["OPENAI_ROUTE", "OPENAI_BASE_URL is set as well"],
        ),
    ],
)
def test_a_route_that_cannot_be_is_named(environ: dict[str, str], told: list[str]) -> None:
    message = refusal(environ)
    assert [part for part in told if part not in message] == []


def behind(simulator: Simulator, name: str, **environ: str) -> Target:
    """The provider as reached by a gateway that is the simulator."""
    gateway = simulator.base_url.removesuffix("/v1") + "/v1/account/docs"
    settings = Settings.from_env({"AI_GATEWAY_URL": gateway, f"{name.upper()}_ROUTE": "gateway", **environ})
    return settings.access[name][Tier.QUALITY]


async def test_a_request_by_the_gateway_is_the_same_at_another_address() -> None:
    async with Simulator() as sim, asking() as asker:
        heard = await asker.stream([behind(sim, "groq", GROQ_API_KEY="groq-key")])
    assert heard.error is None
    seen = sim.requests[0]
    assert seen.path == "/v1/account/docs/groq/chat/completions"
    assert seen.headers["authorization"] == "Bearer groq-key"
    assert "cf-aig-authorization" not in seen.headers
    assert seen.json["model"] == "openai/gpt-oss-120b"


async def test_the_gateway_s_token_goes_to_the_gateway_alone_and_may_stand_in_for_a_key() -> None:
    async with Simulator() as sim, asking() as asker:
        behind_it = behind(sim, "groq", AI_GATEWAY_TOKEN="gateway-token")
        direct = Settings.from_env({"AI_GATEWAY_TOKEN": "gateway-token"}).access["openai"][Tier.FAST]
        await asker.stream([behind_it])
    assert behind_it.ready
    assert not direct.ready
    assert direct.gateway_token is None
    assert "gateway-token" not in repr(behind_it)
    assert sim.requests[0].headers["cf-aig-authorization"] == "Bearer gateway-token"
    assert "authorization" not in sim.requests[0].headers


# --- a provider's own patience -------------------------------------------------------------------


async def test_a_provider_s_own_time_to_the_first_token_goes_before_the_task_s() -> None:
    async with Simulator() as sim, asking(limits=replace(PATIENT, first_token_timeout=0.1)) as asker:
        sim.reply(Reply(first_token_delay=0.5))
        environ = {"LOCAL_BASE_URL": sim.base_url}
        hasty = Settings.from_env(environ).access["local"][Tier.FAST]
        patient = Settings.from_env({**environ, "LOCAL_FIRST_TOKEN_TIMEOUT": "20"}).access["local"][Tier.FAST]
        assert (await asker.stream([hasty])).error is not None
        assert (await asker.stream([patient])).error is None


def test_no_key_stands_in_the_settings_representation(tmp_path: Path) -> None:
    environ = {"OPENAI_API_KEY": "sk-secret", "AI_GATEWAY_TOKEN": "cf-secret", "AI_GATEWAY_URL": GATEWAY}
    settings = Settings.from_env({**environ, "OPENAI_ROUTE": "gateway", **in_file(tmp_path, MISTRAL)})
    assert "secret" not in repr(settings)
    assert json.dumps(sorted(settings.access)).count("mistral") == 1


# --- the page ------------------------------------------------------------------------------------


def test_the_tables_in_the_documentation_are_those_of_the_rows() -> None:
    """`python -m benchmarks.providers --write` puts them there."""
    page = (Path(__file__).parents[1] / "docs" / "providers.md").read_text(encoding="utf-8")
    assert written(page, "models", models_table()) == page
    assert written(page, "rows", rows_table()) == page
