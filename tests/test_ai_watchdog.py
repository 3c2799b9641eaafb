"""One timer for many awaits."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

import pytest

from shared.ai.watchdog import Watchdog

T = TypeVar("T")


async def waited(watchdog: Watchdog, awaitable: Awaitable[T], seconds: float) -> T:
    with watchdog.limit(seconds):
        return await awaitable


async def test_what_comes_in_time_is_given() -> None:
    watchdog = Watchdog()
    for number in range(100):
        assert await waited(watchdog, asyncio.sleep(0, number), 5.0) == number
    watchdog.close()


async def test_what_does_not_come_is_a_timeout_and_is_cancelled() -> None:
    watchdog = Watchdog()
    cancelled = asyncio.Event()

    async def for_ever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    with pytest.raises(TimeoutError):
        await waited(watchdog, for_ever(), 0.01)
    assert cancelled.is_set()
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


@pytest.mark.parametrize(("first", "second"), [(0.01, 0.03), (5.0, 0.01)])
async def test_the_limit_of_the_moment_counts(first: float, second: float) -> None:
    watchdog = Watchdog()
    await waited(watchdog, asyncio.sleep(0), first)
    with pytest.raises(TimeoutError):
        await waited(watchdog, asyncio.Event().wait(), second)


async def test_an_earlier_limit_does_not_count_any_more() -> None:
    watchdog = Watchdog()
    await waited(watchdog, asyncio.sleep(0), 0.01)
    assert await waited(watchdog, asyncio.sleep(0.05, "fine"), 5.0) == "fine"
    watchdog.close()


async def test_time_between_awaits_is_nobody_s_fault() -> None:
    watchdog = Watchdog()
    await waited(watchdog, asyncio.sleep(0), 0.01)
    await asyncio.sleep(0.03)
    assert await waited(watchdog, asyncio.sleep(0, "fine"), 0.01) == "fine"
    watchdog.close()


async def test_a_cancellation_from_outside_stays_one() -> None:
    watchdog = Watchdog()
    task = asyncio.create_task(waited(watchdog, asyncio.Event().wait(), 5.0))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    watchdog.close()


async def test_an_error_passes_through() -> None:
    async def fail() -> None:
        raise ValueError("x")

    watchdog = Watchdog()
    with pytest.raises(ValueError, match="x"):
        await waited(watchdog, fail(), 5.0)
    watchdog.close()
