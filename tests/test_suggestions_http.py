"""Suggestions over HTTP: what the editor puts in at the cursor, whatever a model answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from shared.text.tokens import estimate_tokens
from tests.marginalia import events_of, with_simulators
from tests.simulator import Simulator

PATH = "/functions/v1/generate-suggestions"
CURSOR = "‸"
MOST_TOKENS = 3500  # of a whole prompt, 800 of them the instructions
ONE_A_BYTE = 7000  # where every other character is a token


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator
    openai: Simulator

    async def items(self, marked: str, answer: str, **body: Any) -> list[str]:
        """The suggestions at the mark in a text. Their deltas add up to them."""
        self.together.reply_text(answer)
        before, _, after = marked.partition(CURSOR)
        position = {"line": before.count("\n"), "character": len(before.rpartition("\n")[2])}
        sent = {"content": before + after, "cursor_position": position, **body}
        events = await events_of(await self.client.post(PATH, json=sent))
        assert events[-1][0] == "done", events
        items = {data["index"]: data["text"] for name, data in events if name == "item"}
        streamed = dict.fromkeys(items, "")
        for name, data in events:
            if name == "delta":
                streamed[data["index"]] += data["text"]
        assert streamed == items
        return [items[index] for index in sorted(items)]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with with_simulators(database_url) as (client, together, openai):
        yield World(client, together, openai)


# A text with a cursor, what a model answers, and what is put in there.
CASES = {
    "the text before is not repeated": (
        "We ship on ‸",
        "We ship on Tuesday.",
        "Tuesday.",
    ),
    "nor the text after": (
        "We ship ‸ at ten o'clock sharp.",
        "on Tuesday at ten o'clock sharp.",
        "on Tuesday",
    ),
    "half a word is completed": ("The har‸", "harbour opens at six.", "bour opens at six."),
    "a list goes on as a list": ("- Apples\n- ‸", "- Pears", "Pears"),
    "a numbered list too": ("1. Open\n2. ‸", "2. Close it.", "Close it."),
    "a table cell stays one line": (
        "| Name | Use |\n| --- | --- |\n| ack | ‸ |",
        "stored\nby the service | never |",
        "stored by the service",
    ),
    "a heading stays one line": ("# Plan for ‸ of May", "the end\n\nThere are none.", "the end"),
    "code comes without a fence": (
        "```python\ndef add(a, b):\n    ‸\n```\n",
        "```python\nreturn a + b\n```",
        "return a + b",
    ),
    "what it opens it closes": ("The rule: ‸", "**always lock the door", "**always lock the door**"),
    "code marks too": ("Run ‸", "`make test to see", "`make test to see`"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("mode", ["suggest", "inline"])
async def test_what_is_put_in_fits_its_place(world: World, case: str, mode: str) -> None:
    marked, answer, expected = CASES[case]
    (item,) = await world.items(marked, answer, mode=mode, count=1)
    assert item.strip() == expected


async def test_separate_suggestions_have_indexes_of_their_own_and_no_more_than_asked_for(
    world: World,
) -> None:
    answer = "on Tuesday.\n<<<NEXT>>>\nafter the review.\n<<<NEXT>>>\nwith care."
    assert len(await world.items("We ship ‸", answer, count=3)) == 3
    assert len(await world.items("We ship ‸", answer, count=2)) == 2
    assert len(await world.items("We ship ‸", answer, mode="inline")) == 1


async def test_the_prompt_holds_both_sides_the_headings_and_related_passages(world: World) -> None:
    other = "# Tides\n\nThe harbour opens when the tide turns, at six.\n"
    await world.client.put("/functions/v1/documents/tides", json={"markdown_content": other})
    await world.items("# Guide\n\n## Opening\n\nThe harbour opens ‸\n\n## Closing\n\nIt closes.", "at six.")
    (request,) = world.together.requests
    for part in ("Guide › Opening", "The harbour opens ", "## Closing", "when the tide turns"):
        assert part in request.prompt


@pytest.mark.parametrize(
    ("text", "most"),
    [
        ("word " * 50_000, MOST_TOKENS),
        ("码头六点开门。" * 30_000, MOST_TOKENS),
        ("😀🚢" * 30_000, MOST_TOKENS),
        ("Пристань открыта. " * 20_000, MOST_TOKENS),
        ("x1-" * 60_000, ONE_A_BYTE),
    ],
    ids=["English", "Chinese", "emoji", "Russian", "signs"],
)
async def test_the_prompt_keeps_to_its_budget_however_long_the_text(
    world: World, text: str, most: int
) -> None:
    heading = "# " + text[:20_000] + "\n\n"
    await world.items(f"{heading}{text}{CURSOR}{text}", "More.")
    (request,) = world.together.requests
    assert estimate_tokens(request.prompt) <= most
