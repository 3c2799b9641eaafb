"""Asking a second provider when the first is slow: who wins, who pays, and how often."""

import asyncio
from dataclasses import replace

import pytest

from shared.ai.hedging import FirstTokenTimes, HedgeBudget
from shared.ai.inquiry import Inquiry
from shared.errors import AllProvidersFailed, ContentFiltered
from shared.providers import Target
from shared.settings import Limits
from shared.types import Attempt, ChatRequest, Outcome, Passthrough, StreamStart, Task
from tests.simulator import Reply, Simulator
from tests.simulator.asking import CONTEXT, NEVER_REST, SECOND, THIRD, Asker, asking, target

TEXT = Reply().text
HEDGED = Limits(first_token_timeout=5.0, idle_timeout=5.0, hedge_after=0.02)
NEVER_SPEAKS = Reply(stall_after=0)


async def test_a_slow_provider_is_overtaken_cancelled_and_billed() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
        first.reply(NEVER_SPEAKS)
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.kinds == ["StreamStart", "TextDelta", "Finish"]
        assert (heard.text, heard.speakers) == (TEXT, ["second"])
        assert asker.outcomes == ["primary cancelled", "second ok"]
        assert asker.rows[0].usage.estimated
        assert asker.rows[0].usage.input_tokens > 0
        assert heard.finish is not None
        assert heard.finish.attempts == 2
        assert heard.finish.usage == asker.rows[0].usage + asker.rows[1].usage
        await asyncio.wait_for(first.requests[0].client_left.wait(), 1.0)


async def test_a_quick_provider_is_alone() -> None:
    async with (
        Simulator() as first,
        Simulator() as second,
        asking(limits=replace(HEDGED, hedge_after=2.0)) as asker,
    ):
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.text == TEXT
        assert (asker.outcomes, second.requests) == (["primary ok"], [])


async def test_a_first_provider_that_speaks_after_all_wins() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
        first.reply(Reply(first_token_delay=0.1))
        second.reply(NEVER_SPEAKS)
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert (heard.text, heard.speakers) == (TEXT, ["primary"])
        assert sorted(asker.outcomes) == ["primary ok", "second cancelled"]


async def test_one_that_fails_leaves_the_race_to_the_other() -> None:
    for slow, failing in (
        (Reply(first_token_delay=0.1), Reply(status=503)),
        (Reply(status=503, delay=0.06), Reply(first_token_delay=0.1)),
    ):
        async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
            first.reply(slow)
            second.reply(failing)
            heard = await asker.stream([target(first), target(second, SECOND)])
            assert heard.text == TEXT
            assert sorted(row.outcome for row in asker.rows) == [Outcome.OK, Outcome.SERVER_ERROR]
            assert asker.waits == []


ASKED_WHOLE = ChatRequest(
    (), passthrough=Passthrough({"messages": [{"role": "user", "content": "Hi"}]}, "primary", "m")
)


async def whole(asker: Asker, *targets: Target) -> tuple[StreamStart, bytes]:
    async with asyncio.timeout(3):
        return await asker.router.pass_whole(Inquiry(ASKED_WHOLE, targets, asker.limits, CONTEXT))


@pytest.mark.parametrize("hedge_after", [None, 0.01])
@pytest.mark.parametrize("second_does", [Reply(status=429), Reply(status=503), Reply(before_headers="stall")])
async def test_while_a_whole_answer_does_not_come_one_after_the_other_is_asked(
    second_does: Reply, hedge_after: float | None
) -> None:
    limits = Limits(first_token_timeout=0.05, timeout=60.0, max_retries=3, hedge_after=hedge_after)
    async with (
        Simulator() as first,
        Simulator() as second,
        Simulator() as third,
        asking(limits=limits) as asker,
    ):
        first.reply(Reply(before_headers="stall"))
        second.reply(second_does)
        start, _ = await whole(asker, target(first), target(second, SECOND), target(third, THIRD))
        assert start.provider == "third"
        assert asker.outcomes[-1] == "third ok"
        assert len(asker.rows) == 3
        await asyncio.wait_for(first.requests[0].client_left.wait(), 1.0)


async def test_a_target_at_rest_is_asked_when_a_whole_answer_is_overdue_and_nobody_else_is_left() -> None:
    limits = Limits(first_token_timeout=0.05, timeout=60.0)
    async with Simulator() as first, Simulator() as second, asking(limits=limits) as asker:
        first.reply(Reply(before_headers="stall"))
        resting = target(second, SECOND)
        asker.router.health.rest(resting, 60.0)
        start, _ = await whole(asker, target(first), resting)
        assert start.provider == "second"


