"""The circuit breaker, on a clock that tests turn; and what the router makes of it."""

import asyncio
from contextlib import AsyncExitStack, aclosing
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.ai.breaker import Breaker, Policy, State, Trial
from shared.ai.inquiry import Inquiry
from shared.errors import AllProvidersFailed
from shared.types import TextDelta
from tests.simulator import Reply, Simulator
from tests.simulator.asking import CONTEXT, PATIENT, REQUEST, SECOND, asking, target

POLICY = Policy(consecutive_failures=3, first_rest=5.0, max_rest=20.0, least_calls=10)


def begin(breaker: Breaker) -> Trial:
    trial = Trial(breaker, lambda: 0.0)
    breaker.begin(trial)
    return trial


def fail(breaker: Breaker, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        breaker.fail(begin(breaker), now)


def succeed(breaker: Breaker, now: float = 0.0) -> None:
    breaker.succeed(begin(breaker), now)


def test_failures_in_a_row_open_it_and_the_time_half_opens_it() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 2)
    assert breaker.state(0.0) is State.CLOSED
    fail(breaker, 1)
    assert breaker.state(4.9) is State.OPEN
    assert breaker.state(5.0) is State.HALF_OPEN


def test_a_success_between_failures_keeps_it_closed() -> None:
    breaker = Breaker(POLICY)
    for _ in range(5):
        fail(breaker, 2)
        succeed(breaker)
    assert breaker.state(0.0) is State.CLOSED


def test_half_of_many_calls_failing_opens_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(5):
        succeed(breaker)
        fail(breaker, 1)
    assert breaker.state(0.0) is State.OPEN


def test_failures_of_long_ago_do_not_count() -> None:
    breaker = Breaker(POLICY)
    for now in range(0, 1000, 100):
        fail(breaker, 1, float(now))
        succeed(breaker, float(now))
    assert breaker.state(1000.0) is State.CLOSED


def test_one_probe_at_a_time_and_one_good_probe_closes_it() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 3)
    assert breaker.admits(5.0)
    probe = begin(breaker)
    assert not breaker.admits(5.0)
    assert not breaker.admits_probe
    breaker.succeed(probe, 5.1)
    assert breaker.state(5.1) is State.CLOSED
    assert breaker.admits(5.1)


def test_a_bad_probe_doubles_the_rest_up_to_its_bound() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 3)
    now, rests = 5.0, []
    for _ in range(4):
        fail(breaker, 1, now)
        rests.append(breaker.rest_left(now))
        now += rests[-1]
    assert rests == [10.0, 20.0, 20.0, 20.0]


def test_a_probe_that_was_given_up_frees_its_place() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 3)
    breaker.give_up(begin(breaker))
    assert breaker.admits(5.0)


def test_failures_between_streams_that_speak_do_not_open_it() -> None:
    """They are heard of at once, and good ends much later."""
    breaker = Breaker(POLICY)
    streams = []
    for _ in range(6):
        streams.append(begin(breaker))
        breaker.hear(streams[-1], 0.0)
        fail(breaker, 1)
        streams.append(begin(breaker))
        breaker.hear(streams[-1], 0.0)
    assert breaker.state(0.0) is State.CLOSED


def test_streams_that_speak_and_break_off_open_it() -> None:
    breaker = Breaker(POLICY)
    for _ in range(3):
        assert breaker.state(0.0) is State.CLOSED
        stream = begin(breaker)
        breaker.hear(stream, 0.0)
        breaker.fail(stream, 0.0)
    assert breaker.state(0.0) is State.OPEN


def test_a_probe_that_speaks_closes_it_before_its_end() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 3)
    probe = begin(breaker)
    breaker.hear(probe, 5.0)
    assert breaker.state(5.0) is State.CLOSED
    breaker.succeed(probe, 9.0)
    fail(breaker, 3, 10.0)
    assert breaker.rest_left(10.0) == POLICY.first_rest


def test_a_probe_that_speaks_and_is_left_by_its_caller_was_good() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 4)  # the last of them is a bad probe
    probe = begin(breaker)
    breaker.hear(probe, 20.0)
    breaker.give_up(probe)
    fail(breaker, 3, 30.0)
    assert breaker.rest_left(30.0) == POLICY.first_rest


def test_a_probe_that_speaks_and_breaks_off_opens_it_for_twice_as_long() -> None:
    breaker = Breaker(POLICY)
    fail(breaker, 3)
    probe = begin(breaker)
    breaker.hear(probe, 5.0)
    breaker.fail(probe, 6.0)
    assert breaker.rest_left(6.0) == 2 * POLICY.first_rest


@pytest.mark.parametrize("end", ["succeed", "fail"])
def test_a_stream_from_before_decides_nothing_for_the_probe(end: str) -> None:
    breaker = Breaker(POLICY)
    old = begin(breaker)
    fail(breaker, 3)
    probe = begin(breaker)
    getattr(breaker, end)(old, 5.0)
    assert breaker.rest_left(4.0) == 1.0
    assert not breaker.admits(5.0)
    breaker.hear(probe, 5.5)
    assert breaker.state(5.5) is State.CLOSED


def test_a_provider_that_asks_for_rest_gets_it_whatever_else_ends_well() -> None:
    breaker = Breaker(POLICY)
    old = begin(breaker)
    breaker.rest(30.0, 0.0)
    breaker.succeed(old, 1.0)
    assert breaker.state(29.9) is State.OPEN


def test_a_provider_that_asks_for_rest_gets_it() -> None:
    breaker = Breaker(POLICY)
    breaker.rest(30.0, 0.0)
    assert breaker.state(29.9) is State.OPEN
    assert breaker.admits(30.0)


