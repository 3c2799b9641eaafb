"""How uvicorn serves an app here: fewer system calls an answer, and many new clients at once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ACCEPTED_AT_ONCE = 128  # in one turn of the loop


class HeadWithBody(HttpToolsProtocol):
    """Sends the head of an answer along with the first bytes of its body, if they come at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
        super().connection_made(cast(asyncio.Transport, _Holding(transport)))


def taking_all(listener: socket.socket) -> type[HeadWithBody]:
    """What uvicorn serves each connection of `listener` by, which also takes those that wait behind it.

    libuv accepts one connection a turn of the loop. Streams that have begun have their turns in between,
    so that of hundreds who come at once the last would wait for seconds.
    """
    accepting: set[asyncio.Task[Any]] = set()

    class TakingAll(HeadWithBody):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as above
            super().connection_made(transport)
            self._take_waiting()

        def _take_waiting(self) -> None:
            loop = asyncio.get_running_loop()
            for _ in range(_ACCEPTED_AT_ONCE):
                try:
                    client, _ = listener.accept()
                except OSError:  # nobody waits, or nobody can be taken now: libuv goes on
                    return
                task = loop.create_task(loop.connect_accepted_socket(self._another, client))
                accepting.add(task)
                task.add_done_callback(accepting.discard)
            loop.call_soon(self._take_waiting)

        def _another(self) -> HeadWithBody:
            return HeadWithBody(self.config, self.server_state, self.app_state)

    return TakingAll


class _Holding:
    """A transport that holds a head back until the next write, at most to the end of the loop's turn."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._held = b""

    def __getattr__(self, name: str) -> Any:
        """All else is the transport's own."""
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        if self._held:
            data, self._held = self._held + data, b""
        elif data.startswith(b"HTTP/1.1 "):
            self._held = data
            asyncio.get_running_loop().call_soon(self.flush)
            return
        self._transport.write(data)

    def flush(self) -> None:
        if self._held:
            data, self._held = self._held, b""
            self._transport.write(data)

    def close(self) -> None:
        self.flush()
        self._transport.close()
