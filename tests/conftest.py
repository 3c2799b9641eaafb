"""Fixtures shared by all tests: the database, which is the real one.

Each test process starts an embedded server of its own, in a folder of its own; every test that asks for
`database_url` or `store` finds the tables empty.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import make_conninfo

from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate
from shared.store.postgres import PostgresTransport
from shared.store.store import Store

# Elsewhere other examples are tried each time; what they find becomes an example of its own.
_ANY_MACHINE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # busy ones too
settings.register_profile("default", _ANY_MACHINE)
settings.register_profile("ci", _ANY_MACHINE, derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")

PREFIX = "marginalia-"
# Nothing here has to outlive a power cut.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "shared_buffers": "'32MB'",
}


@pytest.fixture(scope="session")
def database_server() -> Iterator[str]:
    """The URL of a server whose database `postgres` is migrated."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        server = EmbeddedServer(Path(folder), settings=FAST)
        try:
            url = server.start_blocking()
            asyncio.run(migrate(url))
            yield url
        finally:
            server.stop_blocking()


@pytest.fixture
def server_folder() -> Iterator[Path]:
    """A folder for an embedded server of the test's own. Not `tmp_path`: for its parent pytest takes all
    rights from other users, and run as root the server is one."""
    with tempfile.TemporaryDirectory(prefix=PREFIX) as folder:
        yield Path(folder)


@pytest.fixture
def database_url(database_server: str) -> str:
    """The URL of a migrated database with empty tables."""
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute("truncate public.documents_reference, public.ai_usage cascade")
    return database_server


@pytest.fixture
def empty_database(database_server: str) -> Iterator[str]:
    """The URL of a database with nothing in it."""
    name = f"test_{uuid4().hex}"
    with psycopg.connect(database_server, autocommit=True) as connection:
        connection.execute(f'create database "{name}"'.encode())
        yield make_conninfo(database_server, dbname=name)
        connection.execute(f'drop database "{name}" with (force)'.encode())


@pytest.fixture
async def store(database_url: str) -> AsyncIterator[Store]:
    opened = Store(PostgresTransport(database_url))
    yield opened
    await opened.close()
