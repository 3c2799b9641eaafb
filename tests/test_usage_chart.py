"""The chart of the ledger: an SVG that reads, whatever stands in the rows."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from xml.etree import ElementTree

from hypothesis import given
from hypothesis import strategies as st

from shared.commands.svg import number, ticks
from shared.commands.usage_chart import draw
from shared.store.records import Timing, UsageReport, UsageRow

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = {"svg", "title", "text", "rect", "line", "circle"}


def row(
    *,
    day: str = "2026-11-01",
    task: str = "qa",
    provider: str = "together",
    calls: int = 4,
    fallbacks: int = 1,
    cost: Decimal | None = Decimal("0.5"),
    first_token: float | None = 200.0,
) -> UsageRow:
    timing = Timing(first_token, first_token, first_token)
    return UsageRow(
        group={"day": day, "task": task, "provider": provider},
        calls=calls,
        failures=0,
        requests=calls,
        fallbacks=fallbacks,
        hedges=0,
        repairs=0,
        estimated=0,
        input_tokens=10,
        output_tokens=10,
        cached_tokens=0,
        reasoning_tokens=0,
        cost_usd=cost,
        unknown_costs=0 if cost is not None else calls,
        first_token_ms=timing,
        duration_ms=timing,
        tokens_per_second=None,
    )


def drawn(rows: Sequence[UsageRow]) -> ElementTree.Element:
    """As read by a parser, of marks alone."""
    total = row(calls=sum(one.calls for one in rows), cost=None)
    report = UsageReport(total, tuple(rows))
    root = ElementTree.fromstring(draw(report, report, report, since="7d"))
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= DRAWN
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on")]
    return root


def told(root: ElementTree.Element) -> list[str]:
    return [title.text or "" for mark in root.iter(f"{SVG}rect") for title in mark.iter(f"{SVG}title")]


def texts(root: ElementTree.Element) -> list[str]:
    return [text.text or "" for text in root.iter(f"{SVG}text")]


def test_with_no_data_every_panel_says_so() -> None:
    found = texts(drawn([]))
    assert found.count("no known cost") == 2
    assert {"no token has come", "nothing was asked"} <= {*found}


def test_costs_are_stacked_and_days_between_are_kept() -> None:
    root = drawn(
        [row(), row(provider="openai", cost=Decimal("1.5")), row(day="2026-11-04", cost=Decimal("0.25"))]
    )
    days = [label for label in texts(root) if label.startswith("11-")]
    assert days[: len(days) // 2] == ["11-01", "11-02", "11-03", "11-04"]
    assert "2026-11-01, openai: $1.5" in told(root)
    bars = {title.text: mark for mark in root.iter(f"{SVG}rect") for title in mark.iter(f"{SVG}title")}
    below, above = bars["2026-11-01, together: $0.5"], bars["2026-11-01, openai: $1.5"]
    assert float(above.attrib["y"]) + float(above.attrib["height"]) == float(below.attrib["y"])
    assert float(above.attrib["height"]) == 3 * float(below.attrib["height"])


def test_an_unknown_cost_is_said_to_be_missing() -> None:
    found = texts(drawn([row(cost=None)]))
    assert "4 calls of unknown cost are not in the bars" in found[1]


def test_no_name_becomes_markup() -> None:
    name = "</text><script>alert(1)</script>&\x00\x1b"
    root = drawn([row(task=name, provider='"onload="x', day="2026-11-02")])
    assert any("</text><script>" in text for text in told(root))


@given(
    st.lists(
        st.builds(
            row,
            day=st.dates().map(str),
            task=st.text(),
            provider=st.text(),
            calls=st.integers(1, 10**9),
            fallbacks=st.just(1),
            cost=st.none() | st.decimals(0, 10**6, places=9),
            first_token=st.none() | st.floats(0, 1e7),
        ),
        max_size=8,
    ).filter(lambda rows: spread_of(rows) < 4000)
)
def test_any_rows_are_drawn_within_the_picture(rows: list[UsageRow]) -> None:
    root = drawn(rows)
    for mark in root.iter(f"{SVG}rect"):
        x, y, width, height = (float(mark.attrib[name]) for name in ("x", "y", "width", "height"))
        assert 0 <= x <= x + width <= 1080.1
        assert -0.1 <= y <= y + height <= 780.1


def spread_of(rows: Sequence[UsageRow]) -> int:
    """Days from the first to the last."""
    days = [date.fromisoformat(one.group["day"]) for one in rows]
    return (max(days) - min(days)).days if days else 0


@given(st.floats(1e-8, 1e9))
def test_steps_are_round_few_and_reach_the_highest(highest: float) -> None:
    steps = ticks(highest)
    assert steps[0] == 0
    assert steps[-1] >= highest * 0.998
    assert steps[-2] < highest
    assert 2 <= len(steps) <= 6


def test_numbers_have_no_exponent_and_no_zeros_at_their_end() -> None:
    assert [number(value) for value in (0, 0.00001, 2.5, 1000.0)] == ["0", "0.00001", "2.5", "1000"]
