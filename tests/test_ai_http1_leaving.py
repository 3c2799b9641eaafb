"""Leaving the HTTP/1.1 transport wherever it is, and how much it takes at once."""

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing

import pytest

from shared.types import Outcome
from tests.http1_client import ask, failure_of, opened, transport, whole
from tests.wire import Peer, Play, answer, head, on_every_loop, playing, wire


async def at_rest(before: set[asyncio.Task[object]]) -> None:
    """Until no task is left but those."""
    for _ in range(1000):
        if asyncio.all_tasks() <= before:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(asyncio.all_tasks() - before)


# --- much at once ---------------------------------------------------------------------------------


@on_every_loop
async def test_a_sender_is_held_back_while_nobody_reads() -> None:
    sent = 0
    size, pieces = 1 << 16, 1024  # 64 MiB

    async def play(peer: Peer) -> None:
        nonlocal sent
        await peer.request()
        await peer.send(head(f"content-length: {size * pieces}"))
        for _ in range(pieces):
            await peer.send(b"x" * size)
            sent += size
        await peer.gone()

    async with wire(play) as server, transport() as http, opened(http, server.url) as response:
        before = -1
        while before != sent:  # until the sender makes no way any more
            before = sent
            await asyncio.sleep(0.1)
        assert 0 < sent < 32 << 20
        assert sum([len(await response.read()) for _ in range(1)]) < 2 << 20
        rest = len(await whole(response))
        assert 0 < rest < size * pieces


@on_every_loop
async def test_a_small_compressed_body_that_becomes_huge_is_given_in_pieces() -> None:
    data = answer(gzip.compress(bytes(64 << 20)), "content-encoding: gzip")
    async with wire(playing(data)) as server, transport() as http, opened(http, server.url) as response:
        sizes = []
        while piece := await response.read():
            sizes.append(len(piece))
    assert sum(sizes) == 64 << 20
    assert max(sizes) <= 256 << 10


# --- leaving --------------------------------------------------------------------------------------


def silent(*beginning: bytes) -> Play:
    """Says so much to a request, then nothing."""

    async def play(peer: Peer) -> None:
        if beginning:
            await peer.request()
            await peer.send(b"".join(beginning))
        await peer.gone()

    return play


async def left(task: asyncio.Task[bytes]) -> None:
    """Once its request is on its way."""
    await asyncio.sleep(0.02)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "play",
    [silent(), silent(b"HTTP/1.1 200"), silent(head("content-length: 10") + b"some")],
    ids=["before the head", "in the head", "in the body"],
)
@on_every_loop
async def test_leaving_closes_the_connection(play: Play) -> None:
    before = asyncio.all_tasks()
    async with wire(play) as server, transport() as http:
        task = asyncio.create_task(ask(http, server.url))
        await server.arrived.acquire()
        await left(task)
        await server.left.acquire()
    await at_rest(before)


@asynccontextmanager
async def nobody_accepts() -> AsyncIterator[str]:
    """A server whose queue is full: whoever connects waits."""
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for one in waiting:
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        await asyncio.sleep(0.05)
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        for one in waiting:
            one.close()


@on_every_loop
async def test_connecting_has_a_limit_and_can_be_left() -> None:
    before = asyncio.all_tasks()
    async with nobody_accepts() as url, transport() as http:
        error = await failure_of(http, url, connect_timeout=0.05)
        assert (error.outcome, error.code) == (Outcome.TIMEOUT, "connect_timeout")
        task = asyncio.create_task(ask(http, url))
        await left(task)
    await at_rest(before)


@pytest.mark.parametrize("leaving", ["cancelled", "too late"])
@pytest.mark.parametrize("where", ["in the handshake", "in the tunnel", "in the tunnel's handshake"])
@on_every_loop
async def test_a_connection_on_its_way_is_closed_too(where: str, leaving: str) -> None:
    before = asyncio.all_tasks()
    play = silent(head(status="200 Connection established")) if "tunnel's" in where else silent()
    async with (
        wire(play) as server,
        transport(proxy=server.url if "tunnel" in where else None) as http,
    ):
        url = f"https://127.0.0.1:{server.port}/"
        if leaving == "too late":
            error = await failure_of(http, url, connect_timeout=0.05)
            assert (error.outcome, error.code) == (Outcome.TIMEOUT, "connect_timeout")
        else:
            task = asyncio.create_task(ask(http, url))
            await server.arrived.acquire()
            await left(task)
        await server.left.acquire()
    await at_rest(before)
