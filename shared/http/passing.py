"""The answer to a chat completion that is passed through as a stream."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from functools import lru_cache

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from shared.http.answers import request_id
from shared.http.streaming import KEEP_ALIVE_SECONDS, STALLED_SECONDS, EventStream
from shared.text.completions import CompletionEncoder, served_by
from shared.types import Json, StreamEvent, StreamStart


class PassedAnswer(Response):
    """A whole answer as it came, with headers that say who answers."""

    def __init__(self, start: StreamStart, body: bytes) -> None:
        """In place of the base's own, which takes longer than all that is done here for most answers."""
        self.status_code = 200
        self.background = None
        self.body = body
        self.raw_headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(body)),
            *_served_by(start.provider, start.model),
        ]


@lru_cache(maxsize=256)
def _served_by(provider: str, model: str) -> tuple[tuple[bytes, bytes], ...]:
    return tuple((name.encode(), value.encode()) for name, value in served_by(provider, model).items())


def passed_stream(
    request: Request,
    events: AsyncGenerator[StreamEvent, None],
    asked: Mapping[str, Json],
    *,
    settle: Callable[[], Awaitable[None]],
    now: Callable[[], float] = time.time,
) -> Response:
    """As `event_stream`, in OpenAI's dialect, with the provider's own events. `asked` is the caller's body.

    Headers say who answers; no `[DONE]` follows an error. `settle` is awaited once the events are closed.
    """
    wants_usage = bool((asked.get("stream_options") or {}).get("include_usage"))
    encoder = CompletionEncoder(request_id(request), int(now()), wants_usage=wants_usage)
    return _PassedStream(events, encoder, request_id(request), settle)


class _PassedStream(EventStream[StreamEvent]):
    def __init__(
        self,
        events: AsyncGenerator[StreamEvent, None],
        encoder: CompletionEncoder,
        request_id: str,
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(events, encoder, request_id, KEEP_ALIVE_SECONDS, STALLED_SECONDS)
        self._settle_rows = settle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self._settle_rows()  # also for a client that left

    async def _settle(self) -> None:
        await super()._settle()
        await self._settle_rows()

    def _head(self, first: StreamEvent) -> Mapping[str, str]:
        served = served_by(first.provider, first.model) if isinstance(first, StreamStart) else {}
        return {**super()._head(first), **served}
