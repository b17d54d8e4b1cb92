"""A picture of how durations grow with a size: panels of lines over two logarithmic axes, as SVG.

A dashed line in each panel grows in proportion, so what is flatter grows slower than the size. It computes nothing.
"""

import math
from collections.abc import Sequence

import msgspec

from kilonode.report.markup import Markup, element, join

WIDTH, HEIGHT, LEFT, TOP = 470, 330, 70, 46
LEGEND_LINE = 19
COLOURS = ("#0b6e99", "#d9480f", "#2b8a3e", "#862e9c")
FONT = "font-family:system-ui,sans-serif;font-size:12px"


class Line(msgspec.Struct, frozen=True):
    """One line of a panel; `peer` lines are drawn thinner."""

    label: str
    points: tuple[tuple[float, float], ...]
    """Size and seconds."""
    peer: bool = False


class Panel(msgspec.Struct, frozen=True):
    """One picture beside others."""

    title: str
    lines: Sequence[Line]


def growth_svg(panels: Sequence[Panel], size_label: str) -> str:
    """The panels beside each other."""
    most = max(len(panel.lines) for panel in panels) + 1
    height = TOP + HEIGHT + 52 + most * LEGEND_LINE
    width = (WIDTH + LEFT + 30) * len(panels)
    drawn = [
        element("g", *_panel(panel, size_label), transform=f"translate({number * (WIDTH + LEFT + 30) + LEFT} {TOP})")
        for number, panel in enumerate(panels)
    ]
    ground = element("rect", width=f"{width}", height=f"{height}", fill="#ffffff")
    picture = element(
        "svg", ground, *drawn, xmlns="http://www.w3.org/2000/svg", viewBox=f"0 0 {width} {height}", style=FONT
    )
    return f"{picture}\n"


class _Axes:
    """Where sizes and seconds are in a panel: whole decades from edge to edge."""

    def __init__(self, lines: Sequence[Line]) -> None:
        sizes = [math.log10(size) for line in lines for size, _ in line.points]
        seconds = [math.log10(value) for line in lines for _, value in line.points]
        self.sizes = range(math.floor(min(sizes)), math.ceil(max(sizes)) + 1)
        self.seconds = range(math.floor(min(seconds)), math.ceil(max(seconds)) + 1)

    def x(self, size_log: float) -> float:
        return (size_log - self.sizes[0]) / max(1, self.sizes[-1] - self.sizes[0]) * WIDTH

    def y(self, seconds_log: float) -> float:
        return HEIGHT - (seconds_log - self.seconds[0]) / max(1, self.seconds[-1] - self.seconds[0]) * HEIGHT


def _panel(panel: Panel, size_label: str) -> list[Markup]:
    axes = _Axes(panel.lines)
    drawn = [_text(panel.title, 0, -18, style="font-size:15px;font-weight:600")]
    for decade in axes.sizes:
        x = axes.x(decade)
        drawn += [_stroke([(x, 0), (x, HEIGHT)], "#e4e4e4"), _text(f"{10**decade:,}", x, HEIGHT + 18, "middle")]
    for decade in axes.seconds:
        y = axes.y(decade)
        drawn += [_stroke([(0, y), (WIDTH, y)], "#e4e4e4"), _text(_decade(decade), -8, y + 4, "end")]
    drawn.append(_text(size_label, WIDTH / 2, HEIGHT + 38, "middle"))
    decades = min(axes.sizes[-1] - axes.sizes[0], axes.seconds[-1] - axes.seconds[0])
    proportional = [(axes.x(axes.sizes[0] + step), axes.y(axes.seconds[0] + step)) for step in (0, decades)]
    drawn.append(_stroke(proportional, "#8a8a8a", dashes="5 5"))
    for number, line in enumerate(panel.lines):
        colour = COLOURS[number % len(COLOURS)]
        places = [(axes.x(math.log10(size)), axes.y(math.log10(value))) for size, value in line.points]
        drawn.append(_stroke(places, colour, width=1.5 if line.peer else 2.5))
        drawn += [element("circle", cx=f"{x:.1f}", cy=f"{y:.1f}", r="3.5", fill=colour) for x, y in places]
        drawn.append(_legend(number, line.label, colour, width=1.5 if line.peer else 2.5))
    drawn.append(_legend(len(panel.lines), "in proportion to the size", "#8a8a8a", dashes="5 5"))
    return drawn


def _decade(exponent: int) -> str:
    """Ten to this power in seconds, as people write it."""
    for unit, scale in (("s", 0), ("ms", 3), ("µs", 6)):
        if exponent + scale >= 0:
            return f"{10 ** (exponent + scale):,} {unit}"
    return f"{10 ** (exponent + 9):,} ns"


def _legend(number: int, label: str, colour: str, *, width: float = 1.0, dashes: str = "") -> Markup:
    y = HEIGHT + 60 + number * LEGEND_LINE
    return join([_stroke([(0, y - 4), (26, y - 4)], colour, width=width, dashes=dashes), _text(label, 34, y)])


def _stroke(places: Sequence[tuple[float, float]], colour: str, *, width: float = 1.0, dashes: str = "") -> Markup:
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    return element(
        "polyline",
        points=points,
        fill="none",
        stroke=colour,
        stroke_width=f"{width:g}",
        stroke_dasharray=dashes or None,
    )


def _text(words: str, x: float, y: float, anchor: str = "start", style: str | None = None) -> Markup:
    return element("text", words, x=f"{x:.1f}", y=f"{y:.1f}", text_anchor=anchor, fill="#222222", style=style)
