"""Many streams for a long time, with providers that fail and clients that leave: nothing wrong, nothing left.

    python -m benchmarks.soak [--minutes 10] [--streams 200] [--failing 0.3] [--leaving 0.1]

The server, its two providers and the database are processes of their own. Exits with 1 when an answer
was wrong, a socket or a row was lost, or memory grew.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks._soak_clients import Clients, Tally
from shared.store.embedded import EmbeddedServer
from shared.store.migrate import migrate

ROOT = Path(__file__).parents[1]
SAMPLE_SECONDS = 2.0
WARM_UP = 0.4  # of the time; what a server needs at work, it has by then
SHORTEST_MINUTES = 5  # in less, memory has not settled, and its slope says nothing
REST_SECONDS = 60.0  # longer than a connection to a provider is kept
GROWTH_LIMIT = 1.0  # MiB a minute after warm-up that counts as growing
END_SECONDS = 30.0


@dataclass(frozen=True)
class Sample:
    at: float  # seconds from the start
    mebibytes: float
    sockets: int


@dataclass(frozen=True)
class Report:
    tally: Tally
    samples: Sequence[Sample]
    sockets_before: int
    sockets_after: int
    rows: int
    asked: int  # requests that the providers saw
    without_row: int
    cpu_seconds: float

    @property
    def growth(self) -> float:
        """MiB a minute after warm-up: the least squares' slope."""
        late = [sample for sample in self.samples if sample.at > WARM_UP * self.samples[-1].at]
        mean_at = sum(sample.at for sample in late) / len(late)
        mean = sum(sample.mebibytes for sample in late) / len(late)
        spread = sum((sample.at - mean_at) ** 2 for sample in late)
        return 60 * sum((s.at - mean_at) * (s.mebibytes - mean) for s in late) / spread

    @property
    def leaked(self) -> int:
        return max(0, self.sockets_after - self.sockets_before)

    @property
    def failures(self) -> list[str]:
        tally = self.tally
        found = {
            "doubled": tally.doubled,
            "truncated": tally.truncated,
            "ended without a word": tally.lost,
            "leaked sockets": self.leaked,
            "attempts without a row": self.without_row,
            "memory": self.samples[-1].at > SHORTEST_MINUTES * 60 and self.growth > GROWTH_LIMIT,
        }
        return [name for name, wrong in found.items() if wrong]


def sockets(process: psutil.Process) -> int:
    """Open TCP connections, those that only listen apart."""
    return sum(one.status != psutil.CONN_LISTEN for one in process.net_connections(kind="tcp"))


async def watch(process: psutil.Process, samples: list[Sample]) -> None:
    began = time.monotonic()
    while True:
        mebibytes = process.memory_info().rss / 2**20
        samples.append(Sample(time.monotonic() - began, mebibytes, sockets(process)))
        await asyncio.sleep(SAMPLE_SECONDS)


async def load(
    process: psutil.Process, base_url: str, options: argparse.Namespace
) -> tuple[Tally, list[Sample], int]:
    """What the clients got, the server's samples, and its sockets once all is at rest."""
    before = sockets(process)
    samples: list[Sample] = []
    watching = asyncio.create_task(watch(process, samples))
    clients = Clients(base_url, leaving=options.leaving, seed=options.seed)
    await clients.run(options.streams, options.minutes * 60)
    watching.cancel()
    for _ in range(int(REST_SECONDS)):
        if (after := sockets(process)) <= before:
            break
        await asyncio.sleep(1.0)
    return clients.tally, samples, after


@contextmanager
def database() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="marginalia-soak-") as folder:
        server = EmbeddedServer(Path(folder))
        try:
            url = server.start_blocking()
            asyncio.run(migrate(url))
            yield url
        finally:
            server.stop_blocking()


