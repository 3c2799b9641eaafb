"""How uvicorn serves an app here: fewer system calls an answer, and many new clients at once."""

from __future__ import annotations

import asyncio
import socket
from typing import Any, TypeAlias

import uvicorn
from uvicorn._types import ASGIReceiveCallable, ASGISendCallable, ASGISendEvent, HTTPResponseStartEvent, Scope
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http import httptools_impl
from uvicorn.protocols.http.httptools_impl import (
    HEADER_RE,
    HEADER_VALUE_RE,
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

_ACCEPTED_AT_ONCE = 128  # in one turn of the loop


class Config(uvicorn.Config):
    """uvicorn's, whose rules on trusted proxies cost a request without their headers nothing."""

    def load(self) -> None:
        self.proxy_headers = False
        super().load()
        self.loaded_app = _Forwarded(self.loaded_app, trusted_hosts=self.forwarded_allow_ips)


class _Forwarded(ProxyHeadersMiddleware):
    def __call__(self, scope: Scope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> Any:
        if scope["type"] != "http" or _FORWARDED.isdisjoint(dict(scope["headers"])):
            return self.app(scope, receive, send)
        return super().__call__(scope, receive, send)


_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


class HeadWithBody(HttpToolsProtocol):
    """Sends the head of an answer along with the first bytes of its body, if they come at once."""


def taking_all(listener: socket.socket) -> type[HeadWithBody]:
    """What uvicorn serves each connection of `listener` by, which also takes those that wait behind it.

    libuv accepts one connection a turn of the loop. Streams that have begun have their turns in between,
    so that of hundreds who come at once the last would wait for seconds.
    """
    accepting: set[asyncio.Task[Any]] = set()

    class TakingAll(HeadWithBody):
        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as its base has it
            super().connection_made(transport)
            self._take_waiting()

        def _take_waiting(self) -> None:
            loop = asyncio.get_running_loop()
            for _ in range(_ACCEPTED_AT_ONCE):
                try:
                    client, _ = listener.accept()
                except OSError:  # nobody waits, or nobody can be taken now: libuv goes on
                    return
                task = loop.create_task(loop.connect_accepted_socket(self._another, client))
                accepting.add(task)
                task.add_done_callback(accepting.discard)
            loop.call_soon(self._take_waiting)

        def _another(self) -> HeadWithBody:
            return HeadWithBody(self.config, self.server_state, self.app_state)

    return TakingAll


class Cycle(RequestResponseCycle):
    """A request and its answer as uvicorn has them, but for how the answer is written."""

    _head = b""  # not written yet
    _says_close = False
    _without_body = False

    async def send(self, message: ASGISendEvent) -> None:
        """As the base's, of which it takes all rules over (ASGI 3.0, HTTP)."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if self.response_complete:
            raise RuntimeError(f"{message['type']} after the answer's end")
        if message["type"] == "http.response.body" and self.response_started:
            self._write(message.get("body", b""), more=message.get("more_body", False))
        elif message["type"] == "http.response.start" and not self.response_started:
            self._begin(message)
        else:
            raise RuntimeError(f"{message['type']} out of turn")

    def _begin(self, message: HTTPResponseStartEvent) -> None:
        """Holds the head back until the body's first bytes, at most to the end of the loop's turn."""
        self.response_started = True
        self.waiting_for_100_continue = False
        status = message["status"]
        self._without_body = self.scope["method"] == "HEAD"
        given: list[Any] = [*map(tuple, message.get("headers", ()))]
        lines: list[Any] = [*map(_LINES.get, given)]
        while None in lines:
            at = lines.index(None)
            lines[at] = self._line(*given[at])
        if not self.keep_alive and not self._says_close:
            lines.append(b"connection: close\r\n")
        if self.chunked_encoding is None and not self._without_body and status not in (204, 304):
            self.chunked_encoding = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self._head = b"%b%b%b\r\n" % (STATUS_LINE[status], _servers(self.default_headers), b"".join(lines))
        asyncio.get_running_loop().call_soon(self._flush)

    def _line(self, name: bytes, value: bytes) -> bytes:
        """Takes in what it says of the body and the connection. Raises RuntimeError where it is no line."""
        name = name.lower()
        if name == b"content-length" and self.chunked_encoding is None:
            self.expected_content_length, self.chunked_encoding = int(value), False
        elif name == b"transfer-encoding" and value.lower() == b"chunked":
            self.expected_content_length, self.chunked_encoding = 0, True
        elif name == b"connection" and b"close" in [token.strip().lower() for token in value.split(b",")]:
            self.keep_alive, self._says_close = False, True
        return _checked_line(name, value)

    def _write(self, body: bytes, *, more: bool) -> None:
        if self._without_body:
            self.expected_content_length, data = 0, b""
        elif self.chunked_encoding:
            data = b"%x\r\n%b\r\n" % (len(body), body) if body else b""
            if not more:
                data += b"0\r\n\r\n"
        else:
            self.expected_content_length -= len(body)
            if self.expected_content_length < 0:
                raise RuntimeError("the body is longer than its content-length")
            data = body
        if not more and self.expected_content_length:
            raise RuntimeError("the body is shorter than its content-length")
        self._flush(data)
        if not more:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _flush(self, data: bytes = b"") -> None:
        if self._head:
            data, self._head = self._head + data, b""
        if data:
            self.transport.write(data)


Headers: TypeAlias = list[tuple[bytes, bytes]]

_servers_last: tuple[Headers, bytes] = ([], b"")
_LINES: dict[tuple[bytes, bytes], bytes] = {}  # of headers that were found to be right
_MAX_LINES = 1000
_OF_ONE_ANSWER = frozenset({b"content-length", b"transfer-encoding", b"connection", b"x-request-id"})


def _servers(headers: Headers) -> bytes:
    """The lines that the server adds to every answer, made anew with its new list, once a second."""
    global _servers_last
    if _servers_last[0] is not headers:
        _servers_last = (headers, b"".join([b"%b: %b\r\n" % header for header in headers]))
    return _servers_last[1]


def _checked_line(name: bytes, value: bytes) -> bytes:
    """A head's line, kept unless it is of one answer. Raises RuntimeError where it would be more than one."""
    if HEADER_RE.search(name) or HEADER_VALUE_RE.search(value):
        raise RuntimeError(f"not a header: {name!r}")
    line = b"%b: %b\r\n" % (name, value)
    if name not in _OF_ONE_ANSWER:
        if len(_LINES) >= _MAX_LINES:
            _LINES.clear()
        _LINES[name, value] = line
    return line


httptools_impl.RequestResponseCycle = Cycle  # type: ignore[misc]  # what HttpToolsProtocol makes by that name
