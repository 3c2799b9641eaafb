"""A caller that leaves: the provider's request ends, the row is written, nothing is left behind."""

import asyncio
import gc
from contextlib import aclosing
from dataclasses import replace

import pytest

from shared.ai.inquiry import Inquiry
from shared.types import Outcome, StreamStart, TextDelta
from tests.simulator import Reply, Simulator
from tests.simulator.asking import CONTEXT, PATIENT, REQUEST, SECOND, Asker, asking, target

SLOW = Reply("word " * 1000, token_delay=0.01)


async def left_within_a_second(sim: Simulator) -> None:
    (request,) = await sim.wait_for_requests(1)
    await asyncio.wait_for(request.client_left.wait(), 1.0)


@pytest.mark.parametrize(
    "reply",
    [
        Reply(before_headers="stall"),
        Reply(stall_after=0),
        SLOW,
        Reply(status=503, body=b"x", hang_at_end=True),
    ],
    ids=["before-headers", "before-the-first-token", "in-the-stream", "in-an-error-body"],
)
@pytest.mark.parametrize("whole", [True, False], ids=["whole", "stream"])
async def test_cancelling_the_task_ends_the_provider_s_request(reply: Reply, whole: bool) -> None:
    async with Simulator() as sim, asking(limits=PATIENT) as asker:
        sim.reply(reply)

        async def ask() -> None:
            if whole:
                await asker.router.complete(Inquiry(REQUEST, [target(sim)], PATIENT, CONTEXT))
            else:
                await asker.stream([target(sim)])

        task = asyncio.create_task(ask())
        await sim.wait_for_requests(1)
        await asyncio.sleep(0.03)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await left_within_a_second(sim)
        await sim.wait_for_rest()
        (row,) = asker.rows
        assert (row.outcome, row.streamed) == (Outcome.CANCELLED, not whole)
        assert row.usage.estimated == (row.usage.input_tokens > 0)


async def test_closing_the_stream_after_the_first_words_ends_the_request_and_counts_what_was_sent() -> None:
    async with Simulator() as sim, asking(limits=PATIENT) as asker:
        sim.reply(SLOW)
        got = ""
        async with aclosing(asker.router.stream(Inquiry(REQUEST, [target(sim)], PATIENT, CONTEXT))) as events:
            async for event in events:
                got += event.text if isinstance(event, TextDelta) else ""
                if len(got) > 30:
                    break
        await left_within_a_second(sim)
        (row,) = asker.rows
        assert row.outcome is Outcome.CANCELLED
        assert row.usage.estimated
        assert row.usage.output_tokens >= len(got) // 4


async def test_closing_between_two_providers_records_what_was_asked() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=PATIENT) as asker:
        first.reply(Reply(cut_after=2))
        second.reply(Reply(before_headers="stall"))
        task = asyncio.create_task(asker.stream([target(first), target(second, SECOND)]))
        await second.wait_for_requests(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await second.wait_for_rest()
        assert asker.outcomes == ["primary cut", "second cancelled"]


async def test_a_stream_that_is_dropped_unread_asks_nobody() -> None:
    async with Simulator() as sim, asking() as asker:
        events = asker.router.stream(Inquiry(REQUEST, [target(sim)], PATIENT, CONTEXT))
        await events.aclose()
        assert (sim.requests, asker.rows) == ([], [])


async def test_a_stream_that_is_read_up_to_its_start_only_is_closed_too() -> None:
    async with Simulator() as sim, asking(limits=PATIENT) as asker:
        sim.reply(SLOW)
        events = asker.router.stream(Inquiry(REQUEST, [target(sim)], PATIENT, CONTEXT))
        assert isinstance(await anext(events), StreamStart)
        await events.aclose()
        await sim.wait_for_rest()
        assert asker.outcomes == ["primary cancelled"]


async def test_a_slow_reader_is_not_taken_for_a_silent_provider() -> None:
    async with Simulator() as sim, asking() as asker:
        events = asker.router.stream(
            Inquiry(REQUEST, [target(sim)], replace(PATIENT, idle_timeout=0.2), CONTEXT)
        )
        async with aclosing(events) as stream:
            async for _ in stream:
                await asyncio.sleep(0.3)
        assert asker.outcomes == ["primary ok"]


async def storm(asker: Asker, sims: list[Simulator], number: int) -> None:
    """One caller among many: some leave early, some meet a provider that breaks."""
    task = asyncio.create_task(asker.stream([target(sims[0]), target(sims[1], SECOND)]))
    if number % 3 == 0:
        await asyncio.sleep(0.001 * (number % 20))
        task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_crowd_that_comes_and_goes_leaves_no_task_and_no_connection() -> None:
    before = asyncio.all_tasks()
    async with Simulator() as first, Simulator() as second:
        faults = [Reply(), Reply(cut_after=3), Reply(status=503), Reply(before_headers="reset")]
        turns = iter(range(10_000))
        first.respond(lambda _: faults[next(turns) % len(faults)])
        async with asking() as asker:
            await asyncio.gather(*(storm(asker, [first, second], number) for number in range(60)))
            requests = len(first.requests) + len(second.requests)
            assert len(asker.rows) >= requests
            assert len({row.attempt_id for row in asker.rows}) == len(asker.rows)
        await first.wait_for_rest()
        await second.wait_for_rest()
    gc.collect()
    for _ in range(100):  # the HTTP client's own generators are closed some turns later
        await asyncio.sleep(0)
    assert asyncio.all_tasks() <= before
