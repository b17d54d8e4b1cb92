"""A straight line through points by least squares: slope, intercept, their 95 % intervals, and where the line doubles.

The model is y = slope * x + intercept, plus independent errors of one size that are about normal. The intervals are
Student's with n - 2 degrees of freedom. The *ratio* intercept / slope, the x at which the line is twice as high as at
zero, has its set of plausible values by Fieller's theorem (E. C. Fieller, "Some problems in interval estimation",
1954): every ratio r for which intercept - r * slope is not significantly different from zero. That set is an interval
exactly when the slope's own interval leaves out zero; otherwise it has no upper end, or excludes nothing at all. The
usual alternative, the delta method, gives a finite interval even then, which would be made up.

Not here: other curves, weights, errors that grow with x. Units: those of x and y; a slope is y per x.
"""

import math
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np

from kilonode.check.statistics import CONFIDENCE, Floats

LEAST_PLACES: Final = 3
"""Through two places goes every line: nothing can be said about its errors."""

_ROUNDING: Final = 8 * float(np.finfo(np.float64).eps)
"""Residuals below this share of the largest value are rounding, not scatter."""


class Span(NamedTuple):
    """From `low` to `high`; None: no end on that side."""

    low: float | None
    high: float | None


class Line(NamedTuple):
    """A fitted line. Variances and the covariance are those of the estimates."""

    slope: float
    intercept: float
    slope_variance: float
    intercept_variance: float
    covariance: float
    quantile: float
    """Student's, for the half-width of a 95 % interval in standard errors."""
    r_squared: float | None
    """The share of the scatter of y that the line explains; None: y did not scatter."""

    @property
    def slope_span(self) -> tuple[float, float]:
        """The slope's 95 % interval."""
        half = self.quantile * math.sqrt(self.slope_variance)
        return self.slope - half, self.slope + half

    @property
    def intercept_span(self) -> tuple[float, float]:
        """The intercept's 95 % interval."""
        half = self.quantile * math.sqrt(self.intercept_variance)
        return self.intercept - half, self.intercept + half


def fit_line(x: Floats, y: Floats) -> Line | None:
    """The line through the points; None with fewer than three different x."""
    count = len(x)
    if len(np.unique(x)) < LEAST_PLACES:
        return None
    unit_x = float(np.abs(x).max())
    unit_y = float(np.abs(y).max()) or 1.0
    x, y = x / unit_x, y / unit_y  # so that neither bytes nor microseconds lose digits
    middle_x, middle_y = float(x.mean()), float(y.mean())
    from_x, from_y = x - middle_x, y - middle_y
    spread = float(from_x @ from_x)
    scatter = float(from_y @ from_y)
    slope = float(from_x @ from_y) / spread
    intercept = middle_y - slope * middle_x
    residuals = from_y - slope * from_x
    rest = float(residuals @ residuals)
    flat = float(np.ptp(y)) <= _ROUNDING
    if flat:
        slope, intercept, rest = 0.0, middle_y, 0.0
    error = rest / (count - 2)
    return Line(
        slope=slope * unit_y / unit_x,
        intercept=intercept * unit_y,
        slope_variance=error / spread * (unit_y / unit_x) ** 2,
        intercept_variance=error * (1 / count + middle_x**2 / spread) * unit_y**2,
        covariance=-error * middle_x / spread * unit_y**2 / unit_x,
        quantile=student_quantile(count - 2),
        r_squared=None if flat else max(0.0, 1 - rest / scatter),
    )


def ratio_span(line: Line) -> Span | None:
    """The plausible values of intercept / slope that belong to a slope of the sign of the intercept: from zero up.

    None: there are none, as when the line surely falls while its intercept is surely positive. A low end of None means
    zero is plausible; a high end of None that the slope may be zero, so that the ratio may be as large as one likes.
    """
    square = line.quantile**2
    a = line.slope**2 - square * line.slope_variance
    b = line.slope * line.intercept - square * line.covariance
    c = line.intercept**2 - square * line.intercept_variance
    discriminant = b * b - a * c
    if a > 0:
        root = math.sqrt(max(0.0, discriminant))
        low, high = (b - root) / a, (b + root) / a
        return Span(low if low > 0 else None, high) if high > 0 else None
    if c <= 0 or discriminant < 0:
        return Span(None, None)
    # The slope may be zero and the intercept may not: what is plausible lies beyond the root above zero, if any.
    root = math.sqrt(discriminant)
    if b > 0:
        return Span(c / (b + root), None)
    return Span((b - root) / a, None) if a < 0 else None


@lru_cache(maxsize=256)
def student_quantile(freedom: int, confidence: float = CONFIDENCE) -> float:
    """How many standard errors an interval of this confidence reaches to each side, with so many degrees of freedom.

    The probability is a finite sum for whole degrees of freedom (Abramowitz and Stegun, Handbook of Mathematical
    Functions, 26.7.3 and 26.7.4); the quantile is found by halving the angle whose tangent is t / sqrt(freedom).
    """
    low, high = 0.0, math.pi / 2
    for _ in range(64):
        angle = (low + high) / 2
        if _probability_within(angle, freedom) < confidence:
            low = angle
        else:
            high = angle
    return math.tan((low + high) / 2) * math.sqrt(freedom)


def _probability_within(angle: float, freedom: int) -> float:
    """The probability that |t| is at most tan(angle) * sqrt(freedom)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    odd = freedom % 2
    total, term = 0.0, cosine if odd else 1.0
    for step in range(freedom // 2):
        total += term
        # Each term is the one before, times cos² and the next even over odd (or odd over even) number.
        term *= cosine * cosine * (2 * step + 1 + odd) / (2 * step + 2 + odd)
    return 2 / math.pi * (angle + sine * total) if odd else sine * total
