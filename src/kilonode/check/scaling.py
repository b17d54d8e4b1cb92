"""How a campaign's figures grow along its axes, and what will hurt first: the hyper-scale method.

For every figure and every track of points that differ along one axis alone, a straight line y = m x + b is fitted. m is
what each further unit of x costs, b what is there anyway, and b / m the *doubling scale*: the x at which the figure is
twice what it would be at zero. A figure of which more is better (throughput) has a *halving scale* -b / (2 m) in its
place; both are the x at which things are twice as bad, so they are ranked together, the smallest first.

A line that is not known is not drawn: fewer than three different x are unknown; a slope whose interval has zero in it
is *no change seen*, and its scale is at least the lower end of its interval, if there is one; a figure that grows from
nothing (b not above zero) has no double of its value at zero, and ranks before all others. Points whose run could not
be judged (verdict unknown) are fitted and counted as doubtful.

Units: a slope is in the figure's unit for each unit of the axis; scales are in that of the axis.
"""

import math
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from kilonode.check.regression import Line, Span, fit_line, ratio_span
from kilonode.check.results import Interval, Verdict
from kilonode.check.sweep import Axis, Held, Sweep, SweepPoint, Together, Track

FORMAT_VERSION: Final = 1
"""Of `CampaignResults` as JSON; fields may be added within a version."""

MORE_IS_BETTER: Final = ("throughput_",)
"""How the metrics begin that hurt when they fall. All others hurt when they rise."""


FARTHEST: Final = 1_000.0
"""A lower end is claimed for at most so many times what was measured: who measured to 50 cannot speak of millions."""


class Trend(StrEnum):
    """What a figure does along an axis. Beyond doubt means: zero is not in the slope's 95 % interval."""

    WORSENS = "worsens"
    IMPROVES = "improves"
    NONE_SEEN = "no change seen"
    UNKNOWN = "unknown"
    """Fewer than three different values of the axis have the figure."""


class _Record(msgspec.Struct, frozen=True, kw_only=True):
    pass


class Scaling(_Record, frozen=True, kw_only=True):
    """One figure along one track. Intervals are of 95 %."""

    figure: str
    view: int
    """Its place among the views."""
    track: int
    """Its place among the view's tracks."""
    points: int
    """How many points have the figure."""
    places: int
    """At how many different values of the axis."""
    doubtful: int
    """How many of the points could not be judged."""
    trend: Trend
    slope: float | None = None
    slope_interval: Interval | None = None
    intercept: float | None = None
    intercept_interval: Interval | None = None
    r_squared: float | None = None
    """None: there was no scatter to explain."""
    scale: float | None = None
    """Where the figure is twice as bad as at zero. None: nowhere that could be told; see the interval."""
    scale_interval: Interval | None = None
    """With no change seen only its low end is known, if that."""
    measured_to: float | None = None
    """The largest value of the axis that has the figure."""
    extrapolated: bool = False
    """The scale lies beyond that: the line was followed further than any run went."""


class Drawn(_Record, frozen=True, kw_only=True):
    """One track as lines: the mean of the repetitions at each place."""

    held: Held
    x: tuple[float, ...]
    y: dict[str, tuple[float | None, ...]]
    """By figure; None: no point there has it."""
    measured_at: int
    """At how many places there is any figure at all."""


class ViewResults(_Record, frozen=True, kw_only=True):
    """One way to look along one axis."""

    axis: Axis
    family_held: Held
    together: tuple[Together, ...]
    tracks: tuple[Drawn, ...]


class Summary(_Record, frozen=True, kw_only=True):
    """One figure in one view: the track on which it hurts first."""

    worst: int
    """Its place among the fits."""
    worsening: int
    """On how many tracks it surely worsens."""
    known: int
    """On how many tracks there is a line."""


class CampaignResults(_Record, frozen=True, kw_only=True):
    """A campaign in numbers."""

    axes: tuple[Axis, ...]
    repeated: bool
    """Points were repeated with other seeds."""
    points: tuple[SweepPoint, ...]
    figures: tuple[str, ...]
    """Every figure that any point has, in the order in which they first came."""
    views: tuple[ViewResults, ...]
    fits: tuple[Scaling, ...]
    """View by view, within each what hurts first."""
    summaries: tuple[tuple[Summary, ...], ...]
    """For each view its figures, what hurts first before the others; those without any line are left out."""
    format_version: int = FORMAT_VERSION


