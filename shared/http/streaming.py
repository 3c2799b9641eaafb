"""Answers that stop when the client hangs up, streamed or whole.

A server tells of a hang-up through `receive()` alone: uvicorn's `send()` does nothing then. So
`receive()` is watched all the time, also before the first event.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.errors import InternalError
from shared.http.answers import AnswerAborted, as_api_error, log_unexpected, request_id
from shared.services import telemetry_of
from shared.text.dialects import encoder_for
from shared.text.sse import (
    Delta,
    Done,
    ErrorEvent,
    StreamFormat,
    StreamMessage,
    choose_format,
)
from shared.types import Finish, Verbatim

KEEP_ALIVE_SECONDS = 15.0
WATCH_AFTER_SECONDS = 0.05  # an answer that is done sooner needs no task that watches for a hang-up
STALLED_SECONDS = 60.0  # a client that takes nothing for so long counts as gone

T = TypeVar("T")
M = TypeVar("M")
_Message = TypeVar("_Message", contravariant=True)
_Default = TypeVar("_Default")

_PLAIN = (Delta, Verbatim)
_LAST = (Done, ErrorEvent, Finish)


def requested_format(request: Request, default: _Default) -> StreamFormat | _Default:
    """By `?format=`, else `Accept`, else `default`. Raises InvalidRequest for an unknown one."""
    return choose_format(request.query_params.get("format"), request.headers.get("accept"), default)


async def run_until_disconnect(request: Request, work: Awaitable[T]) -> T:
    """What `work` gives; it is cancelled, and ClientDisconnect raised, when the client hangs up.

    Read the body first: this drops what is left of it.
    """
    with Hangup(request.receive):
        return await work


def event_stream(
    request: Request,
    events: AsyncGenerator[StreamMessage, None],
    *,
    format: StreamFormat,
    keep_alive: float = KEEP_ALIVE_SECONDS,
    stalled: float = STALLED_SECONDS,
    now: Callable[[], float] = time.time,
) -> Response:
    """A stream of `events` in a dialect. The generator is always closed, in the answer's own task.

    An ApiError before the first event becomes an HTTP answer, a later one the stream's last event.
    A stream that ends without Done or ErrorEvent is an error too. `keep_alive` and `stalled` are
    seconds between comments while nothing comes, and until a client that takes nothing is given up.
    """
    encoder = encoder_for(format, created=int(now()))
    return EventStream(events, encoder, request_id(request), keep_alive, stalled)


class Hangup:
    """A context whose body is cancelled when the client hangs up; then ClientDisconnect.

    One task watches; the body runs in the task that entered, as under `asyncio.timeout`.
    """

    _task: asyncio.Task[Any]
    _start: asyncio.TimerHandle

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._watch: asyncio.Task[None] | None = None
        self._gone = False

    def __enter__(self) -> Hangup:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("A hang-up is watched for inside a task")
        self._task = task
        self._cancelling = task.cancelling()
        self._start = task.get_loop().call_later(WATCH_AFTER_SECONDS, self._begin)
        return self

    def _begin(self) -> None:
        self._watch = self._task.get_loop().create_task(self._listen())

    async def _listen(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            continue  # the rest of a body that nobody wants
        self.hang_up()

    def hang_up(self) -> None:
        if not self._gone:
            self._gone = True
            self._task.cancel()

    def disarm(self) -> None:
        """From here on a hang-up changes nothing: what is left is ours to finish."""
        self._start.cancel()
        if self._watch is not None:
            self._watch.cancel()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.disarm()
        if self._gone and self._task.uncancel() <= self._cancelling and kind is asyncio.CancelledError:
            raise ClientDisconnect from None


class Wire(Protocol[_Message]):
    """The wire form of one stream: `Encoder` of shared/text/sse.py is one for an editor's messages."""

    @property
    def content_type(self) -> str: ...

    @property
    def headers(self) -> Mapping[str, str]: ...

    @property
    def keep_alive(self) -> bytes | None: ...

    @property
    def carries_errors(self) -> bool: ...

    def encode(self, message: _Message | ErrorEvent, /) -> bytes: ...


