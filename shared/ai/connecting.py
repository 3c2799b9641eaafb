"""Connections to a place: names resolved, addresses raced, tunnels opened, TLS begun."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable, Coroutine, Sequence
from functools import cache, partial
from ipaddress import ip_address
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any, TypeAlias

from shared.ai.connection import Connection
from shared.ai.places import Place, bracketed
from shared.errors import ProviderError
from shared.types import Outcome

_HEAD_START = 0.25  # seconds that one address has before the next is tried too (RFC 8305, 5)

_Attempt: TypeAlias = Callable[[], Coroutine[Any, Any, Connection]]

_CODES: Sequence[tuple[type[Exception], str]] = (
    (ssl.SSLCertVerificationError, "certificate_not_trusted"),
    (socket.gaierror, "name_not_resolved"),
    (ConnectionRefusedError, "connection_refused"),
)


class Connector:
    """Opens connections. `tls` gives what is trusted; it is called once, at the first need."""

    def __init__(self, tls: Callable[[], ssl.SSLContext]) -> None:
        self._tls = cache(tls)  # reading a trust store takes tens of milliseconds

    async def connect(self, place: Place, timeout: float) -> Connection:
        """Raises ProviderError TIMEOUT or CONNECT_ERROR, by the error's class: its words quote addresses."""
        try:
            async with asyncio.timeout(timeout):
                return await self._connect(place)
        except TimeoutError:
            raise ProviderError(Outcome.TIMEOUT, "ConnectTimeout", code="connect_timeout") from None
        except (OSError, UnicodeError) as error:
            code = next((code for kind, code in _CODES if isinstance(error, kind)), None)
            raise ProviderError(Outcome.CONNECT_ERROR, type(error).__name__, code=code) from None

    async def _connect(self, place: Place) -> Connection:
        if place.proxy is None:
            return await self._open(place.host, place.port, secure=place.secure)
        connection = await self._open(place.proxy.host, place.proxy.port, secure=place.proxy.secure)
        if place.tunnels:
            try:
                await self._tunnel(connection, place)
            except BaseException:
                connection.close()
                raise
        return connection

    async def _open(self, host: str, port: int, *, secure: bool) -> Connection:
        """To the first of the host's addresses that answers (Happy Eyeballs, RFC 8305)."""

        tls = self._tls() if secure else None

        async def to(address: str) -> Connection:
            _, connection = await asyncio.get_running_loop().create_connection(
                Connection, address, port, ssl=tls, server_hostname=host if tls else None
            )
            return connection

        addresses = await _addresses(host, port)
        if len(addresses) == 1:
            return await to(addresses[0])
        return await _first([partial(to, address) for address in addresses])

    async def _tunnel(self, connection: Connection, place: Place) -> None:
        """RFC 9110, 9.3.6: from a 2xx answer on, what comes is the other side's."""
        authority = f"{bracketed(place.host)}:{place.port}"
        authorization = place.proxy.authorization if place.proxy else ""
        await connection.request(
            f"CONNECT {authority} HTTP/1.1\r\nhost: {authority}\r\n{authorization}\r\n".encode("ascii")
        )
        if not 200 <= connection.status < 300:
            code = f"proxy_refused_{connection.status}"
            raise ProviderError(Outcome.CONNECT_ERROR, "ProxyRefused", code=code)
        if not connection.at_start:
            raise ProviderError(Outcome.PROTOCOL_ERROR, "UnaskedBytesInTunnel")
        secured = await asyncio.get_running_loop().start_tls(
            connection.transport, connection, self._tls(), server_hostname=place.host
        )
        if secured is None:
            raise ProviderError(Outcome.CONNECT_ERROR, "ConnectionLost")
        connection.transport = secured


async def _addresses(host: str, port: int) -> list[str]:
    """In the resolver's order, the families by turns. An address is its own."""
    if _is_address(host):
        return [host]
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    first = [str(address[0]) for family, *_, address in found if family == found[0][0]]
    rest = [str(address[0]) for family, *_, address in found if family != found[0][0]]
    return [address for address in chain(*zip_longest(first, rest)) if address is not None]


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


async def _first(attempts: Sequence[_Attempt]) -> Connection:
    """What the first that does not fail gives; the next one starts a little later, or at a failure."""
    waiting, running, errors = list(attempts), set[asyncio.Task[Connection]](), list[BaseException]()
    try:
        while waiting or running:
            if waiting:
                running.add(asyncio.create_task(waiting.pop(0)()))
            patience = _HEAD_START if waiting else None
            done, _ = await asyncio.wait(running, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                running.discard(task)
                if (error := task.exception()) is None:
                    return task.result()
                errors.append(error)
    finally:
        await _drop(running)
    raise errors[0]


async def _drop(running: set[asyncio.Task[Connection]]) -> None:
    for task in running:
        task.cancel()
    for connected in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(connected, Connection):
            connected.close()


def trusted() -> ssl.SSLContext:
    """The system's trust store (or SSL_CERT_FILE and SSL_CERT_DIR); certifi's where the system has none."""
    context = ssl.create_default_context()
    folder = ssl.get_default_verify_paths().capath
    if not context.cert_store_stats()["x509_ca"] and not (folder and any(Path(folder).iterdir())):
        import certifi

        context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context
