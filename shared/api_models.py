"""The bodies of /v1/embeddings, /v1/models and /catalog on the wire; see `shared/api.py`."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from shared.api import Answer, Body


class EmbeddingsBody(Body):
    """OpenAI's body, checked in `shared/embedding_gateway.py`; unknown fields go to the provider."""

    model_config = ConfigDict(extra="allow", defer_build=True)

    input: str | list[str] | list[int] | list[list[int]] = Field(description="Texts, or tokens' numbers")
    model: str = Field(description="As for chat completions; builtin/hashed-words-v1 needs no key")
    provider: str | None = None
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: int | None = Field(None, ge=1)


class EmbeddingAnswer(Answer):
    object: Literal["embedding"]
    index: int
    embedding: list[float] | str = Field(description="Base64: of little-endian float32")


class EmbeddingUsageAnswer(Answer):
    prompt_tokens: int
    total_tokens: int


class EmbeddingsAnswer(Answer):
    object: Literal["list"]
    data: list[EmbeddingAnswer]
    model: str
    usage: EmbeddingUsageAnswer


class OpenAIModelAnswer(Answer):
    """As OpenAI lists models; the id can be given back as `model`."""

    id: str
    object: Literal["model"]
    created: int
    owned_by: str = Field(description="The provider")
    context_length: int | None


class OpenAIModelsAnswer(Answer):
    object: Literal["list"]
    data: list[OpenAIModelAnswer]


class ModelPrices(Answer):
    """US dollars per million tokens; None: not known."""

    input: float | None
    output: float | None
    cached: float | None
    mixed: float | None = Field(description="Of the task's mix of input and output")


class CatalogModelAnswer(Answer):
    id: str = Field(description="As the provider takes it in `model`")
    gateway: str
    name: str | None
    context_length: int | None
    max_output: int | None
    prices: ModelPrices
    capabilities: dict[str, bool | None] = Field(description="None: not known")
    modality: str | None = Field(description="As in text+image->text")


class CatalogListAnswer(Answer):
    """Where a provider's list comes from."""

    gateway: str
    source: Literal["live", "stale", "snapshot"]
    as_of: str | None
    models: int
    skipped: int = Field(description="Entries of the provider's list that could not be read")


class CatalogOneAnswer(CatalogModelAnswer):
    list: CatalogListAnswer


class CatalogAnswer(Answer):
    object: Literal["list"]
    task: str | None
    sort: str
    gateways: list[CatalogListAnswer]
    data: list[CatalogModelAnswer]
