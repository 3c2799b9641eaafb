"""Servers on loopback that play any bytes, for tests of what reads them."""

from __future__ import annotations

import asyncio
import functools
import inspect
import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvloop

SECONDS = 20.0  # no test here takes longer
LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}


def on_every_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Runs an async test on asyncio's own event loop and on uvloop's, which serves in production."""

    @functools.wraps(test)
    def run(loop: Callable[[], asyncio.AbstractEventLoop], **arguments: Any) -> None:
        with asyncio.Runner(loop_factory=loop) as runner:
            runner.run(_bounded(test(**arguments)))

    parameters = [
        inspect.Parameter("loop", inspect.Parameter.POSITIONAL_OR_KEYWORD),
        *inspect.signature(test).parameters.values(),
    ]
    run.__dict__["__signature__"] = inspect.Signature(parameters)  # what pytest reads
    return pytest.mark.parametrize("loop", LOOPS.values(), ids=LOOPS)(run)


async def _bounded(test: Awaitable[None]) -> None:
    async with asyncio.timeout(SECONDS):
        await test


@dataclass(frozen=True)
class Seen:
    """One request as it came."""

    line: str
    headers: dict[str, str]  # names in lower case
    body: bytes


class Peer:
    """The server's end of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def request(self) -> Seen:
        """Raises IncompleteReadError when the client has left."""
        first, *lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")[:-2]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
        return Seen(first, headers, await self.reader.readexactly(int(headers.get("content-length", "0"))))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def gone(self) -> None:
        """Until the client has left."""
        with suppress(ConnectionError):
            while await self.reader.read(65536):
                pass

    def reset(self) -> None:
        linger = struct.pack("ii", 1, 0)  # no time to linger: closing sends a reset
        self.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


Play = Callable[[Peer], Awaitable[None]]


@dataclass
class Wire:
    """A server. `errors` are what its script raised, the client's leaving aside."""

    port: int = 0
    accepted: int = 0
    errors: list[BaseException] = field(default_factory=list)
    arrived: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # one a connection
    left: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(0))  # one a closed connection

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"


@asynccontextmanager
async def wire(play: Play, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[Wire]:
    """Plays the script on every connection, which ends with it."""
    served, tasks = Wire(), set[asyncio.Task[Any]]()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        served.accepted += 1
        served.arrived.release()
        try:
            await play(Peer(reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass
        except BaseException as error:
            served.errors.append(error)
        finally:
            writer.close()
            served.left.release()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    try:
        yield served
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert not served.errors, served.errors


def answer(body: bytes = b"ok", *headers: str, status: str = "200 OK") -> bytes:
    """A whole answer with a length."""
    return head(*headers, f"content-length: {len(body)}", status=status) + body


def head(*headers: str, status: str = "200 OK") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode()


def chunked(*pieces: bytes, end: bytes = b"0\r\n\r\n") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + end


def playing(*answers: bytes) -> Play:
    """One answer a request, then the end."""

    async def play(peer: Peer) -> None:
        for data in answers:
            await peer.request()
            await peer.send(data)

    return play


def for_ever(data: bytes) -> Play:
    async def play(peer: Peer) -> None:
        while True:
            await peer.request()
            await peer.send(data)

    return play


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """From one to the other, to the end."""
    with suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


TARGET = re.compile(r"CONNECT ([^ :]+|\[[^]]+\]):(\d+) HTTP/1\.1")


def tunnel_to(port: int, seen: list[Seen]) -> Play:
    """A proxy's script: whatever host CONNECT names, it leads to this port."""

    async def play(peer: Peer) -> None:
        request = await peer.request()
        seen.append(request)
        assert TARGET.fullmatch(request.line)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            await peer.send(b"HTTP/1.1 200 Connection established\r\n\r\n")
            await asyncio.gather(pump(peer.reader, writer), pump(reader, peer.writer))
        finally:
            writer.close()

    return play
