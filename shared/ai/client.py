"""One request to one provider, decoded. No retry, no timer, no ledger: those stand above it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime

from pydantic_core import to_json

from shared.ai.event_shapes import EventShapes
from shared.ai.failures import carries_error, from_error, from_response
from shared.ai.frames import MAX_BODY_BYTES, AnswerDecoder, Frame
from shared.ai.http1 import Http1Transport
from shared.ai.payload import headers
from shared.ai.transport import Response, Transport
from shared.ai.wires import WIRES
from shared.errors import ProviderError
from shared.providers import Target
from shared.telemetry.current import traceparent
from shared.types import Json, JsonObject, Outcome

_ERROR_BODY_BYTES = 1 << 16


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Client:
    """Asks any provider over one transport."""

    def __init__(self, transport: Transport | None = None, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._transport = transport or Http1Transport()
        self._now = now
        self._shapes: dict[str, EventShapes] = {}  # by address

    def chat(
        self,
        target: Target,
        payload: JsonObject,
        *,
        connect_timeout: float,
        on_sent: Callable[[], None] | None = None,
    ) -> Answer:
        """Nothing is sent before its first `read`. A stream when the payload says so."""
        return Answer(self, target, payload, connect_timeout, on_sent)

    async def post(
        self,
        target: Target,
        path: str,
        payload: JsonObject,
        *,
        connect_timeout: float,
        on_sent: Callable[[], None] | None = None,
    ) -> JsonObject:
        """A whole JSON object. Raises ProviderError for anything else."""
        async with self.open(target, path, payload, connect_timeout, on_sent) as response:
            await self.check(response)
            body = await _read(response, MAX_BODY_BYTES)
        document = _parsed(body)
        if carries_error(document):
            raise from_error(document, status=200)
        if not isinstance(document, dict):
            raise ProviderError(Outcome.PROTOCOL_ERROR, "the answer is not a JSON object", status=200)
        return document

    async def get(self, target: Target, path: str, *, connect_timeout: float) -> Json:
        """A whole JSON document of any form, None for none at all. Raises ProviderError."""
        async with self._transport.open(
            "GET", target.base_url + path, headers=headers(target), body=b"", connect_timeout=connect_timeout
        ) as response:
            await self.check(response)
            document = _parsed(await _read(response, MAX_BODY_BYTES))
        if carries_error(document):
            raise from_error(document, status=200)
        return document

    async def aclose(self) -> None:
        await self._transport.aclose()

    def open(
        self,
        target: Target,
        path: str,
        payload: JsonObject,
        connect_timeout: float,
        on_sent: Callable[[], None] | None,
    ) -> AbstractAsyncContextManager[Response]:
        sent = headers(target)
        if (parent := traceparent()) is not None:
            sent["traceparent"] = parent
        return self._transport.open(
            "POST",
            target.base_url + path,
            headers=sent,
            body=encoded(payload),
            connect_timeout=connect_timeout,
            on_sent=on_sent,
        )

    def shapes(self, target: Target) -> EventShapes:
        """What this target's events look like, as earlier streams have shown."""
        known = self._shapes.get(target.base_url)
        if known is None:
            known = self._shapes[target.base_url] = EventShapes()
        return known

    async def check(self, response: Response) -> None:
        """The status first: an error's body must never pass for an answer."""
        if response.status != 200:
            body = await _read(response, _ERROR_BODY_BYTES)
            raise from_response(response.status, response.headers, body, now=self._now())
        if response.headers.get("content-type", "").startswith("text/html"):
            raise ProviderError(Outcome.PROTOCOL_ERROR, "the answer is a web page", status=200)


class Answer:
    """One chat completion on its way. `close` it: before its body has ended that closes the connection."""

    def __init__(
        self,
        client: Client,
        target: Target,
        payload: JsonObject,
        connect_timeout: float,
        on_sent: Callable[[], None] | None,
    ) -> None:
        self._client = client
        wire = WIRES[target.provider.wire]
        self._asked = (target, wire.path, payload, connect_timeout, on_sent)
        self._exchange: AbstractAsyncContextManager[Response] | None = None
        self._response: Response | None = None
        self._decoder = AnswerDecoder(
            streams=bool(payload.get("stream")),
            reader=wire.reader and wire.reader(),
            shapes=client.shapes(target),
        )
        self.ended = False  # the whole body has come

    async def close(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            await exchange.__aexit__(None, None, None)

    async def read(self) -> Sequence[Frame] | None:
        """The frames that the network brings next, maybe none; None once the body has ended.

        The body's end ends it; whether the answer was whole is for the caller to see by its finish
        reason. Raises ProviderError.
        """
        if self.ended:
            return None
        if self._response is None:
            self._response = await self._begin()
        data = await self._response.read()
        frames = self._decoder.feed(data) if data else []
        if self._response.ended or not data:
            self.ended = True
            frames += self._decoder.close()
        return frames

    async def _begin(self) -> Response:
        exchange = self._client.open(*self._asked)
        response = await exchange.__aenter__()
        self._exchange = exchange
        await self._client.check(response)
        return response


def encoded(payload: JsonObject) -> bytes:
    """JSON in UTF-8; halves of surrogate pairs, which UTF-8 cannot carry, as escapes."""
    try:
        return to_json(payload)
    except ValueError:
        return json.dumps(payload, separators=(",", ":")).encode()


async def _read(response: Response, limit: int) -> bytes:
    """The body up to `limit` bytes."""
    body = bytearray()
    while len(body) < limit and (data := await response.read()):
        body += data
    return bytes(body[:limit])


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
