"""A comparison in words: what a ratio says, how sure it is, what differs. For the page and the terminal alike."""

from kilonode.check.comparison import Direction, ErrorChange, PercentileChange
from kilonode.check.results import Interval
from kilonode.report.words import UNKNOWN, share_words

_LATENCY = {
    Direction.MORE: "slower",
    Direction.LESS: "faster",
    Direction.SAME: "no difference seen",
    Direction.UNKNOWN: "cannot tell",
}
_ERRORS = {
    Direction.MORE: "more errors",
    Direction.LESS: "fewer errors",
    Direction.SAME: "no difference seen",
    Direction.UNKNOWN: "cannot tell",
}


def ratio_words(ratio: float | None) -> str:
    """`× 1.07`."""
    return UNKNOWN if ratio is None else f"× {ratio:.3g}" if ratio < 99.95 else f"× {ratio:,.0f}"


def ratio_interval_words(interval: Interval | None) -> str:
    """`1.02–1.13`; an end that is not known is `…`."""
    if interval is None:
        return ""
    ends = ["…" if end is None else f"{end:.3g}" for end in (interval.low, interval.high)]
    return "–".join(ends)


def change_words(change: PercentileChange) -> str:
    """What can be said: `slower`, `no difference seen`, …"""
    return _LATENCY[change.direction]


def errors_words(change: ErrorChange) -> str:
    """What can be said of the share of failures."""
    return _ERRORS[change.direction]


def error_difference_words(change: ErrorChange) -> str:
    """`+1.2 points`: the difference of two shares, in points of a hundred."""
    if change.difference is None:
        return UNKNOWN
    if change.difference == 0:
        return "0"
    return f"{'+' if change.difference > 0 else '−'}{share_words(abs(change.difference)).replace(' %', '')} points"


def bound_words(within: float) -> str:
    """`15 %`."""
    return f"{within * 100:.4g} %"


def chance_words(compared: int, changed: int) -> str:
    """How many percentiles differ, and how many would by chance."""
    if not compared:
        return "No percentile could be compared."
    expected = compared / 20
    return (
        f"{changed} of {compared} percentiles differ at a confidence of 95 %; about {expected:.2g} would by chance "
        f"if nothing had changed."
    )
