"""Citations' anchors: made from the document's own text, so that no twin of a passage is taken for it."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.retrieval import with_places
from shared.tasks import sources
from shared.tasks.answers import passage_anchor
from shared.text.anchors import make_anchor, verify
from shared.text.positions import Utf16Text
from shared.types import Anchor, Match
from tests.marginalia import events_of, marginalia, two_providers
from tests.simulator import Simulator
from tests.test_anchors import TEXTS

PATH = "/functions/v1/answer-question"
QUESTION = "How long is the red key held?"
QUOTE = "hold the red key for nine seconds"
STEPS = (
    "Open the cover and look for the lamp beside the small switch. Then, with the other hand, "
    f"{QUOTE} until the lamp goes out. Close the cover again, and wait for the tone that follows.\n\n"
)
MANUAL = "# Manual 😀\n\n" + "".join(f"## {name}\n\n{STEPS}" for name in ("Pump", "Mixer", "Dryer"))


@dataclass
class World:
    client: httpx.AsyncClient
    together: Simulator

    async def ask(self, question: str = QUESTION) -> Any:
        answer = await self.client.post(PATH, json={"question": question, "document_id": "manual"})
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def rebased(self, anchor: dict[str, Any], content: str) -> Any:
        body = {"anchors": [anchor], "content": content}
        answer = await self.client.post("/functions/v1/rebase-anchors", json=body)
        return answer.json()["anchors"][0]


@pytest.fixture
async def world(database_url: str) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        together = await stack.enter_async_context(Simulator())
        environ = two_providers(together.base_url, together.base_url)
        client = await stack.enter_async_context(marginalia(database_url, environ))
        stored = await client.put("/functions/v1/documents/manual", json={"markdown_content": MANUAL})
        assert stored.status_code == 200, stored.text
        together.reply_text(f'The manual says: "{QUOTE}" [1].')
        yield World(client, together)


def is_told_apart(anchor: dict[str, Any]) -> bool:
    """Whether each side alone, with the quote, stands in the manual once."""
    exact, prefix, suffix = (anchor["quote"][part] for part in ("exact", "prefix", "suffix"))
    return MANUAL.count(prefix + exact) == MANUAL.count(exact + suffix) == 1


def stands(anchor: dict[str, Any], content: str) -> bool:
    units = content.encode("utf-16-le")
    start, end = anchor["position"]["start"] * 2, anchor["position"]["end"] * 2
    return bool(
        units[start:end].decode("utf-16-le") == anchor["quote"]["exact"]
        and anchor["content_hash"] == hashlib.sha256(content.encode()).hexdigest()
    )


async def test_a_citation_s_surroundings_tell_it_from_the_same_words_elsewhere(world: World) -> None:
    (citation,) = (await world.ask())["citations"]
    assert citation["anchor"]["quote"]["exact"] == QUOTE
    assert stands(citation["anchor"], MANUAL)
    assert is_told_apart(citation["anchor"])


async def test_so_do_those_of_documents_that_are_read_whole(world: World) -> None:
    answer = await world.ask("List all keys that are held")
    assert answer["meta"]["whole"] is True
    assert all(is_told_apart(citation["anchor"]) for citation in answer["citations"])
    assert answer["citations"]


async def test_passages_that_are_offered_are_told_apart_as_well(world: World) -> None:
    world.together.reply_text("The documents do not say.")
    offered = (await world.ask())["meta"]["offered"]
    assert offered
    assert all(stands(one["anchor"], MANUAL) and is_told_apart(one["anchor"]) for one in offered)


async def test_a_citation_whose_words_are_gone_does_not_go_to_their_twin(world: World) -> None:
    (citation,) = (await world.ask())["citations"]
    start = Utf16Text(MANUAL).to_index(citation["anchor"]["position"]["start"])
    for number in range(MANUAL.count(QUOTE)):
        parts = MANUAL.split(QUOTE)
        own = len(QUOTE.join(parts[: number + 1])) == start
        newer = QUOTE.join(parts[: number + 1]) + "turn it off" + QUOTE.join(parts[number + 1 :])
        result = await world.rebased(citation["anchor"], newer)
        assert (result["status"] == "stale") == own


async def test_a_citation_names_the_version_that_was_found_though_it_has_changed_since(
    world: World, database_url: str
) -> None:
    def change(_: object) -> str:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("update documents_reference set markdown_content = 'Something else.'")
        return f'The manual says: "{QUOTE}" [1].'

    world.together.respond(change)
    (citation,) = (await world.ask())["citations"]
    assert stands(citation["anchor"], MANUAL)
    assert is_told_apart(citation["anchor"])


async def test_without_the_document_s_text_a_citation_still_stands_where_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TEXT_BYTES", len(MANUAL.encode()) - 1)
    (citation,) = (await world.ask())["citations"]
    assert stands(citation["anchor"], MANUAL)


async def test_a_stream_s_citations_are_those_it_ends_with(world: World) -> None:
    body = {"question": QUESTION, "document_id": "manual", "stream": True}
    events = await events_of(await world.client.post(PATH, json=body))
    sent = [data for name, data in events if name == "citation"]
    assert sent == events[-1][1]["citations"]
    assert all(is_told_apart(citation["anchor"]) for citation in sent)
    assert sent


async def test_places_in_long_texts_are_those_of_short_ones() -> None:
    content = MANUAL * 500
    counted = await with_places({"short": MANUAL, "long": content})
    for name, text in (("short", MANUAL), ("long", content)):
        assert counted[name].text == text
        assert counted[name].utf16_length == len(text.encode("utf-16-le")) // 2


def cited(content: str, span: tuple[int, int], start: int, end: int, *, whole: bool) -> Anchor:
    """The anchor of content[start:end] as it is cited from the passage that is content[slice(*span)]."""
    text = Utf16Text(content)
    first, last = span
    match = Match(
        "chunk", "doc", "Title", "hash", content[first:last], text.to_utf16(first), text.to_utf16(last),
        0, 0, (), None, 0.0,
    )  # fmt: skip
    texts: Mapping[str, Utf16Text] = {"hash": text} if whole else {}
    return passage_anchor(match, start - first, end - first, texts)


@given(TEXTS.filter(bool), st.data())
def test_a_citation_s_anchor_is_the_one_that_is_made_of_the_whole_text(
    content: str, data: st.DataObject
) -> None:
    first, start, end, last = sorted(data.draw(st.tuples(*[st.integers(0, len(content))] * 4)))
    if start == end:
        return
    anchor = cited(content, (first, last), start, end, whole=True)
    assert anchor == make_anchor(Utf16Text(content), start, end, content_hash="hash", document_id="doc")
    alone = cited(content, (first, last), start, end, whole=False)
    assert (alone.position, alone.quote.exact) == (anchor.position, anchor.quote.exact)
    assert verify(Utf16Text(content), alone)
