"""Passages come with the texts of their documents, in the same round trip, each text once."""

from __future__ import annotations

import pytest

from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.types import DocumentKind
from tests.store_samples import ALICE, BOB, MODEL, chunk, chunks, index, put, vector
from tests.test_store_transport import JsonOnly

PLENTY = 10**6  # bytes


async def text_of(store: Store, document_id: str) -> tuple[str, str]:
    document = (await store.get_document(ALICE, document_id)).document
    return document.content_hash, document.content


async def found_texts(store: Store, query: str, text_bytes: int) -> dict[str, str]:
    found = await store.match_document_chunks(ALICE, query_text=query, text_bytes=text_bytes)
    return dict(found.texts)


async def test_a_search_brings_the_text_of_each_document_once(store: Store) -> None:
    await index(store, ALICE, "a", chunks("apple one", "apple two", "something else"))
    await index(store, ALICE, "b", chunks("apple three 😀"))
    await index(store, ALICE, "c", chunks("pears alone"))
    found = await store.match_document_chunks(ALICE, query_text="apple", text_bytes=PLENTY)
    assert len(found.matches) == 3
    assert found.texts == dict([await text_of(store, "a"), await text_of(store, "b")])
    assert {match.content_hash for match in found.matches} == found.texts.keys()


async def test_a_search_brings_no_text_unless_it_is_asked_to(store: Store) -> None:
    await index(store, ALICE, "a", chunks("apple"))
    found = await store.match_document_chunks(ALICE, query_text="apple")
    assert (len(found.matches), found.texts) == (1, {})
    nothing = await store.match_document_chunks(ALICE, query_text="nowhere", text_bytes=PLENTY)
    assert (nothing.matches, nothing.texts) == ((), {})


async def test_a_text_that_is_over_the_bound_alone_keeps_no_other_one_back(store: Store) -> None:
    await index(store, ALICE, "long", chunks("apple pie", "and a lot that is not about it"))
    await index(store, ALICE, "short", chunks("apple"))
    short = dict([await text_of(store, "short")])
    assert await found_texts(store, "apple pie", 20) == short
    read = await store.read_chunks(ALICE, ["long", "short"], max_tokens=100, text_bytes=20)
    assert (len(read.matches), read.texts) == (3, short)


async def test_texts_over_the_bound_stay_behind_those_of_the_best_passages_first(store: Store) -> None:
    await index(store, ALICE, "worse", chunks("apple"))
    await index(store, ALICE, "better", chunks("ä apple pie"))  # 12 bytes
    better, worse = await text_of(store, "better"), await text_of(store, "worse")
    for text_bytes, expected in [(17, [better, worse]), (16, [better]), (11, [worse]), (4, [])]:
        assert await found_texts(store, "apple pie", text_bytes) == dict(expected)


@pytest.mark.parametrize("kind", DocumentKind)
async def test_the_text_is_the_document_s_context_whatever_its_kind(store: Store, kind: DocumentKind) -> None:
    content = '{"fruit":  "apple"}'
    document = await store.put_document(ALICE, document_id="a", title=None, kind=kind, content=content)
    await store.replace_chunks(
        ALICE,
        document_id="a",
        content_hash=document.content_hash,
        model=None,
        chunks=[chunk("apple")],
        vectors={},
    )
    texts = {document.content_hash: content}
    assert await found_texts(store, "apple", PLENTY) == texts
    assert (await store.read_chunks(ALICE, ["a"], max_tokens=10, text_bytes=PLENTY)).texts == texts


async def test_no_text_of_another_tenant_or_of_a_changed_document_comes_along(store: Store) -> None:
    await index(store, BOB, "a", chunks("apple of another"))
    await index(store, ALICE, "a", chunks("apple"))
    assert list((await found_texts(store, "apple", PLENTY)).values()) == ["apple"]
    read = await store.read_chunks(ALICE, ["a"], max_tokens=10, text_bytes=PLENTY)
    assert list(read.texts.values()) == ["apple"]
    await put(store, ALICE, "a", "apple, changed")
    assert await found_texts(store, "apple", PLENTY) == {}
    assert (await store.read_chunks(ALICE, ["a"], max_tokens=10, text_bytes=PLENTY)).texts == {}


async def test_documents_that_are_read_whole_come_with_their_texts(store: Store) -> None:
    await index(store, ALICE, "a", chunks("one", "two", "three"))
    await index(store, ALICE, "b", chunks("four", "five"))
    await index(store, ALICE, "long", chunks("six seven eight nine ten"))
    first, second = await text_of(store, "b"), await text_of(store, "a")
    asked = ["b", "a", "long"]
    read = await store.read_chunks(ALICE, asked, max_tokens=5, text_bytes=PLENTY)
    assert [match.text for match in read.matches] == ["four", "five", "one", "two", "three"]
    assert read.texts == dict([first, second])
    bounded = await store.read_chunks(ALICE, asked, max_tokens=5, text_bytes=len(first[1]))
    assert (bounded.matches, bounded.texts) == (read.matches, dict([first]))
    assert (await store.read_chunks(ALICE, asked, max_tokens=5)).texts == {}


async def test_texts_are_the_same_over_json(database_url: str) -> None:
    direct = Store(PostgresTransport(database_url))
    over_json = Store(JsonOnly(PostgresTransport(database_url)))
    await index(direct, ALICE, "a", chunks('apple "😀"\n\\'), {'apple "😀"\n\\': vector(1, 0)})
    texts = dict([await text_of(direct, "a")])
    for store in (direct, over_json):
        found = await store.match_document_chunks(
            ALICE, query_text="apple", query_embedding=vector(1, 0), query_model=MODEL, text_bytes=PLENTY
        )
        read = await store.read_chunks(ALICE, ["a"], max_tokens=10, text_bytes=PLENTY)
        assert found.texts == read.texts == texts
        await store.close()