def test_a_provider_that_asks_for_a_day_is_tried_sooner() -> None:
    breaker = Breaker(POLICY)
    breaker.rest(86_400.0, 0.0)
    assert breaker.admits(POLICY.max_asked_rest)


class AnyOrder(RuleBasedStateMachine):
    """Whatever happens in whatever order: one probe, and a way back."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(POLICY)
        self.now = 0.0
        self.under_way: list[Trial] = []
        self.probes: list[Trial] = []  # under way, nothing heard of them yet

    @rule(seconds=st.floats(0.1, 30))
    def wait(self, seconds: float) -> None:
        self.now += seconds

    @precondition(lambda self: self.breaker.admits(self.now) or self.breaker.admits_probe)
    @rule()
    def begin(self) -> None:
        closed = self.breaker.state(self.now) is State.CLOSED
        self.under_way.append(begin(self.breaker))
        if not closed:
            self.probes.append(self.under_way[-1])

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def hear(self, data: st.DataObject) -> None:
        trial = data.draw(st.sampled_from(self.under_way))
        self.breaker.hear(trial, self.now)
        self.probes = [probe for probe in self.probes if probe is not trial]

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), how=st.sampled_from(["succeed", "fail", "give_up"]))
    def end(self, data: st.DataObject, how: str) -> None:
        trial = data.draw(st.sampled_from(self.under_way))
        self.breaker.give_up(trial) if how == "give_up" else getattr(self.breaker, how)(trial, self.now)
        self.under_way = [other for other in self.under_way if other is not trial]
        self.probes = [probe for probe in self.probes if probe is not trial]

    @invariant()
    def at_most_one_probe(self) -> None:
        assert len(self.probes) <= 1

    @invariant()
    def there_is_a_way_back(self) -> None:
        assert self.probes or self.breaker.admits(self.now + POLICY.max_rest)


TestAnyOrder = AnyOrder.TestCase
TestAnyOrder.settings = settings(max_examples=50, stateful_step_count=20)


# --- in the router --------------------------------------------------------------------------------


async def test_a_provider_that_keeps_failing_is_passed_over_and_found_again() -> None:
    async with Simulator() as first, Simulator() as second, asking(policy=POLICY) as asker:
        targets = [target(first), target(second, SECOND)]
        first.reply(Reply(status=503))
        await asker.stream(targets)  # two failures
        await asker.stream(targets)  # two more
        assert asker.router.health.state(targets[0]) is State.OPEN
        assert (len(first.requests), len(second.requests)) == (4, 2)
        second.reply(Reply(status=404))
        first.reply(Reply())
        heard = await asker.stream(targets)  # nobody else is left: it is probed, and is well
        assert heard.finish is not None
        assert heard.finish.provider == "primary"
        assert asker.router.health.state(targets[0]) is State.CLOSED


async def test_a_provider_that_asks_for_a_long_wait_is_passed_over_until_then() -> None:
    async with Simulator() as first, Simulator() as second, asking(policy=POLICY) as asker:
        first.reply(Reply(status=429, headers={"retry-after": "30"}))
        for _ in range(3):
            await asker.stream([target(first), target(second, SECOND)])
        assert (len(first.requests), len(second.requests)) == (1, 3)


async def test_failures_among_streams_that_speak_leave_a_provider_its_work() -> None:
    once = replace(PATIENT, max_retries=0)
    async with Simulator() as sim, asking(policy=POLICY, limits=once) as asker, AsyncExitStack() as streams:
        for _ in range(3):
            sim.reply(Reply(stall_after=1))
            stream = asker.router.stream(Inquiry(REQUEST, [target(sim)], once, CONTEXT))
            await streams.enter_async_context(aclosing(stream))
            while not isinstance(await anext(stream), TextDelta):
                pass
            sim.reply(Reply(status=503))
            for _ in range(POLICY.consecutive_failures - 1):
                await asker.stream([target(sim)])
        assert asker.router.health.state(target(sim)) is State.CLOSED


async def test_a_lone_provider_at_rest_is_asked_by_one_at_a_time() -> None:
    async with Simulator() as sim, asking(policy=POLICY) as asker:
        sim.reply(Reply(status=503))
        await asker.stream([target(sim)])
        sim.reply(Reply(delay=0.05))
        seen = len(sim.requests)
        heard = await asyncio.gather(*(asker.stream([target(sim)]) for _ in range(4)))
        refused = [one.error for one in heard if one.error is not None]
        assert len(sim.requests) == seen + 1
        assert len(refused) == 3
        assert all(isinstance(error, AllProvidersFailed) for error in refused)
        assert {attempt.code for error in refused for attempt in error.attempts} == {"resting"}
        assert sum(one.finish is not None for one in heard) == 1


@pytest.mark.parametrize("status", [400, 401, 404])
async def test_a_request_that_was_wrong_says_nothing_against_the_provider(status: int) -> None:
    async with Simulator() as sim, asking(policy=POLICY) as asker:
        sim.reply(Reply(status=status))
        for _ in range(6):
            await asker.stream([target(sim)])
        assert asker.router.health.state(target(sim)) is State.CLOSED


async def test_a_cancelled_probe_leaves_its_place() -> None:
    async with Simulator() as sim, asking(policy=POLICY) as asker:
        sim.reply(Reply(status=503))
        await asker.stream([target(sim)])
        sim.reply(Reply(before_headers="stall"))
        seen = len(sim.requests)
        task = asyncio.create_task(asker.stream([target(sim)]))
        await sim.wait_for_requests(seen + 1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert asker.router.health.admits_probe(target(sim))
        assert asker.router.health.state(target(sim)) is not State.CLOSED
