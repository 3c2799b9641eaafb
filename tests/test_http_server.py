"""What goes over the wire at once, and how many can come at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import uvicorn

from shared.http.server import taking_all
from tests.server import Server, serving

HEAD = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]}


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


async def app(scope: Any, receive: Any, send: Any) -> None:
    """At /slow the body takes its time; /stream has two pieces."""
    await send(HEAD)
    if scope["path"] == "/slow":
        await asyncio.sleep(0.1)
    if scope["path"] == "/stream":
        await send(body(b"one", more=True))
    await send(body(b"end"))


@asynccontextmanager
async def asked(base_url: str, path: str) -> AsyncIterator[asyncio.StreamReader]:
    parts = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET {path} HTTP/1.1\r\nhost: here\r\n\r\n".encode())
    yield reader
    writer.close()
    await writer.wait_closed()


async def test_an_answer_comes_in_one_piece() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/") as reader:
        answer = await reader.read(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"3\r\nend\r\n0\r\n\r\n")


async def test_a_streams_first_piece_comes_with_its_head() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/stream") as reader:
        assert b"\r\n\r\n3\r\none\r\n" in await reader.read(65536)


async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/slow") as reader:
        assert (await reader.read(65536)).endswith(b"\r\n\r\n")
        assert (await reader.read(65536)).endswith(b"end\r\n0\r\n\r\n")


async def test_every_one_of_many_who_come_at_once_is_served() -> None:
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = Server(uvicorn.Config(app, http=taking_all(listener), lifespan="off", log_config=None))
    running = asyncio.create_task(server.serve(sockets=[listener]))
    await server.ready.wait()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    async def ask() -> bytes:
        async with asked(url, "/") as reader:
            return await reader.read(65536)

    answers = await asyncio.gather(*(ask() for _ in range(100)))
    assert all(answer.endswith(b"end\r\n0\r\n\r\n") for answer in answers)
    server.stop.set()
    await running
    listener.close()
