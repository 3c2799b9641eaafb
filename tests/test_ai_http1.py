"""The HTTP/1.1 transport against servers that play every byte of it, on both event loops."""

import asyncio
import gzip
import zlib

import pytest

from shared.ai import http1
from shared.errors import ProviderError
from shared.types import Outcome
from tests.http1_client import ask, opened, transport, whole
from tests.wire import Peer, Seen, answer, chunked, for_ever, head, on_every_loop, playing, wire

# --- requests and answers -------------------------------------------------------------------------


@on_every_loop
async def test_a_request_is_written_as_it_should_be() -> None:
    seen: list[Seen] = []

    async def play(peer: Peer) -> None:
        seen.append(await peer.request())
        await peer.send(answer())

    async with wire(play) as server, transport() as http:
        assert await ask(http, f"{server.url}/chat/completions?a=b", "é".encode()) == b"ok"
    (request,) = seen
    assert request.line == "POST /v1/chat/completions?a=b HTTP/1.1"
    assert request.headers == {
        "host": f"127.0.0.1:{server.port}",
        "content-type": "application/json",
        "content-length": "2",
    }
    assert request.body == "é".encode()


GOOD = {
    "with a length": answer(b"hello"),
    "in chunks": head("transfer-encoding: chunked") + chunked(b"hel", b"lo"),
    "in chunks with extensions": head("transfer-encoding: Chunked") + b"5;a=b\r\nhello\r\n0\r\n\r\n",
    "with trailers": head("transfer-encoding: chunked")
    + chunked(b"hello", end=b"0\r\ntrailer: 1\r\ncontent-encoding: br\r\n\r\n"),
    "to the end of the connection": head() + b"hello",
    "of HTTP/1.0": b"HTTP/1.0 200 OK\r\n\r\nhello",
    "after interim answers": head(status="100 Continue")
    + head("link: </x>", status="103 Early Hints")
    + answer(b"hello"),
    "without a reason phrase": b"HTTP/1.1 200 \r\ncontent-length: 5\r\n\r\nhello",
    "in gzip": answer(gzip.compress(b"hello"), "content-encoding: gzip"),
    "in deflate": answer(zlib.compress(b"hello"), "content-encoding: deflate"),
    "in gzip and chunks": head("transfer-encoding: chunked", "content-encoding: x-gzip")
    + chunked(gzip.compress(b"hello")),
    "as identity": answer(b"hello", "content-encoding: identity"),
}


@pytest.mark.parametrize("data", GOOD.values(), ids=GOOD)
@pytest.mark.parametrize("dripping", [False, True], ids=["at once", "byte by byte"])
@on_every_loop
async def test_a_body_comes_whole(data: bytes, dripping: bool) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        for piece in [data[n : n + 1] for n in range(len(data))] if dripping else [data]:
            await peer.send(piece)
            await asyncio.sleep(0)

    async with wire(play) as server, transport() as http, opened(http, server.url) as response:
        assert response.status == 200
        assert await whole(response) == b"hello"
        assert await response.read() == b""
        assert "trailer" not in response.headers


@on_every_loop
async def test_headers_have_small_names_and_repeated_ones_are_joined() -> None:
    data = answer(b"", "Retry-After: 7", "X-A: 1", "x-a:  2 ", status="429 Too Many Requests")
    async with wire(playing(data)) as server, transport() as http, opened(http, server.url) as response:
        assert response.status == 429
        assert response.headers == {"retry-after": "7", "x-a": "1, 2", "content-length": "0"}


@on_every_loop
async def test_a_redirect_is_given_and_not_followed() -> None:
    data = answer(b"", "location: http://127.0.0.1:1/", status="307 Temporary Redirect")
    async with wire(playing(data)) as server, transport() as http, opened(http, server.url) as response:
        assert response.status == 307


@on_every_loop
async def test_the_body_is_given_as_it_comes() -> None:
    go_on = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(head("transfer-encoding: chunked") + chunked(b"first", end=b""))
        await go_on.wait()
        await peer.send(chunked(b"second"))

    async with wire(play) as server, transport() as http, opened(http, server.url) as response:
        assert await response.read() == b"first"
        go_on.set()
        assert await whole(response) == b"second"


