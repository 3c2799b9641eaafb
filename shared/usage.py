"""The ledger's totals as they are asked for and given: over HTTP and by the command line alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import TYPE_CHECKING

from shared.errors import InvalidRequest
from shared.types import JsonObject

if TYPE_CHECKING:
    from shared.store.store import UsageReport, UsageRow

DEFAULT_RANGE = "24h"
DEFAULT_GROUPS = "task,provider,model"
LONGEST_RANGE = timedelta(days=3660)
ALLOWED_RANGE = "a number with s, m, h, d or w, as in 90m, 24h, 7d and 4w, of at most 3660d"

_RANGE = re.compile(r"(?P<count>[0-9]{1,9})(?P<unit>[smhdw])")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}  # seconds


def time_range(text: str, *, param: str = "time_range") -> timedelta:
    """`90m`, `24h`, `7d`, `4w`. Raises InvalidRequest, which names `param`."""
    found = _RANGE.fullmatch(text.strip())
    seconds = int(found["count"]) * _UNITS[found["unit"]] if found else 0
    if not 0 < seconds <= LONGEST_RANGE.total_seconds():
        raise InvalidRequest(f"{param} is {text[:40]!r}; allowed is {ALLOWED_RANGE}", param=param)
    return timedelta(seconds=seconds)


def groups(text: str, *, param: str = "group_by") -> list[str]:
    """Names with commas between; none is the total alone. Raises InvalidRequest, which names `param`."""
    from shared.store.store import USAGE_GROUPS

    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in USAGE_GROUPS]:
        raise InvalidRequest(
            f"{param} holds {unknown[0][:40]!r}; allowed are {', '.join(USAGE_GROUPS)}", param=param
        )
    return names


def report_json(report: UsageReport, asked: str, span: timedelta, group_by: Sequence[str]) -> JsonObject:
    """`asked` is the range as it was written."""
    return {
        "time_range": asked,
        "since_seconds": span.total_seconds(),
        "group_by": list(group_by),
        "total": figures(report.total),
        "rows": [{**row.group, **figures(row)} for row in report.rows],
    }


def figures(row: UsageRow) -> JsonObject:
    """What a row adds up to. Dollars are known costs alone; shares are from 0 to 1, null of nothing."""
    return {
        "calls": row.calls,
        "failures": row.failures,
        "failure_share": share(row.failures, row.calls),
        "requests": row.requests,
        "fallbacks": row.fallbacks,
        "fallback_share": share(row.fallbacks, row.requests),
        "hedges": row.hedges,
        "repairs": row.repairs,
        "estimated": row.estimated,
        "input_tokens": row.input_tokens,
        "output_tokens": row.output_tokens,
        "cached_tokens": row.cached_tokens,
        "reasoning_tokens": row.reasoning_tokens,
        "cost_usd": None if row.cost_usd is None else float(row.cost_usd),
        "unknown_costs": row.unknown_costs,
        "first_token_ms": asdict(row.first_token_ms),
        "duration_ms": asdict(row.duration_ms),
        "tokens_per_second": row.tokens_per_second,
    }


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
