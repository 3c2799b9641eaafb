"""Marks of a chart as SVG (https://www.w3.org/TR/SVG2/). Lengths are pixels; y grows downwards.

Whatever is written is escaped here, so that no name can become markup.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

INK = "#1f2430"
FAINT = "#6b7280"
GRID = "#e3e6ec"
PAPER = "#ffffff"
# Okabe and Ito's: told apart by the colour-blind too (https://jfly.uni-koeln.de/color/).
COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00")
OTHERS = "#9aa1ad"

# What XML 1.0 has no place for (2.2 Characters).
_NO_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Plot:
    """Where a panel's marks go: within its axes."""

    x: float
    y: float
    width: float
    height: float

    @property
    def bottom(self) -> float:
        return self.y + self.height

    @property
    def right(self) -> float:
        return self.x + self.width


def escaped(content: str) -> str:
    return escape(_NO_XML.sub("", content))


def shortened(content: str, longest: int) -> str:
    return content if len(content) <= longest else f"{content[: longest - 1]}…"


def text(
    x: float,
    y: float,
    content: str,
    *,
    anchor: str = "start",
    size: int = 12,
    colour: str = INK,
    bold: bool = False,
) -> str:
    weight = ' font-weight="600"' if bold else ""
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" fill="{colour}"{weight}>'
        f"{escaped(content)}</text>"
    )


def bar(x: float, y: float, width: float, height: float, colour: str, told: str = "") -> str:
    """`told` is what a browser shows over it."""
    inner = f"<title>{escaped(told)}</title>" if told else ""
    return (
        f'<rect x="{x:.2f}" y="{y:.2f}" width="{max(width, 0):.2f}" height="{max(height, 0):.2f}" '
        f'fill="{colour}">{inner}</rect>'
    )


def line(x1: float, y1: float, x2: float, y2: float, colour: str = GRID, *, width: float = 1) -> str:
    return (
        f'<line x1="{x1:.2f}" y1="{y1:.2f}" x2="{x2:.2f}" y2="{y2:.2f}" stroke="{colour}" '
        f'stroke-width="{width}"/>'
    )


def dot(x: float, y: float, colour: str, told: str) -> str:
    return f'<circle cx="{x:.2f}" cy="{y:.2f}" r="3" fill="{colour}"><title>{escaped(told)}</title></circle>'


def ticks(highest: float) -> list[float]:
    """From 0 in round steps, about four of them, up to the first that is not below `highest`."""
    if not highest > 0:
        return [0.0, 1.0]
    rough = highest / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)
    return [step * number for number in range(math.ceil(highest / step * 0.999) + 1)]


def number(value: float) -> str:
    """Without an exponent and without zeros at the end."""
    return f"{value:.9f}".rstrip("0").rstrip(".")


def document(width: int, height: int, title: str, marks: Iterable[str]) -> str:
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" font-family="system-ui, sans-serif">'
    )
    return "\n".join(
        [head, f"<title>{escaped(title)}</title>", bar(0, 0, width, height, PAPER), *marks, "</svg>", ""]
    )


def scale_up(plot: Plot, steps: Sequence[float], labels: Sequence[str]) -> list[str]:
    """Lines across, from the lowest step at the bottom, with their labels to the left."""
    marks = []
    for step, label in zip(steps, labels, strict=True):
        y = plot.bottom - plot.height * step / steps[-1]
        marks += [
            line(plot.x, y, plot.right, y),
            text(plot.x - 6, y + 4, label, anchor="end", size=11, colour=FAINT),
        ]
    return marks


def scale_along(plot: Plot, steps: Sequence[float], labels: Sequence[str]) -> list[str]:
    """Lines down, from the lowest step at the left, with their labels below."""
    marks = []
    for step, label in zip(steps, labels, strict=True):
        x = plot.x + plot.width * step / steps[-1]
        marks += [
            line(x, plot.y, x, plot.bottom),
            text(x, plot.bottom + 16, label, anchor="middle", size=11, colour=FAINT),
        ]
    return marks
