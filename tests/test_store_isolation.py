"""Tenants do not see one another: by every function, and by SQL of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from shared.errors import Forbidden, NotFound
from shared.store.migrate import read_migrations
from shared.store.store import Store
from shared.types import Attempt, Caller, Outcome, Task, Usage
from tests.store_samples import ALICE, BOB, MODEL, chunks, index, vector

TABLES = ("documents_reference", "document_chunks", "document_analysis", "ai_usage")
FOREIGN = Caller(tenant_id=BOB.tenant_id, claims={"sub": BOB.tenant_id, "tenant_id": ALICE.tenant_id})


def attempt(caller: Caller) -> Attempt:
    return Attempt(
        request_id="r",
        tenant_id=caller.tenant_id,
        task=Task.QA,
        provider="p",
        model="m",
        outcome=Outcome.OK,
        usage=Usage(1, 2),
        cost_usd=Decimal(1),
        started_at=datetime.now(UTC),
        duration_ms=1.0,
    )


@pytest.fixture
async def alices(store: Store) -> Store:
    """A store where Alice has one of everything."""
    await index(store, ALICE, "a", chunks("secret"), {"secret": vector(1, 0)})
    document = (await store.get_document(ALICE, "a")).document
    await store.put_analysis(
        ALICE, document_id="a", analysis_type="t", content_hash=document.content_hash, version="1", result={}
    )
    await store.record_usage([attempt(ALICE)])
    return store


@contextmanager
def as_role(url: str, role: str, caller: Caller | None = None) -> Iterator[psycopg.Connection[Any]]:
    """A transaction as PostgREST makes it."""
    with psycopg.connect(url) as connection:
        claims = json.dumps(dict(caller.claims)) if caller else ""
        connection.execute(
            "select set_config('role', %s, true), set_config('request.jwt.claims', %s, true)", (role, claims)
        )
        yield connection
        connection.rollback()


@pytest.mark.parametrize("other", [BOB, FOREIGN], ids=["another tenant", "a forged claim"])
async def test_no_function_shows_or_changes_another_tenants_rows(alices: Store, other: Caller) -> None:
    document = (await alices.get_document(ALICE, "a", analysis_type="t")).document
    with pytest.raises(NotFound):
        await alices.get_document(other, "a", analysis_type="t")
    with pytest.raises(NotFound):
        await alices.delete_document(other, "a")
    with pytest.raises(NotFound):
        await alices.replace_chunks(
            other, document_id="a", content_hash=document.content_hash, model=None, chunks=[], vectors={}
        )
    assert not await alices.put_analysis(
        other, document_id="a", analysis_type="t", content_hash=document.content_hash, version="2", result={}
    )
    assert await alices.list_documents(other) == []
    assert await alices.embedded_text_hashes(other, "a", MODEL) == frozenset()
    found = await alices.match_document_chunks(
        other, query_text="secret", query_embedding=vector(1, 0), query_model=MODEL, document_ids=["a"]
    )
    assert (found.matches, found.stale_chunks) == ((), 0)
    assert (await alices.usage(other, since=timedelta(days=1))).rows == ()
    with pytest.raises(Forbidden):
        await alices.record_usage([attempt(ALICE)], caller=other)
    assert (await alices.get_document(ALICE, "a", analysis_type="t")).analysis == {}
    assert len((await alices.match_document_chunks(ALICE, query_text="secret")).matches) == 1


async def test_two_tenants_may_use_the_same_document_id(alices: Store) -> None:
    await index(alices, BOB, "a", chunks("bobs"))
    await alices.delete_document(ALICE, "a")
    assert (await alices.get_document(BOB, "a")).document.content == "bobs"
    assert len((await alices.match_document_chunks(BOB, query_text="bobs")).matches) == 1


async def test_the_service_role_still_acts_for_the_tenant_of_its_claims(alices: Store) -> None:
    service = Caller(tenant_id=BOB.tenant_id, role="service_role")
    assert await alices.list_documents(service) == []
    found = await alices.match_document_chunks(service, query_text="secret")
    assert found.matches == ()
    with pytest.raises(NotFound):
        await alices.delete_document(service, "a")
    mine = Caller(tenant_id=ALICE.tenant_id, role="service_role")
    assert len(await alices.list_documents(mine)) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "select * from worded_chunks(search_lexemes('secret'), null, 10)",
        "select * from nearest_chunks("
        "array_fill(1.0, array[1536])::extensions.halfvec, 'test-model', null, 10)",
    ],
)
async def test_the_rankings_alone_are_of_one_tenant_even_where_row_level_security_is_bypassed(
    alices: Store, database_url: str, statement: str
) -> None:
    for caller, count in ((BOB, 0), (ALICE, 1)):
        with as_role(database_url, "service_role", caller) as connection:
            assert len(connection.execute(statement.encode()).fetchall()) == count


@pytest.mark.parametrize("table", TABLES)
async def test_sql_as_another_tenant_reads_and_changes_nothing(
    alices: Store, database_url: str, table: str
) -> None:
    with as_role(database_url, "authenticated", BOB) as connection:
        assert connection.execute(f"select * from {table}").fetchall() == []
        if table != "ai_usage":
            assert connection.execute(f"update {table} set tenant_id = tenant_id").rowcount == 0
            assert connection.execute(f"delete from {table}").rowcount == 0
    with as_role(database_url, "authenticated", ALICE) as connection:
        assert len(connection.execute(f"select * from {table}").fetchall()) == 1


@pytest.mark.parametrize("table", TABLES)
async def test_no_row_can_be_given_to_another_tenant(alices: Store, database_url: str, table: str) -> None:
    with (
        as_role(database_url, "authenticated", ALICE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"update {table} set tenant_id = %s", (BOB.tenant_id,))
    with (
        as_role(database_url, "authenticated", BOB) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(
            "insert into documents_reference (tenant_id, document_id) values (%s, 'x')", (ALICE.tenant_id,)
        )


@pytest.mark.parametrize("table", TABLES)
def test_the_anonymous_role_may_not_even_look(database_url: str, table: str) -> None:
    with (
        as_role(database_url, "anon", ALICE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(f"select * from {table}")


@pytest.mark.parametrize("statement", ["update ai_usage set cost_usd = 0", "delete from ai_usage"])
async def test_the_ledger_is_append_only_for_its_tenant(
    alices: Store, database_url: str, statement: str
) -> None:
    with (
        as_role(database_url, "authenticated", ALICE) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement)


def query(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_every_table_forces_row_level_security_and_starts_its_keys_with_the_tenant(database_url: str) -> None:
    assert (
        query(
            database_url,
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace "
            "and not (relrowsecurity and relforcerowsecurity)",
        )
        == []
    )
    keys = query(
        database_url,
        """
        select conrelid::regclass::text, conname, (
          select attname::text from pg_attribute where attrelid = conrelid and attnum = conkey[1]
        )
        from pg_constraint where connamespace = 'public'::regnamespace and contype in ('p', 'u', 'f')
        """,
    )
    assert {row[0] for row in keys} == set(TABLES)
    assert {row[2] for row in keys} == {"tenant_id"}


def test_every_function_runs_as_its_caller_on_a_fixed_path_and_not_for_everyone(database_url: str) -> None:
    functions = query(
        database_url,
        """
        select p.oid::regprocedure::text, p.prosecdef, p.proconfig::text,
          has_function_privilege('anon', p.oid, 'execute'),
          has_function_privilege('authenticated', p.oid, 'execute'),
          has_function_privilege('service_role', p.oid, 'execute')
        from pg_proc as p where p.pronamespace = 'public'::regnamespace
        """,
    )
    assert len(functions) > 15
    for signature, definer, config, anon, authenticated, service in functions:
        assert (definer, anon, authenticated, service) == (False, False, True, True), signature
        assert "search_path=" in (config or ""), signature


def test_the_schema_names_the_newest_migration_as_its_version(database_url: str) -> None:
    assert query(database_url, "select version from schema_version()") == [(read_migrations()[-1].version,)]
