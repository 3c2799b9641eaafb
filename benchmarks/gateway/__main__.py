"""`make bench-gateway`: the gateways beside one another, as a table.

    python -m benchmarks.gateway [--only NAME …] [--seconds 3] [--rounds 5] [--requests 100000]

All of them run; processor time is taken of each in turn, round by round, as the machine may be quick in
one minute and slow in the next, and the median printed. With `--requests` only ours runs, and what is
printed is how its memory grows over so many requests.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median

import psutil

from benchmarks.gateway.candidates import Running, candidates, direct, marginalia, upstream
from benchmarks.gateway.measures import CHUNKS, PACE_MS, STREAMS, Cost, Rest, cost, load, rest, warm

SETTLE_SECONDS = 1.0  # between two measures
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
    rounds: int
    requests: int


def _options(arguments: Sequence[str]) -> Options:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], help="words of the names of those to run")
    parser.add_argument("--seconds", type=float, default=3.0, help="of each load")
    parser.add_argument("--rounds", type=int, default=5, help="of processor time; the median counts")
    parser.add_argument("--requests", type=int, default=0, help="watch the memory over so many")
    found = parser.parse_args(arguments)
    return Options(found.only, found.seconds, found.rounds, found.requests)


def main(arguments: Sequence[str]) -> int:
    options = _options(arguments)
    print(f"{_machine()}; one worker process, upstream and clients beside it\n")
    if options.requests:
        _growth(options.requests)
        return 0
    print(f"| {' | '.join(HEADS)} |\n|{' --- |' * len(HEADS)}", flush=True)
    with ExitStack() as stack:
        provider = stack.enter_context(upstream())
        running: dict[str, Running] = {}
        for candidate in candidates():
            if options.only and not any(word.lower() in candidate.name.lower() for word in options.only):
                continue
            if candidate.missing:
                print(f"| {candidate.name} | left out: {candidate.missing} |", flush=True)
                continue
            running[candidate.name] = stack.enter_context(candidate.start(provider))
            warm(running[candidate.name])
        costs: dict[str, list[Cost]] = {name: [] for name in running}
        order = list(running)
        for _ in range(options.rounds):
            random.shuffle(order)  # or one would always follow the same other, which may still be at work
            for name in order:
                time.sleep(SETTLE_SECONDS)
                costs[name].append(cost(running[name], seconds=options.seconds))
        limit = rest(stack.enter_context(direct(provider)), seconds=options.seconds)
        print(_line("direct", [Cost(0.0, 0.0, 0.0)], limit, limit), flush=True)
        for name, found in costs.items():
            print(_line(name, found, rest(running[name], seconds=options.seconds), limit), flush=True)
            if beside := median(one.beside_request for one in found):
                print(f"| (its database beside it) | {beside:.3f} |", flush=True)
    return 0


def _line(name: str, costs: Sequence[Cost], others: Rest, limit: Rest) -> str:
    cells = (
        name,
        f"{median(one.request for one in costs):.3f}",
        f"{median(one.stream for one in costs):.2f}",
        f"{others.streams_a_second:.0f}",
        f"{others.first_p50:.0f}/{others.first_p99:.0f}",
        f"{others.memory_stream:.0f}",
        f"{others.latency - limit.latency:.2f}",
        f"{others.first_alone - limit.first_alone:.2f}",
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
