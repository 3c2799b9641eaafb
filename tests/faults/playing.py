"""Rows of the table, played at one front through a real server, to the last entry of the ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import psycopg

from shared.services import Pace
from tests.faults.fronts import FIRST, Front
from tests.faults.table import Fallback, Fault, Kind, Row
from tests.marginalia import marginalia
from tests.simulator import Reply, Simulator

REQUEST_ID = "the-request"
JITTER = 0.5  # of the longest wait
_SHORT = "0.5"  # seconds; no good provider here is silent for so long
_ALL_TOLD = "1.5"
_NOBODY = "http://127.0.0.1:1/v1"
_SECOND: Mapping[Fallback, str] = {
    Fallback.HEALTHY: "openai",
    Fallback.OTHER_WORDS: "openai",
    Fallback.FAILS: "openai",
    Fallback.REFUSES_PREFILL: "openrouter",  # whose row says that it takes one
    Fallback.NONE: "none",
}


@dataclass
class Played:
    """What came of it; comparable with what was expected."""

    sees: str = ""
    first: int = 0
    second: int = 0
    ledger: str = ""
    waits: list[float] = field(default_factory=list)

    @classmethod
    def as_expected(cls, row: Row, front: Front) -> Played:
        sees, expected = front.expected(row)
        first = 0 if row.fault.unreachable else expected.first
        return cls(sees, first, expected.second, expected.ledger, list(expected.waits))


async def play_all(rows: Sequence[Row], front: Front, database_url: str) -> dict[str, Played]:
    """By fallback; side by side, each with a server and providers of its own."""
    played = await asyncio.gather(*(play(row, front, database_url) for row in rows))
    return {row.fallback: one for row, one in zip(rows, played, strict=True)}


def all_expected(rows: Sequence[Row], front: Front) -> dict[str, Played]:
    return {row.fallback: Played.as_expected(row, front) for row in rows}


async def play(row: Row, front: Front, database_url: str) -> Played:
    """Afterwards nothing is left open at the providers."""
    played, request_id = Played(), row.fallback.name
    async with _providers(row, front) as (first, second):
        environ = environment(row.fault, first, second, _SECOND[row.fallback])
        async with marginalia(database_url, environ, pace=unhurried(played.waits)) as client:
            played.sees = await front.ask(client, request_id)
        for simulator in (first, second):
            await simulator.wait_for_rest()
        played.first, played.second = len(first.requests), len(second.requests)
    played.ledger = " ".join(outcomes(database_url, request_id))
    return played


def unhurried(waits: list[float]) -> Pace:
    """Waits for nothing, and notes in `waits` for how long it would have."""

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    return Pace(sleep=sleep, chance=lambda: JITTER)


@asynccontextmanager
async def _providers(row: Row, front: Front) -> AsyncIterator[tuple[Simulator, Simulator]]:
    async with Simulator() as first, Simulator() as second:
        reply = row.fault.reply
        spoken = replace(reply, text=front.text) if reply.text else reply
        if row.fault.kind is Kind.ONCE:
            first.reply_text(front.text)
            first.script(spoken)
        else:
            first.reply(spoken)
        second.reply(_fallback(row.fallback, front))
        yield first, second


def _fallback(fallback: Fallback, front: Front) -> Reply:
    match fallback:
        case Fallback.FAILS:
            return Reply(status=503)
        case Fallback.OTHER_WORDS:
            return Reply(front.other_text, token_delay=0.005)
        case Fallback.REFUSES_PREFILL:
            return Reply(front.text, prefill="refuse")
        case _:
            return Reply(front.text)


def environment(fault: Fault, first: Simulator, second: Simulator, fallback: str) -> dict[str, str]:
    """`fallback`: a provider's name, at the second simulator, or `none`."""
    tasks = {f"AI_{task}_PROVIDER": FIRST for task in ("ANALYSIS", "SUGGESTIONS", "QA", "DIAGRAMS")}
    prefix = fallback.upper()
    return {
        **tasks,
        "AI_FALLBACK_PROVIDER": fallback,
        "AI_EMBEDDING_PROVIDER": "builtin",
        "AI_OFFLINE": "never",
        "AI_MAX_RETRY_WAIT": "3",
        "AI_FIRST_TOKEN_TIMEOUT": _SHORT if fault.silent == "at first" else "20",
        "AI_IDLE_TIMEOUT": _SHORT if fault.silent == "later" else "20",
        "AI_TIMEOUT": _ALL_TOLD if fault.kind is Kind.OVERTAKEN else "60",
        f"{FIRST.upper()}_API_KEY": "key-of-the-first",
        f"{FIRST.upper()}_BASE_URL": _NOBODY if fault.unreachable else first.base_url,
        f"{prefix}_API_KEY": "key-of-the-second",
        f"{prefix}_BASE_URL": second.base_url,
    }


def outcomes(database_url: str, request_id: str = REQUEST_ID) -> list[str]:
    """Of the request's attempts, in their order."""
    query = "select outcome from ai_usage where request_id = %s order by started_at"
    with psycopg.connect(database_url) as connection:
        return [outcome for (outcome,) in connection.execute(query, (request_id,))]
