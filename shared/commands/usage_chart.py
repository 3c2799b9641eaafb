"""The ledger drawn: cost by day and task, time to the first token, share of fallbacks."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING

from shared.commands import svg
from shared.commands.svg import COLOURS, FAINT, INK, OTHERS, Plot

if TYPE_CHECKING:
    from shared.store.store import UsageReport, UsageRow

WIDTH, HEIGHT = 1080, 780
MOST_ROWS = 10  # of the panel of first tokens: those with the most calls
_LEGEND = 14  # characters of a name
_LEFT = (Plot(100, 160, 420, 210), Plot(210, 500, 310, 210))
_RIGHT = (Plot(700, 160, 340, 210), Plot(650, 500, 390, 210))
_HEADINGS = (40, 600)  # where they begin, to the left and to the right


def draw(
    by_day_task_and_provider: UsageReport,
    by_task_and_provider: UsageReport,
    by_day: UsageReport,
    *,
    since: str,
) -> str:
    """An SVG document of four panels. What costs an unknown sum is not drawn, and said to be missing."""
    costs, tasks = by_day_task_and_provider.rows, by_task_and_provider.rows
    colours = colours_of(tasks)
    total = by_day.total
    title = f"Marginalia: {total.calls:,} calls to providers in the last {since}"
    return svg.document(
        WIDTH,
        HEIGHT,
        title,
        [
            svg.text(40, 42, title, size=20, bold=True),
            svg.text(40, 64, _summary(by_day), size=13, colour=FAINT),
            *_legend(colours),
            *_cost_by_day(_LEFT[0], costs, colours),
            *_cost_by_task(_RIGHT[0], costs, colours),
            *_first_tokens(_LEFT[1], tasks, colours),
            *_fallbacks(_RIGHT[1], by_day.rows),
        ],
    )


def _summary(report: UsageReport) -> str:
    total = report.total
    known = "no known cost" if total.cost_usd is None else f"${svg.number(round(float(total.cost_usd), 6))}"
    parts = [known, f"{total.input_tokens:,} tokens in, {total.output_tokens:,} out"]
    if total.unknown_costs:
        parts.append(f"{total.unknown_costs:,} calls of unknown cost are not in the bars")
    return "  ·  ".join(parts)


def colours_of(rows: Sequence[UsageRow]) -> dict[str, str]:
    """Those asked most have colours of their own."""
    calls: dict[str, int] = defaultdict(int)
    for row in rows:
        calls[row.group["provider"]] += row.calls
    names = sorted(calls, key=lambda name: (-calls[name], name))
    return {name: COLOURS[place] if place < len(COLOURS) else OTHERS for place, name in enumerate(names)}


def _legend(colours: Mapping[str, str]) -> list[str]:
    marks: list[str] = []
    shown = [(name, colour) for name, colour in colours.items() if colour != OTHERS]
    if len(shown) < len(colours):
        shown.append(("others", OTHERS))
    for place, (name, colour) in enumerate(shown):
        x = 40 + place * 140
        marks += [svg.bar(x, 80, 12, 12, colour), svg.text(x + 18, 91, svg.shortened(name, _LEGEND))]
    return marks


def _headed(plot: Plot, title: str, unit: str) -> list[str]:
    x = max(start for start in _HEADINGS if start < plot.x)
    return [
        svg.text(x, plot.y - 32, title, size=14, bold=True),
        svg.text(x, plot.y - 16, unit, size=11, colour=FAINT),
    ]


def _nothing(plot: Plot, what: str) -> list[str]:
    middle = plot.x + plot.width / 2
    return [svg.text(middle, plot.y + plot.height / 2, what, anchor="middle", size=13, colour=FAINT)]


def _costs(rows: Sequence[UsageRow], name: str) -> dict[str, dict[str, float]]:
    """Known dollars by the group `name`, then by provider."""
    costs: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
    for row in rows:
        costs[row.group[name]][row.group["provider"]] += float(row.cost_usd or 0)
    return costs


def _cost_by_day(plot: Plot, rows: Sequence[UsageRow], colours: Mapping[str, str]) -> list[str]:
    marks = _headed(plot, "Cost by day", "US dollars, known costs; days in UTC")
    costs = _costs(rows, "day")
    highest = max((sum(providers.values()) for providers in costs.values()), default=0.0)
    if not highest:
        return [*marks, *_nothing(plot, "no known cost")]
    steps = svg.ticks(highest)
    days = _days(list(costs))
    marks += svg.scale_up(plot, steps, [f"${svg.number(step)}" for step in steps])
    marks += _day_labels(plot, days)
    width = plot.width / len(days)
    for place, day in enumerate(days):
        y = plot.bottom
        for provider in [name for name in colours if name in costs.get(day, {})]:
            dollars = costs[day][provider]
            height = plot.height * dollars / steps[-1]
            y -= height
            told = f"{day}, {provider}: ${svg.number(dollars)}"
            marks.append(
                svg.bar(plot.x + (place + 0.15) * width, y, 0.7 * width, height, colours[provider], told)
            )
    return marks


def _days(found: Sequence[str]) -> list[str]:
    """From the first to the last, those between as well."""
    first, last = date.fromisoformat(min(found)), date.fromisoformat(max(found))
    return [(first + timedelta(days=number)).isoformat() for number in range((last - first).days + 1)]


def _day_labels(plot: Plot, days: Sequence[str]) -> list[str]:
    """At most seven: month and day, and the year under the first."""
    every = -(-len(days) // 7)
    marks = [svg.line(plot.x, plot.bottom, plot.right, plot.bottom, FAINT)]
    for place in range(0, len(days), every):
        x = plot.x + (place + 0.5) * plot.width / len(days)
        marks.append(svg.text(x, plot.bottom + 16, days[place][5:], anchor="middle", size=11, colour=FAINT))
        if place == 0:
            marks.append(
                svg.text(x, plot.bottom + 30, days[place][:4], anchor="middle", size=11, colour=FAINT)
            )
    return marks


def _cost_by_task(plot: Plot, rows: Sequence[UsageRow], colours: Mapping[str, str]) -> list[str]:
    marks = _headed(plot, "Cost by task", "US dollars, known costs")
    costs = _costs(rows, "task")
    highest = max((sum(providers.values()) for providers in costs.values()), default=0.0)
    if not highest:
        return [*marks, *_nothing(plot, "no known cost")]
    steps = svg.ticks(highest)
    marks += svg.scale_along(plot, steps, [f"${svg.number(step)}" for step in steps])
    height = plot.height / len(costs)
    for place, task in enumerate(sorted(costs, key=lambda task: -sum(costs[task].values()))):
        x, middle = plot.x, plot.y + (place + 0.5) * height
        marks.append(svg.text(plot.x - 8, middle + 4, svg.shortened(task, _LEGEND), anchor="end"))
        for provider in [name for name in colours if name in costs[task]]:
            dollars = costs[task][provider]
            width = plot.width * dollars / steps[-1]
            thick = min(24.0, 0.6 * height)
            told = f"{task}, {provider}: ${svg.number(dollars)}"
            marks.append(svg.bar(x, middle - thick / 2, width, thick, colours[provider], told))
            x += width
    return marks


def _first_tokens(plot: Plot, rows: Sequence[UsageRow], colours: Mapping[str, str]) -> list[str]:
    marks = _headed(plot, "Time to first token", "milliseconds: bar to p50, whisker to p95")
    timed = sorted((row for row in rows if row.first_token_ms.p95 is not None), key=lambda row: -row.calls)
    if not timed:
        return [*marks, *_nothing(plot, "no token has come")]
    shown = timed[:MOST_ROWS]
    steps = svg.ticks(max(row.first_token_ms.p95 or 0 for row in shown))
    marks += svg.scale_along(plot, steps, [svg.number(step) for step in steps])
    height = plot.height / len(shown)
    for place, row in enumerate(shown):
        marks += _timing(plot, row, plot.y + (place + 0.5) * height, height, steps[-1], colours)
    if len(timed) > len(shown):
        more = f"and {len(timed) - len(shown)} with fewer calls"
        marks.append(svg.text(plot.right, plot.bottom + 34, more, anchor="end", size=11, colour=FAINT))
    return marks


def _timing(
    plot: Plot, row: UsageRow, middle: float, height: float, highest: float, colours: Mapping[str, str]
) -> list[str]:
    p50, p95 = row.first_token_ms.p50 or 0.0, row.first_token_ms.p95 or 0.0
    task, provider = row.group["task"], row.group["provider"]
    thick, end = min(16.0, 0.6 * height), plot.x + plot.width * p95 / highest
    told = f"{task}, {provider}: p50 {p50:.0f} ms, p95 {p95:.0f} ms, {row.calls} calls"
    return [
        svg.text(plot.x - 8, middle + 4, svg.shortened(f"{task}, {provider}", 28), anchor="end", size=11),
        svg.bar(plot.x, middle - thick / 2, plot.width * p50 / highest, thick, colours[provider], told),
        svg.line(plot.x + plot.width * p50 / highest, middle, end, middle, INK),
        svg.line(end, middle - 4, end, middle + 4, INK),
    ]


def _fallbacks(plot: Plot, rows: Sequence[UsageRow]) -> list[str]:
    marks = _headed(plot, "Share of fallbacks by day", "% of requests that another provider was asked for")
    shares = {row.group["day"]: 100 * row.fallbacks / row.requests for row in rows if row.requests}
    if not shares:
        return [*marks, *_nothing(plot, "nothing was asked")]
    steps = svg.ticks(max(5.0, *shares.values()))
    days = _days(list(shares))
    marks += svg.scale_up(plot, steps, [f"{svg.number(step)} %" for step in steps])
    marks += _day_labels(plot, days)
    width = plot.width / len(days)
    before: tuple[float, float] | None = None
    for place, day in enumerate(days):
        if day not in shares:
            before = None  # a day without requests has no share
            continue
        x, y = plot.x + (place + 0.5) * width, plot.bottom - plot.height * shares[day] / steps[-1]
        if before:
            marks.append(svg.line(*before, x, y, COLOURS[0], width=2))
        marks.append(svg.dot(x, y, COLOURS[0], f"{day}: {shares[day]:.1f} %"))
        before = (x, y)
    return marks
