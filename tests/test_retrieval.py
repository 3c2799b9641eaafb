"""Retrieval against the real database."""

from __future__ import annotations

import pytest

from shared.errors import AllProvidersFailed, ProviderTimeout
from shared.indexing import index_document
from shared.retrieval import MAX_QUERY, Retrieved, retrieve, threshold
from shared.store.store import Store
from tests.store_samples import ALICE, BOB, put
from tests.test_indexing import CONTEXT, CountingEmbedder

DOCUMENTS = {
    "keys": "# Keys\n\nKeys are rotated every ninety days by the night job.",
    "caches": "# Caches\n\nThe cache holds sixty-four entries and forgets the oldest.",
    "queues": "# Queues\n\nA queue keeps its messages until they are acknowledged.",
}


@pytest.fixture
async def embedder(store: Store) -> CountingEmbedder:
    """Three documents of Alice's are indexed with it."""
    embedder = CountingEmbedder("builtin/hashed-words-v1")
    for document_id, content in DOCUMENTS.items():
        document = await put(store, ALICE, document_id, content)
        await index_document(store, embedder, ALICE, document, context=CONTEXT)
    embedder.asked.clear()
    return embedder


async def ask(
    store: Store,
    embedder: CountingEmbedder,
    query: str,
    document_ids: list[str] | None = None,
    count: int = 8,
) -> Retrieved:
    return await retrieve(
        store, embedder, ALICE, query=query, document_ids=document_ids, count=count, context=CONTEXT
    )


async def test_the_passage_a_question_is_about_comes_first(store: Store, embedder: CountingEmbedder) -> None:
    found = await ask(store, embedder, "How often are the keys rotated?")
    assert found.embedded
    assert found.matches[0].document_id == "keys"
    assert found.matches[0].similarity is not None
    assert embedder.asked == ["How often are the keys rotated?"]


async def test_a_word_in_another_form_is_found_by_its_vector(
    store: Store, embedder: CountingEmbedder
) -> None:
    found = await ask(store, embedder, "unacknowledged")
    assert [match.document_id for match in found.matches] == ["queues"]


async def test_only_the_documents_asked_for_are_searched(store: Store, embedder: CountingEmbedder) -> None:
    found = await ask(store, embedder, "How often are the keys rotated?", ["caches", "queues"])
    assert "keys" not in {match.document_id for match in found.matches}
    assert (await ask(store, embedder, "keys", [])).matches == ()


async def test_no_more_than_asked_for_come_back(store: Store, embedder: CountingEmbedder) -> None:
    assert len((await ask(store, embedder, "keys cache queue", count=2)).matches) == 2


async def test_what_resembles_nothing_is_not_found(store: Store, embedder: CountingEmbedder) -> None:
    assert (await ask(store, embedder, "Zebra crossings in Finland")).matches == ()


@pytest.mark.parametrize("error", [AllProvidersFailed("down"), ProviderTimeout("late")])
async def test_a_query_that_cannot_be_embedded_is_answered_by_words(
    store: Store, embedder: CountingEmbedder, error: AllProvidersFailed | ProviderTimeout
) -> None:
    embedder.error = error
    found = await ask(store, embedder, "How often are the keys rotated?")
    assert not found.embedded
    assert [match.document_id for match in found.matches] == ["keys"]
    assert found.matches[0].similarity is None


async def test_vectors_of_another_model_are_not_compared(store: Store, embedder: CountingEmbedder) -> None:
    other = CountingEmbedder("openai/other")
    found = await ask(store, other, "unacknowledged")
    assert found.matches == ()
    assert found.embedded


@pytest.mark.parametrize("query", ["", " \n", "?!", "the of and", "\0", "x" * 50_000, "' | & ! :*"])
async def test_any_query_is_answered(store: Store, embedder: CountingEmbedder, query: str) -> None:
    found = await ask(store, embedder, query)
    assert found.matches == ()
    assert all(len(text) <= MAX_QUERY for text in embedder.asked)


async def test_a_blank_query_asks_no_embedder(store: Store, embedder: CountingEmbedder) -> None:
    assert not (await ask(store, embedder, " \n")).embedded
    assert embedder.asked == []


async def test_chunks_of_older_content_are_counted_and_not_found(
    store: Store, embedder: CountingEmbedder
) -> None:
    await put(store, ALICE, "keys", "# Keys\n\nThere are none.")
    found = await ask(store, embedder, "How often are the keys rotated?")
    assert "keys" not in {match.document_id for match in found.matches}
    assert found.stale_chunks == 1


async def test_another_tenants_documents_are_not_found(store: Store, embedder: CountingEmbedder) -> None:
    found = await retrieve(store, embedder, BOB, query="keys", document_ids=None, context=CONTEXT)
    assert found == Retrieved((), 0, embedded=True)


def test_each_kind_of_model_has_its_threshold() -> None:
    assert threshold("builtin/hashed-words-v1") != threshold("openai/text-embedding-3-small")
