"""Providers' lists of models, each in a form of its own, read into one. Pure.

Forms seen on the wire, told apart by their fields and not by who sent them, so that a provider nobody
knew of is read as well:

    Together     a plain array; `type`, `context_length`, `pricing: {input, output}` per million tokens
    OpenRouter   `{data}`; `pricing: {prompt, completion}` as strings per token, `architecture`,
                 `supported_parameters`, `top_provider` (Baseten and Cerebras's public list are alike)
    OpenAI       `{data}`; ids alone, and so Ollama and Google's compatible list (`models/` before each)
    Groq         `{data}`; `context_window`, `max_completion_tokens`, `active`
    Anthropic    `{data}`; `display_name`, `max_input_tokens`, `capabilities: {name: {supported}}`
    Google       `{models}`; `inputTokenLimit`, `supportedGenerationMethods`
    vLLM         `{data}`; `max_model_len`; llama.cpp `meta: {n_ctx_train}`; Mistral `max_context_length`
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Literal, TypeAlias, TypeGuard, get_args

from shared.types import Json, JsonObject

Capability = Literal["chat", "embeddings", "tools", "images", "json_schema", "reasoning"]
CAPABILITIES: tuple[Capability, ...] = get_args(Capability)
Capabilities: TypeAlias = Mapping[Capability, bool]

MAX_ID = 256  # characters
MAX_MODELS = 20_000  # of one list
_DATED_OR_LATEST = re.compile(r"(?P<name>.+?)(:latest|-20\d{6})")
_MAX_TOKENS = 10**9
_MAX_PRICE = Decimal(1_000_000)  # US dollars per million tokens; above it the unit is not what we think
_MILLION = Decimal(1_000_000)


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one provider. None, and a capability that is not there: not known."""

    provider: str
    id: str  # as the provider takes it in `model`
    name: str | None = None
    context_length: int | None = None  # tokens
    max_output: int | None = None  # tokens
    input_price: Decimal | None = None  # US dollars per million tokens
    output_price: Decimal | None = None
    cached_price: Decimal | None = None  # of input tokens read from the provider's cache
    modality: str | None = None  # OpenRouter's notation: text+image->text
    capabilities: Capabilities = field(default_factory=dict)

    def has(self, capability: Capability) -> bool | None:
        """None: not known."""
        return self.capabilities.get(capability)


@dataclass(frozen=True, slots=True)
class ModelList:
    models: Mapping[str, Model]  # by id, in the list's order
    skipped: int  # entries that could not be read


@dataclass(frozen=True, slots=True)
class Listing:
    """The models of one provider."""

    provider: str
    models: Mapping[str, Model]  # by id
    source: Literal["live", "snapshot"]
    as_of: datetime | None  # None: there is no list at all
    stale: bool = False  # older than half an hour; a new one is being asked for, or was in vain
    skipped: int = 0  # entries that could not be read
    other_names: Mapping[str, str] = field(default_factory=dict)  # name to id

    def find(self, name: str) -> Model | None:
        """By its id, or by another name that the provider takes for it."""
        return self.models.get(name) or self.models.get(self.other_names.get(name, name))


def other_names(ids: Iterable[str]) -> dict[str, str]:
    """Names that providers take and do not list, each with the id it stands for.

    Ollama's `m` stands for `m:latest`, Anthropic's for `m` with the newest date.
    """
    found: dict[str, str] = {}
    for model_id in sorted(ids):
        if named := _DATED_OR_LATEST.fullmatch(model_id):
            found[named["name"]] = model_id
    return found


class UnknownForm(ValueError):
    """A document that is no list of models."""


def parse_models(provider: str, document: Json) -> ModelList:
    """The models of a provider's list. Entries that cannot be read are skipped and counted.

    Raises UnknownForm for a document that is no list, or of which no entry at all could be read.
    """
    models: dict[str, Model] = {}
    skipped = 0
    for entry in _entries(document)[:MAX_MODELS]:
        if isinstance(entry, dict) and entry.get("active") is False:
            continue
        model = _model(provider, entry)
        if model is None:
            skipped += 1
        else:
            models.setdefault(model.id, model)
    if skipped and not models:
        raise UnknownForm(f"none of {skipped} entries names a model")
    return ModelList(models, skipped)


def _entries(document: Json) -> Sequence[Json]:
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        for name in ("data", "models"):
            if isinstance(entries := document.get(name), list):
                return entries
        if document.get("object") == "list" and document.get("data", ...) is None:  # Ollama's, of none
            return []
    raise UnknownForm("neither an array nor an object with `data` or `models`")


def _model(provider: str, entry: Json) -> Model | None:
    if not isinstance(entry, dict):
        return None
    model_id = _id(entry)
    if model_id is None:
        return None
    prices = _prices(entry.get("pricing"), free=_says_free(model_id))
    modality = _modality(entry)
    return Model(
        provider,
        model_id,
        _text(entry, "display_name", "displayName", "name") if "id" in entry else _text(entry, "displayName"),
        _tokens(entry, _CONTEXT),
        _tokens(entry, _OUTPUT),
        prices.get("input"),
        prices.get("output"),
        prices.get("cached"),
        modality,
        {**from_modality(modality), **_capabilities(entry)},
    )


def _id(entry: JsonObject) -> str | None:
    found = _text(entry, "id", "name")
    found = found.removeprefix("models/") if found else None  # Google's resource names
    return found if found and len(found) <= MAX_ID and found.isprintable() else None


def _text(entry: JsonObject, *names: str) -> str | None:
    return next((text for name in names if isinstance(text := entry.get(name), str) and text.strip()), None)


# --- tokens ---------------------------------------------------------------------------------------

