"""The embedded server: started once for all who use it, ended with the last of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from shared.errors import ConfigurationError
from shared.store.embedded import EmbeddedServer
from tests.conftest import FAST

LONG = "long-" * 40
USER = """
import sys
from pathlib import Path
from shared.store.embedded import EmbeddedServer
server = EmbeddedServer(Path(sys.argv[1]), settings={"fsync": "off"})
print(server.start_blocking(), flush=True)
sys.stdin.readline()
server.stop_blocking()
"""


def server(folder: Path) -> EmbeddedServer:
    return EmbeddedServer(folder, settings=FAST)


def answers(url: str) -> bool:
    try:
        with psycopg.connect(url) as connection:
            return connection.execute("select 1").fetchone() == (1,)
    except psycopg.OperationalError:
        return False


def user(folder: Path) -> subprocess.Popen[str]:
    """Another process that uses the server until it is told a line."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-c", USER, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def started(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_starts_in_a_folder_that_is_not_there_and_keeps_its_data(server_folder: Path) -> None:
    folder = server_folder / "not" / "there"
    first = server(folder)
    url = first.start_blocking()
    with psycopg.connect(url) as connection:
        connection.execute("create table kept as select 42 as answer")
    first.stop_blocking()
    assert not answers(url)
    second = server(folder)
    with psycopg.connect(second.start_blocking()) as connection:
        assert connection.execute("select answer from kept").fetchone() == (42,)
        assert connection.execute("show listen_addresses").fetchone() == ("",)
    second.stop_blocking()
    assert not answers(url)


async def test_it_starts_and_stops_beside_the_event_loop(server_folder: Path) -> None:
    opened = server(server_folder)
    assert answers(await opened.start())
    await opened.stop()
    await opened.stop()


@pytest.mark.parametrize(
    "name", ["with space", "$(touch hacked) `touch hacked` \"quoted\" 'too'; é%20?&#", LONG]
)
def test_any_path_serves(server_folder: Path, name: str) -> None:
    opened = server(server_folder / name)
    assert answers(opened.start_blocking())
    opened.stop_blocking()
    assert list(server_folder.rglob("hacked")) == []


@pytest.fixture
def short_folder(server_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for temporary files whose own path is short."""
    monkeypatch.setattr("tempfile.tempdir", str(server_folder))
    return server_folder


def test_the_short_name_of_a_long_path_goes_with_the_server(short_folder: Path) -> None:
    opened = server(short_folder / LONG)
    opened.start_blocking()
    assert len(list(short_folder.glob("marginalia-*"))) == 1
    opened.stop_blocking()
    assert list(short_folder.glob("marginalia-*")) == []


def test_someone_elses_file_in_place_of_the_short_name_is_not_used(short_folder: Path) -> None:
    opened = server(short_folder / LONG)
    opened.start_blocking()
    [alias] = short_folder.glob("marginalia-*")
    opened.stop_blocking()
    alias.symlink_to(short_folder / "elsewhere")
    with pytest.raises(ConfigurationError, match=alias.name):
        server(short_folder / LONG).start_blocking()


def test_a_path_too_long_for_any_socket_is_refused_by_name(
    server_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(server_folder / LONG))
    (server_folder / LONG).mkdir()
    with pytest.raises(ConfigurationError, match=r"MARGINALIA_DATA_DIR: .* too long"):
        server(server_folder / LONG / "data").start_blocking()


def test_the_server_runs_until_its_last_user_stops(server_folder: Path) -> None:
    first, second = server(server_folder), server(server_folder)
    url = first.start_blocking()
    assert second.start_blocking() == url
    first.stop_blocking()
    assert answers(url)
    second.stop_blocking()
    assert not answers(url)


def test_processes_that_start_at_once_on_a_new_folder_share_one_server(server_folder: Path) -> None:
    users = [user(server_folder) for _ in range(3)]
    urls = {started(process) for process in users}
    assert len(urls) == 1
    [url] = urls
    for process in users:
        assert answers(url)
        _, errors = process.communicate("\n", timeout=60)
        assert (process.returncode, errors) == (0, "")
    assert not answers(url)


def test_a_killed_user_does_not_keep_the_server_alive(server_folder: Path) -> None:
    killed = user(server_folder)
    url = started(killed)
    killed.send_signal(signal.SIGKILL)
    killed.communicate()
    assert answers(url)
    last = server(server_folder)
    last.start_blocking()
    last.stop_blocking()
    assert not answers(url)


def test_a_program_that_ends_without_stopping_takes_the_server_along(server_folder: Path) -> None:
    code = USER.replace("server.stop_blocking()", "raise SystemExit(3)")
    done = subprocess.run(
        [sys.executable, "-c", code, str(server_folder)],
        input="\n",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 3
    assert not answers(done.stdout.strip())


def test_a_process_id_left_behind_by_a_killed_server_does_not_stop_the_next(server_folder: Path) -> None:
    opened = server(server_folder)
    opened.start_blocking()
    lock = server_folder / "postgres" / "postmaster.pid"
    lines = lock.read_text().splitlines()
    opened.stop_blocking()
    lock.write_text("\n".join([str(os.getpid()), *lines[1:]]) + "\n")
    if os.geteuid() == 0:
        os.chown(lock, (server_folder / "postgres").stat().st_uid, -1)
    again = server(server_folder)
    assert answers(again.start_blocking())
    again.stop_blocking()


def test_what_an_interrupted_first_start_left_is_made_anew(server_folder: Path) -> None:
    (server_folder / "postgres.new" / "base").mkdir(parents=True)
    (server_folder / "postgres.new" / "PG_VERSION").write_text("18\n")
    opened = server(server_folder)
    assert answers(opened.start_blocking())
    opened.stop_blocking()
    assert not (server_folder / "postgres.new").exists()


def test_a_folder_of_another_version_is_refused_by_name(server_folder: Path) -> None:
    (server_folder / "postgres").mkdir()
    (server_folder / "postgres" / "PG_VERSION").write_text("16\n")
    with pytest.raises(ConfigurationError, match="PostgreSQL 16, this is 18") as caught:
        server(server_folder).start_blocking()
    assert caught.value.variable == "MARGINALIA_DATA_DIR"


def test_a_folder_that_cannot_be_made_is_refused_by_name(server_folder: Path) -> None:
    (server_folder / "file").write_text("in the way")
    with pytest.raises(ConfigurationError, match=str(server_folder / "file")) as caught:
        server(server_folder / "file" / "folder").start_blocking()
    assert caught.value.variable == "MARGINALIA_DATA_DIR"


def test_a_cluster_that_does_not_start_says_what_the_server_said(server_folder: Path) -> None:
    with pytest.raises(ConfigurationError, match="no_such_setting"):
        EmbeddedServer(server_folder, settings={**FAST, "no_such_setting": "1"}).start_blocking()
