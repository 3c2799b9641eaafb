"""The only reader of the environment. Takes a mapping, so that tests pass a dict.

`Settings.from_env(os.environ)` either gives settings that are whole, or raises ConfigurationError
with the variable's name, what was found and what is allowed. Keys never appear in a repr.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from shared.errors import ConfigurationError
from shared.providers import PROVIDERS, Provider, Route, Target, is_http_address
from shared.types import EDITOR_TASKS, Task, Tier

OfflineMode = Literal["fallback", "never", "only"]
LogFormat = Literal["lines", "json"]

VECTOR_DIMENSIONS = 1536  # the width of the database's column; shorter vectors are padded with zeros
_ROUTES: tuple[Route, ...] = ("direct", "gateway")
BUILTIN_EMBEDDER = "builtin"  # AI_EMBEDDING_PROVIDER's name for the embedder that needs no server

DEFAULT_TIER: Mapping[Task, Tier] = {
    Task.ANALYSIS: Tier.QUALITY,
    Task.SUGGESTIONS: Tier.FAST,
    Task.QA: Tier.QUALITY,
    Task.DIAGRAMS: Tier.QUALITY,
    Task.GATEWAY: Tier.QUALITY,
}


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one request, retries and fallbacks included. Times in seconds."""

    timeout: float = 60.0
    first_token_timeout: float = 10.0
    idle_timeout: float = 15.0
    connect_timeout: float = 5.0
    max_retries: int = 3
    max_retry_wait: float = 3.0
    hedge_after: float | Literal["auto"] | None = None  # seconds


@dataclass(frozen=True, slots=True)
class TaskConfig:
    """Who answers a task, in order, per tier; and within which bounds."""

    task: Task
    tier: Tier
    targets: Mapping[Tier, tuple[Target, ...]]
    limits: Limits

    def ready_targets(self, tier: Tier | None = None) -> tuple[Target, ...]:
        """The targets that can be called, in order; of the task's own tier when none is named."""
        return tuple(target for target in self.targets[tier or self.tier] if target.ready)


@dataclass(frozen=True, slots=True)
class EmbeddingConfig:
    """`target` None: the embedder built in."""

    target: Target | None
    dimensions: int
    timeout: float


@dataclass(frozen=True, slots=True)
class Settings:
    tasks: Mapping[Task, TaskConfig]
    access: Mapping[str, Mapping[Tier, Target]]  # every provider, with each of its models
    embedding: EmbeddingConfig
    offline: OfflineMode
    database_url: str | None = field(repr=False)
    data_dir: Path
    auth_configured: bool
    log_format: LogFormat
    capture_content: bool  # whether spans hold what was asked and answered

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Settings:
        """Raises ConfigurationError for the first wrong variable."""
        reader = _Reader(environ)
        reader.url("AI_GATEWAY_URL")
        return cls(
            tasks={task: _task_config(reader, task) for task in (*EDITOR_TASKS, Task.GATEWAY)},
            access={
                name: {tier: _task_target(reader, row, None, tier) for tier in Tier}
                for name, row in reader.rows.items()
            },
            embedding=_embedding_config(reader),
            offline=reader.choice("AI_OFFLINE", ("fallback", "never", "only"), "fallback"),
            database_url=reader.database_url(),
            data_dir=Path(reader.text("MARGINALIA_DATA_DIR") or ".marginalia").expanduser(),
            auth_configured=_auth_configured(reader),
            log_format=reader.choice("MARGINALIA_LOG", ("lines", "json"), "lines"),
            capture_content=_captures_content(reader),
        )


