"""A provider that costs next to nothing: `python -m benchmarks.gateway.upstream`.

The request's own words choose the answer: `"stream": true` a stream of `max_tokens` chunks, `seed`
milliseconds apart. Prints its port, and serves until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
from typing import cast

import uvloop

ANSWER = json.dumps(
    {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hello! How can I help you today?"},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18},
    }
).encode()
WHOLE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(ANSWER) + ANSWER
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_CHUNKS = re.compile(rb'"max_(?:completion_)?tokens": *(\d+)')
_PACE = re.compile(rb'"seed": *(\d+)')


def _chunk(delta: object, finish: str | None = None, **more: object) -> bytes:
    event = {
        "id": "chatcmpl-benchmark",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "m",
        "system_fingerprint": "fp_benchmark",
        "choices": [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}],
        **more,
    }
    data = b"data: " + json.dumps(event, separators=(",", ":")).encode() + b"\n\n"
    return b"%x\r\n%s\r\n" % (len(data), data)


TOKENS = [_chunk({"content": f"tok{number} "}) for number in range(1000)]
_USAGE = {"usage": {"prompt_tokens": 9, "completion_tokens": 100, "total_tokens": 109}}
END = _chunk({}, "stop") + _chunk({}, None, **_USAGE) + b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n"


class Provider(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._buffer = b""

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        found = _LENGTH.search(head)
        if not separator or (found and len(body) < int(found[1])):
            return
        self._buffer = b""
        if re.search(rb'"stream": *true', body):
            self._transport.write(STREAM_HEAD)
            self._stream(0, _number(_CHUNKS, body, 100), _number(_PACE, body, 0) / 1000)
        else:
            self._transport.write(WHOLE)

    def _stream(self, sent: int, chunks: int, pace: float) -> None:
        """A chunk a turn, or a chunk a pace."""
        if self._transport.is_closing():
            return
        if sent == chunks:
            self._transport.write(END)
            return
        self._transport.write(TOKENS[sent % len(TOKENS)])
        loop = asyncio.get_running_loop()
        if pace:
            loop.call_later(pace, self._stream, sent + 1, chunks, pace)
        else:
            loop.call_soon(self._stream, sent + 1, chunks, pace)


def _number(pattern: re.Pattern[bytes], body: bytes, default: int) -> int:
    found = pattern.search(body)
    return int(found[1]) if found else default


async def _serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Provider, "127.0.0.1", 0, backlog=4096)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    server.close()


if __name__ == "__main__":
    uvloop.run(_serve())
