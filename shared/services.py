"""The object graph: what one process opens once and every handler uses."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from shared.errors import NotConfigured
from shared.providers import Target
from shared.settings import Limits, Settings
from shared.types import Attempt, Tier

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import HTTPConnection
    from starlette.types import Scope

    from shared.ai.catalog import Catalog
    from shared.ai.client import Client
    from shared.ai.prices import Cost
    from shared.ai.router import Router
    from shared.embedding_gateway import EmbeddingGateway
    from shared.gateway import Gateway
    from shared.indexing import Embedder
    from shared.ledger import Ledger
    from shared.pictures.drawing import Pictures
    from shared.smart_ai_service import SmartAIService
    from shared.store.store import Store
    from shared.telemetry.telemetry import Telemetry

log = logging.getLogger("marginalia")


@dataclass(frozen=True, slots=True)
class Services:
    settings: Settings
    store: Store
    ledger: Ledger
    embedder: Embedder
    service: SmartAIService
    gateway: Gateway
    embeddings: EmbeddingGateway
    catalog: Catalog
    telemetry: Telemetry
    pictures: Pictures


@dataclass(frozen=True, slots=True)
class Pace:
    """By what the router tells the time and waits; tests have a clock of their own."""

    clock: Callable[[], float] = time.monotonic  # seconds
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: Callable[[], float] = random.random  # from [0, 1): the jitter of waits


class State(TypedDict):
    """What the lifespan puts into each request's state."""

    services: Services


@asynccontextmanager
async def open_services(
    settings: Settings, *, migrate: bool = False, batched_ledger: bool = False, pace: Pace | None = None
) -> AsyncIterator[Services]:
    """Open the database and the provider client; close both, and the ledger, at the end.

    `migrate` applies pending migrations; the embedded database is always migrated.
    """
    from shared.ai.calls import Instruments
    from shared.ai.catalog import Catalog
    from shared.ai.client import Client
    from shared.ai.router import Router
    from shared.embedding_gateway import EmbeddingGateway
    from shared.gateway import Gateway
    from shared.ledger import Ledger
    from shared.pictures.drawing import Pictures
    from shared.smart_ai_service import SmartAIService
    from shared.store.connect import open_store
    from shared.telemetry.telemetry import open_telemetry

    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings, migrate=migrate))
        ledger = Ledger(store, batched=batched_ledger)
        stack.push_async_callback(ledger.flush)
        telemetry = open_telemetry(settings)

        def record(row: Attempt) -> None:
            ledger.record(row)
            telemetry.attempt(row)

        client = Client()
        catalog = Catalog(client, listed_targets(settings))
        pace = pace or Pace()
        router = Router(
            client,
            record=record,
            capture=telemetry.said if telemetry.captures else None,
            clock=pace.clock,
            sleep=pace.sleep,
            chance=pace.chance,
            context_length=lambda target: catalog.context_length(target.provider.name, target.model),
            cost=catalog.cost,
        )
        _watch(telemetry, ledger, router)
        stack.push_async_callback(router.aclose)
        stack.push_async_callback(catalog.aclose)
        embedder = _embedder(settings, client, record, catalog.cost)
        if batched_ledger:
            await stack.enter_async_context(_background(ledger))
        yield Services(
            settings,
            store,
            ledger,
            embedder,
            SmartAIService(settings=settings, store=store, router=router, embedder=embedder, ledger=ledger),
            Gateway(settings=settings, router=router, ledger=ledger, catalog=catalog),
            EmbeddingGateway(
                settings=settings,
                client=client,
                instruments=Instruments(record, pace.clock, lambda: datetime.now(UTC), catalog.cost),
                catalog=catalog,
                ledger=ledger,
                sleep=pace.sleep,
                chance=pace.chance,
            ),
            catalog,
            telemetry,
            Pictures(),
        )


def _watch(telemetry: Telemetry, ledger: Ledger, router: Router) -> None:
    """What is read when somebody asks for the metrics."""
    telemetry.metrics.watch(
        "marginalia_ledger_waiting_rows",
        "Rows of the ledger that are not written yet.",
        (),
        lambda: [((), ledger.waiting)],
    )
    telemetry.metrics.watch(
        "marginalia_breaker_state",
        "0 closed, 1 half open, 2 open: at rest. A model that several keys ask shows its worst.",
        ("provider", "model"),
        router.health.worst,
    )


def listed_targets(settings: Settings) -> dict[str, Target]:
    """Whom to ask for the models there are: every provider that is set up."""
    if settings.offline == "only":
        return {}
    targets = {name: tiers[Tier.QUALITY] for name, tiers in settings.access.items()}
    return {name: target for name, target in targets.items() if target.configured}


def _embedder(settings: Settings, client: Client, record: Callable[[Attempt], None], cost: Cost) -> Embedder:
    config = settings.embedding
    if config.target is None:
        from shared.ai.builtin_embedder import BuiltinEmbedder

        return BuiltinEmbedder()
    from shared.ai.embeddings import ProviderEmbedder

    return ProviderEmbedder(
        client,
        config.target,
        dimensions=config.dimensions,
        limits=Limits(timeout=config.timeout),
        record=record,
        cost=cost,
    )


@asynccontextmanager
async def _background(ledger: Ledger) -> AsyncIterator[None]:
    task = asyncio.create_task(ledger.run(), name="ledger")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def lifespan(
    *, long_running: bool, environ: Mapping[str, str] | None = None, pace: Pace | None = None
) -> Callable[[Starlette], AbstractAsyncContextManager[State]]:
    """The lifespan of an app: `long_running` servers batch the ledger, lone handlers do not.

    `environ` None: the process's own. At the start it raises ConfigurationError for a wrong variable.
    """

    @asynccontextmanager
    async def run(app: Starlette) -> AsyncIterator[State]:
        settings = Settings.from_env(os.environ if environ is None else environ)
        async with open_services(settings, batched_ledger=long_running, pace=pace) as services:
            yield {"services": services}

    return run


def telemetry_of(scope: Scope) -> Telemetry | None:
    """None where the app runs without these services."""
    state: Mapping[str, object] | None = scope.get("state")
    services = state.get("services") if state else None
    return services.telemetry if isinstance(services, Services) else None


def services_of(connection: HTTPConnection) -> Services:
    """Raises NotConfigured where the server runs the app without its lifespan."""
    services: Services | None = connection.scope.get("state", {}).get("services")
    if services is None:
        raise NotConfigured("The app runs without its lifespan: start it with ASGI lifespan on")
    return services
