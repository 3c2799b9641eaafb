"""Answers that must have a form, through the router: parsed, repaired once, then asked of the next."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.ai.inquiry import Inquiry
from shared.errors import MalformedOutput
from shared.providers import Target
from shared.types import Outcome
from tests.simulator import Reply, Simulator
from tests.simulator.asking import (
    CONTEXT,
    PATIENT,
    REQUEST,
    SCHEMA,
    SECOND,
    Asker,
    asking,
    error,
    target,
    two_providers,
)


def number(text: str) -> int:
    document = json.loads(text)
    if "n" not in document:
        raise ValueError("`n` is missing")
    return int(document["n"])


async def parsed(asker: Asker, *targets: Target) -> tuple[int, Any]:
    return await asker.router.complete_parsed(
        Inquiry(replace(REQUEST, response_schema=SCHEMA), targets, PATIENT, CONTEXT), parse=number
    )


async def test_a_good_answer_is_parsed_at_once() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.reply_text('{"n": 7}')
        value, finish = await parsed(asker, target(sim))
        assert (value, finish.attempts) == (7, 1)


async def test_a_wrong_answer_is_repaired_by_the_same_provider() -> None:
    async with Simulator() as sim, asking() as asker:
        sim.script(Reply('{"m": 7}'), Reply('{"n": 7}'))
        value, finish = await parsed(asker, target(sim))
        assert (value, finish.attempts) == (7, 2)
        assert asker.outcomes == ["primary malformed_output", "primary ok"]
        *_, reply, turn = sim.requests[1].json["messages"]
        assert (reply["role"], reply["content"]) == ("assistant", '{"m": 7}')
        assert turn["role"] == "user"
        assert "`n` is missing" in turn["content"]
        assert asker.rows[0].usage.output_tokens > 0
        assert not asker.rows[0].usage.estimated


async def test_after_one_repair_the_next_provider_is_asked_the_first_question() -> None:
    async with two_providers() as (first, second, asker):
        first.reply_text("no JSON at all")
        second.reply_text('{"n": 8}')
        value, finish = await parsed(asker, target(first), target(second, SECOND))
        assert (value, finish.provider) == (8, "second")
        assert asker.outcomes == ["primary malformed_output", "primary malformed_output", "second ok"]
        assert [message["role"] for message in second.requests[0].json["messages"]] == ["system", "user"]


async def test_when_nobody_gets_it_right_that_is_what_is_said() -> None:
    async with two_providers() as (first, second, asker):
        first.reply_text("no JSON")
        second.reply_text("none here")
        with pytest.raises(MalformedOutput) as caught:
            await parsed(asker, target(first), target(second, SECOND))
        assert len(caught.value.attempts) == 4
        assert {attempt.outcome for attempt in caught.value.attempts} == {Outcome.MALFORMED_OUTPUT}


async def test_repairs_count_against_the_attempts() -> None:
    async with two_providers() as (first, second, asker):
        first.script(error(500))
        first.reply_text("no JSON")
        second.reply_text("nor here")
        with pytest.raises(MalformedOutput):
            await parsed(asker, target(first), target(second, SECOND))
        assert (len(first.requests), len(second.requests)) == (3, 1)


async def test_a_cut_answer_is_made_anew_and_then_parsed() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply('{"n": 1, "why": "because of this and that"}', cut_after=4))
        second.reply_text('{"n": 2}')
        value, _ = await parsed(asker, target(first), target(second, SECOND))
        assert value == 2
