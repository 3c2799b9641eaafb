"""Each provider's list of models, in its own form, read into one."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.ai.model_lists import CAPABILITIES, MAX_ID, Model, UnknownForm, parse_models

TOGETHER = [
    {
        "id": "acme/Chat-8B-Turbo",
        "object": "model",
        "type": "chat",
        "display_name": "Chat 8B",
        "context_length": 131072,
        "pricing": {"hourly": 0, "input": 0.18, "output": 0.59, "cached_input": 0.02, "base": 0},
    },
    {"id": "acme/embed", "type": "embedding", "context_length": 512, "pricing": {"input": 0.01, "output": 0}},
    {"id": "acme/dedicated", "type": "chat", "pricing": {"input": 0, "output": 0}},
    {"id": "acme/gift-Free", "type": "chat", "pricing": {"input": 0, "output": 0}},
    {"id": "acme/painter", "type": "image"},
]
OPENROUTER = {
    "data": [
        {
            "id": "acme/seer",
            "name": "Acme: Seer",
            "context_length": 200000,
            "architecture": {
                "modality": "text+image->text",
                "input_modalities": ["image", "text"],
                "output_modalities": ["text"],
            },
            "pricing": {"prompt": "0.000003", "completion": "0.000015", "input_cache_read": "0.0000003"},
            "top_provider": {"context_length": 200000, "max_completion_tokens": 64000},
            "supported_parameters": ["tools", "reasoning", "temperature"],
        },
        {"id": "acme/auto", "pricing": {"prompt": "-1", "completion": "-1"}},
        {"id": "acme/gift:free", "pricing": {"prompt": "0", "completion": "0"}},
    ]
}
GROQ = {
    "object": "list",
    "data": [
        {"id": "acme-8b", "active": True, "context_window": 8192, "max_completion_tokens": 4096},
        {"id": "acme-old", "active": False, "context_window": 8192},
    ],
}
ANTHROPIC = {
    "data": [
        {
            "type": "model",
            "id": "poet-5",
            "display_name": "Poet 5",
            "max_input_tokens": 200000,
            "max_tokens": 64000,
            "capabilities": {
                "image_input": {"supported": True},
                "structured_outputs": {"supported": False},
                "thinking": {"supported": True, "types": {"enabled": {"supported": True}}},
            },
        }
    ],
    "has_more": False,
}
GOOGLE = {
    "models": [
        {
            "name": "models/star-2.5",
            "displayName": "Star 2.5",
            "inputTokenLimit": 1048576,
            "outputTokenLimit": 65536,
            "supportedGenerationMethods": ["generateContent", "countTokens"],
            "thinking": True,
        },
        {"name": "models/star-embedding", "supportedGenerationMethods": ["embedContent"]},
    ]
}


def read(provider: str, document: Any) -> dict[str, Model]:
    return dict(parse_models(provider, document).models)


def test_together_s_plain_array_has_prices_per_million_tokens() -> None:
    models = read("together", TOGETHER)
    chat = models["acme/Chat-8B-Turbo"]
    assert (chat.name, chat.context_length) == ("Chat 8B", 131072)
    assert (chat.input_price, chat.output_price) == (Decimal("0.18"), Decimal("0.59"))
    assert chat.cached_price == Decimal("0.02")
    assert chat.has("chat") is True
    assert chat.has("images") is None, "its list does not say"
    assert models["acme/embed"].has("embeddings") is True
    assert models["acme/embed"].has("chat") is False
    assert models["acme/painter"].has("chat") is False


def test_a_price_of_nothing_is_not_known_unless_the_model_is_said_to_be_free() -> None:
    models = {**read("together", TOGETHER), **read("openrouter", OPENROUTER)}
    assert models["acme/dedicated"].input_price is None
    assert models["acme/gift-Free"].input_price == 0
    assert models["acme/gift:free"].output_price == 0
    assert models["acme/auto"].input_price is None, "-1: it depends on the request"


def test_openrouter_s_prices_are_strings_per_token() -> None:
    seer = read("openrouter", OPENROUTER)["acme/seer"]
    assert (seer.input_price, seer.output_price, seer.cached_price) == (3, 15, Decimal("0.3"))
    assert (seer.context_length, seer.max_output) == (200000, 64000)
    assert seer.modality == "text+image->text"
    assert {name: seer.has(name) for name in CAPABILITIES} == {
        "chat": True,
        "embeddings": False,
        "tools": True,
        "images": True,
        "json_schema": False,
        "reasoning": True,
    }


@pytest.mark.parametrize("provider", ["openai", "local", "anyone"])
def test_a_list_of_ids_leaves_the_rest_open(provider: str) -> None:
    document = {"object": "list", "data": [{"id": "m-1", "object": "model", "created": 1, "owned_by": "x"}]}
    assert read(provider, document) == {"m-1": Model(provider, "m-1")}


def test_groq_s_windows_are_read_and_what_is_switched_off_is_left_out() -> None:
    assert read("groq", GROQ) == {"acme-8b": Model("groq", "acme-8b", None, 8192, 4096)}
    assert parse_models("groq", GROQ).skipped == 0


def test_anthropic_says_what_a_model_can() -> None:
    poet = read("anthropic", ANTHROPIC)["poet-5"]
    assert (poet.name, poet.context_length, poet.max_output) == ("Poet 5", 200000, 64000)
    assert poet.capabilities == {"images": True, "json_schema": False, "reasoning": True}


def test_google_s_names_are_ids_without_their_folder_in_both_its_lists() -> None:
    models = read("google_ai_studio", GOOGLE)
    star = models["star-2.5"]
    assert (star.name, star.context_length, star.max_output) == ("Star 2.5", 1048576, 65536)
    assert (star.has("chat"), star.has("reasoning")) == (True, True)
    assert models["star-embedding"].has("embeddings") is True
    assert list(read("google_ai_studio", {"data": [{"id": "models/star-2.5"}]})) == ["star-2.5"]


@pytest.mark.parametrize(
    ("entry", "context", "output"),
    [
        ({"id": "vllm", "max_model_len": 32768}, 32768, None),
        ({"id": "llama.cpp", "meta": {"n_ctx_train": 131072}}, 131072, None),
        ({"id": "mistral", "max_context_length": 128000}, 128000, None),
        (
            {"id": "cerebras", "limits": {"max_context_length": 65536, "max_completion_tokens": 4096}},
            65536,
            4096,
        ),
        ({"id": "lies", "context_length": -5, "context_window": True, "max_model_len": "many"}, None, None),
        ({"id": "huge", "context_length": 10**12}, None, None),
    ],
    ids=lambda value: value["id"] if isinstance(value, dict) else "",
)
def test_the_context_s_length_is_found_by_whatever_name_it_has(
    entry: dict[str, Any], context: int | None, output: int | None
) -> None:
    (model,) = read("x", {"data": [entry]}).values()
    assert (model.context_length, model.max_output) == (context, output)


def test_entries_that_cannot_be_read_are_skipped_and_counted() -> None:
    entries: list[Any] = [None, 7, "x", [], {}, {"id": 5}, {"id": " "}, {"id": "a\nb"}, {"id": "x" * 300}]
    found = parse_models("x", [*entries, {"id": "good", "pricing": 7, "architecture": [], "capabilities": 1}])
    assert found.models == {"good": Model("x", "good")}
    assert found.skipped == len(entries)


@pytest.mark.parametrize(
    "document", [None, 7, "x", {}, {"data": {}}, {"error": "x"}, [None], {"data": [1, 2]}]
)
def test_what_is_no_list_is_no_empty_list(document: Any) -> None:
    with pytest.raises(UnknownForm):
        parse_models("x", document)


def test_a_list_of_nothing_is_empty() -> None:
    assert read("x", {"data": []}) == {}
    assert read("local", {"object": "list", "data": None}) == {}


RECORDED = Path(__file__).parents[2] / "shared" / "data" / "provider_responses"


@pytest.mark.skipif(not RECORDED.is_dir(), reason="the recorded answers (../shared/data) are not here")
def test_every_recorded_list_is_read_whole() -> None:
    records = [
        json.loads(line) for line in (RECORDED / "index.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    lists = [r for r in records if r["status"] == 200 and str(r["path"]).endswith("/models")]
    assert lists
    for record in lists:
        document = json.loads((RECORDED / record["body_file"]).read_text(encoding="utf-8"))
        found = parse_models(record["provider"], document)
        assert found.models, record["id"]
        assert found.skipped == 0, record["id"]


NUMBERS = st.one_of(st.integers(), st.floats(), st.text("0123456789.eE+-", max_size=12), st.none())
SCALAR = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8))
ANY = st.one_of(
    SCALAR,
    st.lists(SCALAR, max_size=3),
    st.dictionaries(st.text(max_size=4), SCALAR, max_size=3),
    st.just({"supported": [None]}),
)
FIELDS = {
    "id": ANY,
    "name": ANY,
    "display_name": ANY,
    "type": st.one_of(ANY, st.sampled_from(["chat", "embedding", "image"])),
    "active": ANY,
    "context_length": st.one_of(ANY, NUMBERS),
    "max_tokens": st.one_of(ANY, NUMBERS),
    "pricing": st.one_of(
        ANY,
        st.dictionaries(
            st.sampled_from(["input", "output", "prompt", "completion", "input_cache_read"]), NUMBERS
        ),
    ),
    "architecture": st.one_of(
        ANY,
        st.fixed_dictionaries(
            {}, optional={"modality": ANY, "input_modalities": ANY, "output_modalities": ANY}
        ),
    ),
    "supported_parameters": ANY,
    "supportedGenerationMethods": ANY,
    "capabilities": ANY,
    "top_provider": ANY,
}
ENTRY = st.tuples(st.text(max_size=8), st.fixed_dictionaries({}, optional=FIELDS)).map(
    lambda pair: {"id": pair[0], **pair[1]}
)
LISTS = st.one_of(
    ANY,
    st.lists(st.one_of(ANY, ENTRY), max_size=3),
    st.lists(ENTRY, max_size=3).map(lambda entries: {"data": entries}),
    st.lists(ENTRY, max_size=3).map(lambda entries: {"models": entries}),
)


@given(LISTS)
def test_any_json_gives_models_or_says_that_it_is_none(document: Any) -> None:
    try:
        found = parse_models("x", document)
    except UnknownForm:
        return
    for model_id, model in found.models.items():
        assert model.id == model_id
        assert 0 < len(model_id) <= MAX_ID
        assert model_id.isprintable()
        for count in (model.context_length, model.max_output):
            assert count is None or count > 0
        for price in (model.input_price, model.output_price, model.cached_price):
            assert price is None or (price.is_finite() and price >= 0)
        assert set(model.capabilities) <= set(CAPABILITIES)
        assert all(isinstance(value, bool) for value in model.capabilities.values())