class _Reader:
    """Typed reads; an empty variable counts as unset, as in most deployment tools."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        path = self.text("AI_CUSTOM_PROVIDERS")
        self.rows = PROVIDERS if path is None else {**PROVIDERS, **_custom_providers(path)}

    def text(self, name: str) -> str | None:
        return self._environ.get(name, "").strip() or None

    def number(self, names: tuple[str, ...], default: float, *, at_least: float = 0.0) -> float:
        for name in names:
            if (found := self.text(name)) is not None:
                return _number(name, found, at_least)
        return default

    def integer(self, names: tuple[str, ...], default: int, *, at_least: int, at_most: int) -> int:
        for name in names:
            if (found := self.text(name)) is not None:
                if not found.isdecimal() or not at_least <= int(found) <= at_most:
                    raise ConfigurationError(
                        name, f"found {found!r}; allowed is a whole number from {at_least} to {at_most}"
                    )
                return int(found)
        return default

    def choice(self, name: str, allowed: tuple[_Choice, ...], default: _Choice) -> _Choice:
        found = self.text(name)
        if found is None:
            return default
        if found not in allowed:
            raise ConfigurationError(name, f"found {found!r}; allowed are {', '.join(allowed)}")
        return found

    def providers(self, name: str, default: str) -> tuple[Provider, ...]:
        """A comma-separated chain of providers; `none` or an empty chain means no provider."""
        names = [part.strip() for part in (self.text(name) or default).split(",")]
        if names == ["none"]:
            return ()
        return tuple(self._provider(name, part) for part in names)

    def _provider(self, variable: str, name: str) -> Provider:
        row = self.row(name)
        if row is None:
            raise ConfigurationError(variable, f"found {name!r}; allowed are {', '.join(self.rows)}")
        return row

    def row(self, name: str) -> Provider | None:
        return self.rows.get(name.lower().replace("-", "_"))

    def url(self, name: str) -> str | None:
        found = self.text(name)
        if found is None:
            return None
        if not is_http_address(found):
            raise ConfigurationError(name, f"found {found!r}; allowed is an http:// or https:// address")
        return found.rstrip("/")

    def database_url(self) -> str | None:
        found = self.text("DATABASE_URL")
        if found is None or found == "embedded":
            return None
        if not found.startswith(("postgres://", "postgresql://")):
            raise ConfigurationError(
                "DATABASE_URL", "allowed is postgresql://…, or nothing for the embedded database"
            )
        return found


_Choice = TypeVar("_Choice", bound=str)


def _custom_providers(path: str) -> Mapping[str, Provider]:
    from shared.custom_providers import custom_providers  # most deployments have none to read

    return custom_providers(Path(path).expanduser(), PROVIDERS)


def _number(name: str, found: str, at_least: float) -> float:
    try:
        value = float(found)
    except ValueError:
        value = math.nan
    if not math.isfinite(value) or value < at_least:
        raise ConfigurationError(name, f"found {found!r}; allowed is a number of at least {at_least:g}")
    return value


def _task_target(reader: _Reader, row: Provider, task: Task | None, tier: Tier) -> Target:
    """<PROVIDER>_<TASK>_MODEL goes before <PROVIDER>_<TIER>_MODEL before the row's own."""
    prefix = row.variable_prefix
    named = reader.text(f"{prefix}_{task.upper()}_MODEL") if task else None
    return _target(reader, row, named or reader.text(f"{prefix}_{tier.upper()}_MODEL") or row.models[tier])


def _target(reader: _Reader, row: Provider, model: str) -> Target:
    prefix = row.variable_prefix
    route = reader.choice(f"{prefix}_ROUTE", _ROUTES, "direct")
    patience = reader.number(
        (f"{prefix}_FIRST_TOKEN_TIMEOUT",), row.first_token_timeout or 0.0, at_least=0.001
    )
    return Target(
        provider=row,
        model=model,
        base_url=_gateway_url(reader, row) if route == "gateway" else _direct_url(reader, row),
        api_key=reader.text(f"{prefix}_API_KEY"),
        route=route,
        gateway_token=reader.text("AI_GATEWAY_TOKEN") if route == "gateway" else None,
        first_token_timeout=patience or None,
    )


def _direct_url(reader: _Reader, row: Provider) -> str:
    return reader.url(f"{row.variable_prefix}_BASE_URL") or row.base_url


def _gateway_url(reader: _Reader, row: Provider) -> str:
    """The gateway's address and the provider's path in it, as Cloudflare AI Gateway has them.

    https://developers.cloudflare.com/ai-gateway/usage/providers/
    """
    prefix = row.variable_prefix
    gateway = reader.url("AI_GATEWAY_URL")
    problem = ""
    if gateway is None:
        problem = "AI_GATEWAY_URL is not set"
    elif row.gateway_path is None:
        problem = f"the gateway has no path for {row.name}"
    elif reader.text(f"{prefix}_BASE_URL") is not None:
        problem = f"{prefix}_BASE_URL is set as well, and only one of the two can be meant"
    if problem:
        raise ConfigurationError(f"{prefix}_ROUTE", f"found 'gateway', but {problem}; allowed is direct")
    return f"{gateway}/{row.gateway_path}"


