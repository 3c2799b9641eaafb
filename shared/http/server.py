"""How uvicorn serves an app here: fewer system calls an answer, and many new clients at once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# libuv takes one connection a turn of the loop from each listening handle. Streams that have begun
# have their turns in between, so that of hundreds who come at once the last would wait long.
ACCEPTED_A_TURN = 8


def listening(listener: socket.socket) -> list[socket.socket]:
    """The same socket several times."""
    return [listener, *(listener.dup() for _ in range(ACCEPTED_A_TURN - 1))]


class HeadWithBody(HttpToolsProtocol):
    """Sends the head of an answer along with the first bytes of its body, if they come at once."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
        super().connection_made(cast(asyncio.Transport, _Holding(transport)))


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
