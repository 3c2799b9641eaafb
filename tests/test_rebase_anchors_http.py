from __future__ import annotations

import hashlib
from typing import Any

import httpx

from tests.marginalia import marginalia

TEXT = (
    "One 𝄞 stands at the very start of this text. "
    "After it comes a middle that is going to change: two. "
    "A little later there is something about three four five that stays. Six seven."
)


def anchor(exact: str, text: str = TEXT) -> dict[str, Any]:
    index = text.index(exact)
    start = len(text[:index].encode("utf-16-le")) // 2
    return {
        "document_id": None,
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
        "position": {"start": start, "end": start + len(exact.encode("utf-16-le")) // 2},
        "quote": {
            "exact": exact,
            "prefix": text[max(0, index - 32) : index],
            "suffix": text[index + len(exact) :][:32],
        },
    }


async def rebase(client: httpx.AsyncClient, **body: Any) -> httpx.Response:
    return await client.post("/functions/v1/rebase-anchors", json=body)


async def test_anchors_follow_their_words_or_are_stale(database_url: str) -> None:
    newer = TEXT.replace("two", "and another two").replace("Six seven", "Gone")
    async with marginalia(database_url) as client:
        anchors = [anchor("One"), anchor("three four five"), anchor("Six seven")]
        answer = await rebase(client, anchors=anchors, content=newer)
    rebased = answer.json()["anchors"]
    assert [one["status"] for one in rebased] == ["unchanged", "moved", "stale"]
    assert rebased[2]["anchor"] is None
    units = newer.encode("utf-16-le")
    for one in rebased[:2]:
        position = one["anchor"]["position"]
        assert (
            units[position["start"] * 2 : position["end"] * 2].decode("utf-16-le")
            == (one["anchor"]["quote"]["exact"])
        )
        assert one["anchor"]["content_hash"] == hashlib.sha256(newer.encode()).hexdigest()


async def test_anchors_are_mapped_onto_a_stored_document(database_url: str) -> None:
    async with marginalia(database_url) as client:
        await client.put("/functions/v1/documents/a", json={"markdown_content": f"New. {TEXT}"})
        answer = await rebase(client, anchors=[anchor("three")], document_id="a")
        unknown = await rebase(client, anchors=[], document_id="b")
    assert answer.json()["anchors"][0]["status"] == "moved"
    assert unknown.status_code == 404


async def test_one_text_must_be_named(database_url: str) -> None:
    async with marginalia(database_url) as client:
        neither = await rebase(client, anchors=[])
        both = await rebase(client, anchors=[], content="", document_id="a")
        wrong = await rebase(client, anchors=[{"content_hash": "x"}], content="")
    assert [answer.status_code for answer in (neither, both, wrong)] == [400, 400, 400]
    assert wrong.json()["error"]["param"] == "anchors[0].position"
