"""A real uvicorn server for a test: httpx's ASGITransport buffers, and never hangs up."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Literal

import uvicorn

from shared.http.server import Config, HeadWithBody

START_SECONDS = 20
STOP_SECONDS = 5  # then what still runs is cancelled


class Server(uvicorn.Server):
    """uvicorn's, told by events and not by polling; leaves the test's signal handlers alone."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()
        self.stop = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()

    async def main_loop(self) -> None:
        await self.on_tick(0)
        await self.stop.wait()


@asynccontextmanager
async def serving(
    app: Any,
    *,
    http: str | type[asyncio.Protocol] = HeadWithBody,
    lifespan: Literal["auto", "on", "off"] = "auto",
) -> AsyncIterator[str]:
    """Serves an ASGI app on a free loopback port in the test's event loop; gives its base URL.

    At the end connections are closed, and what still runs after STOP_SECONDS is cancelled.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    config = Config(
        app,
        http=http,
        lifespan=lifespan,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=STOP_SECONDS,
    )
    server = Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        await _until_ready(server, running)
        host, port = listener.getsockname()
        yield f"http://{host}:{port}"
    finally:
        server.stop.set()
        await running
        listener.close()


async def _until_ready(server: Server, running: asyncio.Task[None]) -> None:
    ready = asyncio.create_task(server.ready.wait())
    await asyncio.wait({ready, running}, timeout=START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
    if not server.ready.is_set():
        ready.cancel()
        raise RuntimeError("the app did not start; uvicorn's log has the reason")
