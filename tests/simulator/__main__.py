"""`python -m tests.simulator --port 9999`: the simulator by hand, until it is interrupted."""

from __future__ import annotations

import argparse
import asyncio
import signal

from tests.simulator.replies import Reply
from tests.simulator.server import Simulator


async def _serve(options: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with Simulator(port=options.port, token_delay=options.token_delay) as simulator:
        if options.status != 200:
            simulator.reply(Reply(status=options.status))
        elif options.text is not None:
            simulator.reply(Reply(options.text, token_delay=options.token_delay))
        print(simulator.base_url, flush=True)
        await stop.wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one (default)")
    parser.add_argument("--text", help="answer every chat with this text")
    parser.add_argument("--token-delay", type=float, default=0.0, help="seconds between tokens")
    parser.add_argument("--status", type=int, default=200, help="answer everything with this status")
    asyncio.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
