"""`marginalia serve`: the database, the sample documents and the server, from start to a clean end."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING

from shared.commands import routing
from shared.commands.running import interrupted_by_signals, run_or_raise, signals_held_back
from shared.commands.samples import load_samples
from shared.commands.terminal import fail, output, say
from shared.settings import LogFormat, Settings
from shared.telemetry.logs import log_configuration, log_what_is_shown

if TYPE_CHECKING:
    from shared.commands.progress import Totals

APP = "functions.__main__:app"
_GRACE = 3  # seconds for open streams once the server was asked to end
_BACKLOG = 2048


@dataclass(frozen=True, slots=True)
class _Prepared:
    embedding_model: str
    schema: str  # the newest migration's version
    samples: Totals | None  # None: this was not the first start


def serve(settings: Settings, *, host: str, port: int, workers: int) -> None:
    """Until Ctrl-C or SIGTERM. Raises ConfigurationError for a host that others can reach unverified."""
    from shared.auth import check_bind

    check_bind(host, settings)
    with (
        closing(_listen(host, port)) as listener,
        interrupted_by_signals(),
        suppress(KeyboardInterrupt, asyncio.CancelledError),
        _database_held(settings),
    ):
        prepared = run_or_raise(_prepare(settings))
        _announce(settings, prepared, _address(listener))
        _serve(listener, workers, settings.log_format)
    say("Ended.")


def _listen(host: str, port: int) -> socket.socket:
    """Taken before anything else is started: a port that is busy leaves nothing behind."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=_BACKLOG)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(f"port {port} on {host} is in use; stop what serves there, or choose another with --port")
        fail(f"cannot listen on {host}, port {port}: {error.strerror or error}")


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


@contextmanager
def _database_held(settings: Settings) -> Iterator[None]:
    """Keeps the embedded database running from the first step to the last, whoever else uses it meanwhile."""
    if settings.database_url is not None:
        yield
        return
    from shared.store.embedded import EmbeddedServer

    server = EmbeddedServer(settings.data_dir)
    try:
        with signals_held_back():
            server.start_blocking()
        yield
    finally:
        with signals_held_back():
            server.stop_blocking()


async def _prepare(settings: Settings) -> _Prepared:
    from shared.services import open_services

    async with open_services(settings, migrate=True) as services:
        samples = await load_samples(services) if settings.database_url is None else None
        return _Prepared(services.embedder.model, await services.store.ping(), samples)


def _announce(settings: Settings, prepared: _Prepared, address: str) -> None:
    console = output()
    console.print(f"Marginalia {version('marginalia')}")
    console.print(routing.routing_table(settings))
    console.print()
    if missing := routing.missing_keys(settings):
        console.print(f"Missing:   {', '.join(missing)}")
    console.print(f"Embedder:  {prepared.embedding_model}, {routing.embedder(settings)}")
    console.print(f"Database:  {routing.database(settings)}, schema {prepared.schema}")
    if prepared.samples is not None:
        console.print(f"Samples:   {prepared.samples.indexed} documents, {prepared.samples.chunks} chunks")
    console.print(f"Serving:   {address}  (Ctrl-C ends it)")
    console.file.flush()


def _serve(listener: socket.socket, workers: int, log_format: LogFormat) -> None:
    """Until a signal ends it. Exits with 1 when the app does not start."""
    import uvicorn
    from uvicorn.config import STARTUP_FAILURE
    from uvicorn.supervisors import Multiprocess

    from shared.http.server import Config, HeadWithBody, taking_all

    log_what_is_shown()
    config = Config(
        APP,
        http=taking_all(listener) if workers == 1 else HeadWithBody,
        workers=workers,
        lifespan="on",
        access_log=False,
        log_config=log_configuration(log_format),
        timeout_graceful_shutdown=_GRACE,
    )
    if workers == 1:
        uvicorn.Server(config).run(sockets=[listener])
        return
    listener.set_inheritable(True)
    supervisor = Multiprocess(config, sockets=[listener])
    supervisor.run()
    if any(process.exitcode == STARTUP_FAILURE for process in supervisor.processes):
        fail("a worker could not start")