@on_every_loop
async def test_an_answer_may_come_before_the_request_was_taken() -> None:
    """A server that refuses a body need not read it; its connection is not used again."""

    async def play(peer: Peer) -> None:
        await peer.reader.readuntil(b"\r\n\r\n")
        await peer.send(answer(b"too large", status="413 Content Too Large"))
        await peer.gone()

    async with wire(play) as server, transport() as http:
        for _ in range(2):
            assert await ask(http, server.url, b"x" * (32 << 20)) == b"too large"
        assert server.accepted == 2


# --- keeping connections --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data", [answer(), head("transfer-encoding: chunked") + chunked(b"o", b"k")], ids=["length", "chunks"]
)
@on_every_loop
async def test_a_connection_serves_one_request_after_the_other(data: bytes) -> None:
    async with wire(for_ever(data)) as server, transport() as http:
        for _ in range(3):
            assert await ask(http, server.url) == b"ok"
        assert server.accepted == 1


@on_every_loop
async def test_requests_at_the_same_time_have_a_connection_each() -> None:
    async with wire(for_ever(answer())) as server, transport() as http:
        assert await asyncio.gather(*(ask(http, server.url) for _ in range(5))) == [b"ok"] * 5
        assert server.accepted == 5
        await asyncio.gather(*(ask(http, server.url) for _ in range(5)))
        assert server.accepted == 5


ENDS = {
    "a server that says so": answer(b"ok", "connection: close"),
    "HTTP/1.0": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok",
    "bytes behind the answer": answer() + b"HTTP/1.1 200 OK\r\n",
    "a server that waits for less than a second": answer(b"ok", "keep-alive: timeout=1, max=9"),
}


@pytest.mark.parametrize("data", ENDS.values(), ids=ENDS)
@on_every_loop
async def test_a_connection_is_not_used_again_after(data: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(data)
        await peer.gone()

    async with wire(play) as server, transport() as http:
        for _ in range(2):
            async with opened(http, server.url) as response:
                assert await response.read() == b"ok"
            await server.left.acquire()
        assert server.accepted == 2


@on_every_loop
async def test_a_body_that_is_not_read_to_its_end_closes_the_connection() -> None:
    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(head("content-length: 1000") + b"some")
        await peer.gone()

    async with wire(play) as server, transport() as http:
        async with opened(http, server.url) as response:
            assert await response.read() == b"some"
        await server.left.acquire()


@pytest.mark.parametrize(
    "last_word", [b"", answer(b"late", status="408 Request Timeout")], ids=["bare", "408"]
)
@on_every_loop
async def test_a_connection_that_its_server_closes_while_it_rests_is_forgotten(last_word: bytes) -> None:
    close = asyncio.Event()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(answer())
        await close.wait()
        if last_word:
            await peer.send(last_word)

    async with wire(play) as server, transport() as http:
        assert await ask(http, server.url) == b"ok"
        close.set()
        await server.left.acquire()
        await asyncio.sleep(0.01)
        assert await ask(http, server.url) == b"ok"
        assert server.accepted == 2


@on_every_loop
async def test_a_connection_that_rests_too_long_is_closed() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(http1, "IDLE_SECONDS", 0.05)
        async with wire(for_ever(answer())) as server, transport() as http:
            await ask(http, server.url)
            await server.left.acquire()


@on_every_loop
async def test_closing_the_transport_closes_what_rests_and_what_comes_back_later() -> None:
    async with wire(for_ever(answer())) as server, transport() as http:
        async with opened(http, server.url) as response:
            await ask(http, server.url)
            await http.aclose()
            await server.left.acquire()
            assert await whole(response) == b"ok"
        await server.left.acquire()


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers", [{"a": "b\r\nc: d"}, {"a": "b\n"}, {"a\r": "b"}, {"a": "\0"}, {"a": "€"}], ids=repr
)
@on_every_loop
async def test_a_header_that_would_end_its_line_is_not_sent(headers: dict[str, str]) -> None:
    async with wire(playing(answer())) as server, transport() as http:
        with pytest.raises(ProviderError) as caught:
            http.open("POST", server.url, headers=headers, body=b"", connect_timeout=5.0)
        assert caught.value.outcome is Outcome.PROTOCOL_ERROR
        assert server.accepted == 0
