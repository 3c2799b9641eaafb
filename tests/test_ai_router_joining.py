"""A text that another provider goes on with, or begins anew, through the router."""

import json
from dataclasses import replace
from typing import Any

import pytest

from shared.types import JsonSchema, Switch
from tests.simulator import Reply, Simulator
from tests.simulator.asking import PATIENT, QUICK, REQUEST, SECOND, THIRD, target, two_providers

TEXT = Reply().text


async def test_another_text_resets_what_was_sent() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(cut_after=4))
        second.reply_text("Something else entirely.")
        heard = await asker.stream([target(first), target(second, SECOND)])
        assert heard.kinds == ["StreamStart", "TextDelta", "Switch", "Reset", "TextDelta", "Finish"]
        assert heard.text == "Something else entirely."
        assert Switch("primary", "second", "model-of-second", "cut") in heard.events


async def test_a_provider_that_dies_while_it_is_held_back_leaves_no_trace() -> None:
    async with two_providers() as (first, second, asker), Simulator() as third:
        first.reply(Reply(cut_after=5))
        second.reply(Reply(cut_after=3))
        heard = await asker.stream([target(first), target(second, SECOND), target(third, THIRD)])
        assert heard.text == TEXT
        assert heard.speakers == ["primary", "third"]


async def test_three_providers_that_die_one_after_another_give_one_whole_text() -> None:
    async with two_providers() as (first, second, asker), Simulator() as third:
        first.reply(Reply(cut_after=2))
        second.reply(Reply(stall_after=6))
        heard = await asker.stream(
            [target(first), target(second, SECOND), target(third, THIRD)], limits=QUICK
        )
        assert heard.text == TEXT
        assert heard.speakers == ["primary", "second", "third"]
        assert "Reset" not in heard.kinds


LONG = (
    "The fox is quick. It jumps over the dog. Then it runs away into the deep wood. There it sleeps. The end."
)


@pytest.mark.parametrize("how", ["continue", "restart", "repeat_sentence", "refuse"])
async def test_a_provider_that_takes_a_prefill_goes_on_where_the_text_broke(how: Any) -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(LONG, cut_after=14))
        second.reply(Reply(LONG, prefill=how))
        heard = await asker.stream([target(first), target(second, replace(SECOND, accepts_prefill=True))])
        assert (heard.text, heard.error) == (LONG, None)
        assert "Reset" not in heard.kinds
        sent = second.requests[0].json["messages"][-1]
        assert sent["role"] == "assistant"
        assert LONG.startswith(sent["content"])
        refused = ["second bad_request"] if how == "refuse" else []
        assert asker.outcomes == ["primary cut", *refused, "second ok"]


async def test_a_prefill_is_not_tried_when_a_refusal_could_not_be_made_good() -> None:
    async with two_providers() as (first, second, asker):
        first.reply(Reply(LONG, cut_after=14))
        second.reply(Reply(LONG, prefill="refuse"))
        heard = await asker.stream(
            [target(first), target(second, replace(SECOND, accepts_prefill=True))],
            limits=replace(PATIENT, max_retries=1),
        )
        assert (heard.text, heard.error) == (LONG, None)


async def test_json_is_made_anew_and_not_gone_on_with() -> None:
    answer = json.dumps({"text": LONG})
    async with two_providers() as (first, second, asker):
        first.reply(Reply(answer, cut_after=14))
        second.reply(Reply(answer))
        request = replace(REQUEST, response_schema=JsonSchema("answer", {"type": "object"}))
        row = replace(SECOND, accepts_prefill=True)
        heard = await asker.stream([target(first), target(second, row)], request=request)
        assert json.loads(heard.text) == {"text": LONG}
        assert second.requests[0].json["messages"][-1]["role"] == "user"
