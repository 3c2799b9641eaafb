"""How far indexing has come: a bar on a terminal, a line now and then anywhere else. Both on stderr."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Protocol

from shared.commands.terminal import messages, plain, say

_LINES = 10  # lines in a log, at most, whatever the number of files


@dataclass(frozen=True, slots=True)
class Totals:
    """What has become of the files so far."""

    indexed: int = 0
    unchanged: int = 0
    failures: tuple[tuple[Path, str], ...] = ()
    chunks: int = 0
    embedded: int = 0
    reused: int = 0
    removed: int = 0
    without_vectors: int = 0  # documents that only full text finds
    tokens: int = 0
    cost_usd: Decimal | None = field(default_factory=Decimal)  # None: not known

    @property
    def files(self) -> int:
        return self.indexed + self.unchanged + len(self.failures)


def amount(cost_usd: Decimal | None) -> str:
    return "cost unknown" if cost_usd is None else f"${cost_usd:.4f}"


class Progress(Protocol):
    def update(self, totals: Totals) -> None: ...


@contextmanager
def shown(files: int) -> Iterator[Progress]:
    if sys.stderr.isatty():
        with _bar(files) as progress:
            yield progress
    else:
        yield Lines(files)


class Silence:
    """Says nothing."""

    def update(self, totals: Totals) -> None:
        """Nothing to show."""


class Lines:
    def __init__(self, files: int) -> None:
        self._files = files
        self._step = max(1, -(-files // _LINES))

    def update(self, totals: Totals) -> None:
        if totals.files % self._step == 0 or totals.files == self._files:
            say(f"{totals.files}/{self._files} files, {_figures(totals)}")


def _figures(totals: Totals) -> str:
    return f"{totals.chunks} chunks, {totals.tokens} tokens, {amount(totals.cost_usd)}"


@contextmanager
def _bar(files: int) -> Iterator[Progress]:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("Indexing"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("files  {task.fields[figures]}"),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
    )
    with RichProgress(*columns, console=messages()) as progress:
        task = progress.add_task("index", total=files, figures=_figures(Totals()))

        class Bar:
            def update(self, totals: Totals) -> None:
                progress.update(task, completed=totals.files, figures=plain(_figures(totals)))

        yield Bar()