def _chain(reader: _Reader, task: Task) -> tuple[Provider, ...]:
    """The task's provider, then the fallbacks; each once. The gateway's provider is named by its callers."""
    named = task in EDITOR_TASKS
    first = reader.providers(f"AI_{task.upper()}_PROVIDER", "together") if named else ()
    rows = (*first, *reader.providers("AI_FALLBACK_PROVIDER", "openai"))
    return tuple({row.name: row for row in rows}.values())


def _task_config(reader: _Reader, task: Task) -> TaskConfig:
    rows = _chain(reader, task)
    return TaskConfig(
        task=task,
        tier=DEFAULT_TIER[task],
        targets={tier: tuple(_task_target(reader, row, task, tier) for row in rows) for tier in Tier},
        limits=_limits(reader, task),
    )


def _limits(reader: _Reader, task: Task) -> Limits:
    """AI_<TASK>_TIMEOUT goes before AI_TIMEOUT, and so for each."""
    defaults = Limits(max_retry_wait=0.5 if task is Task.SUGGESTIONS else 3.0)

    def names(suffix: str) -> tuple[str, ...]:
        return (f"AI_{task.upper()}_{suffix}", f"AI_{suffix}")

    return Limits(
        timeout=reader.number(names("TIMEOUT"), defaults.timeout, at_least=0.001),
        first_token_timeout=reader.number(
            names("FIRST_TOKEN_TIMEOUT"), defaults.first_token_timeout, at_least=0.001
        ),
        idle_timeout=reader.number(names("IDLE_TIMEOUT"), defaults.idle_timeout, at_least=0.001),
        max_retries=reader.integer(names("MAX_RETRIES"), defaults.max_retries, at_least=0, at_most=20),
        max_retry_wait=reader.number(names("MAX_RETRY_WAIT"), defaults.max_retry_wait),
        hedge_after=_hedge_after(reader, names("HEDGE_AFTER_MS")),
    )


def _hedge_after(reader: _Reader, names: tuple[str, ...]) -> float | Literal["auto"] | None:
    found = next(((name, text) for name in names if (text := reader.text(name))), None)
    if found is None or found[1] == "off":
        return None
    if found[1] == "auto":
        return "auto"
    try:
        return _number(*found, at_least=0.0) / 1000
    except ConfigurationError:
        raise ConfigurationError(
            found[0], f"found {found[1]!r}; allowed are off, auto, or milliseconds"
        ) from None


def _embedding_config(reader: _Reader) -> EmbeddingConfig:
    """The configured provider if it can be called, else the embedder built in.

    Raises ConfigurationError for a provider that has no embeddings.
    """
    variable = "AI_EMBEDDING_PROVIDER"
    dimensions = reader.integer(
        ("AI_EMBEDDING_DIMENSIONS",), VECTOR_DIMENSIONS, at_least=1, at_most=VECTOR_DIMENSIONS
    )
    timeout = reader.number(("AI_EMBEDDING_TIMEOUT", "AI_TIMEOUT"), 60.0, at_least=0.001)
    name = reader.text(variable) or "openai"
    if name == BUILTIN_EMBEDDER:
        return EmbeddingConfig(None, dimensions, timeout)
    with_embeddings = [row.name for row in reader.rows.values() if row.embedding_model]
    row = reader.row(name)
    if row is None or row.embedding_model is None:
        raise ConfigurationError(
            variable, f"found {name!r}; allowed are {', '.join([*with_embeddings, BUILTIN_EMBEDDER])}"
        )
    target = _target(reader, row, reader.text("AI_EMBEDDING_MODEL") or row.embedding_model)
    return EmbeddingConfig(target if target.ready else None, dimensions, timeout)


def _captures_content(reader: _Reader) -> bool:
    """By OpenTelemetry's own variable, in any case; spans alone can hold contents here."""
    name = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
    allowed = ("true", "false", "SPAN_ONLY", "NO_CONTENT")
    found = reader.text(name) or "false"
    if found.upper() not in {value.upper() for value in allowed}:
        raise ConfigurationError(name, f"found {found!r}; allowed are {', '.join(allowed)}")
    return found.upper() in ("TRUE", "SPAN_ONLY")


def _auth_configured(reader: _Reader) -> bool:
    """Raises ConfigurationError: a deployment that counts on tokens must not start without them."""
    for name in ("SUPABASE_JWT_SECRET", "SUPABASE_JWKS_URL"):
        if reader.text(name) is not None:
            raise ConfigurationError(
                name,
                "this version cannot verify callers' tokens yet; unset it to serve the one local "
                "tenant on the loopback interface",
            )
    return False
