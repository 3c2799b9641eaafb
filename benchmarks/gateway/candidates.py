"""The gateways that are compared. Those that are not installed are named and left out.

Others are looked for where these variables say: BENCH_PYTHON, an interpreter that has starlette,
uvicorn, httpx and aiohttp; BENCH_TENSORZERO, one that has tensorzero; BENCH_LITELLM, the litellm
command; BENCH_PORTKEY, a folder in which `npm install @portkey-ai/gateway` was run.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).parents[2]
START_SECONDS = 90
MODEL = "bench"

TENSORZERO_SERVER = """
import sys, tensorzero
gateway = tensorzero._start_http_gateway(
    config_file=sys.argv[1], clickhouse_url=None, postgres_url=None, valkey_url=None, async_setup=False)
print(gateway.base_url, flush=True)
sys.stdin.read()
"""


@dataclass(frozen=True)
class Running:
    """A gateway that serves."""

    port: int
    path: str = "/v1/chat/completions"
    model: str = MODEL
    headers: Mapping[str, str] = field(default_factory=dict)
    pid: int | None = None  # None: there is nothing between
    beside: str = ""  # the folder in which processes work for it


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(
    command: list[str], *, environ: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    with (
        tempfile.TemporaryFile("w+") as log,
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={**os.environ, **(environ or {})},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process,
    ):
        try:
            yield process
        except Exception:  # raised again: first what the process itself has said
            log.seek(0)
            print(log.read()[-2000:], file=sys.stderr)
            raise
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _line_with(process: subprocess.Popen[str], word: str) -> str:
    """The first line of its output that begins so. Raises RuntimeError when there is none."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(word):
            return line.strip()
    raise RuntimeError("it ended before it served")


@contextmanager
def upstream() -> Iterator[int]:
    with _process([sys.executable, "-m", "benchmarks.gateway.upstream"]) as process:
        yield int(_line_with(process, ""))


@contextmanager
def direct(provider: int) -> Iterator[Running]:
    yield Running(provider)


@contextmanager
def marginalia(provider: int) -> Iterator[Running]:
    """The whole server as `marginalia serve` runs it, its embedded database beside it."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="marginalia-bench-") as folder:
        environ = {
            "MARGINALIA_DATA_DIR": folder,
            "TOGETHER_API_KEY": "benchmark",
            "TOGETHER_BASE_URL": f"http://127.0.0.1:{provider}/v1",
            "AI_EMBEDDING_PROVIDER": "builtin",
        }
        command = [sys.executable, "-m", "shared.cli", "serve", "--port", str(port)]
        with _process(command, environ=environ) as process:
            running = Running(port, model=f"together/{MODEL}", pid=process.pid, beside=folder)
            _wait(running)
            yield running


@contextmanager
def _reference(name: str, provider: int, python: str = sys.executable) -> Iterator[Running]:
    port = free_port()
    command = [
        python,
        "-m",
        "benchmarks.gateway.references",
        name,
        f"http://127.0.0.1:{provider}/v1",
        str(port),
    ]
    with _process(command) as process:
        running = Running(port, pid=process.pid)
        _wait(running)
        yield running


@contextmanager
def tensorzero(provider: int) -> Iterator[Running]:
    config = f"""
[gateway]
observability.enabled = false
[models.{MODEL}]
routing = ["upstream"]
[models.{MODEL}.providers.upstream]
type = "openai"
model_name = "{MODEL}"
api_base = "http://127.0.0.1:{provider}/v1/"
api_key_location = "none"
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tensorzero.toml"
        path.write_text(config)
        with _process([os.environ["BENCH_TENSORZERO"], "-c", TENSORZERO_SERVER, str(path)]) as process:
            port = urlsplit(_line_with(process, "http://")).port or 0
            running = Running(
                port, "/openai/v1/chat/completions", f"tensorzero::model_name::{MODEL}", pid=process.pid
            )
            _wait(running)
            yield running


@contextmanager
def litellm(provider: int) -> Iterator[Running]:
    config = f"""
model_list:
  - model_name: {MODEL}
    litellm_params: {{model: openai/{MODEL}, api_base: "http://127.0.0.1:{provider}/v1", api_key: benchmark}}
"""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "litellm.yaml"
        path.write_text(config)
        command = [
            os.environ["BENCH_LITELLM"],
            "--config",
            str(path),
            "--port",
            str(port),
            "--host",
            "127.0.0.1",
        ]
        environ = {
            "LITELLM_LOCAL_MODEL_COST_MAP": "True",
            "LITELLM_TELEMETRY": "False",
            "LITELLM_LOG": "ERROR",
            "LITELLM_MASTER_KEY": "sk-benchmark",
        }
        with _process(command, environ=environ) as process:
            running = Running(port, headers={"authorization": "Bearer sk-benchmark"}, pid=process.pid)
            _wait(running)
            yield running


@contextmanager
def portkey(provider: int) -> Iterator[Running]:
    script = Path(os.environ["BENCH_PORTKEY"]) / "node_modules/@portkey-ai/gateway/build/start-server.js"
    port = free_port()
    with _process(["node", str(script), f"--port={port}", "--headless"]) as process:
        headers = {
            "x-portkey-provider": "openai",
            "x-portkey-custom-host": f"http://127.0.0.1:{provider}/v1",
            "authorization": "Bearer benchmark",
        }
        running = Running(port, headers=headers, pid=process.pid)
        _wait(running)
        yield running


def _wait(running: Running) -> None:
    """Until it answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{running.port}{running.path}",
        data=f'{{"model": "{running.model}", "messages": [{{"role": "user", "content": "Hi"}}]}}'.encode(),
        headers={"content-type": "application/json", **running.headers},
    )
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(request, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@dataclass(frozen=True)
class Candidate:
    name: str
    start: Callable[[int], Any]  # gives a context of Running
    missing: str | None = None  # why it cannot run


def _has(python: str, module: str) -> bool:
    return (
        subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0
    )


def candidates() -> list[Candidate]:
    python = os.environ.get("BENCH_PYTHON", sys.executable)
    no_aiohttp = None if _has(python, "aiohttp") else "aiohttp is not installed (BENCH_PYTHON)"

    def unset(name: str) -> str | None:
        return None if name in os.environ else f"{name} is not set"

    return [
        Candidate("marginalia", marginalia),
        Candidate("bare ASGI, raw client", lambda provider: _reference("raw", provider)),
        Candidate(
            "Starlette + aiohttp", lambda provider: _reference("aiohttp", provider, python), no_aiohttp
        ),
        Candidate("Starlette + httpx", lambda provider: _reference("httpx", provider)),
        Candidate("TensorZero", tensorzero, unset("BENCH_TENSORZERO")),
        Candidate("Portkey", portkey, unset("BENCH_PORTKEY")),
        Candidate("LiteLLM", litellm, unset("BENCH_LITELLM")),
    ]