_CONTEXT = (
    ("context_length",),
    ("context_window",),
    ("max_context_length",),
    ("max_model_len",),
    ("max_input_tokens",),
    ("inputTokenLimit",),
    ("limits", "max_context_length"),
    ("top_provider", "context_length"),
    ("meta", "n_ctx_train"),
)
_OUTPUT = (
    ("max_completion_tokens",),
    ("max_output_tokens",),
    ("max_tokens",),
    ("outputTokenLimit",),
    ("limits", "max_completion_tokens"),
    ("top_provider", "max_completion_tokens"),
)


def _tokens(entry: JsonObject, paths: Sequence[tuple[str, ...]]) -> int | None:
    for path in paths:
        value: Json = entry
        for name in path:
            value = value.get(name) if isinstance(value, dict) else None
        if type(value) is int and 0 < value <= _MAX_TOKENS:
            return value
    return None


# --- prices ---------------------------------------------------------------------------------------

_PER_TOKEN = {"prompt": "input", "completion": "output", "input_cache_read": "cached"}
_PER_MILLION = {"input": "input", "output": "output", "cached_input": "cached"}


def _prices(pricing: Json, *, free: bool) -> Mapping[str, Decimal]:
    """Per million tokens. All nothing, where nothing says that the model is free: not known."""
    if not isinstance(pricing, dict):
        return {}
    per_token = "prompt" in pricing or "completion" in pricing
    fields = _PER_TOKEN if per_token else _PER_MILLION
    found = {
        ours: price
        for theirs, ours in fields.items()
        if (price := _price(pricing.get(theirs), _MILLION if per_token else Decimal(1))) is not None
    }
    return found if free or any(found.values()) else {}


def _price(value: Json, factor: Decimal) -> Decimal | None:
    """None also for what is negative: OpenRouter says -1 where the price depends on the request."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or len(str(value)) > 40:
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    if number == 0:
        return Decimal(0)
    if not number.is_finite() or number < 0 or not -30 < number.adjusted() < 10:
        return None
    price = number * factor
    return price if price <= _MAX_PRICE else None


def _says_free(model_id: str) -> bool:
    """Together's and OpenRouter's ids of free models; else a price of 0 means that there is none."""
    return model_id.lower().endswith((":free", "-free"))


# --- what a model takes and gives -----------------------------------------------------------------

_ORDER = ("text", "image", "file", "audio", "video")
_KINDS = {  # Together's `type`; of `chat` it is not said whether it sees pictures
    "embedding": "text->embeddings",
    "image": "text->image",
    "rerank": "text->rerank",
    "audio": "text->audio",
    "transcribe": "audio->text",
    "video": "text->video",
}
_NAMES: Mapping[str, Capability] = {
    "completion_chat": "chat",
    "tools": "tools",
    "function_calling": "tools",
    "tool_calling": "tools",
    "vision": "images",
    "image_input": "images",
    "structured_outputs": "json_schema",
    "structured_output": "json_schema",
    "reasoning": "reasoning",
    "thinking": "reasoning",
}
_LISTED: tuple[Capability, ...] = ("tools", "json_schema", "reasoning")  # what a list without them denies


def _modality(entry: JsonObject) -> str | None:
    architecture = entry.get("architecture")
    for source in (architecture, entry):
        if isinstance(source, dict):
            given, made = source.get("input_modalities"), source.get("output_modalities")
            if _are_words(given) and _are_words(made):
                return f"{_joined(given)}->{_joined(made)}"
    if isinstance(architecture, dict) and (named := _text(architecture, "modality")) and "->" in named:
        return named[:100]
    methods = entry.get("supportedGenerationMethods")
    if isinstance(methods, list) and "embedContent" in methods:
        return "text->embeddings"
    kind = entry.get("type")
    return _KINDS.get(kind) if isinstance(kind, str) else None


def _are_words(value: Json) -> TypeGuard[list[str]]:
    return isinstance(value, list) and bool(value) and all(isinstance(word, str) for word in value)


def _joined(words: Sequence[str]) -> str:
    known = [word for word in _ORDER if word in words]
    return "+".join([*known, *(word[:20] for word in words[:10] if word not in _ORDER)])


def from_modality(modality: str | None) -> dict[Capability, bool]:
    """What OpenRouter's notation says: text+image->text takes images and chats."""
    given, arrow, made = (modality or "").partition("->")
    if not arrow:
        return {}
    inputs, outputs = given.split("+"), made.split("+")
    return {
        "chat": "text" in inputs and "text" in outputs,
        "embeddings": "embeddings" in outputs,
        "images": "image" in inputs,
    }


def _capabilities(entry: JsonObject) -> dict[Capability, bool]:
    found: dict[Capability, bool] = dict(_from_lists(entry))
    named = entry.get("capabilities")
    if isinstance(named, dict):
        found.update(_from_names(named))
    methods = entry.get("supportedGenerationMethods")
    if isinstance(methods, list):
        found["chat"] = "generateContent" in methods
    if entry.get("type") in ("chat", "language", "code"):
        found["chat"] = entry["type"] == "chat"
    if isinstance(thinking := entry.get("thinking"), bool):
        found["reasoning"] = thinking
    return found


def _from_lists(entry: JsonObject) -> Iterator[tuple[Capability, bool]]:
    for field_name in ("supported_parameters", "supported_features"):
        listed = entry.get(field_name)
        if isinstance(listed, list) and listed:
            names = {_NAMES.get(name) for name in listed if isinstance(name, str)}
            yield from ((capability, capability in names) for capability in _LISTED)


def _from_names(named: JsonObject) -> Iterator[tuple[Capability, bool]]:
    for name, value in named.items():
        supported = value.get("supported") if isinstance(value, dict) else value
        if name in _NAMES and isinstance(supported, bool):
            yield _NAMES[name], supported
