"""Replacing a document's chunks: atomic, and never embedding twice what has not changed."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.errors import NotFound, RevisionSuperseded, Unprocessable
from shared.store.postgres import PostgresTransport
from shared.store.records import chunk_row
from shared.store.store import IndexCounts, JsonArgument, Store
from tests.store_samples import ALICE, BOB, MODEL, chunk, chunks, index, put, vector

V = {"one": vector(1, 0), "two": vector(0, 1), "three": vector(1, 1), "four": vector(1, 2)}


def rows(database_url: str, columns: LiteralString) -> list[Any]:
    with psycopg.connect(database_url) as connection:
        return connection.execute(
            f"select {columns} from document_chunks order by tenant_id, document_id, ordinal"
        ).fetchall()


async def test_an_edit_embeds_only_what_is_new_and_removes_what_is_gone(store: Store) -> None:
    first = await index(store, ALICE, "a", chunks("one", "two", "three"), V)
    assert first == IndexCounts(total=3, embedded=3, reused=0, removed=0)
    assert len(await store.embedded_text_hashes(ALICE, "a", MODEL)) == 3
    second = await index(store, ALICE, "a", chunks("four", "one", "three"), {"four": V["four"]})
    assert second == IndexCounts(total=3, embedded=1, reused=2, removed=1)


async def test_a_chunk_keeps_its_id_while_its_text_stands_wherever_it_moves(
    store: Store, database_url: str
) -> None:
    await index(store, ALICE, "a", chunks("one", "two"), V)
    before = dict(rows(database_url, "content, chunk_id"))
    await index(store, ALICE, "a", chunks("new", "two", "one"), V)
    after = rows(database_url, "content, chunk_id, ordinal, start_offset, start_line")
    assert [(row[0], *row[2:]) for row in after] == [
        ("new", 0, 0, 0),
        ("two", 1, 1000, 1),
        ("one", 2, 2000, 2),
    ]
    assert {content: chunk_id for content, chunk_id, *_ in after if content != "new"} == before


async def test_ids_differ_between_documents_and_between_repetitions_of_a_text(
    store: Store, database_url: str
) -> None:
    await index(store, ALICE, "a", chunks("same", "same"))
    await index(store, ALICE, "b", chunks("same"))
    await index(store, ALICE, "b", [chunk("same", heading_path=("Elsewhere",))])
    assert len({row[0] for row in rows(database_url, "chunk_id")}) == 3


async def test_a_repeated_text_shares_one_stored_vector(store: Store, database_url: str) -> None:
    await index(store, ALICE, "a", chunks("one"), V)
    counts = await index(store, ALICE, "a", chunks("one", "one", "one"))
    assert counts == IndexCounts(total=3, embedded=0, reused=3, removed=0)
    assert {row[0] for row in rows(database_url, "embedding_model")} == {MODEL}
    assert len({row[0] for row in rows(database_url, "embedding::text")}) == 1


async def test_a_chunk_without_a_vector_takes_that_of_the_same_text(store: Store, database_url: str) -> None:
    await index(store, ALICE, "a", chunks("one"), V)
    await index(store, ALICE, "a", chunks("one", "one"), model=None)
    await index(store, ALICE, "a", chunks("one", "one", "two"), {"two": V["two"]}, model="other")
    counts = await index(store, ALICE, "a", chunks("two", "one", "one"))
    assert counts == IndexCounts(total=3, embedded=0, reused=2, removed=0)
    assert [row[0] for row in rows(database_url, "embedding_model")] == ["other", MODEL, MODEL]
    assert [row[0] for row in rows(database_url, "ordinal")] == [0, 1, 2]


async def test_another_model_reuses_no_vector_and_replaces_them_as_its_own_arrive(store: Store) -> None:
    await index(store, ALICE, "a", chunks("one", "two"), V)
    assert await store.embedded_text_hashes(ALICE, "a", "other") == frozenset()
    counts = await index(store, ALICE, "a", chunks("one", "two"), {"one": V["four"]}, model="other")
    assert counts == IndexCounts(total=2, embedded=1, reused=0, removed=0)
    assert len(await store.embedded_text_hashes(ALICE, "a", "other")) == 1
    assert len(await store.embedded_text_hashes(ALICE, "a", MODEL)) == 1


async def test_without_an_embedder_stored_vectors_stay(store: Store) -> None:
    await index(store, ALICE, "a", chunks("one"), V)
    counts = await index(store, ALICE, "a", chunks("one", "two"), model=None)
    assert counts == IndexCounts(total=2, embedded=0, reused=0, removed=0)
    assert len(await store.embedded_text_hashes(ALICE, "a", MODEL)) == 1


async def test_chunks_of_content_that_has_moved_on_are_refused_and_nothing_changes(
    store: Store, database_url: str
) -> None:
    await index(store, ALICE, "a", chunks("one"), V)
    old = (await store.get_document(ALICE, "a")).document
    await put(store, ALICE, "a", "changed")
    before = rows(database_url, "*")
    with pytest.raises(RevisionSuperseded):
        await store.replace_chunks(
            ALICE,
            document_id="a",
            content_hash=old.content_hash,
            model=MODEL,
            chunks=chunks("two"),
            vectors={},
        )
    assert rows(database_url, "*") == before


async def test_chunks_of_an_unknown_document_are_refused(store: Store) -> None:
    await put(store, BOB, "a", "text")
    with pytest.raises(NotFound):
        await store.replace_chunks(
            ALICE, document_id="a", content_hash="x", model=None, chunks=chunks("one"), vectors={}
        )


async def test_an_empty_document_has_no_chunks_and_counts_as_indexed(store: Store) -> None:
    await index(store, ALICE, "a", chunks("one"), V)
    assert await index(store, ALICE, "a", []) == IndexCounts(total=0, embedded=0, reused=0, removed=1)
    assert [summary.indexed for summary in await store.list_documents(ALICE)] == [True]


async def test_a_failing_replacement_leaves_the_old_chunks(store: Store, database_url: str) -> None:
    await index(store, ALICE, "a", chunks("one", "two"), V)
    before = rows(database_url, "*")
    document = (await store.get_document(ALICE, "a")).document
    for passages in ([*chunks("fine"), chunk("nul \0", 1)], [*chunks("fine"), chunk("half \ud83e", 1)]):
        with pytest.raises(Unprocessable):
            await store.replace_chunks(
                ALICE,
                document_id="a",
                content_hash=document.content_hash,
                model=MODEL,
                chunks=passages,
                vectors={},
            )
    assert rows(database_url, "*") == before


async def test_indexing_again_without_a_change_writes_no_row(store: Store, database_url: str) -> None:
    await index(store, ALICE, "a", chunks("one", "two"), V)
    before = rows(database_url, "xmin, ctid")
    await index(store, ALICE, "a", chunks("one", "two"))
    assert rows(database_url, "xmin, ctid") == before


async def test_an_edit_above_keeps_the_chunks_below_out_of_the_indexes(
    store: Store, database_url: str
) -> None:
    """An update that names no indexed column stays on its page (heap-only), off the HNSW graph."""

    def updates() -> tuple[int, int]:
        connection.execute("select pg_stat_force_next_flush()")
        row = connection.execute(
            "select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'document_chunks'"
        ).fetchone()
        assert row is not None
        return row

    await index(store, ALICE, "a", chunks("one", "two", "three"), V)
    edited = await put(store, ALICE, "a", "edited")
    passages = [chunk_row(passage) for passage in chunks("new", "one", "two", "three")]
    with psycopg.connect(database_url, autocommit=True) as connection:
        before = updates()
        with connection.transaction():
            connection.execute(
                "select set_config('request.jwt.claims', %s, true)", (json.dumps(dict(ALICE.claims)),)
            )
            connection.execute(
                "select * from replace_document_chunks('a', %s, %s, %s)",
                (edited.content_hash, json.dumps(passages), MODEL),
            )
        after = updates()
    assert (after[0] - before[0], after[1] - before[1]) == (3, 3)


async def test_concurrent_replacements_end_as_one_of_them_whole(database_url: str) -> None:
    stores = [Store(PostgresTransport(database_url, pool_size=2)) for _ in range(4)]
    document = await put(stores[0], ALICE, "a", "text")
    versions = [chunks(*(f"version {number} part {part}" for part in range(20))) for number in range(4)]

    async def replace(store: Store, number: int) -> IndexCounts:
        return await store.replace_chunks(
            ALICE,
            document_id="a",
            content_hash=document.content_hash,
            model=MODEL,
            chunks=versions[number],
            vectors={passage.text_hash: vector(1, number) for passage in versions[number]},
        )

    results = await asyncio.gather(*(replace(stores[n % 4], n % 4) for n in range(16)))
    assert {result.total for result in results} == {20}
    found = [row[0] for row in rows(database_url, "content")]
    assert found in [[passage.text for passage in version] for version in versions]
    for store in stores:
        await store.close()


async def test_writers_racing_with_indexing_never_leave_chunks_of_another_content_as_current(
    database_url: str,
) -> None:
    store = Store(PostgresTransport(database_url, pool_size=6))

    async def write_and_index(number: int) -> None:
        document = await put(store, ALICE, "a", f"content {number}")
        await store.replace_chunks(
            ALICE,
            document_id="a",
            content_hash=document.content_hash,
            model=None,
            chunks=chunks(f"content {number}"),
            vectors={},
        )

    results = await asyncio.gather(*(write_and_index(n) for n in range(20)), return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), RevisionSuperseded}
    document = (await store.get_document(ALICE, "a")).document
    matches = await store.match_document_chunks(ALICE, query_text="content")
    assert {match.text for match in matches.matches} <= {document.content}
    await store.close()


async def test_one_vector_is_needed_for_each_chunk(database_url: str) -> None:
    transport = PostgresTransport(database_url)
    with pytest.raises(Unprocessable):
        await transport.call(
            ALICE,
            "replace_document_chunks",
            {
                "p_document_id": "a",
                "p_content_hash": "x",
                "p_chunks": JsonArgument([{}, {}]),
                "p_model": MODEL,
                "p_vectors": [vector(1)],
            },
        )
    await transport.close()


def test_any_sequence_of_edits_leaves_each_chunk_with_the_vector_of_its_text(database_url: str) -> None:
    """A model of the table: what it should hold after each version of the document."""
    texts = ["one", "two", "three", "four"]
    vectors = {text: vector(1, number) for number, text in enumerate(texts)}
    halves = {text: f"[1,{number}," for number, text in enumerate(texts)}

    async def check(versions: list[list[str]]) -> None:
        before: Counter[str] = Counter()
        await put(store, ALICE, "a", "")
        await index(store, ALICE, "a", [])
        for version in versions:
            passages = chunks(*version)
            known = await store.embedded_text_hashes(ALICE, "a", MODEL)
            new = {passage.text for passage in passages if passage.text_hash not in known}
            assert new == set(version) - set(before)
            counts = await index(store, ALICE, "a", passages, {text: vectors[text] for text in new})
            embedded = sum(text in new for text in version)
            removed = (before - Counter(version)).total()
            assert counts == IndexCounts(len(version), embedded, len(version) - embedded, removed)
            found = rows(database_url, "content, embedding::text, content_hash, chunk_id")
            assert [row[0] for row in found] == version
            assert all(row[1].startswith(halves[row[0]]) for row in found)
            assert len({row[2] for row in found}) <= 1
            assert len({row[3] for row in found}) == len(version)
            before = Counter(version)

    with asyncio.Runner() as runner:
        store = Store(PostgresTransport(database_url))

        @settings(max_examples=25, deadline=None)
        @given(st.lists(st.lists(st.sampled_from(texts), max_size=6), min_size=1, max_size=5))
        def run(versions: list[list[str]]) -> None:
            runner.run(check(versions))

        run()
        runner.run(store.close())
