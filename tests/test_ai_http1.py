"""The HTTP/1.1 transport against servers that play every byte of it, on both event loops."""

import asyncio
import gzip
import socket
import ssl
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest

from shared.ai import http1
from shared.ai.connecting import trusted
from shared.ai.http1 import Exchange, Http1Transport
from shared.ai.transport import Response
from shared.errors import ProviderError
from shared.types import Outcome
from tests.certificates import PROVIDER, Authority
from tests.wire import Peer, Play, Seen, Wire, answer, chunked, head, on_every_loop, tunnel_to, wire

HEADERS = {"content-type": "application/json"}


@asynccontextmanager
async def transport(
    *, proxy: str | None = None, authority: Authority | None = None
) -> AsyncIterator[Http1Transport]:
    opened = Http1Transport(proxies=lambda *_: proxy, tls=(authority or Authority()).client_context)
    try:
        yield opened
    finally:
        await opened.aclose()


def opened(http: Http1Transport, url: str) -> Exchange:
    return http.open("POST", url, headers={}, body=b"", connect_timeout=5.0)


async def whole(response: Response) -> bytes:
    pieces = []
    while data := await response.read():
        pieces.append(data)
    return b"".join(pieces)


async def ask(http: Http1Transport, url: str, body: bytes = b"{}") -> bytes:
    async with http.open("POST", url, headers=HEADERS, body=body, connect_timeout=5.0) as response:
        return await whole(response)


async def failure_of(http: Http1Transport, url: str, *, connect_timeout: float = 5.0) -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        async with http.open("POST", url, headers=HEADERS, body=b"{}", connect_timeout=connect_timeout) as it:
            await whole(it)
    return caught.value


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


async def at_rest(before: set[asyncio.Task[object]]) -> None:
    """Until no task is left but those."""
    for _ in range(1000):
        if asyncio.all_tasks() <= before:
            return
        await asyncio.sleep(0.001)
    raise AssertionError(asyncio.all_tasks() - before)


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


