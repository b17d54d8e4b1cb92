"""Criteria: what must hold, as one line of text and as a value; reading, printing and naming what is wrong.

    [workload[.step]] metric operator value          boots.boot p(99) < 5s      error_rate < 0.1%
    [workload] metric operator value after disruption             unavailable < 2s after kill one scheduler
    upgrade assertion                                             upgrade zero_downtime

Without a workload the criterion is about all iterations of the run together; with one, about its iterations; with a
step, about that step, whose dotted path may go deeper (`boots.boot.active`). Operators: `<  <=  >  >=  ==`.
Latency metrics count from the instant an operation was due, those that begin with `service_` from its start; both take
durations. Printing a criterion and parsing the text gives the same criterion back. This module judges nothing.

Units: a criterion's value is in seconds, in operations per second, a fraction of one, a number of operations, or a
ratio.
"""

import re
from collections.abc import Collection, Mapping
from decimal import Decimal
from enum import StrEnum
from typing import Final

import msgspec

from kilonode.base.errors import InputError, Problem, nearest
from kilonode.base.units import Duration, Rate
from kilonode.check.metrics import (
    CONSISTENCY_METRICS,
    ITERATION_METRICS,
    METRICS,
    PERCENTILES,
    RECOVERY_METRICS,
    UPGRADE_METRICS,
    Unit,
)
from kilonode.check.upgrades.records import ASSERTIONS

FORM: Final = "[workload[.step]] metric operator value [after disruption], or upgrade assertion"
EXAMPLE: Final = "boots.boot p(99) < 5s"


class Comparison(StrEnum):
    """How a measured value has to stand to the bound."""

    LESS = "<"
    AT_MOST = "<="
    MORE = ">"
    AT_LEAST = ">="
    EQUAL = "=="

    def holds(self, measured: float, bound: float) -> bool:
        """Whether `measured` stands so to `bound`."""
        match self:
            case Comparison.LESS:
                return measured < bound
            case Comparison.AT_MOST:
                return measured <= bound
            case Comparison.MORE:
                return measured > bound
            case Comparison.AT_LEAST:
                return measured >= bound
            case Comparison.EQUAL:
                return measured == bound


_OTHER_WORDS: Final[dict[str, str]] = {
    "avg": "mean", "average": "mean", "median": "med", "minimum": "min", "maximum": "max", "errors": "error_rate",
    "failure_rate": "error_rate", "http_req_failed": "error_rate", "rps": "throughput", "rate": "throughput",
    "dropped_iterations": "dropped", "percentile": "p(99)", "latency": "p(99)",
    "downtime": "unavailable", "mttr": "recovery_time", "time_to_recover": "recovery_time",
}  # fmt: skip
_EXPECTED_VALUE: Final[dict[Unit, str]] = {
    Unit.SECONDS: "a duration such as 250ms or 5s",
    Unit.FRACTION: "a share such as 0.1% or 0.001",
    Unit.PER_SECOND: "a rate such as 190/s",
    Unit.COUNT: "a whole number",
    Unit.RATIO: "a ratio such as 1.5x",
    Unit.HELD: "nothing: it holds or not",
}
_WORD: Final = r"[A-Za-z][A-Za-z0-9_-]*"
_FORM: Final = re.compile(
    rf"\s*(?:(?P<subject>{_WORD}(?:\.{_WORD})*)\s+)?"
    r"(?P<metric>[A-Za-z_][A-Za-z0-9_.]*)\s*(?:\(\s*(?P<percent>[^()\s]*)\s*\))?\s*"
    r"(?P<comparison><=|>=|==|<|>)\s*(?P<value>[^<>=\s].*?)\s*",
)
_UPGRADE: Final = "upgrade"
_ASSERTION: Final = re.compile(rf"\s*{_UPGRADE}\s+(?P<assertion>[A-Za-z_]+)\s*")
_AFTER: Final = re.compile(r"(?P<value>.*?)\s+after\s+(?P<disruption>\S.*)", re.DOTALL)
_COMPARISON: Final = re.compile(r"[<>=!]+")
_PERCENTILE_WORD: Final = re.compile(r"(service_)?p\(?(\d+(?:\.\d+)?)\)?")
_PLAIN_NUMBER: Final = re.compile(r"\d+(\.\d+)?([eE][+-]?\d+)?")