def evaluate_campaign(points: Iterable[SweepPoint]) -> CampaignResults:
    """Everything there is to say of these points."""
    sweep = Sweep(tuple(points))
    figures = tuple(dict.fromkeys(name for point in sweep.points for name in point.figures))
    views = sweep.views()
    fits: list[Scaling] = []
    summaries = []
    for place, view in enumerate(views):
        found = [
            scaling_of(track, figure, place, number) for figure in figures for number, track in enumerate(view.tracks)
        ]
        found.sort(key=_urgency)
        summaries.append(_summaries(found, len(fits)))
        fits.extend(found)
    return CampaignResults(
        axes=sweep.axes,
        repeated=sweep.repeated,
        points=sweep.points,
        figures=figures,
        views=tuple(
            ViewResults(
                axis=view.axis,
                family_held=view.family_held,
                together=view.together,
                tracks=tuple(_drawn(track, figures) for track in view.tracks),
            )
            for view in views
        ),
        fits=tuple(fits),
        summaries=tuple(summaries),
    )


def scaling_of(track: Track, figure: str, view_place: int, track_place: int) -> Scaling:
    """The line of one figure along one track, and where it has doubled."""
    known = [
        (place, value, point.verdict)
        for place, point in zip(track.places, track.points, strict=True)
        if (value := point.figures.get(figure)) is not None and math.isfinite(value)
    ]
    x = np.array([place for place, _, _ in known], dtype=np.float64)
    line = fit_line(x, np.array([value for _, value, _ in known], dtype=np.float64)) if known else None
    bare = Scaling(
        figure=figure,
        view=view_place,
        track=track_place,
        points=len(known),
        places=len(set(x.tolist())),
        doubtful=sum(verdict is Verdict.UNKNOWN for _, _, verdict in known),
        trend=Trend.UNKNOWN,
        measured_to=float(x.max()) if known else None,
    )
    return bare if line is None else _with_line(bare, line)


def more_is_better(figure: str) -> bool:
    """A figure that hurts when it falls."""
    return figure.rpartition(" ")[2].startswith(MORE_IS_BETTER)


def _with_line(bare: Scaling, line: Line) -> Scaling:
    falls_hurt = more_is_better(bare.figure)
    low, high = line.slope_span
    rises, falls = low > 0, high < 0
    trend = Trend.NONE_SEEN
    if rises or falls:
        trend = Trend.IMPROVES if rises == falls_hurt else Trend.WORSENS
    scale, span = None, None
    if trend in (Trend.WORSENS, Trend.NONE_SEEN):
        factor = 0.5 if falls_hurt else 1.0
        worsening = line._replace(slope=-line.slope, covariance=-line.covariance) if falls_hurt else line
        if line.intercept > 0:
            span = _scaled(ratio_span(worsening), factor)
            if span is not None and span.high is None and span.low is not None and bare.measured_to is not None:
                span = Span(min(span.low, FARTHEST * bare.measured_to), None)
            if trend is Trend.WORSENS:
                scale = factor * worsening.intercept / worsening.slope
    return msgspec.structs.replace(
        bare,
        trend=trend,
        slope=line.slope,
        slope_interval=Interval(low=low, high=high),
        intercept=line.intercept,
        intercept_interval=Interval(low=line.intercept_span[0], high=line.intercept_span[1]),
        r_squared=line.r_squared,
        scale=scale,
        scale_interval=None if span is None else Interval(low=span.low, high=span.high),
        extrapolated=scale is not None and bare.measured_to is not None and scale > bare.measured_to,
    )


def _scaled(span: Span | None, factor: float) -> Span | None:
    if span is None or span == (None, None):
        return None
    return Span(*(None if end is None else end * factor for end in span))


def _urgency(fit: Scaling) -> tuple[int, float]:
    """What hurts first before the others; what is not known last."""
    rank = (Trend.WORSENS, Trend.NONE_SEEN, Trend.IMPROVES, Trend.UNKNOWN).index(fit.trend)
    if fit.trend is Trend.WORSENS:
        return rank, fit.scale or 0.0
    low = fit.scale_interval.low if fit.scale_interval is not None else None
    return rank, math.inf if low is None else low


def _summaries(ranked: list[Scaling], offset: int) -> tuple[Summary, ...]:
    """One for each figure that has a line, in the order of the worst of its lines."""
    places: dict[str, list[int]] = {}
    for place, fit in enumerate(ranked):
        if fit.trend is not Trend.UNKNOWN:
            places.setdefault(fit.figure, []).append(place)
    return tuple(
        Summary(
            worst=offset + found[0],
            worsening=sum(ranked[place].trend is Trend.WORSENS for place in found),
            known=len(found),
        )
        for found in places.values()
    )


def _drawn(track: Track, figures: tuple[str, ...]) -> Drawn:
    at: dict[float, list[SweepPoint]] = {}
    for place, point in zip(track.places, track.points, strict=True):
        at.setdefault(place, []).append(point)
    return Drawn(
        held=track.held,
        x=tuple(at),
        y={figure: tuple(_mean(figure, points) for points in at.values()) for figure in figures},
        measured_at=sum(any(point.figures for point in points) for points in at.values()),
    )


def _mean(figure: str, points: list[SweepPoint]) -> float | None:
    values = [value for point in points if (value := point.figures.get(figure)) is not None]
    return sum(values) / len(values) if values else None
