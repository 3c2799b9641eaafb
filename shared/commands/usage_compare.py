"""`marginalia usage --compare`: two providers on the same tasks, side by side, from the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from shared.commands.running import run
from shared.commands.terminal import MISUSED, fail, output, print_json, table
from shared.commands.usage import Form, print_csv, reports
from shared.errors import InvalidRequest
from shared.settings import Settings
from shared.usage import figures, share, time_range

if TYPE_CHECKING:
    from rich.table import Table

    from shared.store.store import Timing, UsageReport, UsageRow

ByProvider: TypeAlias = "Mapping[str, UsageRow]"

GROUPS = ("task", "provider")


def compare(settings: Settings, pair: tuple[str, str], *, since: str, form: Form) -> None:
    """Latency, cost and failure share of each task that one of the two was asked for, with counts."""
    try:
        span = time_range(since, param="--since")
    except InvalidRequest as error:
        fail(str(error), MISUSED)
    first, second = (_known(name, settings) for name in pair)
    if first == second:
        fail(f"--compare: found {first} twice; two providers are wanted", MISUSED)
    (report,) = run(reports(settings, span, [GROUPS]))
    tasks = by_task(report, (first, second))
    if form == "json":
        print_json({"time_range": since, "providers": [first, second], "tasks": _json(tasks)})
    elif form == "csv":
        asked = tuple(row for row in report.rows if row.group["provider"] in (first, second))
        print_csv(GROUPS, replace(report, rows=asked))
    else:
        _print(tasks, (first, second), since)


def _known(found: str, settings: Settings) -> str:
    name = found.strip().lower().replace("-", "_")
    if name not in settings.access:
        fail(f"--compare: found {found!r}; known are {', '.join(settings.access)}", MISUSED)
    return name


def by_task(report: UsageReport, providers: Sequence[str]) -> dict[str, dict[str, UsageRow]]:
    """The rows of these providers, by task and provider."""
    tasks: dict[str, dict[str, UsageRow]] = {}
    for row in report.rows:
        if row.group["provider"] in providers:
            tasks.setdefault(row.group["task"], {})[row.group["provider"]] = row
    return tasks


def _json(tasks: Mapping[str, ByProvider]) -> list[dict[str, object]]:
    return [
        {"task": task, **{provider: figures(row) for provider, row in rows.items()}}
        for task, rows in tasks.items()
    ]


def _print(tasks: Mapping[str, ByProvider], pair: tuple[str, str], since: str) -> None:
    unasked = [name for name in pair if not any(name in rows for rows in tasks.values())]
    if tasks:
        output().print(_table(tasks, pair))
    if unasked:
        print(f"Nothing was asked of {' or '.join(unasked)} in the last {since}.")
    elif not any(len(rows) == 2 for rows in tasks.values()):
        print(f"No task was asked of both in the last {since}: their figures say little of one another.")


def _percentiles(timing: Timing) -> str:
    return "-" if timing.p50 is None or timing.p95 is None else f"{timing.p50:.0f} / {timing.p95:.0f}"


def _cost(row: UsageRow) -> str:
    """Of a thousand calls, from those whose cost is known."""
    known = row.calls - row.unknown_costs
    if row.cost_usd is None or known == 0:
        return "?"
    return f"{row.cost_usd * 1000 / known:.4f}" + (f" (of {known})" if row.unknown_costs else "")


def _failures(row: UsageRow) -> str:
    part = share(row.failures, row.calls)
    return "-" if part is None else f"{part:.1%} ({row.failures})"


_LINES: Mapping[str, Callable[[UsageRow], str]] = {
    "calls": lambda row: str(row.calls),
    "failed": _failures,
    "first token ms, p50 / p95": lambda row: _percentiles(row.first_token_ms),
    "answer ms, p50 / p95": lambda row: _percentiles(row.duration_ms),
    "tokens/s": lambda row: "-" if row.tokens_per_second is None else f"{row.tokens_per_second:.0f}",
    "$ a thousand calls": _cost,
}


def _table(tasks: Mapping[str, ByProvider], pair: tuple[str, str]) -> Table:
    cells = [
        (task if place == 0 else "", name, *(line(rows[one]) if one in rows else "-" for one in pair))
        for task, rows in tasks.items()
        for place, (name, line) in enumerate(_LINES.items())
    ]
    return table("task", "", *pair, rows=cells, numbers=pair)
