"""The simulator's server, on asyncio's streams, so that it can send any bytes and break anywhere."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import struct
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Any

from tests.simulator import anthropic, openai
from tests.simulator.replies import Bytes, Cut, Pause, Reply, Reset, Stall, Step

Respond = Callable[[openai.Json], str | Reply]


@dataclass(slots=True)
class SeenRequest:
    """One request as it came, and what became of it. Times are `time.monotonic()`."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    json: openai.Json
    at: float
    client_left: asyncio.Event = field(default_factory=asyncio.Event)
    client_left_at: float | None = None
    answered: asyncio.Event = field(default_factory=asyncio.Event)  # the whole reply is sent
    tokens_sent: int = 0  # events with content
    billed: openai.Json | None = None  # the last usage that was sent

    @property
    def prompt(self) -> str:
        """The text of all messages."""
        return "\n".join(openai.content_of(message) for message in self.json.get("messages", ()))


_BREAKS: Mapping[str, Step] = {"stall": Stall(), "cut": Cut(), "reset": Reset()}


class _Closed(Exception):
    """The connection ends here."""


class Simulator:
    """See the package. `requests` are in the order they came."""

    def __init__(self, respond: Respond | None = None, *, port: int = 0, token_delay: float = 0.0) -> None:
        self.requests: list[SeenRequest] = []
        self.connections = 0  # open now
        self.models = ["simulated-small", "simulated-large"]
        self._respond = respond or _default_answer
        self._script: deque[Reply] = deque()
        self._token_delay = token_delay
        self._port = port
        self._server: asyncio.Server | None = None
        self._handlers: set[asyncio.Task[None]] = set()
        self._changed = asyncio.Condition()

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    def reply_text(self, text: str) -> None:
        """Answers every chat with this text from now on."""
        self._respond = lambda _: text

    def reply(self, reply: Reply) -> None:
        """Answers everything like this from now on."""
        self._respond = lambda _: reply

    def respond(self, respond: Respond) -> None:
        """Lets `respond` choose from now on."""
        self._respond = respond

    def script(self, *replies: Reply) -> None:
        """The answers to the next requests, one each, before the default comes back."""
        self._script.extend(replies)

    async def wait_for_requests(self, count: int, *, seconds: float = 5.0) -> Sequence[SeenRequest]:
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def wait_for_rest(self, *, seconds: float = 5.0) -> None:
        """Until no connection is open."""
        async with asyncio.timeout(seconds), self._changed:
            await self._changed.wait_for(lambda: self.connections == 0)

    async def __aenter__(self) -> Simulator:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self._port, backlog=1024)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        for handler in list(self._handlers):
            handler.cancel()
        await asyncio.gather(*self._handlers, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._handlers.add(task)
        await self._count(1)
        try:
            beginning = b""
            while (request := await _read_request(reader, beginning)) is not None:
                async with self._changed:
                    self.requests.append(request)
                    self._changed.notify_all()
                beginning = await self._play(request, reader, writer)
        except (_Closed, ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            self._handlers.discard(task)
            writer.close()
            await self._count(-1)

    async def _count(self, by: int) -> None:
        async with self._changed:
            self.connections += by
            self._changed.notify_all()

    async def _play(
        self, request: SeenRequest, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bytes:
        """Plays the reply, and meanwhile watches for the client to leave.

        Gives the first byte of the next request, if the watch has swallowed it.
        """
        player = asyncio.create_task(self._send(request, writer))
        watcher = asyncio.create_task(reader.read(1))
        try:
            await asyncio.wait({player, watcher}, return_when=asyncio.FIRST_COMPLETED)
            if not player.done() and not await watcher:
                request.client_left_at = time.monotonic()
                request.client_left.set()
                raise _Closed
            await player
            request.answered.set()
            return await watcher if watcher.done() else b""
        except ConnectionError:
            request.client_left_at = request.client_left_at or time.monotonic()
            request.client_left.set()
            raise
        finally:
            for task in (player, watcher):
                task.cancel()
            await asyncio.gather(player, watcher, return_exceptions=True)

    async def _send(self, request: SeenRequest, writer: asyncio.StreamWriter) -> None:
        reply = self._reply(request)
        await asyncio.sleep(reply.delay)
        if reply.before_headers:
            await _step(_BREAKS[reply.before_headers], writer)
        writer.write(_head(reply, request.json))
        for step in self._steps(reply, request):
            await _step(step, writer)
            if isinstance(step, Bytes) and step.bills is not None:
                request.billed = step.bills
            if isinstance(step, Bytes) and b'"content": "' in step.data:
                request.tokens_sent += b'"content": ""' not in step.data
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _steps(self, reply: Reply, request: SeenRequest) -> Iterator[Step]:
        document = self._document(request)
        if request.path.endswith("/messages") and reply.body is None:
            counted = {**request.json, "stream_options": {"include_usage": True}}
            return anthropic.as_messages(reply.steps(counted), status=reply.status)
        if document is None or reply.body is not None or reply.status != 200:
            return reply.steps(request.json)
        return iter([Bytes(json.dumps(document).encode(), document.get("usage"))])

    def _document(self, request: SeenRequest) -> openai.Json | None:
        """The answer of the endpoints that are not chat."""
        if request.path.endswith("/embeddings"):
            return openai.embeddings(request.json)
        if request.path.partition("?")[0].endswith("/models"):
            return openai.models(self.models)
        return None

    def _reply(self, request: SeenRequest) -> Reply:
        if self._script:
            reply = self._script.popleft()
        elif self._document(request) is not None:
            reply = Reply(content_type="application/json")
        else:
            chosen = self._respond(request.json)
            reply = Reply(chosen, token_delay=self._token_delay) if isinstance(chosen, str) else chosen
        return _prefilled(reply, request.json)


def _default_answer(request: openai.Json) -> str:
    """JSON by the schema where one is given, else the same sentence always."""
    schema = ((request.get("response_format") or {}).get("json_schema") or {}).get("schema")
    schema = schema or ((request.get("output_config") or {}).get("format") or {}).get("schema")
    return Reply().text if schema is None else json.dumps(openai.sample(schema))


def _prefilled(reply: Reply, request: openai.Json) -> Reply:
    """How the reply treats a last message of the assistant's: the beginning of the answer."""
    messages = request.get("messages") or [{}]
    if messages[-1].get("role") != "assistant" or reply.prefill == "restart" or reply.status != 200:
        return reply
    if reply.prefill == "refuse":
        return Reply(status=400)
    given = openai.content_of(messages[-1])
    if not reply.text.startswith(given):
        return reply
    start = len(given)
    if reply.prefill == "repeat_sentence":
        start = max(given.rfind(". ") + 2, given.rfind("\n") + 1, 0)
    return replace(reply, text=reply.text[start:])


async def _step(step: Step, writer: asyncio.StreamWriter) -> None:
    match step:
        case Bytes(data=data):
            writer.write(b"%x\r\n%s\r\n" % (len(data), data) if data else b"")
            await writer.drain()
        case Pause(seconds):
            await asyncio.sleep(seconds)
        case Stall():
            await asyncio.Event().wait()
        case Cut():
            raise _Closed
        case Reset():
            linger = struct.pack("ii", 1, 0)  # no time to linger: closing sends a reset
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            writer.transport.abort()
            raise _Closed


def _head(reply: Reply, request: openai.Json) -> bytes:
    headers = {"transfer-encoding": "chunked", **reply.headers}
    if content_type := reply.content_type_for(request):
        headers["content-type"] = content_type
    if reply.gzip:
        headers["content-encoding"] = "gzip"
    lines = [f"HTTP/1.1 {reply.status} Simulated", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


async def _read_request(reader: asyncio.StreamReader, beginning: bytes) -> SeenRequest | None:
    """None at the end of the connection. `beginning` was read already."""
    try:
        head = beginning + await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ", 2)
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return SeenRequest(method, path, headers, _parsed(body), time.monotonic())


def _parsed(body: bytes) -> Any:
    with contextlib.suppress(ValueError):
        return json.loads(body)
    return {}
