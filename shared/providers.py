"""The providers, one row each. A provider is data: what differs between them stands here.

To add one: a row here, its prices in `shared/ai/prices.json`, recorded fixtures in the tests.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from shared.types import Tier


@dataclass(frozen=True, slots=True)
class Provider:
    """One OpenAI-compatible API: where it is and how it differs from OpenAI's."""

    name: str
    base_url: str  # up to and including the version, no slash at the end
    models: Mapping[Tier, str]
    needs_key: bool = True
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    # How JSON is asked for: by schema, as any JSON object, or by the prompt alone.
    json_output: Literal["schema", "object", "prompt"] = "object"
    schema_in_prompt: bool = False  # the schema binds the decoder, but the model does not see it
    usage_in_streams: bool = True  # understands stream_options.include_usage
    accepts_prefill: bool = False  # goes on from a last message of the assistant's
    refuses: frozenset[str] = frozenset()  # parameters answered with an error
    reasoning_model_prefixes: tuple[str, ...] = ()  # models that refuse `temperature` and `stop`
    embedding_model: str | None = None  # None: has no embeddings endpoint
    embedding_takes_dimensions: bool = False
    embedding_base64: bool = False  # gives vectors as base64 of little-endian float32 when asked
    embedding_batch: int = 256  # texts a request
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def variable_prefix(self) -> str:
        """OPENAI of OPENAI_API_KEY."""
        return self.name.upper().replace("-", "_")


def _tiers(fast: str, quality: str, code: str) -> Mapping[Tier, str]:
    return {Tier.FAST: fast, Tier.QUALITY: quality, Tier.CODE: code}


PROVIDERS: Mapping[str, Provider] = {
    row.name: row
    for row in (
        Provider(
            name="together",
            base_url="https://api.together.xyz/v1",
            models=_tiers(
                "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
                "meta-llama/Meta-Llama-3.1-70B-Instruct-Turbo",
                "Qwen/Qwen2.5-Coder-32B-Instruct",
            ),
            json_output="schema",
            schema_in_prompt=True,
            accepts_prefill=True,
            embedding_model="BAAI/bge-base-en-v1.5",
        ),
        Provider(
            name="openai",
            base_url="https://api.openai.com/v1",
            models=_tiers("gpt-4o-mini", "gpt-4o", "gpt-4o"),
            max_tokens_field="max_completion_tokens",
            json_output="schema",
            reasoning_model_prefixes=("o1", "o3", "o4", "gpt-5"),
            embedding_model="text-embedding-3-small",
            embedding_takes_dimensions=True,
            embedding_base64=True,
        ),
        Provider(
            name="anthropic",
            base_url="https://api.anthropic.com/v1",
            models=_tiers("claude-haiku-4-5", "claude-sonnet-4-5", "claude-sonnet-4-5"),
            json_output="prompt",
        ),
        Provider(
            name="google_ai_studio",
            base_url="https://generativelanguage.googleapis.com/v1beta/openai",
            models=_tiers("gemini-2.5-flash-lite", "gemini-2.5-flash", "gemini-2.5-pro"),
            json_output="schema",
            embedding_model="gemini-embedding-001",
            embedding_takes_dimensions=True,
            embedding_batch=100,
        ),
        Provider(
            name="cerebras",
            base_url="https://api.cerebras.ai/v1",
            models=_tiers("llama3.1-8b", "llama-3.3-70b", "qwen-3-coder-480b"),
            max_tokens_field="max_completion_tokens",
            json_output="schema",
        ),
        Provider(
            name="groq",
            base_url="https://api.groq.com/openai/v1",
            models=_tiers("llama-3.1-8b-instant", "llama-3.3-70b-versatile", "llama-3.3-70b-versatile"),
            max_tokens_field="max_completion_tokens",
            json_output="object",
        ),
        Provider(
            name="openrouter",
            base_url="https://openrouter.ai/api/v1",
            models=_tiers(
                "meta-llama/llama-3.1-8b-instruct",
                "meta-llama/llama-3.3-70b-instruct",
                "qwen/qwen-2.5-coder-32b-instruct",
            ),
            json_output="object",
            accepts_prefill=True,
        ),
        Provider(
            name="local",
            base_url="http://127.0.0.1:11434/v1",
            models=_tiers("llama3.1", "llama3.1", "qwen2.5-coder"),
            needs_key=False,
            json_output="schema",
            schema_in_prompt=True,
            embedding_model="nomic-embed-text",
            embedding_batch=64,
        ),
    )
}


@dataclass(frozen=True, slots=True)
class Target:
    """Whom to ask for what: a provider as this deployment reaches it, and a model of it."""

    provider: Provider
    model: str
    base_url: str
    api_key: str | None = field(repr=False)

    @property
    def ready(self) -> bool:
        """Whether it can be called at all."""
        return self.api_key is not None or not self.provider.needs_key
