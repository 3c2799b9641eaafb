"""The clients of the soak: streams of two endpoints, judged to the letter, some left in the middle."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from benchmarks._failing_providers import TOKEN_DELAY, TOKENS, text_of
from shared.ai.http1 import Http1Transport
from shared.ai.sse import SseDecoder
from shared.errors import ProviderError

HEADERS = {"content-type": "application/json", "accept": "text/event-stream"}
CONNECT_SECONDS = 10.0
STREAM_SECONDS = 120.0  # longer than the server lets any request take


@dataclass
class Tally:
    """What came of the streams. `errors` by code."""

    whole: int = 0
    switched: int = 0  # of the whole ones: those that say so
    left: int = 0
    doubled: int = 0  # ended well, with text that was sent twice
    truncated: int = 0  # ended well, with text missing
    lost: int = 0  # ended without a word
    errors: Counter[str] = field(default_factory=Counter)

    @property
    def heard(self) -> int:
        """Streams that were listened to, to their end."""
        return self.whole + self.doubled + self.truncated + self.lost + self.errors.total()

    def judge(self, number: int, text: str, error: str | None, *, ended: bool) -> None:
        canonical = text_of(number)
        if error is not None:
            self.errors[error] += 1
        elif not ended:
            self.lost += 1
        elif text == canonical:
            self.whole += 1
        elif len(text) < len(canonical):
            self.truncated += 1
        else:
            self.doubled += 1


class Hearing:
    """What one client has heard of a stream."""

    def __init__(self) -> None:
        self.text = ""
        self.error: str | None = None
        self.ended = False
        self.switched = False

    def native(self, name: str, data: str) -> None:
        """https://html.spec.whatwg.org/multipage/server-sent-events.html, events as in the design."""
        match name:
            case "delta":
                self.text += json.loads(data)["text"]
            case "reset":
                self.text = ""
            case "switch":
                self.switched = True
            case "done":
                self.ended = True
            case "error":
                self.error = json.loads(data)["error"]["code"]

    def openai(self, name: str, data: str) -> None:
        if data == "[DONE]":
            self.ended = True
            return
        chunk = json.loads(data)
        if "error" in chunk:
            self.error = chunk["error"]["code"]
            return
        self.switched = self.switched or "marginalia" in chunk
        self.text += "".join(choice["delta"].get("content") or "" for choice in chunk["choices"])


def suggestion(number: int) -> Mapping[str, Any]:
    position = {"line": 99, "character": 0}
    return {"content": f"# Note {number}\n\n", "cursor_position": position, "mode": "inline"}


def chat(number: int) -> Mapping[str, Any]:
    messages = [{"role": "user", "content": f"Note {number}"}]
    return {"model": "together/a-model", "stream": True, "messages": messages}


Endpoint = tuple[str, Callable[[int], Mapping[str, Any]], Callable[[Hearing, str, str], None]]
ENDPOINTS: tuple[Endpoint, ...] = (
    ("/functions/v1/generate-suggestions", suggestion, Hearing.native),
    ("/v1/chat/completions", chat, Hearing.openai),
)


class Clients:
    """`count` clients, each asking for one stream after the other, until `stop()`."""

    def __init__(self, base_url: str, *, leaving: float, seed: int) -> None:
        self.tally = Tally()
        self._base_url = base_url
        self._leaving = leaving
        self._random = random.Random(seed)
        self._transport = Http1Transport()
        self._number = 0
        self._stopping = False

    async def run(self, count: int, seconds: float) -> None:
        """For so long; streams under way are heard to their end."""
        asyncio.get_running_loop().call_later(seconds, self.stop)
        async with asyncio.TaskGroup() as group:
            for _ in range(count):
                group.create_task(self._client())
        await self._transport.aclose()

    def stop(self) -> None:
        self._stopping = True

    async def _client(self) -> None:
        await asyncio.sleep(self._random.random() * TOKEN_DELAY * TOKENS)  # so that they do not march
        while not self._stopping:
            self._number += 1
            if self._random.random() < self._leaving:
                await self._leave(self._number)
            else:
                await self._hear(self._number)

    async def _leave(self, number: int) -> None:
        """Some time from before the first token to after the last."""
        stay = self._random.random() * 1.1 * TOKEN_DELAY * TOKENS
        try:
            async with asyncio.timeout(stay):
                await self._listen(number, Hearing())
        except (TimeoutError, ProviderError):
            pass
        self.tally.left += 1

    async def _hear(self, number: int) -> None:
        hearing = Hearing()
        try:
            async with asyncio.timeout(STREAM_SECONDS):
                await self._listen(number, hearing)
        except TimeoutError:
            hearing.error = "no end"
        except ProviderError as error:  # the transport's: our server is the provider here
            hearing.error = f"connection: {error}"
        self.tally.judge(number, hearing.text, hearing.error, ended=hearing.ended)
        self.tally.switched += hearing.switched and hearing.ended

    async def _listen(self, number: int, hearing: Hearing) -> None:
        path, body, note = ENDPOINTS[number % len(ENDPOINTS)]
        decoder = SseDecoder()
        async for data in self._bytes(path, body(number), number, hearing):
            for event in decoder.feed(data):
                note(hearing, event.event.decode(), event.data.decode())

    async def _bytes(
        self, path: str, body: Mapping[str, Any], number: int, hearing: Hearing
    ) -> AsyncIterator[bytes]:
        exchange = self._transport.open(
            "POST",
            self._base_url + path,
            headers={**HEADERS, "x-request-id": f"soak-{number}"},
            body=json.dumps(body).encode(),
            connect_timeout=CONNECT_SECONDS,
        )
        async with exchange as response:
            if response.status != 200:
                hearing.error = f"status {response.status}"
                return
            while data := await response.read():
                yield data
