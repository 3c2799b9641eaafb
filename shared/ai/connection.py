"""One HTTP/1.1 connection, as an asyncio protocol (RFC 9112); llhttp parses it, by httptools."""

from __future__ import annotations

import asyncio
from typing import TypeAlias, cast

import httptools

from shared.errors import ProviderError
from shared.types import Outcome

MAX_HEAD = 64 * 1024  # bytes of status line and headers, those of interim answers included
HIGH_WATER = 256 * 1024  # bytes that wait to be read before the sender is held back


Resting: TypeAlias = dict["Connection", None]  # connections to one place, the one used last at the end


class _Refused(Exception):
    """Raised in a callback, so that nothing more is parsed."""


class Connection(asyncio.Protocol):
    """One request at a time. An exchange begins with `request` and ends when `read` gives b""."""

    def __init__(self) -> None:
        self.lost = False
        self.rests_in: Resting | None = None  # while nobody uses it
        self.usable_until = 0.0  # while at rest: the loop's time
        self.transport: asyncio.Transport  # from connection_made on
        self.loop = asyncio.get_running_loop()
        self._waiter: asyncio.Future[None] | None = None
        self._paused = False
        self._begin()

    def _begin(self) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self.status = 0
        self.headers: dict[str, str] = {}
        self._head_size = 0
        self._head_done = False
        self._complete = False
        self._keep_alive = False
        self._failure: str | None = None
        self._body: list[bytes] = []
        self._waiting = 0  # bytes in _body

    # --- the network's side ----------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError as error:
            refused = error.__context__
            self._fail(str(refused) if isinstance(refused, _Refused) else type(error).__name__)
        if not self._head_done:
            self._head_size += len(data)
            if self._head_size > MAX_HEAD:
                self._fail("HeadTooLong")
        elif self._waiting > HIGH_WATER and not self._paused and not self.transport.is_closing():
            self._paused = True
            self.transport.pause_reading()
        self._tell()

    def eof_received(self) -> bool:
        """The other side sends no more: nothing is left to keep the connection for."""
        return False

    def connection_lost(self, error: Exception | None) -> None:
        self.lost = True
        if self._head_done and error is None and self._until_close():
            self._complete = True
        self._tell()
        self.wake()

    def _until_close(self) -> bool:
        """A body without a length ends with the connection (RFC 9112, 6.3)."""
        return "content-length" not in self.headers and "chunked" not in self.headers.get(
            "transfer-encoding", ""
        )

    def _fail(self, why: str) -> None:
        self._failure = why
        self.close()

    def _tell(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    # --- httptools' callbacks --------------------------------------------------------------------

    def on_message_begin(self) -> None:
        if self._complete:  # nobody has asked: a server that closes may say so with a 408
            raise _Refused("UnaskedResponse")

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._head_done:
            return  # a trailer: it comes too late to mean anything here
        key = name.decode("latin-1").lower()
        text = value.decode("latin-1").strip()
        self.headers[key] = f"{self.headers[key]}, {text}" if key in self.headers else text

    def on_headers_complete(self) -> None:
        self.status = self._parser.get_status_code()
        if self.status == 101:
            raise _Refused("UnaskedUpgrade")
        if self.status < 200:
            self.headers.clear()
            return
        self._head_done = True
        self._keep_alive = self._parser.should_keep_alive()  # later the parser has forgotten
        if self.headers.get("transfer-encoding", "chunked").lower() != "chunked":
            raise _Refused("UnknownTransferEncoding")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)
        self._waiting += len(body)

    def on_message_complete(self) -> None:
        self._complete = self._head_done  # an interim answer is not the one

    # --- our side --------------------------------------------------------------------------------

    async def request(self, data: bytes) -> None:
        """Sends a whole request and waits for the head of its answer. Raises ProviderError."""
        self._begin()
        self._check()
        self.transport.write(data)
        while not self._head_done:  # once it is here it counts, also when the connection broke behind it
            self._check()
            self._waiter = self.loop.create_future()
            await self._waiter

    async def read(self) -> bytes:
        """What has come of the body; b"" at its end. Raises ProviderError when it breaks off."""
        while not self._body:
            if self._complete:
                return b""
            self._check()
            self._waiter = self.loop.create_future()
            await self._waiter
        data = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._waiting = 0
        if self._paused:
            self._paused = False
            if not self.transport.is_closing():
                self.transport.resume_reading()
        return data

    @property
    def ended(self) -> bool:
        """Whether the whole body has come and has been read."""
        return self._complete and not self._body

    @property
    def at_start(self) -> bool:
        """Whether nothing has come behind the head."""
        return not self._body and self._failure is None

    @property
    def reusable(self) -> bool:
        """Whether another request may follow: the whole answer came, and the whole request went."""
        return (
            self._complete
            and self._keep_alive
            and self._failure is None
            and not self._body
            and self.rested_well
            and self.transport.get_write_buffer_size() == 0
        )

    @property
    def rested_well(self) -> bool:
        """Whether one that was `reusable` still is."""
        return not self.lost and not self.transport.is_closing()

    def wake(self) -> None:
        """It rests no longer."""
        if self.rests_in is not None:
            self.rests_in.pop(self, None)
            self.rests_in = None

    def close(self) -> None:
        """At once, with what is not sent yet: nobody waits for it."""
        self.transport.abort()

    def _check(self) -> None:
        if self._failure is not None:
            raise ProviderError(Outcome.PROTOCOL_ERROR, self._failure)
        if self.lost:
            raise ProviderError(Outcome.CONNECT_ERROR, "ConnectionLost")
