"""Numbers as words: the one place that decides how a value looks in a table, a line or a picture's caption."""

from collections.abc import Mapping
from typing import Final

from kilonode.base.units import format_seconds
from kilonode.check.metrics import Unit
from kilonode.check.results import CriterionResult, Interval, Latency, Percentile, Results, Verdict

LEAST_CORES: Final = 0.001
"""A service that is read for ten seconds in steps of a clock tick of 10 ms cannot be told to use less."""

UNKNOWN: Final = "–"
"""What stands where there is no number."""

SYMBOLS: Final[Mapping[Verdict, str]] = {Verdict.VALID: "✓", Verdict.UNKNOWN: "?", Verdict.INVALID: "✗"}

MEANINGS: Final[Mapping[Verdict, str]] = {
    Verdict.VALID: "All criteria held.",
    Verdict.UNKNOWN: "The run cannot tell.",
    Verdict.INVALID: "Something is not as it must be.",
}

OUTCOME_WORDS: Final[Mapping[str, str]] = {
    "ok": "ok",
    "refused": "refused",
    "reset": "reset",
    "timeout": "timeout",
    "tls": "TLS",
    "protocol": "protocol",
    "http_4xx": "HTTP 4xx",
    "http_5xx": "HTTP 5xx",
    "quota": "quota",
    "wrong_state": "wrong state",
    "scenario": "scenario",
    "dropped": "dropped",
    "cancelled": "cut off",
    "exhausted": "generator exhausted",
}
"""Outcomes for people."""


def printable(text: str) -> str:
    """Without control characters: words from outside must not steer a terminal."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def count_words(value: float) -> str:
    """A whole number with separators."""
    return f"{value:,.0f}"


def several(count: int, one: str) -> str:
    """So many of something: `1 action`, `1,200 actions`."""
    return f"{count:,} {one if count == 1 else one + 's'}"


def rate_words(per_s: float | None) -> str:
    """A rate with three digits."""
    return UNKNOWN if per_s is None else f"{_three_digits(per_s)}/s"


def share_words(share: float | None) -> str:
    """A share as a percentage; never rounded to zero or to all."""
    if share is None:
        return UNKNOWN
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    percent = share * 100
    if percent < 0.001:
        return "<0.001 %"
    if percent > 99.99:
        return ">99.99 %"
    return f"{_three_digits(percent)} %"


def bytes_words(value: float | None) -> str:
    """A size in binary units."""
    if value is None:
        return UNKNOWN
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if value >= size:
            return f"{_three_digits(value / size)} {unit}"
    return f"{value:.0f} B"


def cores_words(cores: float | None) -> str:
    """Processors kept busy, with three digits; below a thousandth all are the same."""
    return "<0.001" if cores is not None and 0 < cores < LEAST_CORES else amount_words(cores)


def amount_words(value: float | None) -> str:
    """Any number with three digits."""
    if value is None:
        return UNKNOWN
    return f"−{_three_digits(-value)}" if value < 0 else _three_digits(value)


def seconds_words(seconds: float | None, *, at_least: bool = False) -> str:
    """A duration; `≥` before a lower limit."""
    if seconds is None:
        return UNKNOWN
    return f"{'≥ ' if at_least else ''}{format_seconds(seconds)}"


def value_words(value: float | None, unit: Unit, *, at_least: bool = False) -> str:
    """A value in the unit of a criterion."""
    if value is None:
        return UNKNOWN
    match unit:
        case Unit.SECONDS:
            return seconds_words(value, at_least=at_least)
        case Unit.FRACTION:
            return share_words(value)
        case Unit.PER_SECOND:
            return rate_words(value)
        case Unit.COUNT:
            return count_words(value)
        case Unit.HELD:
            return "held" if value else "failed"
        case Unit.RATIO:
            return f"{'≥ ' if at_least else ''}{_three_digits(value)}×"


def interval_words(interval: Interval | None, unit: Unit) -> str:
    """An interval: `3.83 s to 4.61 s`; an end that is not known is left open."""
    if interval is None or (interval.low is None and interval.high is None):
        return ""
    if interval.high is None:
        return f"{value_words(interval.low, unit)} or more"
    if interval.low is None:
        return f"{value_words(interval.high, unit)} or less"
    return f"{value_words(interval.low, unit)} to {value_words(interval.high, unit)}"


def range_words(low: float | None, high: float | None) -> str:
    """Two durations as short as can be: `32.5–33.1 ms`, `980 ms–1.02 s`; an open end is `…`."""
    first, last = "…" if low is None else format_seconds(low), "…" if high is None else format_seconds(high)
    number, _, unit = first.partition(" ")
    return f"{number if last.endswith(f' {unit}') and unit.isalpha() else first}–{last}"


def percentile_words(percentile: Percentile) -> str:
    """A percentile's value."""
    return seconds_words(percentile.value_s, at_least=percentile.at_least)


def percentile_explained(percentile: Percentile, samples: int) -> str:
    """What else there is to know about a percentile: its interval, or why there is no number."""
    if percentile.value_s is None:
        return f"unknown: takes {percentile.needed:,} samples, there are {samples:,}"
    parts = [interval_words(percentile.interval_s, Unit.SECONDS)]
    if parts[0]:
        parts[0] = f"95 % interval {parts[0]}"
    if percentile.at_least:
        parts.append("at least: operations below it were cut off or timed out")
    return "; ".join(part for part in parts if part)


def percentile_at(latency: Latency, percent: float) -> Percentile:
    """One percentile of a distribution. Raises KeyError when it is not among those that are computed."""
    for percentile in latency.percentiles:
        if percentile.percent == percent:
            return percentile
    raise KeyError(percent)


def criterion_note(result: CriterionResult) -> str:
    """What stands behind a criterion's verdict: samples, interval, closeness, what was left out."""
    parts = [samples_words(result)]
    interval = interval_words(result.interval, result.unit)
    parts.append(f"95 % interval {interval}" if interval else "")
    parts.append("close: a repetition might find otherwise" if result.close else "")
    parts.append(result.note)
    return "; ".join(part for part in parts if part)


def samples_words(result: CriterionResult) -> str:
    """How many samples a criterion's value rests on, or of how many of what it is; empty: of none."""
    if result.samples_of:
        return f"of {count_words(result.samples)} {result.samples_of}"
    return f"{count_words(result.samples)} samples" if result.samples else ""


def early_end_words(results: Results) -> str:
    """When and why the load was ended before its time; empty when it was not."""
    abortion = results.abortion
    if abortion is None:
        return ""
    planned_s = max((workload.facts.end_s for workload in results.workloads), default=0.0)
    return f"ended early, at {format_seconds(abortion.at_s)} of {format_seconds(planned_s)}: {abortion.reason}"


def outcome_words(outcome: str) -> str:
    """An outcome for people."""
    return OUTCOME_WORDS.get(outcome, outcome)


def _three_digits(value: float) -> str:
    if value == 0 or value >= 99.95:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value < 9.995 and value >= 0.1 else f"{value:.3g}" if value < 0.1 else f"{value:.1f}"
