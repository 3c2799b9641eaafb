"""What goes over the wire at once, and how many can come at once."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
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
async def asked(
    base_url: str, path: str, *, method: str = "GET", last: bool = False
) -> AsyncIterator[asyncio.StreamReader]:
    """What comes back; with `last` the server closes after it."""
    parts = urlsplit(base_url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    closing = "connection: close\r\n" if last else ""
    writer.write(f"{method} {path} HTTP/1.1\r\nhost: here\r\n{closing}\r\n".encode())
    yield reader
    writer.close()
    await writer.wait_closed()


async def test_an_answer_comes_in_one_piece() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/") as reader:
        answer = await reader.read(65536)
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"3\r\nend\r\n0\r\n\r\n")
    assert (answer.count(b"\r\ndate: "), answer.count(b"\r\nserver: ")) == (1, 1)


async def test_a_streams_first_piece_comes_with_its_head() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/stream") as reader:
        assert b"\r\n\r\n3\r\none\r\n" in await reader.read(65536)


async def test_a_head_does_not_wait_for_a_body_that_takes_its_time() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/slow") as reader:
        assert (await reader.read(65536)).endswith(b"\r\n\r\n")
        assert (await reader.read(65536)).endswith(b"end\r\n0\r\n\r\n")


def start(*headers: tuple[bytes, bytes], status: int = 200) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


SAID = {
    "with-a-length": ([start((b"content-length", b"3")), body(b"end")], b"\r\n\r\nend"),
    "in-pieces-with-a-length": (
        [start((b"content-length", b"6")), body(b"one", more=True), body(b"end")],
        b"\r\n\r\noneend",
    ),
    "without-a-length": ([start(), body(b"end")], b"transfer-encoding: chunked\r\n\r\n3\r\nend\r\n0\r\n\r\n"),
    "an-empty-piece": ([start(), body(b"", more=True), body(b"end")], b"\r\n\r\n3\r\nend\r\n0\r\n\r\n"),
    "chunked-by-its-own-word": (
        [start((b"Transfer-Encoding", b"chunked")), body(b"end")],
        b"transfer-encoding: chunked\r\n\r\n3\r\nend\r\n0\r\n\r\n",
    ),
    "nothing": ([start(status=204), body(b"")], b"server: uvicorn\r\n\r\n"),
    "the-last-one": (
        [start((b"content-length", b"3"), (b"connection", b"Close")), body(b"end")],
        b"\r\nconnection: Close\r\n\r\nend",
    ),
    "twice-the-same-header": (
        [start((b"content-length", b"0"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")), body(b"")],
        b"\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n",
    ),
}


def saying(messages: Sequence[dict[str, Any]]) -> Any:
    async def say(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)

    return say


@pytest.mark.parametrize(("messages", "end"), SAID.values(), ids=SAID)
async def test_answers_are_written_as_http_has_them(messages: Sequence[dict[str, Any]], end: bytes) -> None:
    async with serving(saying(messages), lifespan="off") as url:
        for _ in range(2):  # the second time its lines are known
            async with asked(url, "/") as reader, asyncio.timeout(5):
                assert (await reader.readuntil(end)).startswith(b"HTTP/1.1 20")


WRONG = {
    "too-short": [start((b"content-length", b"9")), body(b"end")],
    "too-long": [start((b"content-length", b"1")), body(b"end")],
    "a-header-of-two-lines": [start((b"x-name", b"a\r\nx-other: b")), body(b"end")],
    "a-name-that-is-none": [start((b"x name", b"a")), body(b"end")],
}


@pytest.mark.parametrize("messages", WRONG.values(), ids=WRONG)
async def test_what_is_no_answer_is_not_sent(messages: Sequence[dict[str, Any]]) -> None:
    async with serving(saying(messages), lifespan="off") as url, asked(url, "/") as reader:
        assert b"x-other" not in await reader.read()


async def test_the_answer_to_head_has_no_body() -> None:
    async with serving(app, lifespan="off") as url, asked(url, "/", method="HEAD", last=True) as reader:
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\n")
    assert answer.count(b"\r\n\r\n") == 1


async def test_one_connection_serves_one_request_after_the_other() -> None:
    async with serving(app, lifespan="off") as url:
        parts = urlsplit(url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        for _ in range(3):
            writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n")
            assert (await reader.readuntil(b"0\r\n\r\n")).startswith(b"HTTP/1.1 200 OK\r\n")
        writer.write(b"GET / HTTP/1.1\r\nhost: here\r\n\r\n" * 3)
        for _ in range(3):
            assert (await reader.readuntil(b"0\r\n\r\n")).endswith(b"3\r\nend\r\n0\r\n\r\n")
        writer.close()
        await writer.wait_closed()


FORWARDED = {
    "nothing": ({}, ("127.0.0.1", "http")),
    "for-another": ({"x-forwarded-for": "192.0.2.7"}, ("192.0.2.7", "http")),
    "for-another-by-https": (
        {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https"},
        ("192.0.2.7", "https"),
    ),
    "the-scheme-alone": ({"x-forwarded-proto": "https"}, ("127.0.0.1", "https")),
}


@pytest.mark.parametrize(("headers", "seen"), FORWARDED.values(), ids=FORWARDED)
async def test_a_proxy_on_this_machine_says_whom_it_asks_for(
    headers: dict[str, str], seen: tuple[str, str]
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope["client"][0], scope["scheme"]))
        await send(HEAD)
        await send(body(b"end"))

    found: list[tuple[str, str]] = []
    async with serving(app, lifespan="off") as url, httpx.AsyncClient() as client:
        await client.get(url, headers=headers)
    assert found == [seen]


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
