"""Running a command so that every end is a clean one: an embedded database must not stay behind."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from typing import TypeVar

from shared.commands.terminal import INTERRUPTED, TERMINATED, fail

Result = TypeVar("Result")

_ENDING = (signal.SIGTERM, signal.SIGHUP)  # Ctrl-C is asyncio's own business


def run(main: Coroutine[None, None, Result]) -> Result:
    """Run to the end, or unwind on a signal and exit with 128 and its number, as shells count."""
    try:
        return run_or_raise(main)
    except KeyboardInterrupt:
        fail("interrupted", INTERRUPTED)
    except asyncio.CancelledError:
        fail("terminated", TERMINATED)


def run_or_raise(main: Coroutine[None, None, Result]) -> Result:
    """Run to the end, or unwind: then KeyboardInterrupt tells of Ctrl-C, CancelledError of another signal."""
    return asyncio.run(_cancelled_by_signals(main))


async def _cancelled_by_signals(main: Coroutine[None, None, Result]) -> Result:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(main)
    before = {number: signal.getsignal(number) for number in _ENDING}
    heeded = [number for number in _ENDING if before[number] is not signal.SIG_IGN]  # nohup ignores SIGHUP
    for number in heeded:
        loop.add_signal_handler(number, task.cancel)
    try:
        return await task
    finally:
        for number in heeded:
            loop.remove_signal_handler(number)
            signal.signal(number, before[number])


@contextmanager
def interrupted_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise KeyboardInterrupt too, outside of `run`."""
    before = {number: signal.getsignal(number) for number in _ENDING}
    for number in _ENDING:
        if before[number] is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def signals_held_back() -> Iterator[None]:
    """Ctrl-C and the others wait until this is done, also for the programs started within it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, *_ENDING))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
