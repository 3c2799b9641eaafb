"""`marginalia migrate`: applies pending migrations."""

from __future__ import annotations

from shared.commands import routing
from shared.commands.running import run
from shared.commands.terminal import print_json
from shared.settings import Settings


def migrate(settings: Settings, *, as_json: bool) -> None:
    """Raises ConfigurationError for a database that cannot serve, StoreUnavailable for one that is away."""
    applied = run(_migrate(settings))
    if as_json:
        print_json({"applied": applied})
        return
    for name in applied:
        print(f"applied {name}")
    if not applied:
        print(f"nothing to apply: {routing.database(settings)} is up to date")


async def _migrate(settings: Settings) -> list[str]:
    from shared.store.embedded import EmbeddedServer
    from shared.store.migrate import migrate as apply_pending

    if settings.database_url is not None:
        return await apply_pending(settings.database_url)
    server = EmbeddedServer(settings.data_dir)
    try:
        return await apply_pending(await server.start())
    finally:
        await server.stop()