# --- broken connections ---------------------------------------------------------------------------

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
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
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
        await asyncio.sleep(0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
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
            await asyncio.sleep(0.02)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        await server.left.acquire()
    await at_rest(before)


# --- TLS ------------------------------------------------------------------------------------------


@on_every_loop
async def test_tls_is_spoken_with_who_can_prove_a_name(tmp_path: Path) -> None:
    authority = Authority()
    async with wire(for_ever(answer()), tls=authority.server_context(tmp_path)) as server:
        url = f"https://127.0.0.1:{server.port}/"
        async with transport(authority=authority) as http:
            for _ in range(2):
                assert await ask(http, url) == b"ok"
            assert server.accepted == 1


@on_every_loop
async def test_a_certificate_that_nobody_trusts_is_refused(tmp_path: Path) -> None:
    async with (
        wire(playing(answer()), tls=Authority().server_context(tmp_path)) as server,
        transport() as http,
    ):
        error = await failure_of(http, f"https://127.0.0.1:{server.port}/")
        assert (error.outcome, error.code) == (Outcome.CONNECT_ERROR, "certificate_not_trusted")


@on_every_loop
async def test_a_certificate_of_another_name_is_refused(tmp_path: Path) -> None:
    authority = Authority()
    async with (
        wire(playing(answer()), tls=authority.server_context(tmp_path, [PROVIDER])) as server,
        transport(authority=authority) as http,
    ):
        error = await failure_of(http, f"https://127.0.0.1:{server.port}/")
        assert error.code == "certificate_not_trusted"


@on_every_loop
async def test_a_server_without_tls_is_a_connection_error() -> None:
    async def play(peer: Peer) -> None:
        await peer.send(answer())

    async with wire(play) as server, transport() as http:
        error = await failure_of(http, f"https://127.0.0.1:{server.port}/")
        assert error.outcome is Outcome.CONNECT_ERROR


@on_every_loop
async def test_tls_that_breaks_off_is_a_broken_connection(tmp_path: Path) -> None:
    authority = Authority()

    async def play(peer: Peer) -> None:
        await peer.request()
        await peer.send(head("content-length: 10") + b"some")
        peer.writer.transport.abort()

    async with (
        wire(play, tls=authority.server_context(tmp_path)) as server,
        transport(authority=authority) as http,
    ):
        error = await failure_of(http, f"https://127.0.0.1:{server.port}/")
        assert error.outcome is Outcome.CONNECT_ERROR


def test_the_system_s_authorities_are_trusted_or_certifi_s() -> None:
    context = trusted()
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


def test_a_system_without_authorities_has_certifi_s(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    monkeypatch.setenv("SSL_CERT_DIR", str(tmp_path))
    assert trusted().cert_store_stats()["x509_ca"] > 50


# --- proxies --------------------------------------------------------------------------------------


@asynccontextmanager
async def secure(authority: Authority, folder: Path) -> AsyncIterator[Wire]:
    async with wire(for_ever(answer(b"secure")), tls=authority.server_context(folder)) as server:
        yield server


@on_every_loop
async def test_https_goes_through_a_tunnel_that_is_kept(tmp_path: Path) -> None:
    authority, seen = Authority(), list[Seen]()
    async with (
        secure(authority, tmp_path) as server,
        wire(tunnel_to(server.port, seen)) as proxy,
        transport(proxy=f"http://me:p%40ss@127.0.0.1:{proxy.port}", authority=authority) as http,
    ):
        for _ in range(2):
            assert await ask(http, "https://provider.test/v1") == b"secure"
    (request,) = seen
    assert request.line == "CONNECT provider.test:443 HTTP/1.1"
    assert request.headers == {"host": "provider.test:443", "proxy-authorization": "Basic bWU6cEBzcw=="}


@on_every_loop
async def test_the_proxy_itself_may_be_spoken_to_over_tls(tmp_path: Path) -> None:
    authority, seen = Authority(), list[Seen]()
    async with (
        secure(authority, tmp_path) as server,
        wire(tunnel_to(server.port, seen), tls=authority.server_context(tmp_path)) as proxy,
        transport(proxy=f"https://localhost:{proxy.port}", authority=authority) as http,
    ):
        assert await ask(http, "https://provider.test/v1") == b"secure"
        assert len(seen) == 1


@pytest.mark.parametrize(
    ("data", "outcome", "code"),
    [
        (answer(status="407 Proxy Authentication Required"), Outcome.CONNECT_ERROR, "proxy_refused_407"),
        (answer(status="502 Bad Gateway"), Outcome.CONNECT_ERROR, "proxy_refused_502"),
        (head(status="200 OK") + b"HTTP/1.1 200 OK\r\n", Outcome.PROTOCOL_ERROR, None),
        (b"", Outcome.CONNECT_ERROR, None),
    ],
    ids=["407", "502", "bytes behind the answer", "gone"],
)
@on_every_loop
async def test_a_proxy_that_opens_no_tunnel(data: bytes, outcome: Outcome, code: str | None) -> None:
    async with wire(playing(data)) as proxy, transport(proxy=proxy.url) as http:
        error = await failure_of(http, "https://provider.test/v1")
        assert (error.outcome, error.code) == (outcome, code)
        await proxy.left.acquire()


@on_every_loop
async def test_http_is_asked_for_in_absolute_form() -> None:
    seen: list[Seen] = []

    async def play(peer: Peer) -> None:
        for _ in range(2):
            seen.append(await peer.request())
            await peer.send(answer(b"by proxy"))

    async with (
        wire(play) as proxy,
        transport(proxy=f"http://me@127.0.0.1:{proxy.port}") as http,
    ):
        for _ in range(2):
            assert await ask(http, "http://provider.test:8080/v1?a=b") == b"by proxy"
        assert proxy.accepted == 1
    assert seen[0].line == "POST http://provider.test:8080/v1?a=b HTTP/1.1"
    assert seen[0].headers["host"] == "provider.test:8080"
    assert seen[0].headers["proxy-authorization"] == "Basic bWU6"


@on_every_loop
async def test_a_proxy_of_another_kind_is_refused() -> None:
    async with transport(proxy="socks5://127.0.0.1:1080") as http:
        error = await failure_of(http, "https://provider.test/v1")
        assert (error.outcome, error.detail) == (Outcome.PROTOCOL_ERROR, "UnsupportedProxy")


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
