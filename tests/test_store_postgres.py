"""The psycopg transport: one round trip a call, no caller's rights left behind, and restarts survived."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from shared.errors import ApiError, Forbidden, StoreUnavailable, Unprocessable
from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate
from shared.store.postgres import PostgresTransport
from shared.store.store import NOT_MIGRATED, JsonArgument, Store
from shared.types import Caller, DocumentKind
from tests.conftest import FAST
from tests.store_samples import ALICE, MODEL, chunks, index, put, vector

SLEEP = """
create function public.test_sleep(p_seconds double precision) returns table (done boolean)
language sql as $$ select true from pg_catalog.pg_sleep(p_seconds) $$
"""

SLEEPERS = "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and pid <> pg_backend_pid()"
UNTIL_SLEEPING = f"""
do $$
begin
  while ({SLEEPERS}) = 0 loop
    perform pg_sleep(0.01);
    perform pg_stat_clear_snapshot();
  end loop;
end
$$
"""


@asynccontextmanager
async def transport(url: str, *, pool_size: int = 1, **options: float) -> AsyncIterator[PostgresTransport]:
    """With one connection, unless more are asked for: the next user gets the same."""
    opened = PostgresTransport(url, pool_size=pool_size, **options)
    try:
        yield opened
    finally:
        await opened.close()


async def left_behind(opened: PostgresTransport) -> tuple[str, str, str]:
    pool = opened._pool
    assert pool is not None
    async with pool.connection() as connection:
        cursor = await connection.execute(
            "select current_user as who, current_setting('request.jwt.claims', true) as claims, "
            "current_setting('statement_timeout') as timeout"
        )
        row = await cursor.fetchone()
        assert row is not None
        return row["who"], row["claims"] or "", row["timeout"]


NOTHING = ("postgres", "", "0")


async def test_role_and_claims_end_with_the_call(database_url: str) -> None:
    async with transport(database_url) as opened:
        for caller in (ALICE, Caller(ALICE.tenant_id, role="service_role")):
            await opened.call(caller, "schema_version", {})
            assert await left_behind(opened) == NOTHING


@pytest.mark.parametrize(
    ("function", "arguments", "error"),
    [
        ("put_document", {"p_document_id": "", "p_kind": "markdown", "p_content": "x"}, Unprocessable),
        ("put_document", {"p_document_id": "a", "p_kind": "markdown", "p_content": "\0"}, Unprocessable),
        ("record_usage", {"p_rows": JsonArgument([{"tenant_id": ALICE.tenant_id}])}, Unprocessable),
        ("no_such_function", {}, StoreUnavailable),
    ],
)
async def test_role_and_claims_end_with_a_call_that_fails(
    database_url: str, function: str, arguments: dict[str, object], error: type[ApiError]
) -> None:
    async with transport(database_url) as opened:
        with pytest.raises(error):
            await opened.call(ALICE, function, arguments)
        assert await left_behind(opened) == NOTHING
        assert await opened.call(ALICE, "list_documents", {}) == []


async def test_a_failing_call_changes_nothing(store: Store) -> None:
    await put(store, ALICE, "a", "before")
    with pytest.raises(Unprocessable):
        await store.put_document(
            ALICE, document_id="a", title=None, kind=DocumentKind.JSON, content="{broken"
        )
    assert (await store.get_document(ALICE, "a")).document.content == "before"


async def test_a_call_that_takes_too_long_is_ended_and_leaves_nothing(empty_database: str) -> None:
    await migrate(empty_database)
    with psycopg.connect(empty_database) as connection:
        connection.execute(SLEEP)
    async with transport(empty_database, statement_timeout=0.05) as opened:
        with pytest.raises(StoreUnavailable):
            await opened.call(ALICE, "test_sleep", {"p_seconds": 60})
        assert await left_behind(opened) == NOTHING


async def test_a_cancelled_call_leaves_nothing(empty_database: str) -> None:
    await migrate(empty_database)
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(SLEEP)
        async with transport(empty_database) as opened:
            await opened.call(ALICE, "schema_version", {})
            task = asyncio.create_task(opened.call(ALICE, "test_sleep", {"p_seconds": 60}))
            await asyncio.to_thread(connection.execute, UNTIL_SLEEPING)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await left_behind(opened) == NOTHING
            assert connection.execute(SLEEPERS).fetchone() == (0,)


@dataclass
class Turns:
    """How often the client has spoken after the server: round trips."""

    count: int = 0
    servers_turn: bool = True


@asynccontextmanager
async def counted(url: str, folder: Path) -> AsyncIterator[tuple[str, Turns]]:
    """A proxy in front of the database, and its count."""
    host = psycopg.conninfo.conninfo_to_dict(url)["host"]
    turns = Turns()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, client: bool) -> None:
        while data := await reader.read(65536):
            if client and turns.servers_turn:
                turns.count += 1
            turns.servers_turn = not client
            writer.write(data)
            await writer.drain()
        writer.close()
        await writer.wait_closed()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_unix_connection(f"{host}/.s.PGSQL.5432")
        await asyncio.gather(pass_on(reader, server_writer, True), pass_on(server_reader, writer, False))
        ended.set()

    ended = asyncio.Event()
    async with await asyncio.start_unix_server(serve, folder / ".s.PGSQL.5432"):
        yield f"postgresql:///postgres?user=postgres&host={quote(str(folder), safe='')}", turns
        await ended.wait()


async def test_every_call_is_one_round_trip(database_url: str, tmp_path: Path) -> None:
    passages = chunks(*map(str, range(200)))
    async with counted(database_url, tmp_path) as (url, turns), transport(url) as opened:
        store = Store(opened)
        await store.ping()
        before = turns.count
        document = await put(store, ALICE, "a", "text " * 50_000)
        await store.get_document(ALICE, "a", analysis_type="t", analysis_version="1")
        await store.replace_chunks(
            ALICE,
            document_id="a",
            content_hash=document.content_hash,
            model=MODEL,
            chunks=passages,
            vectors={passage.text_hash: vector(1, 2) for passage in passages},
        )
        await store.match_document_chunks(
            ALICE, query_text="7", query_embedding=vector(1), query_model=MODEL, match_count=200
        )
        await store.list_documents(ALICE)
        assert turns.count - before == 5


async def test_idle_connections_that_the_server_closed_are_not_used(database_url: str) -> None:
    async with transport(database_url, pool_size=4) as opened:
        store = Store(opened)
        await asyncio.gather(*(store.ping() for _ in range(20)))
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute(
                "select pg_terminate_backend(pid, 5000) from pg_stat_activity "
                "where application_name = 'marginalia' and pid <> pg_backend_pid()"
            )
        for number in range(8):
            await put(store, ALICE, str(number), "text")
        assert len(await store.list_documents(ALICE)) == 8


async def test_a_database_that_is_killed_is_unavailable_until_it_is_back(server_folder: Path) -> None:
    server = EmbeddedServer(server_folder, settings=FAST)
    url = await server.start()
    await migrate(url)
    store = Store(PostgresTransport(url, connection_timeout=0.3))
    try:
        await asyncio.gather(*(index(store, ALICE, str(n), chunks("x")) for n in range(8)))
        await asyncio.to_thread(kill, server)
        for _ in range(2):
            with pytest.raises(StoreUnavailable):
                await store.list_documents(ALICE)
            with pytest.raises(StoreUnavailable):
                await put(store, ALICE, "a", "text")
        again = EmbeddedServer(server_folder, settings=FAST)
        await again.start()
        await put_until_it_works(store)
        assert len(await store.list_documents(ALICE)) == 9
        await again.stop()
    finally:
        await store.close()
        await server.stop()


def kill(server: EmbeddedServer) -> None:
    server._run("pg_ctl", "stop", "--mode=immediate", "--wait", "--silent", "--pgdata=postgres")


async def put_until_it_works(store: Store) -> None:
    """The pool may be between two attempts to connect."""
    for _ in range(20):
        try:
            await put(store, ALICE, "a", "text")
        except StoreUnavailable:
            continue
        return
    pytest.fail("the store has not come back")


async def test_an_unreachable_database_is_unavailable_and_its_password_is_not_told() -> None:
    async with transport("postgresql://someone:hunter2@127.0.0.1:1/db", connection_timeout=0.2) as opened:
        with pytest.raises(StoreUnavailable) as caught:
            await opened.call(ALICE, "schema_version", {})
        assert "hunter2" not in f"{caught.value} {caught.value.__cause__} {opened!r}"


async def test_a_database_without_our_roles_says_what_to_do(server_folder: Path) -> None:
    server = EmbeddedServer(server_folder, settings=FAST)
    try:
        async with transport(await server.start()) as opened:
            with pytest.raises(StoreUnavailable) as caught:
                await Store(opened).ping()
            assert str(caught.value) == NOT_MIGRATED
    finally:
        await server.stop()


async def test_a_database_without_our_functions_says_what_to_do(empty_database: str) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("create table x ()")
    async with transport(empty_database) as opened:
        with pytest.raises((StoreUnavailable, Forbidden)) as caught:
            await Store(opened).ping()
        assert str(caught.value) == NOT_MIGRATED


async def test_an_older_schema_than_the_code_needs_is_not_ready(database_url: str) -> None:
    async with transport(database_url) as opened:
        assert len(await Store(opened).ping()) == 14
        with pytest.raises(StoreUnavailable, match="migrate"):
            await Store(opened, needed_version="99991231235959").ping()


def test_the_store_alone_imports_neither_psycopg_nor_numpy() -> None:
    code = (
        "import sys, shared.store.store, shared.store.connect, shared.store.postgres, shared.store.migrate;"
        "print([name for name in ('psycopg', 'psycopg_pool', 'numpy', 'pgvector') if name in sys.modules])"
    )
    import sys

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
