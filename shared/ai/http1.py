"""HTTP/1.1 with connections that are kept alive: what carries every request to a provider.

Why it is no client library stands in docs/performance.md. Never retries, never follows a redirect.
One stream has one connection, so that none waits for another; HTTP/2 is not spoken.
"""

from __future__ import annotations

import asyncio
import ssl
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType

from shared.ai.connecting import Connector, trusted
from shared.ai.connection import Connection, Resting
from shared.ai.places import Place, Proxies, destination, environment_proxies
from shared.errors import ProviderError
from shared.types import Outcome

IDLE_SECONDS = 30.0  # a connection at rest for longer is closed
SAFETY_SECONDS = 1.0  # before a server's own limit, where it names one
MAX_IDLE = 256  # connections at rest for one place
_MAX_KNOWN = 1000  # URLs with headers; a request within a trace has a header of its own
_INFLATED = 256 * 1024  # bytes made of a compressed piece at a time


class Http1Transport:
    """For one event loop. `proxies` and `tls` None: as the environment and the system say."""

    def __init__(
        self, *, proxies: Proxies | None = None, tls: Callable[[], ssl.SSLContext] | None = None
    ) -> None:
        self._proxies = proxies or environment_proxies()
        self._connector = Connector(tls or trusted)
        self._known: dict[tuple[str, str, tuple[tuple[str, str], ...]], _Way] = {}
        self._idle: dict[Place, Resting] = {}
        self._sweeping: asyncio.TimerHandle | None = None
        self._closed = False

    def open(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        connect_timeout: float,
        on_sent: Callable[[], None] | None = None,
    ) -> Exchange:
        """An async context that gives the Response. Raises ProviderError CONNECT_ERROR or TIMEOUT."""
        way = self._way(method, url, tuple(headers.items()))
        data = b"%bcontent-length: %d\r\n\r\n%b" % (way.head, len(body), body)
        return Exchange(self, way, data, connect_timeout, on_sent)

    async def aclose(self) -> None:
        """Closes what is at rest; what is in use closes when it is done."""
        self._closed = True
        if self._sweeping is not None:
            self._sweeping.cancel()
        for resting in self._idle.values():
            while resting:
                _woken(resting).close()

    async def take(self, place: Place, resting: Resting, connect_timeout: float) -> Connection:
        """The connection that was used last and is still good, or a new one."""
        while resting:
            connection = _woken(resting)
            if connection.rested_well and connection.loop.time() < connection.usable_until:
                return connection
            connection.close()
        return await self._connector.connect(place, connect_timeout)

    def give_back(self, connection: Connection, resting: Resting) -> None:
        """Keeps a connection whose exchange is over, closes any other."""
        rest = _rest(connection.headers)
        if self._closed or not connection.reusable or rest <= 0 or len(resting) >= MAX_IDLE:
            connection.close()
            return
        connection.usable_until = connection.loop.time() + rest
        connection.rests_in = resting
        resting[connection] = None
        if self._sweeping is None:
            self._sweeping = connection.loop.call_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Closes what has rested for too long, as long as anything rests."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        for resting in self._idle.values():
            for connection in [one for one in resting if one.usable_until <= now]:
                connection.wake()
                connection.close()
        self._sweeping = loop.call_later(IDLE_SECONDS, self._sweep) if any(self._idle.values()) else None

    def _way(self, method: str, url: str, headers: tuple[tuple[str, str], ...]) -> _Way:
        known = self._known.get((method, url, headers))
        if known is None:
            if len(self._known) >= _MAX_KNOWN:
                self._known.clear()
            where = destination(url, self._proxies)
            head = request_head(method, where.lines, headers)
            known = _Way(where.place, head, self._idle.setdefault(where.place, {}))
            self._known[method, url, headers] = known
        return known


def _woken(resting: Resting) -> Connection:
    connection = next(reversed(resting))
    connection.wake()
    return connection