class Criterion(msgspec.Struct, frozen=True):
    """What must hold. `str` gives the text that parses to the same value."""

    metric: str
    """A key of `METRICS`."""
    comparison: Comparison
    bound: float
    """In the metric's unit."""
    percent: float = 0.0
    """Which percentile, above 0 and below 100; zero for the other metrics."""
    workload: str = ""
    """Empty: all workloads together."""
    step: str = ""
    """The dotted path of a step; empty: whole iterations."""
    disruption: str = ""
    """Of recovery: the sentence of the disruption that it is about; empty: every one."""

    @property
    def unit(self) -> Unit:
        """What the bound and the measured value are in."""
        return METRICS[self.metric][0]

    @property
    def subject(self) -> str:
        """`workload.step`, `workload`, or nothing."""
        return f"{self.workload}.{self.step}" if self.step else self.workload

    @property
    def measure(self) -> str:
        """The metric as it is written: `p(99.9)`, `mean`."""
        return f"{self.metric}({_number(self.percent)})" if self.percent else self.metric

    def __str__(self) -> str:
        if self.metric in UPGRADE_METRICS:
            return f"{_UPGRADE} {self.metric}"
        subject = f"{self.subject} " if self.subject else ""
        disruption = f" after {self.disruption}" if self.disruption else ""
        return f"{subject}{self.measure} {self.comparison} {_bound_text(self.bound, self.unit)}{disruption}"


class CriterionRule(msgspec.Struct, frozen=True):
    """A criterion and how it is applied."""

    criterion: Criterion
    abort: bool = False
    """End the load as soon as it does not hold."""
    after_s: float = 0.0
    """Operations due before this time after the start of the load are not judged."""
    window_s: float = 10.0
    """While the load runs, judge what the last this much time measured."""


def parse_criterion(text: str) -> Criterion:
    """Read a criterion. Raises InputError that names the part that is wrong."""
    if assertion := _ASSERTION.fullmatch(text):
        return _parse_assertion(assertion["assertion"], text)
    match = _FORM.fullmatch(text)
    if match is None:
        raise _misshapen(text)
    metric, percent_text = match["metric"], match["percent"]
    if metric in UPGRADE_METRICS:
        raise InputError(
            f"{metric} holds or not, and is compared to nothing", expected=f"{_UPGRADE} {metric}", got=repr(text)
        )
    if metric not in METRICS:
        raise _unknown_metric(metric, text)
    is_percentile = metric in PERCENTILES
    if is_percentile != (percent_text is not None):
        raise InputError(
            f"{metric} {'needs' if is_percentile else 'takes no'} parentheses",
            expected=f"{metric}(99)" if is_percentile else metric,
            got=repr(text),
        )
    workload, _, step = (match["subject"] or "").partition(".")
    if step and metric in ITERATION_METRICS:
        raise InputError(
            f"a step has no {metric}: what was dropped never came to a step",
            expected=f"{workload} {metric} {match['comparison']} {match['value']}",
            got=repr(text),
        )
    if workload and metric in CONSISTENCY_METRICS:
        raise InputError(
            f"{metric} is of the whole run: what there is after it is not one workload's",
            expected=f"{metric} {match['comparison']} {match['value']}",
            got=repr(text),
        )
    value, disruption = match["value"], ""
    if after := _AFTER.fullmatch(value):
        value, disruption = after["value"], " ".join(after["disruption"].split())
    if disruption and metric not in RECOVERY_METRICS:
        raise InputError(
            f"{metric} is not about a disruption",
            expected=f"one of {', '.join(sorted(RECOVERY_METRICS))} before `after`",
            got=repr(text),
        )
    if step and metric in RECOVERY_METRICS:
        raise InputError(
            f"a step has no {metric}: recovery is about whole iterations",
            expected=f"{workload} {metric} {match['comparison']} {match['value']}",
            got=repr(text),
        )
    unit = METRICS[metric][0]
    return Criterion(
        metric=metric,
        comparison=Comparison(match["comparison"]),
        bound=_parse_bound(value, unit, text),
        percent=_parse_percent(percent_text, metric, text) if is_percentile else 0.0,
        workload=workload,
        step=step,
        disruption=disruption,
    )


def _parse_assertion(name: str, text: str) -> Criterion:
    if name not in ASSERTIONS:
        raise InputError(
            f"{name!r} is not an assertion about upgrades",
            expected=f"one of {', '.join(ASSERTIONS)}",
            got=repr(text),
            hint=nearest(name, ASSERTIONS),
        )
    return Criterion(name, Comparison.EQUAL, 1.0)


def unknown_name(criterion: Criterion, steps: Mapping[str, Collection[str] | None]) -> Problem | None:
    """What is wrong with the names in a criterion, or None.

    `steps` has every workload of the experiment, and the paths of its steps, or None where they are not known.
    """
    if not criterion.workload:
        return None
    if criterion.workload not in steps:
        return Problem(
            f"no workload is called {criterion.workload!r}",
            expected=f"one of {', '.join(steps)}",
            got=str(criterion),
            hint=nearest(criterion.workload, steps),
        )
    known = steps[criterion.workload]
    if criterion.step and known is not None and criterion.step not in known:
        return Problem(
            f"the workload {criterion.workload!r} has no step {criterion.step!r}",
            expected=f"one of {', '.join(known)}" if known else f"no step: {criterion.workload} records none",
            got=str(criterion),
            hint=nearest(criterion.step, known),
        )
    return None


