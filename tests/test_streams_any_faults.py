"""Random scripts of faults on three providers, over HTTP: every answer is whole or an error, and after
whatever happened everything comes to rest."""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import Awaitable, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, ClassVar, TypeVar

import psycopg
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from shared.services import Pace
from tests.faults.fronts import ANALYSIS, CHAT, CHAT_STREAM, SUGGESTION, Front
from tests.faults.table import ALL
from tests.marginalia import marginalia
from tests.simulator import Reply, Simulator

T = TypeVar("T")

PROVIDERS = ("groq", "openrouter", "openai")  # the second takes a prefill, or is made to refuse it
ATTEMPTS = 4  # one, and three retries: for three providers too
LONGEST_REST = 301.0  # seconds, and one
GOOD = {"whole", "fallback", "switch", "reset"}
FAILED = re.compile(r"(error|[45]\d\d) [a-z_]+")


def chat(front: Front, provider: str) -> Front:
    return replace(front, body={**front.body, "model": f"{provider}/a-model"})


FRONTS = (
    SUGGESTION,
    ANALYSIS,
    *(chat(front, provider) for front in (CHAT_STREAM, CHAT) for provider in PROVIDERS),
)

places = st.integers(0, ALL)
delays = st.sampled_from([0.0, 0.002])
headers = st.sampled_from([{}, {"retry-after": "1"}, {"retry-after": "30"}, {"retry-after-ms": "40"}])
faults = st.one_of(
    st.builds(Reply),
    st.builds(Reply, status=st.sampled_from([400, 401, 404, 408, 409, 500, 503])),
    st.builds(Reply, status=st.just(429), headers=headers),
    st.builds(Reply, before_headers=st.sampled_from(["cut", "reset"])),
    *(
        st.builds(Reply, token_delay=delays, **{name: places})
        for name in ("cut_after", "reset_after", "end_after", "error_after")
    ),
    st.builds(Reply, before_headers=st.just("stall")),
    st.builds(Reply, stall_after=places),
    st.builds(Reply, malformed_after=st.lists(places, min_size=1, max_size=2)),
    st.builds(Reply, gzip=st.just(True), gzip_cut=st.integers(0, 300)),
    st.builds(Reply, finish=st.sampled_from([None, "stop", "content_filter", "error"])),
    st.builds(Reply, cut_after=places, drip=st.integers(1, 50)),
    st.builds(Reply, usage=st.booleans(), done=st.booleans(), hang_at_end=st.booleans()),
    st.builds(Reply, prefill=st.sampled_from(["continue", "restart", "repeat_sentence", "refuse"])),
)
scripts = st.lists(faults, min_size=1, max_size=4)


class Provider:
    """Plays its script, then good answers; each in the form that is asked for."""

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.simulator = Simulator(self._respond)

    def _respond(self, request: dict[str, Any]) -> Reply:
        reply = self.script.popleft() if self.script else Reply()
        analysis = "JSON Schema" in str(request.get("messages"))  # to some it is said there alone
        text = ANALYSIS.text if analysis or "response_format" in request else SUGGESTION.text
        return replace(reply, text=text)


