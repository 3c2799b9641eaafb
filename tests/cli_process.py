"""`marginalia` as its user runs it: a process, with no variables but what a test names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
TIMEOUT = 60  # seconds until a command that hangs is killed

_INHERITED = ("PATH", "HOME", "TMPDIR", "USER", "SYSTEMROOT")


def environment(data_dir: Path, variables: Mapping[str, str]) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return {**inherited, "MARGINALIA_DATA_DIR": str(data_dir), "PYTHONPATH": str(ROOT), **variables}


def marginalia(
    *arguments: str | Path, data_dir: Path, cwd: Path | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "shared.cli", *map(str, arguments)],
        env=environment(data_dir, variables),
        cwd=cwd or data_dir.parent,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )


@contextmanager
def started(*arguments: str, data_dir: Path, **variables: str) -> Iterator[subprocess.Popen[str]]:
    """A command that goes on; it is killed if the test leaves it running."""
    process = subprocess.Popen(
        [sys.executable, "-m", "shared.cli", *arguments],
        env=environment(data_dir, variables),
        cwd=data_dir.parent,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a terminal does: a signal may go to the whole group
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=TIMEOUT)
