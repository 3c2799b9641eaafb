"""Two providers on loopback that fail now and then, as a process of their own.

    python -m benchmarks._failing_providers --failing 0.3 --seed 1

prints their base URLs, one a line, and serves until SIGTERM; then a JSON object: how often each note
was asked about. What is asked for names a note by its number, and the text for it is `text_of(number)`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import signal
from collections import Counter
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any

from tests.simulator import Reply, Simulator
from tests.simulator.openai import content_of

PROVIDERS = 2
TOKEN_DELAY = 0.1  # seconds
_NOTE = re.compile(r"Note (\d+)")


def text_of(number: int) -> str:
    """48 tokens that stand in no other note's text, so that nothing can be doubled or lost unseen."""
    return " ".join(f"Entry {number}.{line} lies on shelf {number * 7 + line}." for line in range(8))


TOKENS = len(Reply(text_of(1)).tokens)

_FAULTS: tuple[Callable[[int], Reply], ...] = (
    lambda at: Reply(status=503),
    lambda at: Reply(status=429),
    lambda at: Reply(before_headers="reset"),
    lambda at: Reply(before_headers="stall"),
    lambda at: Reply(stall_after=at),
    lambda at: Reply(cut_after=at),
    lambda at: Reply(reset_after=at),
    lambda at: Reply(end_after=at),
    lambda at: Reply(error_after=at),
    lambda at: Reply(error_after=at, error_event_name="error"),
    lambda at: Reply(malformed_after=(at, min(at + 1, TOKENS))),
    lambda at: Reply(cut_after=at, drip=40),
)


class Failing:
    """Decides what each request gets, and counts."""

    def __init__(self, failing: float, seed: int) -> None:
        self.asked: Counter[int] = Counter()
        self._failing = failing
        self._random = random.Random(seed)

    def respond(self, request: dict[str, Any]) -> Reply:
        prompt = "\n".join(content_of(message) for message in request["messages"])
        found = _NOTE.search(prompt)
        number = int(found[1]) if found else 0
        self.asked[number] += 1
        return replace(self._reply(), text=text_of(number), token_delay=TOKEN_DELAY)

    def _reply(self) -> Reply:
        if self._random.random() >= self._failing:
            return Reply(prefill=self._random.choice(("continue", "restart", "refuse")))
        return self._random.choice(_FAULTS)(self._random.randint(0, TOKENS))


async def serve(failing: Failing) -> None:
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with AsyncExitStack() as stack:
        simulators = [await stack.enter_async_context(Simulator(failing.respond)) for _ in range(PROVIDERS)]
        for simulator in simulators:
            print(simulator.base_url, flush=True)
        while not stop.is_set():
            for simulator in simulators:
                simulator.requests.clear()  # they would fill the memory
            await _within(stop, 5.0)
    print(json.dumps(failing.asked), flush=True)


async def _within(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks._failing_providers")
    parser.add_argument("--failing", type=float, default=0.3, help="share of the requests that fail")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    asyncio.run(serve(Failing(options.failing, options.seed)))


if __name__ == "__main__":
    main()
