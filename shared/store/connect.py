"""Opens the store that the settings name, and closes all that came with it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from shared.settings import Settings
from shared.store.store import Store


@asynccontextmanager
async def open_store(settings: Settings, *, migrate: bool = False) -> AsyncIterator[Store]:
    """DATABASE_URL, or the embedded database in `settings.data_dir`, started here and stopped at the end
    unless another process still uses it. `migrate` applies pending migrations; to the embedded database
    they are always applied.

    Raises ConfigurationError for a database that cannot serve, StoreUnavailable for one that is away.
    """
    from shared.store.migrate import migrate as apply_migrations
    from shared.store.migrate import read_migrations
    from shared.store.postgres import PostgresTransport

    async with AsyncExitStack() as stack:
        dsn = settings.database_url
        if dsn is None:
            dsn = await stack.enter_async_context(_embedded(settings))
        if migrate or settings.database_url is None:
            await apply_migrations(dsn)
        store = Store(PostgresTransport(dsn), needed_version=read_migrations()[-1].version)
        stack.push_async_callback(store.close)
        yield store


@asynccontextmanager
async def _embedded(settings: Settings) -> AsyncIterator[str]:
    from shared.store.embedded import EmbeddedServer

    server = EmbeddedServer(settings.data_dir)
    try:
        yield await server.start()
    finally:
        await server.stop()
