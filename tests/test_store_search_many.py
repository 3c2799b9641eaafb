"""Search over many chunks: by the index, and as good as without it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, LiteralString

import numpy
import psycopg
import pytest

from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from tests.store_samples import ALICE, BOB, MODEL, chunks, index, vector

if TYPE_CHECKING:
    from numpy import float32
    from numpy.typing import NDArray

DOCUMENTS, CHUNKS_EACH = 3, 701  # more than the number up to which a search is exact
DIRECTIONS = numpy.random.default_rng(7).normal(size=(DOCUMENTS * CHUNKS_EACH, 16)).astype(numpy.float32)
MINE = {f"mine {n}": vector(1, *([0.0] * n), 1) for n in range(8)}

NEAREST = """
select count(*) from nearest_chunks(
  (array[1, 0] || array_fill(0::real, array[1534]))::extensions.halfvec(1536), %s, %s, 20
)
"""
INDEX_DEFINITION = "select pg_get_indexdef('document_chunks_embedding'::regclass)"
INDEX_SCANS = "select idx_scan from pg_stat_user_indexes where indexrelname = 'document_chunks_embedding'"


def name(number: int) -> str:
    return f"d{number // CHUNKS_EACH} c{number % CHUNKS_EACH}"


async def fill(url: str) -> None:
    """Alice has many chunks of one model and one of another; Bob has a few."""
    store = Store(PostgresTransport(url))
    for number in range(DOCUMENTS):
        names = [name(number * CHUNKS_EACH + part) for part in range(CHUNKS_EACH)]
        vectors = dict(zip(names, DIRECTIONS[number * CHUNKS_EACH :], strict=False))
        await index(store, ALICE, f"d{number}", chunks(*names), vectors)
    await index(store, ALICE, "rare", chunks("rare"), {"rare": vector(-1, 0)}, model="rare")
    await index(store, BOB, "mine", chunks(*MINE), MINE)
    await store.close()


@pytest.fixture(scope="module")
def many_chunks(database_server: str) -> str:
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute("truncate documents_reference, ai_usage cascade")
        [definition] = connection.execute(INDEX_DEFINITION).fetchone() or ("",)
        connection.execute(
            "drop index document_chunks_embedding"
        )  # made at once it takes a tenth of the time
        asyncio.run(fill(database_server))
        connection.execute(definition)
        connection.execute("analyze documents_reference")
        connection.execute("analyze document_chunks")
    return database_server


@pytest.fixture
async def full_store(many_chunks: str) -> AsyncIterator[Store]:
    opened = Store(PostgresTransport(many_chunks))
    yield opened
    await opened.close()


def nearest(query: NDArray[float32], count: int) -> set[str]:
    unit = DIRECTIONS / numpy.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
    return {name(int(number)) for number in numpy.argsort(-(unit @ query))[:count]}


async def test_it_finds_what_an_exact_search_finds(full_store: Store) -> None:
    recalled = 0
    for seed in range(10):
        query = numpy.random.default_rng(100 + seed).normal(size=16).astype(numpy.float32)
        found = await full_store.match_document_chunks(
            ALICE, query_text=None, query_embedding=query, query_model=MODEL, match_threshold=-1
        )
        recalled += len(nearest(query, 10) & {match.text for match in found.matches})
    assert recalled >= 95


async def test_the_nearest_come_in_order_and_each_once(full_store: Store) -> None:
    found = await full_store.match_document_chunks(
        ALICE, query_text=None, query_embedding=vector(1, 2, 3), query_model=MODEL, match_count=50
    )
    similarities = [match.similarity or 0 for match in found.matches]
    assert similarities == sorted(similarities, reverse=True)
    assert len({match.chunk_id for match in found.matches}) == len(found.matches) == 50


async def test_a_small_tenant_beside_a_large_one_finds_all_of_its_own(full_store: Store) -> None:
    found = await full_store.match_document_chunks(
        BOB, query_text=None, query_embedding=vector(-1, 0.1), query_model=MODEL, match_threshold=-1
    )
    assert {match.text for match in found.matches} == set(MINE)


async def test_a_rare_model_among_many_chunks_of_another_is_found(full_store: Store) -> None:
    found = await full_store.match_document_chunks(
        ALICE, query_text=None, query_embedding=vector(1, 0), query_model="rare", match_threshold=-1
    )
    assert [match.text for match in found.matches] == ["rare"]


async def test_where_the_index_gives_up_too_early_the_search_is_exact(many_chunks: str) -> None:
    with psycopg.connect(many_chunks, autocommit=True) as connection:
        connection.execute("load 'vector'")
        connection.execute("alter database postgres set enable_sort = off")
        connection.execute("alter database postgres set hnsw.max_scan_tuples = 1")
        store = Store(PostgresTransport(many_chunks))
        try:
            found = await store.match_document_chunks(
                ALICE, query_text=None, query_embedding=vector(1, 0), query_model="rare", match_threshold=-1
            )
        finally:
            connection.execute("alter database postgres reset all")
            await store.close()
    assert [match.text for match in found.matches] == ["rare"]


def test_the_index_can_serve_it_and_never_serves_a_search_within_one_document(many_chunks: str) -> None:
    """With sorting made dear, for at this size the planner may rightly prefer it."""

    def one(query: LiteralString) -> int:
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])

    def scans_of(document_ids: list[str] | None) -> int:
        before = one(INDEX_SCANS)
        with connection.transaction():
            connection.execute("set local enable_sort = off")
            connection.execute("set local role authenticated")
            connection.execute(
                "select set_config('request.jwt.claims', %s, true)", (json.dumps(dict(ALICE.claims)),)
            )
            assert connection.execute(NEAREST, (MODEL, document_ids)).fetchone() == (20,)
            connection.execute("reset role")
            connection.execute("select pg_stat_force_next_flush()")
        return one(INDEX_SCANS) - before

    with psycopg.connect(many_chunks, autocommit=True) as connection:
        assert scans_of(None) == 1
        assert scans_of([f"d{number}" for number in range(DOCUMENTS)]) == 1
        assert scans_of(["d1"]) == 0
