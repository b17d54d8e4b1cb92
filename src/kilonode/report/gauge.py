"""Two small pictures that stand in table cells, as SVG: a criterion against its bound, and a distribution as a box."""

from collections.abc import Sequence
from typing import Final

from kilonode.check.criteria import Comparison, parse_criterion
from kilonode.check.metrics import Unit
from kilonode.check.results import CriterionResult, Latency
from kilonode.report.markup import Markup, element
from kilonode.report.words import percentile_at, seconds_words, value_words

WIDTH: Final = 160
HEIGHT: Final = 22
_MARGIN: Final = 3
BOX_PERCENTS: Final = (5.0, 25.0, 50.0, 75.0, 95.0)


def gauge(result: CriterionResult) -> Markup | None:
    """A bar up to the measured value, a whisker for its interval, a line at the bound; shaded: where it holds."""
    if result.measured is None or result.unit is Unit.HELD:
        return None
    interval = result.interval
    ends = [result.measured, result.bound]
    if interval is not None:
        ends.extend(end for end in (interval.low, interval.high) if end is not None)
    scale = max(ends) * 1.15
    if scale <= 0:
        return None

    def at(value: float) -> float:
        return round(_MARGIN + (WIDTH - 2 * _MARGIN) * min(1.0, value / scale), 1)

    bound, measured = at(result.bound), at(result.measured)
    upwards = parse_criterion(result.criterion).comparison in (Comparison.MORE, Comparison.AT_LEAST)
    good_from, good_to = (bound, WIDTH - _MARGIN) if upwards else (_MARGIN, bound)
    parts = [
        element("rect", x=good_from, y=2, width=max(0, round(good_to - good_from, 1)), height=18, class_="good"),
        element("rect", x=_MARGIN, y=8, width=max(1, round(measured - _MARGIN, 1)), height=6, class_="measured"),
    ]
    if interval is not None and (interval.low is not None or interval.high is not None):
        low = at(interval.low or 0.0)
        high = at(interval.high) if interval.high is not None else WIDTH
        parts.append(element("path", d=f"M{low} 11H{high}M{low} 7V15" + (f"M{high} 7V15" if interval.high else "")))
    parts.append(element("line", x1=bound, x2=bound, y1=0, y2=HEIGHT, class_="bound"))
    words = f"measured {value_words(result.measured, result.unit)}, bound {value_words(result.bound, result.unit)}"
    return _svg(parts, f"gauge {result.verdict}", words)


def box(latency: Latency, longest_s: float) -> Markup | None:
    """p5 to p95 as a line, p25 to p75 as a box, p50 as a mark; None when there are too few samples."""
    return box_of([percentile_at(latency, percent).value_s for percent in BOX_PERCENTS], longest_s)


def box_of(values: Sequence[float | None], longest_s: float) -> Markup | None:
    """The same from the values of `BOX_PERCENTS`."""
    known = [value for value in values if value is not None]
    if len(known) < len(values) or longest_s <= 0:
        return None
    p5, p25, p50, p75, p95 = (
        round(_MARGIN + (WIDTH - 2 * _MARGIN) * min(1.0, value / longest_s), 1) for value in known
    )
    parts = [
        element("path", d=f"M{p5} 11H{p95}M{p5} 7V15M{p95} 7V15"),
        element("rect", x=p25, y=5, width=max(1, round(p75 - p25, 1)), height=12, class_="box"),
        element("line", x1=p50, x2=p50, y1=4, y2=18, class_="bound"),
    ]
    words = ", ".join(
        f"p{percent:g} {seconds_words(value)}" for percent, value in zip(BOX_PERCENTS, known, strict=True)
    )
    return _svg(parts, "box", words)


def _svg(parts: list[Markup], kind: str, words: str) -> Markup:
    return element(
        "svg",
        element("title", words),
        parts,
        class_=kind,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        width=WIDTH,
        height=HEIGHT,
        role="img",
    )
