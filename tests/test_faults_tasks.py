"""Every fault at every moment, with every fallback, at the endpoints of the tasks."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from shared.services import Pace
from tests.faults.fronts import SUGGESTION, TASKS, Front
from tests.faults.playing import REQUEST_ID, all_expected, environment, outcomes, play_all
from tests.faults.table import ALL, FAULTS, ROWS, SOME, TEXT, Kind, Row
from tests.marginalia import marginalia
from tests.simulator import Reply, Simulator


@pytest.mark.parametrize("front", TASKS, ids=lambda front: front.name)
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS)
async def test_what_comes_of_a_fault(rows: Sequence[Row], front: Front, database_url: str) -> None:
    assert await play_all(rows, front, database_url) == all_expected(rows, front)


def test_the_table_has_every_kind_at_every_moment_it_can_have() -> None:
    moments = {(row.fault.kind, row.fault.moment) for rows in ROWS.values() for row in rows}
    assert {kind for kind, _ in moments} == set(Kind) - {Kind.FILTERED, Kind.OVERTAKEN}
    assert (Kind.BROKEN, "after some tokens") in moments
    assert (Kind.BROKEN, "at the end") in moments
    assert {(Kind.PASSING, "before headers"), (Kind.PASSING, "before the first token")} <= moments


@pytest.mark.parametrize("front", TASKS, ids=lambda front: front.name)
def test_the_texts_are_as_long_as_the_table_s_counts_suppose(front: Front) -> None:
    assert len(Reply(front.text).tokens) == ALL
    assert len("".join(front.text.split()[:SOME])) > 60


class Clock:
    """Goes on when it is told to, and while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


async def test_a_provider_that_flaps_for_a_minute_costs_no_answer_and_is_back_with_one_probe(
    database_url: str,
) -> None:
    clock = Clock()
    pace = Pace(clock, clock.sleep, lambda: 0.0)
    async with Simulator() as first, Simulator() as second:
        second.reply_text(TEXT)
        environ = environment(FAULTS["503 for ever"], first, second, "openai")
        async with marginalia(database_url, environ, pace=pace) as client:
            for number in range(60):
                first.reply(Reply(TEXT) if number % 10 > 6 else Reply(status=503))
                assert await SUGGESTION.ask(client, REQUEST_ID) in ("whole", "fallback")
                clock.now += 1.0
            assert len(first.requests) < 60  # of about a hundred, had it never been let rest
            first.reply_text(TEXT)
            clock.now += 61.0  # longer than any rest
            seen = len(first.requests)
            assert [await SUGGESTION.ask(client, REQUEST_ID) for _ in range(2)] == ["whole", "whole"]
            assert len(first.requests) == seen + 2
        asked = len(first.requests) + len(second.requests)
    assert len(outcomes(database_url)) == asked
