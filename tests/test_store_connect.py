"""Opening the store that the settings name."""

from __future__ import annotations

import asyncio
from pathlib import Path

import psycopg
import pytest

from shared.errors import ConfigurationError, StoreUnavailable
from shared.settings import Settings
from shared.store.connect import open_store
from shared.store.embedded import EmbeddedServer
from shared.store.embedded import database_url as embedded_url
from shared.store.migrate import read_migrations
from tests.conftest import FAST
from tests.store_samples import ALICE, put


@pytest.fixture
def data_dir(server_folder: Path) -> Path:
    """With a cluster in it that does not wait for the disk."""
    server = EmbeddedServer(server_folder, settings=FAST)
    server.start_blocking()
    server.stop_blocking()
    return server_folder


def embedded(folder: Path) -> Settings:
    return Settings.from_env({"MARGINALIA_DATA_DIR": str(folder)})


async def test_the_embedded_database_is_started_migrated_and_stopped(data_dir: Path) -> None:
    async with open_store(embedded(data_dir)) as store:
        assert await store.ping() == read_migrations()[-1].version
        await put(store, ALICE, "a", "text")
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(embedded_url(data_dir))
    async with open_store(embedded(data_dir)) as store:
        assert (await store.get_document(ALICE, "a")).document.content == "text"


async def test_the_embedded_database_is_stopped_also_after_an_error(data_dir: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_store(embedded(data_dir)):
            raise ZeroDivisionError
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(embedded_url(data_dir))


async def test_those_who_open_it_at_once_share_it(data_dir: Path) -> None:
    ready = asyncio.Barrier(2)

    async def use(document_id: str) -> int:
        async with open_store(embedded(data_dir)) as store:
            await put(store, ALICE, document_id, "text")
            await ready.wait()
            return len(await store.list_documents(ALICE))

    assert list(await asyncio.gather(use("a"), use("b"))) == [2, 2]


async def test_a_database_by_url_is_migrated_only_when_asked(empty_database: str, tmp_path: Path) -> None:
    url = empty_database_url(empty_database)
    settings = Settings.from_env({"DATABASE_URL": url, "MARGINALIA_DATA_DIR": str(tmp_path / "unused")})
    async with open_store(settings) as store:
        with pytest.raises(StoreUnavailable, match="migrate"):
            await store.ping()
    async with open_store(settings, migrate=True) as store:
        assert await store.list_documents(ALICE) == []
    assert not (tmp_path / "unused").exists()


async def test_a_folder_that_cannot_serve_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match="MARGINALIA_DATA_DIR"):
        async with open_store(embedded(tmp_path / "file")):
            pytest.fail("opened")


def empty_database_url(conninfo: str) -> str:
    from urllib.parse import quote

    facts = psycopg.conninfo.conninfo_to_dict(conninfo)
    return f"postgresql:///{facts['dbname']}?user={facts['user']}&host={quote(str(facts['host']), safe='')}"
