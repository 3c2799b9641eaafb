"""A host with several addresses: who answers first is taken, and the others are left."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shared.ai import connecting
from shared.ai.connection import Connection

Attempt = Callable[[], Coroutine[Any, Any, Connection]]


class Kept(Connection):
    """Notes that it was closed."""

    closed = False

    def close(self) -> None:
        self.closed = True


def refusing() -> Attempt:
    async def attempt() -> Connection:
        raise ConnectionRefusedError

    return attempt


def silent(left: list[str]) -> Attempt:
    async def attempt() -> Connection:
        try:
            await asyncio.Event().wait()
        finally:
            left.append("left")
        raise AssertionError

    return attempt


def answering(connection: Connection) -> Attempt:
    async def attempt() -> Connection:
        return connection

    return attempt


async def test_an_address_that_refuses_is_followed_by_the_next_at_once() -> None:
    connection = Kept()
    assert await connecting._first([refusing(), answering(connection)]) is connection
    assert not connection.closed


async def test_an_address_that_is_silent_does_not_hold_up_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_HEAD_START", 0.01)
    connection, left = Kept(), list[str]()
    assert await connecting._first([silent(left), refusing(), answering(connection)]) is connection
    assert left == ["left"]


async def test_when_all_refuse_the_first_one_s_reason_is_given() -> None:
    with pytest.raises(ConnectionRefusedError):
        await connecting._first([refusing(), refusing()])


async def test_whoever_leaves_meanwhile_leaves_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connecting, "_HEAD_START", 0.001)
    left: list[str] = []
    task = asyncio.create_task(connecting._first([silent(left), silent(left)]))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert left == ["left", "left"]


async def test_a_connection_that_nobody_needs_any_more_is_closed() -> None:
    late = Kept()
    done = asyncio.create_task(answering(late)())
    await done
    await connecting._drop({done})
    assert late.closed


async def test_families_take_turns(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [
        (family, 0, 0, "", (address, 80)) for family, address in ((10, "::1"), (10, "::2"), (2, "1.1.1.1"))
    ]

    async def resolve(*_: object, **__: object) -> list[object]:
        return list(found)

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
    assert await connecting._addresses("provider.test", 80) == ["::1", "1.1.1.1", "::2"]
