"""Connections that break, and what is no HTTP: what the HTTP/1.1 transport makes of them."""

import asyncio
import gzip
import socket
from contextlib import closing

import pytest

from shared.errors import ProviderError
from shared.types import Outcome
from tests.http1_client import failure_of, opened, transport
from tests.wire import Peer, answer, chunked, head, on_every_loop, playing, wire

BROKEN = {
    "before the head": b"",
    "in the head": b"HTTP/1.1 200 OK\r\ncontent-",
    "after an interim answer": head(status="100 Continue"),
    "in a body with a length": head("content-length: 10") + b"some",
    "in a chunk": head("transfer-encoding: chunked") + b"a\r\nsome",
    "between chunks": head("transfer-encoding: chunked") + chunked(b"some", end=b""),
    "before the last line": head("transfer-encoding: chunked") + chunked(b"some", end=b"0\r\n"),
    "in gzip": answer(gzip.compress(b"some")[:-6], "content-encoding: gzip"),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("hard", [False, True], ids=["closed", "reset"])
@on_every_loop
async def test_a_connection_that_breaks_is_no_end_of_an_answer(data: bytes, hard: bool) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        if hard:
            peer.reset()

    async with wire(play) as server, transport() as http:
        assert (await failure_of(http, server.url)).outcome is Outcome.CONNECT_ERROR


@on_every_loop
async def test_a_reset_is_no_end_of_a_body_without_a_length() -> None:
    reset = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(head() + b"some")
        await reset.wait()
        peer.reset()

    async with wire(play) as server, transport() as http, opened(http, server.url) as response:
        assert await response.read() == b"some"
        reset.set()
        with pytest.raises(ProviderError) as caught:
            await response.read()
    assert caught.value.outcome is Outcome.CONNECT_ERROR


@on_every_loop
async def test_what_came_before_a_break_is_given_first() -> None:
    async with (
        wire(playing(BROKEN["between chunks"])) as server,
        transport() as http,
        opened(http, server.url) as response,
    ):
        assert await response.read() == b"some"
        with pytest.raises(ProviderError):
            await response.read()


LIES = {
    "no HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "another version": b"HTTP/9.9 200 OK\r\n\r\n",
    "a bad status": b"HTTP/1.1 20x OK\r\n\r\n",
    "a header without a colon": b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    "two lengths": head("content-length: 2", "content-length: 3") + b"ok",
    "a length and chunks": head("content-length: 2", "transfer-encoding: chunked") + chunked(b"ok"),
    "a negative length": head("content-length: -2") + b"ok",
    "a bad chunk size": head("transfer-encoding: chunked") + b"zz\r\nok\r\n",
    "a chunk longer than its size": head("transfer-encoding: chunked") + b"1\r\nok\r\n",
    "a transfer encoding of its own": head("transfer-encoding: gzip, chunked") + chunked(b"ok"),
    "a content encoding of its own": answer(b"ok", "content-encoding: br"),
    "an upgrade": head("upgrade: websocket", "connection: upgrade", status="101 Switching Protocols"),
    "a head without an end": head(*(f"x-{n}: {'y' * 1000}" for n in range(200)))[:-2],
    "interim answers without an end": head(status="103 Early Hints") * 5000,
}


@pytest.mark.parametrize("data", LIES.values(), ids=LIES)
@on_every_loop
async def test_what_is_not_http_is_a_lie_and_ends_the_connection(data: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await peer.gone()

    async with wire(play) as server, transport() as http:
        error = await failure_of(http, server.url)
        assert (error.outcome, error.retry_after) == (Outcome.PROTOCOL_ERROR, None)
        await server.left.acquire()


@on_every_loop
async def test_gzip_that_is_none_is_a_lie() -> None:
    async with wire(playing(answer(b"not gzip", "content-encoding: gzip"))) as server, transport() as http:
        assert (await failure_of(http, server.url)).outcome is Outcome.PROTOCOL_ERROR


@on_every_loop
async def test_nobody_there_is_a_connection_error() -> None:
    with closing(socket.socket()) as nobody:
        nobody.bind(("127.0.0.1", 0))  # and does not listen
        async with transport() as http:
            error = await failure_of(http, f"http://127.0.0.1:{nobody.getsockname()[1]}/")
    assert (error.outcome, error.code) == (Outcome.CONNECT_ERROR, "connection_refused")
