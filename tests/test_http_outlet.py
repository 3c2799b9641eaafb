"""When comments are sent and clients given up, on a clock that the test moves."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import pytest

from shared.http.streaming import Outlet


class ManualLoop:
    """The three things Outlet asks of a loop, with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 100.0
        self.timers: list[tuple[float, Callable[[], None]]] = []
        self.create_task = asyncio.get_running_loop().create_task

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Any:
        timer = (when, callback)
        self.timers.append(timer)
        return SimpleNamespace(cancel=lambda: timer in self.timers and self.timers.remove(timer))

    async def advance(self, seconds: float) -> None:
        end = self.now + seconds
        while self.timers and min(self.timers)[0] <= end:
            timer = min(self.timers)
            self.timers.remove(timer)
            self.now = timer[0]
            timer[1]()
            await asyncio.sleep(0)
        self.now = end


class Wire:
    """A `send` that can be held up, and fails when used by two at once."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.free = asyncio.Event()
        self.free.set()
        self.busy = False

    async def send(self, message: Any) -> None:
        assert not self.busy
        self.busy = True
        await self.free.wait()
        self.busy = False
        self.sent.append(message["body"])


@pytest.fixture
async def loop() -> ManualLoop:
    return ManualLoop()


@pytest.fixture
async def wire() -> Wire:
    return Wire()


@pytest.fixture
async def given_up() -> asyncio.Event:
    return asyncio.Event()


@pytest.fixture
async def outlet(loop: Any, wire: Wire, given_up: asyncio.Event) -> AsyncIterator[Outlet]:
    with Outlet(wire.send, loop, comment=b":", interval=15.0, stalled=60.0, give_up=given_up.set) as outlet:
        yield outlet
    assert loop.timers == []


async def test_a_comment_is_sent_for_each_interval_in_which_nothing_was(
    outlet: Outlet, loop: ManualLoop, wire: Wire
) -> None:
    await loop.advance(14)
    await outlet.send(b"event")
    await loop.advance(14)
    assert wire.sent == [b"event"]
    await loop.advance(1)
    assert wire.sent == [b"event", b":"]
    await loop.advance(30)
    assert wire.sent == [b"event", b":", b":", b":"]


async def test_no_comment_is_sent_into_an_event_and_no_event_into_a_comment(
    outlet: Outlet, loop: ManualLoop, wire: Wire, given_up: asyncio.Event
) -> None:
    wire.free.clear()
    sending = asyncio.create_task(outlet.send(b"first"))
    await asyncio.sleep(0)
    await loop.advance(45)
    wire.free.set()
    await sending
    assert wire.sent == [b"first"]
    wire.free.clear()
    await loop.advance(20)  # a comment is held up
    sending = asyncio.create_task(outlet.send(b"second"))
    await loop.advance(20)
    wire.free.set()
    await sending
    assert wire.sent == [b"first", b":", b"second"]
    assert not given_up.is_set()


@pytest.mark.parametrize("what", ["event", "comment"])
async def test_a_client_is_given_up_when_one_send_takes_too_long(
    what: str, outlet: Outlet, loop: ManualLoop, wire: Wire, given_up: asyncio.Event
) -> None:
    wire.free.clear()
    sending = asyncio.create_task(outlet.send(b"event")) if what == "event" else None
    await loop.advance(59)
    assert not given_up.is_set()
    await loop.advance(16 + 15)  # looked at once an interval; the comment began one interval later
    assert given_up.is_set()
    if sending is not None:
        sending.cancel()
