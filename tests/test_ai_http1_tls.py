"""The HTTP/1.1 transport over TLS and through proxies."""

import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from shared.ai.connecting import trusted
from shared.types import Outcome
from tests.certificates import PROVIDER, Authority
from tests.http1_client import ask, failure_of, transport
from tests.wire import Peer, Seen, Wire, answer, for_ever, head, on_every_loop, playing, tunnel_to, wire

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
