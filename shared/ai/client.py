"""One request to one provider, decoded. No retry, no timer, no ledger: those stand above it."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from datetime import UTC, datetime

from shared.ai.failures import carries_error, from_error, from_response
from shared.ai.frames import MAX_BODY_BYTES, AnswerDecoder, Frame
from shared.ai.payload import headers
from shared.ai.transport import HttpxTransport, Response, Transport
from shared.errors import ProviderError
from shared.providers import Target
from shared.types import Json, JsonObject, Outcome

_ERROR_BODY_BYTES = 1 << 16


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Client:
    """Asks any OpenAI-compatible provider over one transport."""

    def __init__(self, transport: Transport | None = None, *, now: Callable[[], datetime] = _utc_now) -> None:
        self._transport = transport or HttpxTransport()
        self._now = now

    async def chat(
        self, target: Target, payload: JsonObject, *, connect_timeout: float
    ) -> AsyncGenerator[Sequence[Frame], None]:
        """The answer's frames, as many at a time as the network brings.

        The body's end ends it; whether the answer was whole is for the caller to see by its finish
        reason. Closing it closes the connection. Raises ProviderError.
        """
        async with self._open(target, "/chat/completions", payload, connect_timeout) as response:
            await self._check(response)
            decoder = AnswerDecoder()
            async with aclosing(response.chunks()) as chunks:
                async for chunk in chunks:
                    if frames := decoder.feed(chunk):
                        yield frames
            if frames := decoder.close():
                yield frames

    async def post(
        self, target: Target, path: str, payload: JsonObject, *, connect_timeout: float
    ) -> JsonObject:
        """A whole JSON object. Raises ProviderError for anything else."""
        async with self._open(target, path, payload, connect_timeout) as response:
            await self._check(response)
            body = await _read(response, MAX_BODY_BYTES)
        document = _parsed(body)
        if carries_error(document):
            raise from_error(document, status=200)
        if not isinstance(document, dict):
            raise ProviderError(Outcome.PROTOCOL_ERROR, "the answer is not a JSON object", status=200)
        return document

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _open(
        self, target: Target, path: str, payload: JsonObject, connect_timeout: float
    ) -> AbstractAsyncContextManager[Response]:
        return self._transport.open(
            "POST",
            target.base_url + path,
            headers=headers(target),
            body=json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace"),
            connect_timeout=connect_timeout,
        )

    async def _check(self, response: Response) -> None:
        """The status first: an error's body must never pass for an answer."""
        if response.status != 200:
            body = await _read(response, _ERROR_BODY_BYTES)
            raise from_response(response.status, response.headers, body, now=self._now())
        if response.headers.get("content-type", "").startswith("text/html"):
            raise ProviderError(Outcome.PROTOCOL_ERROR, "the answer is a web page", status=200)


async def _read(response: Response, limit: int) -> bytes:
    """The body up to `limit` bytes."""
    body = bytearray()
    async with aclosing(response.chunks()) as chunks:
        async for chunk in chunks:
            body += chunk
            if len(body) >= limit:
                break
    return bytes(body[:limit])


def _parsed(body: bytes) -> Json:
    try:
        return json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return None