class EventStream(Response, Generic[M]):
    """The answer itself. See `event_stream`."""

    def __init__(
        self,
        events: AsyncGenerator[M, None],
        encoder: Wire[M],
        request_id: str,
        keep_alive: float,
        stalled: float,
    ) -> None:
        self._events = events
        self._encoder = encoder
        self._request_id = request_id
        self._keep_alive = keep_alive
        self._stalled = stalled
        self._ended = False
        self.status_code = 200
        self.background = None

    def _head(self, first: M) -> Mapping[str, str]:
        """Those of the answer; `first` is the stream's first message."""
        return {
            "cache-control": "no-cache, no-transform",
            "x-accel-buffering": "no",
            **self._encoder.headers,
            "content-type": self._encoder.content_type,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        telemetry = telemetry_of(scope)
        if telemetry is None:
            await self._answer(receive, send)
            return
        telemetry.metrics.open_streams += 1
        try:
            await self._answer(receive, send)
        finally:
            telemetry.metrics.open_streams -= 1

    async def _answer(self, receive: Receive, send: Send) -> None:
        with Hangup(receive) as hangup:
            async with aclosing(self._events):
                first = await self._first()
                self.init_headers(self._head(first))
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                with self._outlet(send, hangup) as outlet:
                    await self._pass_on(first, outlet, hangup)
                    await self._settle()
                    await outlet.send(b"", more=False)

    def _outlet(self, send: Send, hangup: Hangup) -> Outlet:
        return Outlet(
            send,
            asyncio.get_running_loop(),
            comment=self._encoder.keep_alive,
            interval=self._keep_alive,
            stalled=self._stalled,
            give_up=hangup.hang_up,
        )

    async def _first(self) -> M:
        try:
            return await anext(self._events)
        except StopAsyncIteration:
            raise InternalError("The answer was empty") from None

    async def _pass_on(self, first: M, outlet: Outlet, hangup: Hangup) -> None:
        encode = self._encoder.encode
        try:
            await self._emit(first, outlet, hangup)
            async for message in self._events:
                if isinstance(message, _PLAIN) and not self._ended:  # short, as there are so many
                    if data := encode(message):
                        await outlet.send(data)
                else:
                    await self._emit(message, outlet, hangup)
            if not self._ended:
                await self._fail(InternalError("The answer broke off"), outlet, hangup)
        except (AnswerAborted, ClientDisconnect):
            raise
        except Exception as error:
            await self._fail(error, outlet, hangup)

    async def _emit(self, message: M | ErrorEvent, outlet: Outlet, hangup: Hangup) -> None:
        if self._ended:  # nothing can follow the end; the generator may still have work to do
            return
        if isinstance(message, ErrorEvent) and not self._encoder.carries_errors:
            raise AnswerAborted from None
        data = self._encoder.encode(message)
        if isinstance(message, _LAST):
            self._ended = True
            hangup.disarm()
        if data:
            await outlet.send(data)

    async def _fail(self, error: Exception, outlet: Outlet, hangup: Hangup) -> None:
        if self._ended:  # the client has its answer: what fails after it is for the log
            log_unexpected(error, self._request_id)
            return
        known = as_api_error(error, self._request_id)
        await self._emit(ErrorEvent(known.to_json(self._request_id)), outlet, hangup)

    async def _settle(self) -> None:
        """The generator's clean-up ends before the answer does: a lone handler may be frozen then."""
        try:
            await self._events.aclose()
        except Exception as error:
            log_unexpected(error, self._request_id)


class Outlet:
    """Sends one chunk after the other, and comments between them while nothing comes.

    One timer a stream, re-armed when it fires: nothing is started or cancelled per event.
    """

    def __init__(
        self,
        send: Send,
        loop: asyncio.AbstractEventLoop,
        *,
        comment: bytes | None,
        interval: float,
        stalled: float,
        give_up: Callable[[], None],
    ) -> None:
        self._send = send
        self._loop = loop
        self._comment = comment
        self._interval = interval
        self._stalled = stalled
        self._give_up = give_up
        self._last = self._loop.time()  # when the last chunk was handed over
        self._sending = False
        self._commenting: asyncio.Task[None] | None = None

    def __enter__(self) -> Outlet:
        self._arm()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if self._commenting is not None:
            self._commenting.cancel()

    async def send(self, data: bytes, *, more: bool = True) -> None:
        if self._commenting is not None:
            await self._commenting
            self._commenting = None
        self._last = self._loop.time()
        self._sending = True
        try:
            await self._send({"type": "http.response.body", "body": data, "more_body": more})
        except OSError:  # ASGI 2.4: the client is gone
            raise ClientDisconnect from None
        self._sending = False

    def _arm(self) -> None:
        now, wait = self._loop.time(), min(self._interval, self._stalled)
        due = self._last + wait
        self._timer = self._loop.call_at(due if due > now else now + wait, self._tick)

    @property
    def _busy(self) -> bool:
        return self._sending or (self._commenting is not None and not self._commenting.done())

    def _tick(self) -> None:
        idle = self._loop.time() - self._last
        if self._busy and idle >= self._stalled:
            self._give_up()
            return
        if not self._busy and idle >= self._interval and self._comment is not None:
            self._last = self._loop.time()
            self._commenting = self._loop.create_task(self._say(self._comment))
        self._arm()

    async def _say(self, comment: bytes) -> None:
        with suppress(OSError):
            await self._send({"type": "http.response.body", "body": comment, "more_body": True})
