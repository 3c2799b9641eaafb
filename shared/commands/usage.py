"""`marginalia usage`: what was asked of providers, what it cost and how fast it was, from the ledger."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.commands.running import run
from shared.commands.terminal import MISUSED, fail, output, print_json, say, table
from shared.errors import InvalidRequest
from shared.settings import Settings
from shared.types import LOCAL_CALLER, Json
from shared.usage import figures, groups, report_json, time_range

if TYPE_CHECKING:
    from rich.table import Table

    from shared.store.store import Timing, UsageReport, UsageRow

Form: TypeAlias = Literal["table", "json", "csv"]

CHART_GROUPS = (("day", "task", "provider"), ("task", "provider"), ("day",))


def usage(settings: Settings, *, since: str, group_by: str, form: Form, chart: Path | None) -> None:
    """Prints the totals; with `chart`, draws them into that file as well."""
    try:
        span, names = time_range(since, param="--since"), groups(group_by, param="--group-by")
    except InvalidRequest as error:
        fail(str(error), MISUSED)
    if chart is not None and chart.suffix.lower() != ".svg":
        fail(f"--chart is {str(chart)!r}; allowed is a file whose name ends in .svg", MISUSED)
    report, *drawn = run(reports(settings, span, [names, *(CHART_GROUPS if chart else ())]))
    if chart is not None:
        _draw(chart, since, drawn)
    _print(report, since, span, names, form)


def chosen_form(*, as_csv: bool, as_json: bool) -> Form:
    if as_csv and as_json:
        fail("--csv and --json: choose one", MISUSED)
    return "csv" if as_csv else "json" if as_json else "table"


async def reports(
    settings: Settings, span: timedelta, group_bys: Sequence[Sequence[str]]
) -> list[UsageReport]:
    """One for each way of grouping. Raises StoreUnavailable."""
    from shared.store.connect import open_store

    async with open_store(settings, migrate=False) as store:
        return [await store.usage(LOCAL_CALLER, since=span, group_by=names) for names in group_bys]


def _draw(chart: Path, since: str, drawn: Sequence[UsageReport]) -> None:
    from shared.commands.usage_chart import draw

    try:
        chart.write_text(draw(*drawn, since=since), encoding="utf-8")
    except OSError as error:
        fail(f"--chart: {chart}: {error.strerror}")
    say(f"drawn in {chart}")


def _print(report: UsageReport, since: str, span: timedelta, names: Sequence[str], form: Form) -> None:
    if form == "json":
        print_json(report_json(report, since, span, names))
    elif form == "csv":
        print_csv(names, report)
    elif not report.rows:
        print(f"Nothing was asked of a provider in the last {since}.")
    else:
        output().print(_table(names, report))


_FIGURES = (
    "calls",
    "failed",
    "fell back",
    "tokens in",
    "tokens out",
    "cost $",
    "first token ms",
    "duration ms",
    "tokens/s",
)


def _table(names: Sequence[str], report: UsageReport) -> Table:
    cells = [(*(row.group[name] for name in names), *_figures(row)) for row in report.rows]
    if len(report.rows) > 1:
        cells.append((*("total", *[""] * (len(names) - 1)), *_figures(report.total)))
    return table(*names, *_FIGURES, rows=cells, numbers=_FIGURES)


def _figures(row: UsageRow) -> tuple[str, ...]:
    return (
        str(row.calls),
        str(row.failures),
        str(row.fallbacks),
        str(row.input_tokens),
        str(row.output_tokens),
        cost(row),
        _median(row.first_token_ms),
        _median(row.duration_ms),
        "-" if row.tokens_per_second is None else f"{row.tokens_per_second:.0f}",
    )


def cost(row: UsageRow) -> str:
    """`0.001200`, `?` where no cost is known, `0.001200 + ?` where some are not."""
    known = "" if row.cost_usd is None else f"{row.cost_usd:.6f}"
    unknown = "?" if row.unknown_costs else ""
    return " + ".join(part for part in (known, unknown) if part)


def _median(timing: Timing) -> str:
    return "-" if timing.p50 is None else f"{timing.p50:.0f}"


def print_csv(names: Sequence[str], report: UsageReport) -> None:
    """As in RFC 4180, a line of names first, but lines end as here; what is not known is empty."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow([*names, *_flat(figures(report.total))])
    for row in report.rows:
        writer.writerow([*(_cell(row.group[name]) for name in names), *_flat(figures(row)).values()])


def _flat(row: Mapping[str, Json]) -> dict[str, Json]:
    """`first_token_ms_p50` for what stands in an object."""
    flat: dict[str, Json] = {}
    for name, value in row.items():
        parts = value if isinstance(value, dict) else {"": value}
        flat.update({f"{name}_{part}" if part else name: inner for part, inner in parts.items()})
    return flat


def _cell(name: str) -> str:
    """A caller's own model name must not be a formula in a spreadsheet (OWASP, CSV injection)."""
    return f"'{name}" if name.startswith(("=", "+", "-", "@", "\t", "\r")) else name
