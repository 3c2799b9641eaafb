"""`make bench-gateway`: the gateways one after the other, as a table.

    python -m benchmarks.gateway [--only NAME …] [--seconds 5] [--requests 100000]

With `--requests` only ours runs, and what is printed is how its memory grows over so many requests.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks.gateway.candidates import Candidate, candidates, marginalia, upstream
from benchmarks.gateway.measures import CHUNKS, PACE_MS, STREAMS, Row, load, measure

HEADS = (
    "gateway",
    "CPU ms a request",
    f"CPU ms a stream of {CHUNKS}",
    f"{STREAMS} streams at {PACE_MS} ms: streams/s",
    "first token p50/p99 ms",
    "KiB a stream",
    "added at 1 connection ms",
    "first token at 1, added ms",
)


@dataclass(frozen=True)
class Options:
    only: Sequence[str]
    seconds: float
    requests: int


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="words of the names of those to run")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each load")
    parser.add_argument("--requests", type=int, default=0, help="watch the memory over so many")
    found = parser.parse_args(arguments)
    return Options(found.only, found.seconds, found.requests)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    print(f"{_machine()}; one worker process, upstream and clients beside it\n")
    if options.requests:
        _growth(options.requests)
        return 0
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}", flush=True)
    limit: Row | None = None
    for candidate in candidates():
        named = not options.only or any(word.lower() in candidate.name.lower() for word in options.only)
        if not named and candidate.name != "direct":
            continue
        if candidate.missing:
            print(f"| {candidate.name} | left out: {candidate.missing} |", flush=True)
            continue
        row = _measured(candidate, options.seconds)
        limit = limit or row
        print(_line(candidate.name, row, limit), flush=True)
        if row.beside_request:
            print(f"| (its database beside it) | {row.beside_request:.3f} |", flush=True)
    return 0


def _measured(candidate: Candidate, seconds: float) -> Row:
    with upstream() as provider, candidate.start(provider) as running:
        return measure(running, seconds=seconds)


def _line(name: str, row: Row, limit: Row) -> str:
    cells = (
        name,
        f"{row.cpu_request:.3f}",
        f"{row.cpu_stream:.2f}",
        f"{row.streams_a_second:.0f}",
        f"{row.first_p50:.0f}/{row.first_p99:.0f}",
        f"{row.memory_stream:.0f}",
        f"{row.latency - limit.latency:.2f}",
        f"{row.first_alone - limit.first_alone:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def _growth(requests: int) -> None:
    """The memory after each tenth of so many requests, and its slope over the second half."""
    with upstream() as provider, marginalia(provider) as running:
        process = psutil.Process(running.pid)
        sizes = []
        for tenth in range(1, 11):
            load(running, connections=32, each=requests // 320)
            sizes.append(process.memory_info().rss / 1024)
            print(f"{tenth * requests // 10:>8} requests: {sizes[-1]:.0f} KiB", flush=True)
    half = sizes[4:]
    slope = (half[-1] - half[0]) / (requests * 0.5) * 1000
    print(f"slope of the second half: {slope:.2f} KiB a thousand requests")


def _machine() -> str:
    system = f"{platform.system()} {platform.machine()}"
    return f"{system}, {os.cpu_count()} cores, Python {platform.python_version()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
