"""Who would be called for what: the table that `serve` prints and `check` judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from shared.commands.terminal import table
from shared.providers import Target
from shared.settings import Settings, TaskConfig
from shared.types import EDITOR_TASKS, JsonObject, Task

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Route:
    """One task: whom it asks, in order, and what answers when nobody of them can be asked."""

    task: Task
    targets: tuple[Target, ...]
    offline: bool  # the key-free answers may stand in

    @property
    def called(self) -> Target | None:
        """The first that can be called."""
        return next((target for target in self.targets if target.ready), None)

    @property
    def answered_by(self) -> str:
        if self.called is not None:
            return self.called.provider.name
        return "offline" if self.offline else "nobody"


def routes(settings: Settings) -> list[Route]:
    return [_route(settings, settings.tasks[task]) for task in EDITOR_TASKS]


def _route(settings: Settings, config: TaskConfig) -> Route:
    """With AI_OFFLINE=only no provider is asked, whatever has a key."""
    targets = () if settings.offline == "only" else config.targets[config.tier]
    return Route(config.task, targets, offline=settings.offline != "never")


def key_variable(target: Target) -> str:
    return f"{target.provider.variable_prefix}_API_KEY"


def key_state(target: Target) -> str:
    if target.api_key is not None:
        return "there"
    if target.gateway_token is not None:
        return "at the gateway"
    return "missing" if target.provider.needs_key else "not needed"


def missing_keys(settings: Settings) -> list[str]:
    """The variables of the keys that some task would use and does not have."""
    missing = (target for route in routes(settings) for target in route.targets if not target.ready)
    return sorted({key_variable(target) for target in missing})


def host(address: str) -> str:
    """Host and port alone: an address may carry a password."""
    parts = urlsplit(address)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.hostname or ''}{port}"


def database(settings: Settings) -> str:
    if settings.database_url is None:
        return f"embedded, in {settings.data_dir}"
    return f"{host(settings.database_url) or 'local socket'}{urlsplit(settings.database_url).path}"


def embedder(settings: Settings) -> str:
    target = settings.embedding.target
    if target is None:
        return "built in: needs no key and no download"
    return f"asked of {target.provider.name}: {target.model}, {settings.embedding.dimensions} dimensions"


def routing_table(settings: Settings) -> Table:
    """Each task's chain in order, the task named once; narrow enough for most terminals."""
    return table("task", "provider", "model", "key", rows=_rows(settings, _brief))


def full_table(settings: Settings) -> Table:
    """The same with each provider's host, and the variable that holds its key."""
    return table("task", "provider", "model", "host", "key", "variable", rows=_rows(settings, _full))


def _rows(settings: Settings, cells: Callable[[Target], tuple[str, ...]]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for route in routes(settings):
        chain = [cells(target) for target in route.targets]
        if route.offline:
            chain.append(("offline", "text analysis, degraded"))
        rows += ((route.task.value if place == 0 else "", *row) for place, row in enumerate(chain))
    return rows


def _brief(target: Target) -> tuple[str, ...]:
    return target.provider.name, target.model, key_state(target)


def _full(target: Target) -> tuple[str, ...]:
    return (
        target.provider.name,
        target.model,
        host(target.base_url) + (" (gateway)" if target.route == "gateway" else ""),
        key_state(target),
        key_variable(target),
    )


def to_json(settings: Settings) -> JsonObject:
    return {
        "offline": settings.offline,
        "tasks": [_route_json(route, settings.tasks[route.task]) for route in routes(settings)],
        "embedding": _embedding_json(settings),
        "database": database(settings),
    }


def _route_json(route: Route, config: TaskConfig) -> JsonObject:
    return {
        "task": route.task.value,
        "tier": config.tier.value,
        "answered_by": route.answered_by,
        "targets": [_target_json(target) for target in route.targets],
    }


def _target_json(target: Target) -> JsonObject:
    return {
        "provider": target.provider.name,
        "model": target.model,
        "host": host(target.base_url),
        "route": target.route,
        "ready": target.ready,
        "key": {
            "variable": key_variable(target),
            "needed": target.provider.needs_key,
            "present": target.api_key is not None,
        },
    }


def _embedding_json(settings: Settings) -> JsonObject:
    target = settings.embedding.target
    if target is None:
        return {"provider": "builtin", "model": None, "dimensions": settings.embedding.dimensions}
    return {**_target_json(target), "dimensions": settings.embedding.dimensions}
