"""Migrations: applied once, whoever starts them, and honest about what a server lacks."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.errors import ConfigurationError, StoreUnavailable
from shared.store.migrate import check_vector, check_version, migrate, pending, read_migrations
from shared.store.postgres import PostgresTransport
from shared.store.store import Store
from shared.types import Caller
from tests.cli_process import marginalia
from tests.store_samples import ALICE, BOB, MODEL, chunks, index, put, vector

NAMES = [migration.name for migration in read_migrations()]
MIGRATE = """
import asyncio, sys
from shared.store.migrate import migrate
print(*asyncio.run(migrate(sys.argv[1])), sep="\\n")
"""


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "20260101000000_first.sql").write_text("create table first ();")
    (tmp_path / "20260101000001_second.sql").write_text("create table second ();")
    return tmp_path


def as_url(conninfo: str) -> str:
    return f"postgresql:///?{urlencode(conninfo_to_dict(conninfo))}"


def tables(url: str) -> set[str]:
    with psycopg.connect(url) as connection:
        rows = connection.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
    return {row[0] for row in rows}


async def test_what_is_pending_is_applied_once_in_order(empty_database: str) -> None:
    assert await pending(empty_database) == NAMES
    assert await migrate(empty_database) == NAMES
    assert await pending(empty_database) == []
    assert await migrate(empty_database) == []


async def test_tasks_that_migrate_at_once_apply_each_file_once(empty_database: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_database) for _ in range(4)))
    assert sorted(name for names in applied for name in names) == NAMES
    assert await pending(empty_database) == []


def test_processes_that_migrate_at_once_apply_each_file_once(empty_database: str) -> None:
    processes = [
        subprocess.Popen([sys.executable, "-c", MIGRATE, empty_database], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=60)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted("".join(outputs).split()) == NAMES


async def test_a_file_that_fails_leaves_nothing_and_those_before_it_stay(
    empty_database: str, directory: Path
) -> None:
    (directory / "20260101000002_third.sql").write_text("create table third (); select 1 / 0;")
    with pytest.raises(ConfigurationError, match=r"20260101000002_third\.sql: division by zero"):
        await migrate(empty_database, directory=directory)
    assert tables(empty_database) == {"first", "second"}
    assert await pending(empty_database, directory=directory) == ["20260101000002_third.sql"]


@pytest.mark.parametrize(
    ("prepare", "code", "said"),
    [
        (
            "create table public.documents_reference ()",
            2,
            'DATABASE_URL: 20261121000200_tables.sql: relation "documents_reference" already exists',
        ),
        (
            "create schema marginalia; create table marginalia.schema_migrations (name text)",
            2,
            'DATABASE_URL: the migrations cannot be looked up: column "version" does not exist',
        ),
        (
            "create function stop() returns event_trigger language plpgsql as "
            "$$ begin perform pg_terminate_backend(pg_backend_pid()); end $$; "
            "create event trigger stop on ddl_command_start when tag in ('CREATE SCHEMA') "
            "execute function stop()",
            1,
            "the database broke off: terminating connection due to administrator command",
        ),
        (
            "alter database {database} set default_transaction_read_only = on",
            2,
            "DATABASE_URL: the migrations cannot be looked up: cannot execute CREATE SCHEMA in a read-only",
        ),
    ],
    ids=["in the way", "another's table", "hung up", "read-only"],
)
def test_whatever_the_database_says_the_command_says_in_one_line(
    empty_database: str, tmp_path: Path, prepare: str, code: int, said: str
) -> None:
    name = conninfo_to_dict(empty_database)["dbname"]
    superuser(empty_database, prepare.format(database=f'"{name}"'))
    for command in ("migrate", "serve"):
        arguments = (command, "--port", "0") if command == "serve" else (command,)
        done = marginalia(*arguments, data_dir=tmp_path / "data", DATABASE_URL=as_url(empty_database))
        assert "Traceback" not in done.stderr
        assert (done.returncode, said in done.stderr) == (code, True), done.stderr
        assert done.stderr.splitlines()[-1].startswith("marginalia: ")


def test_a_login_that_may_create_no_schema_is_told_so(login: str, tmp_path: Path) -> None:
    name, database = (conninfo_to_dict(login)[part] for part in ("user", "dbname"))
    superuser(login, f'alter database "{database}" owner to postgres')
    done = marginalia("migrate", data_dir=tmp_path / "data", DATABASE_URL=as_url(login))
    superuser(login, f'alter database "{database}" owner to "{name}"')
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"permission denied for database {database}" in done.stderr


async def test_a_file_edited_after_it_was_applied_is_refused(empty_database: str, directory: Path) -> None:
    await migrate(empty_database, directory=directory)
    (directory / "20260101000000_first.sql").write_text("create table first (added integer);")
    for act in (migrate, pending):
        with pytest.raises(ConfigurationError, match=r"20260101000000_first\.sql was edited"):
            await act(empty_database, directory=directory)


async def test_other_line_ends_are_no_edit(empty_database: str, directory: Path) -> None:
    file = directory / "20260101000000_first.sql"
    file.write_bytes(b"create table first\n();\n")
    await migrate(empty_database, directory=directory)
    file.write_bytes(b"create table first\r\n();\r\n")
    assert await migrate(empty_database, directory=directory) == []


async def test_what_supabases_tool_has_applied_counts_as_applied(
    empty_database: str, directory: Path
) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("create schema supabase_migrations")
        connection.execute(
            "create table supabase_migrations.schema_migrations "
            "(version text primary key, statements text[], name text)"
        )
        connection.execute("insert into supabase_migrations.schema_migrations values ('20260101000000')")
    assert await pending(empty_database, directory=directory) == ["20260101000001_second.sql"]
    assert await migrate(empty_database, directory=directory) == ["20260101000001_second.sql"]
    assert tables(empty_database) == {"second"}


def test_a_file_with_another_kind_of_name_is_refused(directory: Path) -> None:
    (directory / "1_short.sql").write_text("")
    with pytest.raises(ValueError, match=r"1_short\.sql"):
        read_migrations(directory)


def test_versions_are_unique() -> None:
    versions = [migration.version for migration in read_migrations()]
    assert len(set(versions)) == len(versions) > 0


@pytest.mark.parametrize(("found", "good"), [(140_011, False), (150_000, True), (180_004, True)])
def test_the_server_is_15_or_newer(found: int, good: bool) -> None:
    if good:
        check_version(found)
    else:
        with pytest.raises(ConfigurationError, match=r"^DATABASE_URL: .*PostgreSQL 14; needed is 15"):
            check_version(found)


@pytest.mark.parametrize("version", ["0.7.0", "0.8.5", "0.10.1", "1.0"])
def test_pgvector_is_new_enough(version: str) -> None:
    check_vector(version, None)


@pytest.mark.parametrize(
    ("version", "schema", "message"),
    [("0.6.2", None, "0.6.2; needed is 0.7"), ("0.8.0", "other", "schema other")],
)
def test_what_pgvector_lacks_is_named(version: str, schema: str | None, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        check_vector(version, schema)


async def test_a_server_that_cannot_be_reached_says_why_and_tells_no_password(database_server: str) -> None:
    with pytest.raises(StoreUnavailable, match="refused") as caught:
        await migrate("postgresql://someone:hunter2@127.0.0.1:1/db")
    assert "hunter2" not in str(caught.value)
    with pytest.raises(StoreUnavailable, match=r"nowhere.* does not exist"):
        await migrate(make_conninfo(database_server, dbname="nowhere"))


@pytest.fixture
def login(empty_database: str) -> Iterator[str]:
    """The URL of the empty database for a user of no special rights, who owns it. The cluster has the
    roles already, as on Supabase."""
    name = f"login_{empty_database.rsplit('_', 1)[-1][:8]}"
    with psycopg.connect(empty_database, autocommit=True) as connection:
        database = connection.info.dbname
        connection.execute(f'create role "{name}" login')
        connection.execute(f'alter database "{database}" owner to "{name}"')
        try:
            yield make_conninfo(empty_database, user=name)
        finally:
            connection.execute(f'reassign owned by "{name}" to postgres; drop owned by "{name}"')
            connection.execute(f'alter database "{database}" owner to postgres')
            connection.execute(f'drop role "{name}"')


def superuser(url: str, *statements: str) -> None:
    with psycopg.connect(make_conninfo(url, user="postgres"), autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


@pytest.fixture
def supabase_like(database_url: str, login: str) -> str:
    """As the user `postgres` finds a Supabase database: no superuser, and all of this belongs to others."""
    name = conninfo_to_dict(login)["user"]
    superuser(
        login,
        f'grant anon, authenticated, service_role to "{name}"',
        "create schema extensions",
        "create extension vector with schema extensions",
        f'grant usage on schema extensions to "{name}", anon, authenticated, service_role',
        "create schema auth",
        "create function auth.jwt() returns jsonb language sql return '{\"mine\": true}'::jsonb",
        "create function auth.uid() returns uuid language sql return null::uuid",
        f'alter default privileges for role "{name}" in schema public '
        "grant all on tables to anon, authenticated, service_role",
        f'alter default privileges for role "{name}" in schema public '
        "grant all on functions to anon, authenticated, service_role",
    )
    return login


async def test_a_supabase_like_database_is_migrated_without_superuser_and_keeps_its_auth(
    supabase_like: str,
) -> None:
    assert await migrate(supabase_like) == NAMES
    with psycopg.connect(make_conninfo(supabase_like, user="postgres")) as connection:
        assert connection.execute("select auth.jwt()").fetchone() == ({"mine": True},)
        [granted] = connection.execute(
            """
            select array_agg(distinct grantee || ' ' || privilege_type)
            from information_schema.table_privileges
            where table_schema = 'public' and table_name = 'ai_usage' and grantee in ('anon', 'authenticated')
            """
        ).fetchone() or ([],)
        assert set(granted) == {"authenticated INSERT", "authenticated SELECT"}
        assert connection.execute(
            "select count(*) from pg_proc where pronamespace = 'public'::regnamespace "
            "and has_function_privilege('anon', oid, 'execute')"
        ).fetchone() == (0,)


async def test_without_superuser_requests_work_and_the_owner_is_held_to_row_level_security(
    supabase_like: str,
) -> None:
    await migrate(supabase_like)
    store = Store(PostgresTransport(supabase_like))
    await index(store, ALICE, "a", chunks("some text"), {"some text": vector(1, 0)})
    found = await store.match_document_chunks(
        ALICE, query_text="text", query_embedding=vector(1, 0), query_model=MODEL
    )
    assert [match.text for match in found.matches] == ["some text"]
    await store.record_usage([])
    await store.delete_document(ALICE, "a")
    await put(store, ALICE, "a", "text")
    await store.close()
    with psycopg.connect(supabase_like) as connection:
        assert connection.execute("select count(*) from documents_reference").fetchone() == (0,)


async def test_a_service_role_that_cannot_bypass_row_level_security_is_let_by_policy(
    supabase_like: str,
) -> None:
    superuser(supabase_like, "alter role service_role nobypassrls")
    try:
        await migrate(supabase_like)
        store = Store(PostgresTransport(supabase_like))
        await put(store, ALICE, "a", "text")
        service = Caller(ALICE.tenant_id, role="service_role")
        assert len(await store.list_documents(service)) == 1
        assert await store.list_documents(BOB) == []
        await store.close()
    finally:
        superuser(supabase_like, "alter role service_role bypassrls")


async def test_a_login_that_may_not_create_the_extension_is_told_what_to_run(
    database_url: str, login: str
) -> None:
    superuser(login, f'grant anon, authenticated, service_role to "{conninfo_to_dict(login)["user"]}"')
    with pytest.raises(ConfigurationError, match=r"As a superuser: .*create extension vector"):
        await migrate(login)


async def test_a_login_that_may_not_become_its_callers_is_told_the_grant(supabase_like: str) -> None:
    name = conninfo_to_dict(supabase_like)["user"]
    superuser(supabase_like, f'revoke authenticated, service_role from "{name}"')
    with pytest.raises(ConfigurationError, match=f"grant authenticated, service_role to {name}"):
        await migrate(supabase_like)


async def test_pgvector_may_also_be_in_public(empty_database: str) -> None:
    superuser(empty_database, "create extension vector with schema public")
    await migrate(empty_database)
    store = Store(PostgresTransport(empty_database))
    await put(store, ALICE, "a", "text")
    assert (await store.match_document_chunks(ALICE, query_text="text")).matches == ()
    await store.close()
