"""`marginalia serve` from its start to its end, as a process with a database of its own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.cli_process import TIMEOUT, marginalia, started

SAMPLES = [
    "samples/outbox.ts",
    "samples/recover-a-stuck-note.md",
    "samples/sync-limits.json",
    "samples/sync-service-design.md",
]


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("serve") / "data"


def lines_until_serving(process: subprocess.Popen[str]) -> list[str]:
    """What it prints up to its address; all it printed if it ends before."""
    assert process.stdout is not None
    lines: list[str] = []
    for line in process.stdout:
        lines.append(line)
        if line.startswith("Serving:"):
            break
    return lines


def get(address: str, path: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{address}{path}", timeout=TIMEOUT) as answer:
        return json.load(answer)


@contextmanager
def serving(
    data_dir: Path, *arguments: str, **variables: str
) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """The process, what it printed, and its address."""
    with started("serve", "--port", "0", *arguments, data_dir=data_dir, **variables) as process:
        printed = "".join(lines_until_serving(process))
        address = re.search(r"http://\S+", printed)
        assert address is not None, f"{printed}{process.stderr.read() if process.stderr else ''}"
        yield process, printed, address[0]


def ended(process: subprocess.Popen[str], number: signal.Signals) -> str:
    """Ends the process as a terminal does, the whole group at once; gives its stderr."""
    os.killpg(process.pid, number)
    _, errors = process.communicate(timeout=TIMEOUT)
    return errors


def processes_of(data_dir: Path) -> list[psutil.Process]:
    """Those that work in the folder: PostgreSQL's do."""
    found = []
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(data_dir)
        except (psutil.Error, OSError):
            continue
        if inside:
            found.append(process)
    return found


def documents(address: str) -> list[str]:
    listed = get(address, "/functions/v1/documents")["documents"]
    assert isinstance(listed, list)
    assert all(document["indexed"] for document in listed)
    return [document["document_id"] for document in listed]


def test_the_first_start_indexes_the_samples_and_the_second_keeps_the_data(data_dir: Path) -> None:
    with serving(data_dir) as (process, printed, address):
        assert "Samples:   4 documents" in printed
        assert re.search(r"suggestions +together +meta-llama/\S*8B\S* +missing", printed)
        assert "Missing:   OPENAI_API_KEY, TOGETHER_API_KEY" in printed
        assert get(address, "/ready")["status"] == "ready"
        assert documents(address) == SAMPLES
        request = urllib.request.Request(f"{address}/functions/v1/documents/{SAMPLES[0]}", method="DELETE")
        urllib.request.urlopen(request, timeout=TIMEOUT).close()
        assert processes_of(data_dir)
        errors = ended(process, signal.SIGINT)
    assert (process.returncode, errors.endswith("Ended.\n"), "Traceback" in errors) == (0, True, False)
    assert processes_of(data_dir) == []

    with serving(data_dir, OPENAI_API_KEY="k", AI_EMBEDDING_PROVIDER="builtin") as (
        process,
        printed,
        address,
    ):
        assert "Samples:" not in printed
        assert "Missing:   TOGETHER_API_KEY\n" in printed
        assert documents(address) == SAMPLES[1:]
        ended(process, signal.SIGTERM)
    assert process.returncode == 0
    assert processes_of(data_dir) == []


def test_workers_share_the_port_and_the_database_which_ends_once(data_dir: Path) -> None:
    with serving(data_dir, "--workers", "2") as (process, _, address):
        assert get(address, "/ready")["status"] == "ready"
        errors = ended(process, signal.SIGINT)
    assert (process.returncode, "Traceback" in errors) == (0, False)
    assert processes_of(data_dir) == []


def test_a_busy_port_is_named_and_nothing_is_started(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        done = marginalia("serve", "--port", str(port), data_dir=data_dir)
    assert done.returncode == 1
    assert done.stderr.startswith(f"marginalia: port {port} on 127.0.0.1 is in use; ")
    assert done.stderr.count("\n") == 1
    assert processes_of(data_dir) == []


def test_a_command_beside_the_server_uses_the_same_database_and_leaves_it_running(data_dir: Path) -> None:
    with serving(data_dir) as (process, _, address):
        assert marginalia("usage", data_dir=data_dir).returncode == 0
        assert get(address, "/ready")["status"] == "ready"
        ended(process, signal.SIGTERM)
    assert processes_of(data_dir) == []


def test_an_interrupted_start_leaves_nothing_running(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    with started("serve", "--port", "0", data_dir=data_dir) as process:
        while process.poll() is None and not (data_dir / "postgres").exists():
            time.sleep(0.01)  # a file system tells nobody portably
        errors = ended(process, signal.SIGTERM)
    assert "Traceback" not in errors
    assert processes_of(data_dir) == []