class Clock:
    """Time as it is, and what was skipped."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped

    async def sleep(self, seconds: float) -> None:
        self.skipped += seconds


class World:
    """A server with three providers."""

    def __init__(self) -> None:
        self.providers = [Provider() for _ in PROVIDERS]
        self.clock = Clock()
        self.asked = 0
        self._stack = AsyncExitStack()

    async def open(self, database_url: str, *, hedge: str) -> None:
        for provider in self.providers:
            await self._stack.enter_async_context(provider.simulator)
        pace = Pace(self.clock, self.clock.sleep, lambda: 0.5)
        self.client = await self._stack.enter_async_context(
            marginalia(database_url, {**self._environ(), "AI_HEDGE_AFTER_MS": hedge}, pace=pace)
        )
        await self.client.get("/ready")  # so that the database is in use, and its pool at work
        self._at_rest = len(asyncio.all_tasks()) - self.connections

    def _environ(self) -> dict[str, str]:
        first, *others = PROVIDERS
        tasks = {f"AI_{task}_PROVIDER": first for task in ("ANALYSIS", "SUGGESTIONS", "QA", "DIAGRAMS")}
        urls = {
            f"{name.upper()}_BASE_URL": provider.simulator.base_url
            for name, provider in zip(PROVIDERS, self.providers, strict=True)
        }
        return {
            **tasks,
            **urls,
            **{f"{name.upper()}_API_KEY": "k" for name in PROVIDERS},
            "AI_FALLBACK_PROVIDER": ",".join(others),
            "AI_EMBEDDING_PROVIDER": "builtin",
            "AI_OFFLINE": "never",
            "AI_FIRST_TOKEN_TIMEOUT": "0.8",
            "AI_IDLE_TIMEOUT": "0.8",
            "AI_TIMEOUT": "10",  # what a whole answer takes that nobody gives
        }

    @property
    def requests(self) -> int:
        return sum(len(provider.simulator.requests) for provider in self.providers)

    @property
    def connections(self) -> int:
        return sum(provider.simulator.connections for provider in self.providers)

    async def ask(self, front: Front) -> str:
        self.asked += 1
        return await front.ask(self.client, f"request-{self.asked}")

    async def hang_up(self, front: Front, milliseconds: int) -> None:
        asking = asyncio.create_task(self.ask(front))
        await asyncio.sleep(milliseconds / 1000)
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)
        await self.rest()

    async def rest(self) -> None:
        """Nobody is at work but the server, and one task of a simulator for each idle connection.

        A request whose client has left may not have been taken up yet: one that comes later has.
        """
        await self.client.get("/health")
        for _ in range(500):
            if len(asyncio.all_tasks()) - self.connections <= self._at_rest + 1:
                return
            await asyncio.sleep(0.01)
        raise AssertionError(asyncio.all_tasks())

    async def close(self) -> None:
        await self.client.aclose()
        await self._stack.aclose()
        assert self.connections == 0
        for _ in range(100):
            await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}


class Streams(RuleBasedStateMachine):
    database_url: ClassVar[str]

    def __init__(self) -> None:
        super().__init__()
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute("truncate public.ai_usage")
        self._runner = asyncio.Runner()
        self._world = World()

    @initialize(hedge=st.sampled_from(["off", "30"]))
    def a_server_is_started(self, hedge: str) -> None:
        self._run(self._world.open(self.database_url, hedge=hedge))

    def _run(self, work: Awaitable[T]) -> T:
        async def bounded() -> T:
            async with asyncio.timeout(30):
                return await work

        return self._runner.run(bounded())

    @rule(number=st.integers(0, 2), script=scripts)
    def a_provider_is_going_to_misbehave(self, number: int, script: list[Reply]) -> None:
        self._world.providers[number].script.extend(script)

    @rule(front=st.sampled_from(FRONTS))
    def somebody_asks(self, front: Front) -> None:
        self._answers([front])

    @rule(fronts=st.lists(st.sampled_from(FRONTS), min_size=2, max_size=5))
    def several_ask(self, fronts: list[Front]) -> None:
        self._answers(fronts)

    @precondition(lambda self: any(provider.script for provider in self._world.providers))
    @rule(front=st.sampled_from(FRONTS), milliseconds=st.integers(0, 60))
    def somebody_hangs_up(self, front: Front, milliseconds: int) -> None:
        self._run(self._world.hang_up(front, milliseconds))

    @rule(seconds=st.sampled_from([1.0, 6.0, 70.0]))
    def time_passes(self, seconds: float) -> None:
        self._world.clock.skipped += seconds

    def _answers(self, fronts: Sequence[Front]) -> None:
        before = self._world.requests

        async def ask() -> list[str]:
            return await asyncio.gather(*(self._world.ask(front) for front in fronts))

        for seen in self._run(ask()):
            assert seen in GOOD or seen == "filtered" or FAILED.fullmatch(seen), seen
        self._run(self._world.rest())
        assert self._world.requests - before <= ATTEMPTS * len(fronts)

    def teardown(self) -> None:
        try:
            self._run(self._heals())
            self._run(self._world.close())
            self._the_ledger_has_every_attempt()
        finally:
            self._runner.close()

    async def _heals(self) -> None:
        """Good providers are asked again, and one answer each is enough to trust them."""
        world = self._world
        for provider in world.providers:
            provider.script.clear()
        world.clock.skipped += LONGEST_REST
        for front in FRONTS:
            named = front.body.get("model", "groq/").partition("/")[0]
            number = PROVIDERS.index(named)
            before = len(world.providers[number].simulator.requests)
            seen = await world.ask(front)
            assert seen in ("whole", "fallback"), seen
            assert len(world.providers[number].simulator.requests) == before + 1

    def _the_ledger_has_every_attempt(self) -> None:
        query = "select request_id, count(*) from public.ai_usage group by request_id"
        with psycopg.connect(self.database_url) as connection:
            attempts: dict[str, int] = dict(connection.execute(query).fetchall())
        assert sum(attempts.values()) >= self._world.requests
        assert max(attempts.values()) <= ATTEMPTS


def test_whatever_providers_do_answers_are_whole_or_errors_and_all_comes_to_rest(database_url: str) -> None:
    class Here(Streams):
        pass

    Here.database_url = database_url
    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=20,
            stateful_step_count=10,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
