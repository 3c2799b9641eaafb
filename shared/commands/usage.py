"""`marginalia usage`: the ledger's totals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.commands.running import run
from shared.commands.terminal import MISUSED, fail, output, print_json, table
from shared.settings import Settings
from shared.types import LOCAL_CALLER, JsonObject

if TYPE_CHECKING:
    from rich.table import Table

    from shared.store.store import Timing, UsageRow

_SPAN = re.compile(r"(?P<count>[0-9]{1,6})(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def usage(settings: Settings, *, since: str, group_by: str, as_json: bool) -> None:
    from shared.store.store import USAGE_GROUPS

    span = parse_span(since)
    groups = [name.strip() for name in group_by.split(",") if name.strip()]
    if unknown := [name for name in groups if name not in USAGE_GROUPS]:
        fail(f"--group-by: found {unknown[0]!r}; allowed are {', '.join(USAGE_GROUPS)}", MISUSED)
    rows = run(_usage(settings, span, groups))
    if as_json:
        print_json({"since_seconds": span.total_seconds(), "rows": [_json(row) for row in rows]})
    elif not rows:
        print(f"Nothing was asked of a provider in the last {since}.")
    else:
        output().print(_table(groups, rows))


def parse_span(text: str) -> timedelta:
    """`90m`, `24h`, `7d`: ends the program with exit code 2 for what is no time."""
    found = _SPAN.fullmatch(text.strip())
    if found is None or int(found["count"]) == 0:
        fail(f"--since: found {text!r}; allowed is a number with s, m, h, d or w, as in 24h", MISUSED)
    return timedelta(**{_UNITS[found["unit"]]: int(found["count"])})


async def _usage(settings: Settings, span: timedelta, groups: Sequence[str]) -> list[UsageRow]:
    from shared.store.connect import open_store

    async with open_store(settings, migrate=False) as store:
        return await store.usage(LOCAL_CALLER, since=span, group_by=groups)


_FIGURES = ("calls", "failed", "tokens in", "tokens out", "cost $", "first token ms", "duration ms")


def _table(groups: Sequence[str], rows: Sequence[UsageRow]) -> Table:
    cells = [(*(row.group[name] for name in groups), *_figures(row)) for row in rows]
    return table(*groups, *_FIGURES, rows=cells, numbers=_FIGURES)


def _figures(row: UsageRow) -> tuple[str, ...]:
    return (
        str(row.calls),
        str(row.failures),
        str(row.input_tokens),
        str(row.output_tokens),
        cost(row),
        _median(row.first_token_ms),
        _median(row.duration_ms),
    )


def cost(row: UsageRow) -> str:
    """`0.001200`, `?` where no cost is known, `0.001200 + ?` where some are not."""
    known = "" if row.cost_usd is None else f"{row.cost_usd:.6f}"
    unknown = "?" if row.unknown_costs else ""
    return " + ".join(part for part in (known, unknown) if part)


def _median(timing: Timing) -> str:
    return "-" if timing.p50 is None else f"{timing.p50:.0f}"


def _json(row: UsageRow) -> JsonObject:
    return {
        **row.group,
        "calls": row.calls,
        "failures": row.failures,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cached_tokens": row.cached_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": None if row.cost_usd is None else float(row.cost_usd),
        "unknown_costs": row.unknown_costs,
        "first_token_ms": _timing(row.first_token_ms),
        "duration_ms": _timing(row.duration_ms),
    }


def _timing(timing: Timing) -> JsonObject:
    return {"average": timing.average, "p50": timing.p50, "p95": timing.p95}
