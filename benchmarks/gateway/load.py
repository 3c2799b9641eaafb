"""Clients that cost next to nothing: `python -m benchmarks.gateway.load SPEC`, SPEC as JSON.

{"port", "path", "body", "headers", "connections", "seconds" or "each"}: every connection asks again
and again, for so many seconds or so many times. Prints as JSON: how many answers came, within which
time, the milliseconds to the first token (p50, p99) and to the end (p50).
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import time
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


@dataclass
class Tally:
    first: list[float] = field(default_factory=list)  # milliseconds
    whole: list[float] = field(default_factory=list)
    failed: int = 0
    sample: str = ""


class Client(asyncio.Protocol):
    """One connection, one request at a time."""

    def __init__(
        self, request: bytes, tally: Tally, until: float, each: int, done: asyncio.Future[None]
    ) -> None:
        self._request = request
        self._tally = tally
        self._until = until
        self._left = each
        self._done = done

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._ask()

    def _ask(self) -> None:
        self._left -= 1
        self._began = time.perf_counter()
        self._first: float | None = None
        self._head = b""
        self._missing: int | None = None  # bytes of a body with a length
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._first is None and b"tok" in data:
            self._first = time.perf_counter()
        if self._missing is None:
            self._head += data
            head, separator, body = self._head.partition(b"\r\n\r\n")
            if not separator:
                return
            if b" 200 " not in head[:20]:
                self._fail(self._head)
                return
            found = _LENGTH.search(head)
            self._missing = int(found[1]) - len(body) if found else -1
            data = body
        elif self._missing > 0:
            self._missing -= len(data)
        if self._missing == 0 or (self._missing < 0 and data.endswith(b"0\r\n\r\n")):
            self._answered()

    def _answered(self) -> None:
        now = time.perf_counter()
        self._tally.whole.append((now - self._began) * 1000)
        if self._first is not None:
            self._tally.first.append((self._first - self._began) * 1000)
        if self._left > 0 and now < self._until:
            self._ask()
        else:
            self._transport.close()

    def _fail(self, data: bytes) -> None:
        self._tally.failed += 1
        self._tally.sample = data[:500].decode("latin-1")
        self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self._done.done():
            self._done.set_result(None)


async def run(spec: dict[str, Any]) -> dict[str, Any]:
    loop = asyncio.get_running_loop()
    tally = Tally()
    request = _request(spec)
    seconds = spec.get("seconds")
    began = time.perf_counter()
    until = began + seconds if seconds else float("inf")
    waiting = []
    for _ in range(spec["connections"]):
        done = loop.create_future()
        waiting.append(done)
        client = Client(request, tally, until, spec.get("each") or sys.maxsize, done)
        await loop.create_connection(lambda client=client: client, "127.0.0.1", spec["port"])
    await asyncio.gather(*waiting)
    return {
        "seconds": time.perf_counter() - began,
        "answers": len(tally.whole),
        "first": [percentile(tally.first, 0.5), percentile(tally.first, 0.99)],
        "whole": percentile(tally.whole, 0.5),
        "failed": tally.failed,
        "sample": tally.sample,
    }


def percentile(values: list[float], share: float) -> float | None:
    return sorted(values)[min(len(values) - 1, int(share * len(values)))] if values else None


def _request(spec: dict[str, Any]) -> bytes:
    body = json.dumps(spec["body"]).encode()
    lines = [
        f"POST {spec['path']} HTTP/1.1",
        f"host: 127.0.0.1:{spec['port']}",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *(f"{name}: {value}" for name, value in spec.get("headers", {}).items()),
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


if __name__ == "__main__":
    print(json.dumps(uvloop.run(run(json.loads(sys.argv[1])))))
