"""The providers, one row each. A provider is data: what differs between them stands here.

To add one: a row here, its prices in `shared/ai/prices.json`, fixtures in the tests. One that speaks
OpenAI's wire needs no code at all, not even a row: see `shared/custom_providers.py`. The sources of
these rows, and what was found there, are in docs/providers.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from shared.types import Tier

WireName = Literal["openai", "anthropic"]
JsonOutput = Literal["schema", "object", "prompt"]
Route = Literal["direct", "gateway"]

_OPENAI_REASONING = ("o1", "o3", "o4", "gpt-5")
_CLAUDE_STRICT = (
    "claude-opus-4-7",
    "claude-opus-4-8",
    "claude-opus-5",
    "claude-sonnet-5",
    "claude-fable",
    "claude-mythos",
)


@dataclass(frozen=True, slots=True)
class Provider:
    """One API: where it is, which wire it speaks, and how it differs from others of that wire."""

    name: str
    base_url: str  # up to and including the version, no slash at the end
    models: Mapping[Tier, str]
    wire: WireName = "openai"
    needs_key: bool = True
    key_header: str = "authorization"  # there as a bearer token, in any other header as it is
    headers: Mapping[str, str] = field(default_factory=dict)
    models_path: str = "/models"  # where it lists them
    gateway_path: str | None = None  # in an HTTP gateway's URL, in place of base_url; None: it has none
    first_token_timeout: float | None = None  # seconds; None: the task's own
    max_tokens_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    default_max_tokens: int | None = None  # for a request that names none, where the API demands one
    # How JSON is asked for: by schema, as any JSON object, or by the prompt alone.
    json_output: JsonOutput = "object"
    schema_in_prompt: bool = False  # the schema binds the decoder, but the model does not see it
    usage_in_streams: bool = True  # understands stream_options.include_usage
    accepts_prefill: bool = False  # goes on from a last message of the assistant's
    one_choice: bool = False  # gives one answer to a request, never `n`
    refuses: frozenset[str] = frozenset()  # parameters answered with an error
    # Beginnings of models' names, "" for all of them: those that understand `reasoning_effort`; those
    # among them that do not reason unless it is set, or of which nobody knows; and those that refuse some
    # parameters which the provider's others take.
    reasoning_models: tuple[str, ...] = ()
    reasons_when_asked: tuple[str, ...] = ()
    strict_models: tuple[str, ...] = ()
    strict_models_refuse: frozenset[str] = frozenset()
    embedding_model: str | None = None  # None: has no embeddings endpoint
    embedding_takes_dimensions: bool = False
    embedding_takes_tokens: bool = False  # numbers of tokens in place of texts
    embedding_base64: bool = False  # gives vectors as base64 of little-endian float32 when asked
    embedding_batch: int = 256  # texts a request

    @property
    def variable_prefix(self) -> str:
        """OPENAI of OPENAI_API_KEY."""
        return self.name.upper().replace("-", "_")

    def understands_effort(self, model: str) -> bool:
        return _begins(model, self.reasoning_models)

    def reasons(self, model: str) -> bool:
        """Whether the model thinks before it answers without being asked to."""
        return self.understands_effort(model) and not _begins(model, self.reasons_when_asked)

    def refused_by(self, model: str) -> frozenset[str]:
        """The parameters that the model answers with an error."""
        refused = self.refuses if self.understands_effort(model) else self.refuses | {"reasoning_effort"}
        return refused | self.strict_models_refuse if _begins(model, self.strict_models) else refused


def _begins(model: str, beginnings: tuple[str, ...]) -> bool:
    """A name may have its maker's before it: `openai/gpt-oss-120b`."""
    return bool(beginnings) and model.rsplit("/", 1)[-1].startswith(beginnings)