@dataclass(slots=True)
class _Way:
    """What requests with the same URL and headers share."""

    place: Place
    head: bytes  # all but the length
    resting: Resting  # connections to that place


class Exchange:
    """One request and its answer."""

    _connection: Connection

    def __init__(
        self,
        transport: Http1Transport,
        way: _Way,
        data: bytes,
        connect_timeout: float,
        on_sent: Callable[[], None] | None,
    ) -> None:
        self._transport = transport
        self._way = way
        self._data = data
        self._connect_timeout = connect_timeout
        self._on_sent = on_sent

    async def __aenter__(self) -> Http1Response:
        way = self._way
        self._connection = await self._transport.take(way.place, way.resting, self._connect_timeout)
        try:
            if self._on_sent is not None:
                self._on_sent()
            await self._connection.request(self._data)
            return Http1Response(self._connection)
        except BaseException:
            self._connection.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._transport.give_back(self._connection, self._way.resting)


class Http1Response:
    """Raises ProviderError for a content encoding that is not known."""

    def __init__(self, connection: Connection) -> None:
        self.status = connection.status
        self.headers: Mapping[str, str] = connection.headers
        encoding = connection.headers.get("content-encoding", "identity").lower()
        self._body = connection if encoding in ("identity", "") else Inflated(connection, encoding)
        self.read = self._body.read

    @property
    def ended(self) -> bool:
        return self._body.ended


class Inflated:
    """A body in gzip (RFC 1952) or zlib (RFC 1950). We ask for neither; some send it all the same."""

    def __init__(self, connection: Connection, encoding: str) -> None:
        if encoding not in ("gzip", "x-gzip", "deflate"):
            raise ProviderError(Outcome.PROTOCOL_ERROR, "UnknownContentEncoding", status=connection.status)
        self._connection = connection
        self._inflate = zlib.decompressobj(zlib.MAX_WBITS | 32)  # either, by its first bytes
        self._more = False  # what was put in has more to give
        self._begun = False

    @property
    def ended(self) -> bool:
        """Known only once `read` has given b"": until then the body may be cut short."""
        return False

    async def read(self) -> bytes:
        """As Connection.read, a bounded piece at a time. A body cut short is a broken connection."""
        while True:
            compressed = self._inflate.unconsumed_tail
            if not compressed and not self._more:
                compressed = await self._connection.read()
                if not compressed:
                    return self._end()
            if data := self._inflated(compressed):
                return data

    def _inflated(self, compressed: bytes) -> bytes:
        self._begun = True
        try:
            data = self._inflate.decompress(compressed, _INFLATED)
        except zlib.error:
            raise ProviderError(Outcome.PROTOCOL_ERROR, "DecodingError") from None
        self._more = len(data) == _INFLATED
        return data

    def _end(self) -> bytes:
        if self._begun and not self._inflate.eof:
            raise ProviderError(Outcome.CONNECT_ERROR, "CompressedBodyCut")
        return b""


def request_head(method: str, lines: bytes, headers: Sequence[tuple[str, str]]) -> bytes:
    """Raises ProviderError for a header that would end its line, or is not Latin-1."""
    head = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if head.count("\n") != len(headers) or head.count("\r") != len(headers) or "\0" in head:
        raise ProviderError(Outcome.PROTOCOL_ERROR, "IllegalHeader")
    try:
        return method.encode("ascii") + lines + head.encode("latin-1")
    except UnicodeEncodeError:
        raise ProviderError(Outcome.PROTOCOL_ERROR, "IllegalHeader") from None


def _rest(headers: Mapping[str, str]) -> float:
    """Seconds that the connection may rest: ours, or fewer by the server's `Keep-Alive: timeout=5`."""
    if "keep-alive" not in headers:
        return IDLE_SECONDS
    for parameter in headers["keep-alive"].split(","):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "timeout" and value.strip().isdecimal():
            return min(IDLE_SECONDS, int(value) - SAFETY_SECONDS)
    return IDLE_SECONDS
