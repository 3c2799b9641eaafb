"""Whatever happens, over HTTP: the ledger has a row for every request that a provider saw, and the tokens
of those whose usage the provider sent, to the last one.

The simulators bill; the ledger is read once the server has ended. Attempts are matched by the request,
whose id stands in its text, and the provider.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import httpx
import psycopg
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from shared.ai.prices import cost_usd
from shared.services import Pace
from shared.types import Usage
from tests.faults.fronts import ANALYSIS
from tests.ledger_rows import LedgerRow, ledger_rows
from tests.marginalia import marginalia
from tests.simulator import Reply, SeenRequest, Simulator

PROVIDERS = ("together", "openrouter", "openai")  # the first two take a prefill; the last embeds
MODELS = {
    "together": "meta-llama/Meta-Llama-3.1-8B-Instruct-Turbo",
    "openrouter": "nobody/knows-its-price",
    "openai": "gpt-4o",
}
TEXT = (
    "The fox sat by the wood and saw the fence, and the dog behind it. It went home before the rain "
    "came, and slept until the morning."
)
LENGTH = len(Reply(TEXT).tokens)
REQUEST = re.compile(r"request-\d+")
# The client did, or we did: of a provider that was silent, or after events that nobody can read.
WE_LEFT = ("cancelled", "timeout", "protocol_error")
UNSENT = ("cancelled", "connect_error", "timeout")  # maybe, as each can come before the request is out
Pair = tuple[str, str]  # request and provider
Billed = tuple[int, int, int, int]  # tokens in and out, of these cached and for reasoning

places = st.integers(0, LENGTH)
counts = {"cached": st.integers(0, 9), "reasoning": st.integers(0, 9), "usage": st.booleans()}
slowly = {"token_delay": st.sampled_from([0.0, 0.002]), "first_token_delay": st.sampled_from([0.0, 0.04])}
replies = st.one_of(
    st.builds(Reply, **counts, **slowly),
    st.builds(Reply, status=st.sampled_from([400, 401, 404, 429, 500, 503])),
    st.builds(Reply, before_headers=st.sampled_from(["cut", "reset", "stall"])),
    *(
        st.builds(Reply, usage_after=st.none() | places, **counts, **slowly, **{name: places})
        for name in ("cut_after", "end_after", "error_after", "stall_after")
    ),
    st.builds(Reply, reset_after=places, **slowly),  # what was on its way is lost with it
    st.builds(Reply, malformed_after=st.lists(places, min_size=1, max_size=2), **counts),
    st.builds(Reply, gzip=st.just(True), gzip_cut=st.integers(0, 300), **counts),
    st.builds(Reply, finish=st.sampled_from([None, "content_filter", "length"]), **counts),
    st.builds(Reply, done=st.booleans(), drip=st.integers(1, 60), **counts),
    st.builds(Reply, prefill=st.sampled_from(["restart", "repeat_sentence", "refuse"]), **counts),
    *[st.just(Reply("This is no JSON, whatever was asked for.", cached=2))] * 2,
)
scripts = st.lists(replies, max_size=3)


@dataclass(frozen=True)
class Asked:
    """What a client asks; `patience` seconds until it hangs up, None: it stays."""

    kind: str
    patience: float | None

    def request(self, name: str) -> tuple[str, dict[str, Any]]:
        note = f"# Notes of {name}\n\nWhat I saw on {name}.\n\n"
        match self.kind.split():
            case ["analysis"]:
                return "/functions/v1/analyze-document", {"content": note}
            case ["suggestion"]:
                cursor = {"line": 99, "character": 0}
                return (
                    "/functions/v1/generate-suggestions",
                    {"content": note, "cursor_position": cursor, "mode": "inline"},
                )
            case ["embedding"]:
                return "/functions/v1/index-document", {"document_id": name, "markdown_content": note}
        how, provider = self.kind.split()
        messages = [{"role": "user", "content": note}]
        body = {"model": f"{provider}/{MODELS[provider]}", "messages": messages, "stream": how == "stream"}
        return "/v1/chat/completions", body


KINDS = (
    "analysis",
    "analysis",
    "suggestion",
    "embedding",
    *(f"{how} {provider}" for how in ("stream", "whole") for provider in PROVIDERS),
)
asked = st.builds(Asked, st.sampled_from(KINDS), st.none() | st.none() | st.sampled_from([0.0, 0.03, 0.07]))
# Each turn: what each provider is going to do, and who asks at the same time.
turns = st.tuples(st.tuples(scripts, scripts, scripts), st.lists(asked, min_size=1, max_size=4))


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(hedge=st.sampled_from(["off", "20"]), run=st.lists(turns, min_size=1, max_size=4))
def test_the_ledger_is_what_was_billed(
    database_url: str, hedge: str, run: Sequence[tuple[Sequence[Sequence[Reply]], Sequence[Asked]]]
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("truncate public.ai_usage")
    seen = asyncio.run(asyncio.wait_for(play(database_url, hedge, run), 60))
    compare(seen, ledger_rows(database_url))


async def play(
    database_url: str, hedge: str, run: Sequence[tuple[Sequence[Sequence[Reply]], Sequence[Asked]]]
) -> dict[str, Sequence[SeenRequest]]:
    """What each provider saw."""
    world = World()
    async with AsyncExitStack() as stack:
        for provider in world.providers.values():
            await stack.enter_async_context(provider.simulator)
        environ = {**world.environ(), "AI_HEDGE_AFTER_MS": hedge}
        client = await stack.enter_async_context(marginalia(database_url, environ, pace=world.pace))
        for plans, clients in run:
            for provider, plan in zip(world.providers.values(), plans, strict=True):
                provider.script.extend(plan)
            await asyncio.gather(*(world.ask(client, one) for one in clients))
            await at_rest(client)
            world.skipped += 301.0  # nobody rests for longer
        await client.aclose()
    return {name: provider.simulator.requests for name, provider in world.providers.items()}


async def at_rest(client: httpx.AsyncClient) -> None:
    """Until nothing is under way, not for clients that left either: a leap of the clock would end it."""
    async with asyncio.timeout(10):
        while not re.search(r"^marginalia_requests_in_flight 1(\.0)?$", await metrics(client), re.MULTILINE):
            continue


async def metrics(client: httpx.AsyncClient) -> str:
    return (await client.get("/metrics")).text


class Provider:
    """Plays its script, then good answers: JSON where JSON is asked for."""

    def __init__(self) -> None:
        self.script: deque[Reply] = deque()
        self.simulator = Simulator(self._respond)

    def _respond(self, request: dict[str, Any]) -> Reply:
        reply = self.script.popleft() if self.script else Reply()
        if reply.text != Reply().text:
            return reply
        return replace(reply, text=ANALYSIS.text if "response_format" in request else TEXT)


class World:
    def __init__(self) -> None:
        self.providers = {name: Provider() for name in PROVIDERS}
        self.skipped = 0.0
        self.asked = 0
        self.pace = Pace(lambda: time.monotonic() + self.skipped, self._sleep, lambda: 0.5)

    async def _sleep(self, seconds: float) -> None:
        self.skipped += seconds

    def environ(self) -> dict[str, str]:
        urls = {
            f"{name.upper()}_BASE_URL": provider.simulator.base_url
            for name, provider in self.providers.items()
        }
        return {
            **urls,
            **{f"{name.upper()}_API_KEY": "k" for name in PROVIDERS},
            "AI_FALLBACK_PROVIDER": ",".join(PROVIDERS[1:]),
            "AI_EMBEDDING_PROVIDER": "openai",
            "AI_FIRST_TOKEN_TIMEOUT": "0.2",
            "AI_IDLE_TIMEOUT": "0.2",
            "AI_TIMEOUT": "5",
        }

    async def ask(self, client: httpx.AsyncClient, one: Asked) -> None:
        self.asked += 1
        name = f"request-{self.asked}"
        path, body = one.request(name)
        asking = asyncio.create_task(client.post(path, json=body, headers={"x-request-id": name}))
        done, _ = await asyncio.wait({asking}, timeout=one.patience)
        if not done:
            asking.cancel()
            await asyncio.gather(asking, return_exceptions=True)


def compare(seen: dict[str, Sequence[SeenRequest]], rows: Sequence[LedgerRow]) -> None:
    for row in rows:
        check(row)
    requests = [(pair_of(one, provider), one.billed) for provider, ones in seen.items() for one in ones]
    asked, written = Counter(pair for pair, _ in requests), Counter(map(pair, rows))
    unsent = Counter(pair(row) for row in rows if row.outcome in UNSENT)
    assert not asked - written, "a provider saw a request that has no row"
    assert not written - asked - unsent, "a row for a request that no provider saw"

    billed = Counter((pair, usage_of_bill(bill)) for pair, bill in requests if bill is not None)
    counted = Counter((pair(row), usage_of_row(row)) for row in rows if row.counted)
    assert not counted - billed, "tokens that nobody billed"
    # A count that was on its way when we left is lost: that row is estimated.
    missed = Counter(pair for pair, _ in (billed - counted).elements())
    left = Counter(pair(row) for row in rows if row.estimated and row.outcome in WE_LEFT)
    assert not missed - left, "billed, and not in the ledger"
    note(rows)


def pair(row: LedgerRow) -> Pair:
    return (row.request_id, row.provider)


def pair_of(request: SeenRequest, provider: str) -> Pair:
    found = REQUEST.search(request.prompt or str(request.json.get("input")))
    assert found is not None
    return (found[0], provider)


def usage_of_row(row: LedgerRow) -> Billed:
    return (row.input_tokens, row.output_tokens, row.cached_tokens, row.reasoning_tokens)


def usage_of_bill(bill: dict[str, Any]) -> Billed:
    return (
        bill["prompt_tokens"],
        bill.get("completion_tokens", 0),
        bill.get("prompt_tokens_details", {}).get("cached_tokens", 0),
        bill.get("completion_tokens_details", {}).get("reasoning_tokens", 0),
    )


def check(row: LedgerRow) -> None:
    """What holds of each row by itself."""
    usage = Usage(*usage_of_row(row))
    assert row.cost_usd == cost_usd(row.provider, row.model, usage), row
    assert (row.cost_usd is None) == (row.model == MODELS["openrouter"] or priceless(row)), row
    assert row.cost_usd is None or row.cost_usd >= Decimal(0)
    assert not row.estimated or row.input_tokens > 0, row
    if row.outcome == "ok":
        assert row.tokens != (0, 0), row


def priceless(row: LedgerRow) -> bool:
    return cost_usd(row.provider, row.model, Usage()) is None


def note(rows: Iterable[LedgerRow]) -> None:
    """For `--hypothesis-show-statistics`: that what should happen does."""
    for row in rows:
        event(f"{row.cause}, {row.outcome}, {'estimated' if row.estimated else 'counted'}")