def is_http_address(text: str) -> bool:
    """Whether a request can go there: http or https, a host, and a port that is one."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


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
            reasoning_models=("gpt-oss",),
            embedding_model="BAAI/bge-base-en-v1.5",
        ),
        Provider(
            name="openai",
            base_url="https://api.openai.com/v1",
            models=_tiers("gpt-4o-mini", "gpt-4o", "gpt-4o"),
            gateway_path="openai",
            max_tokens_field="max_completion_tokens",
            json_output="schema",
            reasoning_models=_OPENAI_REASONING,
            strict_models=_OPENAI_REASONING,
            strict_models_refuse=frozenset(
                {
                    "temperature",
                    "top_p",
                    "stop",
                    "presence_penalty",
                    "frequency_penalty",
                    "logprobs",
                    "top_logprobs",
                    "logit_bias",
                }
            ),
            embedding_model="text-embedding-3-small",
            embedding_takes_tokens=True,
            embedding_takes_dimensions=True,
            embedding_base64=True,
        ),
        Provider(  # its compatible endpoint ignores response_format, reasoning_effort and strict tools
            name="anthropic",
            models_path="/models?limit=1000",  # all on one page
            base_url="https://api.anthropic.com/v1",
            models=_tiers("claude-haiku-4-5", "claude-sonnet-5", "claude-sonnet-5"),
            wire="anthropic",
            key_header="x-api-key",
            headers={"anthropic-version": "2023-06-01"},
            gateway_path="anthropic/v1",
            default_max_tokens=16_384,
            json_output="schema",
            one_choice=True,
            reasoning_models=("claude-opus-4-5", "claude-opus-4-6", "claude-sonnet-4-6", *_CLAUDE_STRICT),
            reasons_when_asked=("",),
            strict_models=_CLAUDE_STRICT,
            strict_models_refuse=frozenset({"temperature", "top_p", "top_k"}),
        ),
        Provider(
            name="google_ai_studio",
            base_url="https://generativelanguage.googleapis.com/v1beta/openai",
            models=_tiers("gemini-2.5-flash-lite", "gemini-3.5-flash", "gemini-3.5-flash"),
            gateway_path="google-ai-studio/v1beta/openai",
            json_output="schema",
            refuses=frozenset(
                {
                    "parallel_tool_calls",
                    "logit_bias",
                    "logprobs",
                    "top_logprobs",
                    "user",
                    "store",
                    "metadata",
                    "service_tier",
                    "prediction",
                    "safety_identifier",
                    "prompt_cache_key",
                    "verbosity",
                }
            ),
            reasoning_models=("gemini-2.5", "gemini-3"),
            reasons_when_asked=("gemini-2.5-flash-lite",),
            embedding_model="gemini-embedding-001",
            embedding_takes_dimensions=True,
            embedding_batch=100,
        ),
        Provider(  # binds a schema, but in a stream not for models that reason: and all it serves do
            name="cerebras",
            base_url="https://api.cerebras.ai/v1",
            models=_tiers("gpt-oss-120b", "gpt-oss-120b", "gpt-oss-120b"),
            gateway_path="cerebras",
            max_tokens_field="max_completion_tokens",
            json_output="prompt",
            refuses=frozenset(
                {"frequency_penalty", "presence_penalty", "logit_bias", "verbosity", "prompt_cache_key"}
            ),
            reasoning_models=("gpt-oss", "qwen-3.8"),
        ),
        Provider(  # answers 400 to a stream with a response_format
            name="groq",
            base_url="https://api.groq.com/openai/v1",
            models=_tiers("openai/gpt-oss-20b", "openai/gpt-oss-120b", "openai/gpt-oss-120b"),
            gateway_path="groq",
            max_tokens_field="max_completion_tokens",
            json_output="prompt",
            one_choice=True,
            refuses=frozenset({"logprobs", "top_logprobs", "logit_bias"}),
            reasoning_models=("gpt-oss",),
        ),
        Provider(  # drops what the chosen model does not take
            name="openrouter",
            base_url="https://openrouter.ai/api/v1",
            models=_tiers(
                "meta-llama/llama-3.1-8b-instruct",
                "meta-llama/llama-3.3-70b-instruct",
                "qwen/qwen-2.5-coder-32b-instruct",
            ),
            gateway_path="openrouter",
            json_output="object",
            accepts_prefill=True,
            reasoning_models=("",),
            reasons_when_asked=("",),
        ),
        Provider(
            name="local",
            base_url="http://127.0.0.1:11434/v1",
            models=_tiers("llama3.1", "llama3.1", "qwen2.5-coder"),
            needs_key=False,
            json_output="schema",
            schema_in_prompt=True,
            reasoning_models=("gpt-oss", "qwen3", "deepseek-r1"),
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
    own_key: bool = False  # the tenant's, not this deployment's
    route: Route = "direct"
    gateway_token: str | None = field(default=None, repr=False)  # for a gateway, which may hold the key
    first_token_timeout: float | None = None  # seconds, instead of the task's

    @property
    def configured(self) -> bool:
        """Whether this deployment has set the provider up, be it by an address alone."""
        if self.provider.needs_key:
            return self.ready
        return self.api_key is not None or self.base_url != self.provider.base_url

    @property
    def ready(self) -> bool:
        """Whether it can be called at all."""
        return not self.provider.needs_key or self.api_key is not None or self.gateway_token is not None