def start(module: str, *arguments: str, environ: Mapping[str, str] | None = None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=ROOT,
        env={**os.environ, **(environ or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # a line for every failed attempt
        text=True,
    )


def end(process: subprocess.Popen[str]) -> str:
    """What it still says."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.communicate(timeout=END_SECONDS)[0]
    except subprocess.TimeoutExpired:
        process.kill()
        return process.communicate()[0]


def line_of(process: subprocess.Popen[str], pattern: str = ".+") -> str:
    """The next line's match. Raises RuntimeError when the process ends before it."""
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.search(pattern, line):
            return found[0]
    raise RuntimeError(f"{process.args!r} has ended with {process.wait()}")


def environment(database_url: str, together: str, openai: str) -> dict[str, str]:
    """Of a server that asks these two; timeouts are short against the time of a stream."""
    return {
        "DATABASE_URL": database_url,
        "TOGETHER_API_KEY": "k",
        "TOGETHER_BASE_URL": together,
        "OPENAI_API_KEY": "k",
        "OPENAI_BASE_URL": openai,
        "AI_EMBEDDING_PROVIDER": "builtin",
        "AI_OFFLINE": "never",
        "AI_FIRST_TOKEN_TIMEOUT": "3",
        "AI_IDLE_TIMEOUT": "3",
    }


def run(options: argparse.Namespace) -> Report:
    with ExitStack() as stack:
        url = stack.enter_context(database())
        arguments = ("--failing", str(options.failing), "--seed", str(options.seed))
        providers = start("benchmarks._failing_providers", *arguments)
        stack.callback(providers.kill)
        environ = environment(url, line_of(providers), line_of(providers))
        server = start("shared.cli", "serve", "--port", "0", environ=environ)
        stack.callback(server.kill)
        base_url = line_of(server, r"http://127\S+")
        process = psutil.Process(server.pid)
        tally, samples, after = asyncio.run(load(process, base_url, options))
        times = process.cpu_times()
        end(server)
        asked = Counter({int(number): count for number, count in json.loads(end(providers)).items()})
        rows = ledger(url)
        return Report(
            tally,
            samples,
            samples[0].sockets,
            after,
            rows.total(),
            asked.total(),
            sum(max(0, count - rows[number]) for number, count in asked.items()),
            times.user + times.system,
        )


def ledger(database_url: str) -> Counter[int]:
    """Rows by the note's number."""
    query = "select substr(request_id, 6)::int, count(*) from ai_usage group by 1"
    with psycopg.connect(database_url) as connection:
        found: dict[int, int] = dict(connection.execute(query).fetchall())
    return Counter(found)


def show(report: Report, options: argparse.Namespace) -> None:
    tally = report.tally
    share = 100 * tally.whole / max(1, tally.heard)
    figures = {
        "minutes, concurrent streams": f"{options.minutes:g}, {options.streams}",
        "providers fail, clients leave": f"{options.failing:.0%}, {options.leaving:.0%}",
        "streams heard to their end": f"{tally.heard}",
        "whole": f"{tally.whole} ({share:.2f} %), {tally.switched} of them told of a switch",
        "ended in an error": f"{tally.errors.total()} {dict(tally.errors) or ''}",
        "left by their client": f"{tally.left}",
        "doubled or wrong text as success": f"{tally.doubled}",
        "truncated text as success": f"{tally.truncated}",
        "ended without a word": f"{tally.lost}",
        "sockets before, most, after": f"{report.sockets_before}, "
        f"{max(sample.sockets for sample in report.samples)}, {report.sockets_after}",
        "memory at first, most, at last, MiB": f"{report.samples[0].mebibytes:.0f}, "
        f"{max(sample.mebibytes for sample in report.samples):.0f}, {report.samples[-1].mebibytes:.0f}",
        "memory after warm-up, MiB a minute": f"{report.growth:+.2f}",
        "requests at providers, rows in the ledger": f"{report.asked}, {report.rows}",
        "requests without a row": f"{report.without_row}",
        "processor time of the server, s": f"{report.cpu_seconds:.0f}",
    }
    print("| | |\n| --- | --- |")
    for name, figure in figures.items():
        print(f"| {name} | {figure} |")
    print(f"\n{'Wrong: ' + ', '.join(report.failures) if report.failures else 'Nothing is wrong.'}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--streams", type=int, default=200, help="at a time")
    parser.add_argument("--failing", type=float, default=0.3, help="share of requests that providers fail")
    parser.add_argument("--leaving", type=float, default=0.1, help="share of streams that clients leave")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    report = run(options)
    show(report, options)
    return 1 if report.failures else 0


if __name__ == "__main__":
    sys.exit(main())