def _misshapen(text: str) -> InputError:
    comparisons = _COMPARISON.findall(text)
    if not comparisons:
        what, expected = "no comparison in the criterion", "one of < <= > >= =="
    elif len(comparisons) > 1:
        what, expected = "more than one comparison in the criterion", "one criterion for each bound"
    elif comparisons[0] not in list(Comparison):
        what, expected = f"{comparisons[0]!r} is not a comparison", "one of < <= > >= =="
    else:
        what, expected = "not a criterion", f"{FORM}, such as {EXAMPLE}"
    return InputError(what, expected=expected, got=repr(text), hint=_percentile_hint(text))


def _unknown_metric(metric: str, text: str) -> InputError:
    hint = _percentile_hint(metric)
    if not hint and metric.lower() in _OTHER_WORDS:
        hint = f"did you mean {_OTHER_WORDS[metric.lower()]!r}?"
    words = [f"{name}(99)" if name in PERCENTILES else name for name in METRICS if name not in UPGRADE_METRICS]
    return InputError(
        f"{metric!r} is not a metric",
        expected=f"one of {', '.join(words)}",
        got=repr(text),
        hint=hint or nearest(metric, METRICS),
    )


def _percentile_hint(text: str) -> str:
    for word in text.split():
        match = _PERCENTILE_WORD.fullmatch(word)
        if match is not None and 0 < float(match[2]) < 100:
            return f"did you mean {match[1] or ''}p({match[2]})?"
    return ""


def _parse_percent(text: str, metric: str, whole: str) -> float:
    if not _PLAIN_NUMBER.fullmatch(text) or not 0 < float(text) < 100:
        ends = {"0": "min", "100": "max"}
        hint = f"the end is called {metric.removesuffix('p')}{ends[text]}" if text in ends else ""
        raise InputError(
            f"{text!r} is not a percentile", expected="a number above 0 and below 100", got=repr(whole), hint=hint
        )
    return float(text)


def _parse_bound(text: str, unit: Unit, whole: str) -> float:
    try:
        match unit:
            case Unit.SECONDS:
                return float(Duration.parse(text))
            case Unit.PER_SECOND:
                return float(Rate.parse(text))
            case Unit.FRACTION:
                return _parse_fraction(text)
            case Unit.COUNT:
                return float(int(text))
            case Unit.RATIO:
                return _parse_ratio(text)
            case Unit.HELD:
                raise ValueError(text)
    except (ValueError, InputError) as error:
        hint = ""
        if _PLAIN_NUMBER.fullmatch(text):
            usual = {Unit.SECONDS: f"did you mean {text}s, or {text}ms?", Unit.PER_SECOND: f"did you mean {text}/s?",
                     Unit.RATIO: f"did you mean {text}x?"}  # fmt: skip
            hint = usual.get(unit, "")
        raise InputError(
            f"{text!r} is not a value of this metric", expected=_EXPECTED_VALUE[unit], got=repr(whole), hint=hint
        ) from error


def _parse_ratio(text: str) -> float:
    number = text.removesuffix("x").rstrip()
    if not text.endswith("x") or not _PLAIN_NUMBER.fullmatch(number):
        raise ValueError(text)
    return float(number)


def _parse_fraction(text: str) -> float:
    number = text.removesuffix("%").rstrip()
    if not _PLAIN_NUMBER.fullmatch(number):
        raise ValueError(text)
    value = float(Decimal(number) / 100) if text.endswith("%") else float(number)
    if value > 1:
        raise ValueError(text)
    return value


def _bound_text(bound: float, unit: Unit) -> str:
    match unit:
        case Unit.SECONDS:
            return str(Duration(bound))
        case Unit.PER_SECOND:
            return str(Rate(bound))
        case Unit.FRACTION:
            # Decimal, because 0.07 * 100 is not 7 in floating point.
            return f"{_number(Decimal(repr(bound)) * 100)}%"
        case Unit.COUNT | Unit.HELD:
            return _number(bound)
        case Unit.RATIO:
            return f"{_number(bound)}x"


def _number(value: float | Decimal) -> str:
    """As people write it: no exponent, no zeros behind the last digit."""
    text = format(Decimal(repr(value)) if isinstance(value, float) else value, "f")
    return text.rstrip("0").rstrip(".") if "." in text else text
