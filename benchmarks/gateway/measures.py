"""One measure each: a load, and what is read off the gateway's process meanwhile."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import threading
from dataclasses import dataclass
from typing import Any

import psutil

from benchmarks.gateway.candidates import ROOT, Running

STREAMS = 500
CHUNKS = 100
PACE_MS = 20


@dataclass(frozen=True)
class Loaded:
    """What one load came to."""

    answers: int
    seconds: float
    first_p50: float  # milliseconds to the first token
    first_p99: float
    whole_p50: float  # milliseconds to the end
    cpu_ms: float  # processor time of the gateway, all in all
    beside_cpu_ms: float  # of processes that work for it
    grown_kib: float  # its memory at the most, less than before


def load(running: Running, *, connections: int, **spec: Any) -> Loaded:
    """Raises RuntimeError when an answer is not 200."""
    body = {
        "model": running.model,
        "messages": [{"role": "user", "content": "Say hello, please."}],
        **spec.pop("body", {}),
    }
    whole_spec = {
        "port": running.port,
        "path": running.path,
        "headers": dict(running.headers),
        "connections": connections,
        "body": body,
        **spec,
    }
    watch = _Watch(running)
    with watch:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.gateway.load", json.dumps(whole_spec)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=True,
        )
    found = json.loads(done.stdout)
    if found["failed"]:
        raise RuntimeError(f"{found['failed']} answers failed: {found['sample']}")
    return Loaded(
        found["answers"],
        found["seconds"],
        *(math.nan if value is None else value for value in (*found["first"], found["whole"])),
        watch.cpu_ms,
        watch.beside_cpu_ms,
        watch.grown_kib,
    )


class _Watch:
    """Processor time and memory of a gateway while the context lasts."""

    cpu_ms = beside_cpu_ms = grown_kib = 0.0

    def __init__(self, running: Running) -> None:
        self._process = psutil.Process(running.pid) if running.pid else None
        self._beside = running.beside
        self._stop = threading.Event()

    def __enter__(self) -> None:
        if self._process is None:
            return
        self._before = _cpu_ms([self._process])
        self._beside_before = _cpu_ms(self._workers())
        self._memory = self._most = self._process.memory_info().rss
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        assert self._process is not None
        while not self._stop.wait(0.1):
            self._most = max(self._most, self._process.memory_info().rss)

    def __exit__(self, *_: object) -> None:
        if self._process is None:
            return
        self._stop.set()
        self._thread.join()
        self.cpu_ms = _cpu_ms([self._process]) - self._before
        self.beside_cpu_ms = _cpu_ms(self._workers()) - self._beside_before
        self.grown_kib = (self._most - self._memory) / 1024

    def _workers(self) -> list[psutil.Process]:
        if not self._beside:
            return []
        servers = [p for p in psutil.process_iter() if _works_in(p, self._beside)]
        found = {p.pid: p for server in servers for p in (server, *server.children(recursive=True))}
        return [p for pid, p in found.items() if self._process is None or pid != self._process.pid]


def _works_in(process: psutil.Process, folder: str) -> bool:
    try:
        return process.cwd().startswith(folder)
    except psutil.Error:
        return False


def _cpu_ms(processes: list[psutil.Process]) -> float:
    total = 0.0
    for process in processes:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total * 1000


def stream_body(*, pace_ms: int = 0, chunks: int = CHUNKS) -> dict[str, Any]:
    return {"stream": True, "max_tokens": chunks, "seed": pace_ms}


@dataclass(frozen=True)
class Cost:
    """Processor time in ms."""

    request: float
    beside_request: float  # of what works for the gateway
    stream: float


@dataclass(frozen=True)
class Rest:
    """What one line of the table has beside the cost."""

    streams_a_second: float
    first_p50: float  # ms, at STREAMS streams
    first_p99: float
    memory_stream: float  # KiB
    latency: float  # ms, at one connection, p50
    first_alone: float  # ms, at one connection, p50


FAILED = Loaded(0, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan, math.nan)


def _tried(running: Running, connections: int, **spec: Any) -> Loaded:
    """What a load came to; not-a-number throughout where the gateway fails at it."""
    try:
        return load(running, connections=connections, **spec)
    except RuntimeError as error:
        print(f"{running.path}: {str(error)[:200]!r}", file=sys.stderr)
        return FAILED


def warm(running: Running) -> None:
    _tried(running, 32, seconds=1.0)
    _tried(running, 32, seconds=1.0, body=stream_body())


def cost(running: Running, *, seconds: float) -> Cost:
    small = _tried(running, 32, seconds=seconds)
    streams = _tried(running, 50, seconds=seconds, body=stream_body())
    return Cost(
        request=small.cpu_ms / max(1, small.answers),
        beside_request=small.beside_cpu_ms / max(1, small.answers),
        stream=streams.cpu_ms / max(1, streams.answers),
    )


def rest(running: Running, *, seconds: float) -> Rest:
    paced = _tried(running, STREAMS, each=2, body=stream_body(pace_ms=PACE_MS))
    alone = _tried(running, 1, seconds=seconds / 2)
    first = _tried(running, 1, each=50, body=stream_body(chunks=10))
    return Rest(
        streams_a_second=paced.answers / paced.seconds,
        first_p50=paced.first_p50,
        first_p99=paced.first_p99,
        memory_stream=paced.grown_kib / STREAMS,
        latency=alone.whole_p50,
        first_alone=first.first_p50,
    )