async def test_when_both_fail_the_error_names_both() -> None:
    limits = replace(HEDGED, max_retries=1)
    async with Simulator() as first, Simulator() as second, asking(limits=limits) as asker:
        first.reply(Reply(status=503, delay=0.06))
        second.reply(Reply(status=404, delay=0.1))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert isinstance(heard.error, AllProvidersFailed)
        named = [(attempt.provider, attempt.outcome.value) for attempt in heard.error.attempts]
        assert named == [("primary", "server_error"), ("second", "not_found")]
        assert len(asker.rows) == 2


async def test_a_winner_that_dies_later_is_followed_by_the_one_it_beat() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
        first.script(NEVER_SPEAKS)
        second.reply(Reply(cut_after=4))
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert (heard.text, heard.speakers) == (TEXT, ["second", "primary"])
        assert asker.outcomes == ["primary cancelled", "second cut", "primary ok"]


async def test_a_content_filter_ends_the_race() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
        first.reply(Reply(finish="content_filter", text="", first_token_delay=0.06))
        second.reply(NEVER_SPEAKS)
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert isinstance(heard.error, ContentFiltered)
        assert [attempt.provider for attempt in heard.error.attempts] == ["primary"]


async def test_hedges_count_as_attempts() -> None:
    async with Simulator() as sim, asking(limits=replace(HEDGED, max_retries=0)) as asker:
        sim.reply(Reply(status=503, delay=0.06))
        rows = [target(sim), target(sim, SECOND), target(sim, THIRD)]
        heard = await asker.stream(rows)
        assert heard.error is not None
        assert len(sim.requests) == len(heard.error.attempts) == 3


async def test_a_provider_at_rest_is_never_hedged_towards() -> None:
    policy = replace(NEVER_REST, consecutive_failures=1)
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED, policy=policy) as asker:
        second.script(Reply(status=404), Reply(status=503))
        await asker.stream([target(second, SECOND)])
        await asker.stream([target(second, SECOND)], limits=replace(HEDGED, max_retries=0))
        seen = len(second.requests)
        first.reply(Reply(first_token_delay=0.1))
        await asker.stream([target(first), target(second, SECOND)])
        assert len(second.requests) == seen


async def test_a_caller_who_leaves_ends_both() -> None:
    async with Simulator() as first, Simulator() as second, asking(limits=HEDGED) as asker:
        first.reply(NEVER_SPEAKS)
        second.reply(NEVER_SPEAKS)
        task = asyncio.create_task(asker.stream([target(first), target(second, SECOND)]))
        await second.wait_for_requests(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await first.wait_for_rest()
        await second.wait_for_rest()
        assert sorted(asker.outcomes) == ["primary cancelled", "second cancelled"]


def test_the_budget_is_a_share_of_the_requests_with_a_small_reserve() -> None:
    budget = HedgeBudget(share=0.05, burst=2.0)
    hedges = 0
    for _ in range(1000):
        budget.request()
        if budget.allows:
            budget.spend()
            hedges += 1
    assert 50 <= hedges <= 52


def row(milliseconds: float, outcome: Outcome = Outcome.OK) -> Attempt:
    from datetime import UTC, datetime

    from shared.types import Usage

    return Attempt(
        "r",
        "t",
        Task.QA,
        "p",
        "m",
        outcome,
        Usage(),
        None,
        datetime.now(UTC),
        1.0,
        first_token_ms=milliseconds,
    )


def test_what_is_slow_is_learnt_from_the_answers_that_came() -> None:
    times = FirstTokenTimes()
    for number in range(19):
        times.note(row(float(number)))
    assert times.p95(Task.QA, "p") is None
    for number in range(19, 100):
        times.note(row(float(number)))
    times.note(row(9000.0, Outcome.CUT))
    assert times.p95(Task.QA, "p") == pytest.approx(0.095)
    assert times.p95(Task.ANALYSIS, "p") is None


@pytest.mark.parametrize("second_speaks", [True, False])
async def test_a_caller_that_leaves_at_any_moment_of_a_race_loses_no_row(second_speaks: bool) -> None:
    limits, rows = replace(HEDGED, hedge_after=0.002), 0
    async with Simulator() as first, Simulator() as second:
        first.reply(NEVER_SPEAKS)
        second.reply(Reply() if second_speaks else Reply(status=401))
        for turns in range(60):
            async with asking(limits=limits) as asker:
                caller = asyncio.create_task(asker.stream([target(first), target(second, SECOND)]))
                await second.wait_for_requests(turns + 1)
                for _ in range(turns):
                    await asyncio.sleep(0)
                caller.cancel()
                await asyncio.gather(caller, return_exceptions=True)
                rows += len(asker.rows)
        await first.wait_for_rest()
        await second.wait_for_rest()
        assert rows == len(first.requests) + len(second.requests)
