"""What is particular to campaigns, in words: figures, axes, slopes and the scale at which things are twice as bad."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from kilonode.check.metrics import Unit
from kilonode.check.results import Interval
from kilonode.check.scaling import CampaignResults, Scaling, Trend, ViewResults, more_is_better
from kilonode.check.sweep import SweepPoint, Together
from kilonode.report.words import UNKNOWN, bytes_words, printable, seconds_words, value_words

_METRICS: Final[Mapping[str, tuple[str, str]]] = {
    "throughput_per_s": ("throughput", "/s"),
    "error_rate": ("error rate", "share"),
    "cpu_s_per_iteration": ("CPU per iteration", "s"),
    "memory_bytes_max": ("memory, largest", "bytes"),
    "latency_s_mean": ("mean", "s"),
}
_LATENCY: Final = "latency_s_"
SERVICE: Final = "service."
TREND_SYMBOLS: Final[Mapping[Trend, str]] = {
    Trend.WORSENS: "▲",
    Trend.NONE_SEEN: "≈",
    Trend.IMPROVES: "▼",
    Trend.UNKNOWN: "?",
}


class CampaignMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a campaign's report says beside its numbers."""

    name: str
    """The experiment's name."""
    folder: str
    """The name of the campaign's folder."""
    created_utc: datetime
    kilonode_version: str = ""


def subject_of(figure: str) -> str:
    """Of what the figure is: `boots.boot`, `service.nova-api`."""
    return figure.rpartition(" ")[0]


def metric_of(figure: str) -> str:
    """What is measured: `latency_s_p95`."""
    return figure.rpartition(" ")[2]


def metric_words(figure: str) -> str:
    """What is measured, for people: `p95`, `throughput`."""
    metric = metric_of(figure)
    known = _METRICS.get(metric)
    return known[0] if known else metric.removeprefix(_LATENCY).replace("_", " ")


def figure_words(figure: str, *, without: str = "") -> str:
    """A figure's name for people: `boots.boot p95`, `nova-api CPU per iteration`; `without` a workload's name."""
    subject = subject_of(figure).removeprefix(SERVICE)
    subject = "" if subject == without else subject.removeprefix(f"{without}.") if without else subject
    return printable(f"{subject} {metric_words(figure)}".strip())


def only_workload(figures: Iterable[str]) -> str:
    """The workload that all figures are of which are of one; empty: there are several."""
    subjects = [subject_of(name) for name in figures if not subject_of(name).startswith(SERVICE)]
    workloads = {subject.partition(".")[0] for subject in subjects}
    return workloads.pop() if len(workloads) == 1 else ""


def shown_figures(figures: Iterable[str]) -> tuple[str, ...]:
    """Those that matter most: of whole iterations throughput and errors, percentiles of their steps (of the whole when
    it has no steps).
    """
    figures = list(figures)
    with_steps = {subject_of(name).partition(".")[0] for name in figures if "." in subject_of(name)}
    shown = []
    for name in figures:
        subject, metric = subject_of(name), metric_of(name)
        if metric in ("throughput_per_s", "error_rate"):
            wanted = "." not in subject
        else:
            wanted = metric in ("latency_s_p50", "latency_s_p95") and subject not in with_steps
        if wanted:
            shown.append(name)
    return tuple(shown)


def unit_of(figure: str) -> str:
    """The unit of a figure, as charts have it: `s`, `/s`, `share`, `bytes` or `count`."""
    metric = metric_of(figure)
    if metric in _METRICS:
        return _METRICS[metric][1]
    for part, unit in (("_per_s", "/s"), ("_bytes", "bytes"), ("latency_s", "s"), ("_s_", "s"), ("_rate", "share")):
        if part in metric:
            return unit
    return "s" if metric.endswith("_s") else "count"


def measured_words(figure: str, value: float | None) -> str:
    """A figure's value in its unit."""
    if value is None:
        return UNKNOWN
    sign, size = ("−" if value < 0 else ""), abs(value)
    unit = unit_of(figure)
    if unit == "s":
        return sign + seconds_words(size)
    if unit == "bytes":
        return sign + bytes_words(size)
    if unit == "count":
        return sign + number_words(size)
    return sign + value_words(size, Unit.PER_SECOND if unit == "/s" else Unit.FRACTION)


def number_words(value: float) -> str:
    """A number with three digits that mean something, and separators: `4.17`, `532`, `12,300`."""
    rounded = float(f"{value:.3g}")
    return f"{rounded:,.0f}" if abs(rounded) >= 100 or rounded == int(rounded) else f"{rounded:g}"


def at_words(value: float, unit: str) -> str:
    """A place on an axis, exact: `1,000`, `10/s`, `30 s`."""
    if unit == "s":
        return seconds_words(value)
    if unit == "B":
        return bytes_words(value)
    return (f"{value:,.0f}" if value == int(value) else f"{value:g}") + unit


def short_names(paths: Iterable[str]) -> dict[str, str]:
    """Paths by their last word, unless two share it."""
    paths = list(paths)
    last = [path.rpartition(".")[2] for path in paths]
    return {path: word if last.count(word) == 1 else path for path, word in zip(paths, last, strict=True)}


def path_names(results: CampaignResults) -> dict[str, str]:
    """What the paths of a campaign are called in its report."""
    paths = dict.fromkeys(path for point in results.points for path, _ in flat_facts(point.facts))
    return short_names(paths)


def flat_facts(facts: Mapping[str, Any], before: str = "") -> list[tuple[str, Any]]:
    """Facts with mappings taken apart: path and value."""
    found: list[tuple[str, Any]] = []
    for key, value in facts.items():
        if isinstance(value, Mapping) and value:
            found.extend(flat_facts(value, f"{before}{key}."))
        else:
            found.append((f"{before}{key}", value))
    return found


def point_words(point: SweepPoint, names: Mapping[str, str]) -> str:
    """A point by its values: `nodes 10, at_once 5`."""
    return held_words(dict(flat_facts(point.facts)), names)


def held_words(held: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """What is held: `computes 1, at_once 5`."""
    return ", ".join(f"{names.get(path, path)} {fact_words(value)}" for path, value in held.items())


def fact_words(value: Any) -> str:
    """One value of an axis as the file has it."""
    if value is None:
        return "not given"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else printable(str(value))


def view_words(view: ViewResults, names: Mapping[str, str]) -> str:
    """A view's title: `nodes, computes 1`, `nodes and computes together`."""
    axis = names[view.axis.path]
    if view.together:
        others = " and ".join(names[one.path] for one in view.together)
        return f"{axis}, with {others}{_ratio_words(view.together)}"
    return ", ".join(part for part in (axis, held_words(view.family_held, names)) if part)


def view_note(view: ViewResults, names: Mapping[str, str]) -> str:
    """What must be known to read a view; empty: nothing."""
    if not view.together:
        return ""
    paths = [names[view.axis.path], *(names[one.path] for one in view.together)]
    listed = f"{', '.join(paths[:-1])} and {paths[-1]}"
    return f"{listed} changed together here: their effects cannot be told apart."


def _ratio_words(together: Sequence[Together]) -> str:
    ratios = [one.ratio for one in together]
    if any(ratio is None for ratio in ratios):
        return " moving along"
    return f" at {', '.join(number_words(ratio) for ratio in ratios if ratio is not None)} for each"


def scale_words(fit: Scaling) -> str:
    """Where a figure is twice as bad as at zero, or what is known of it."""
    if fit.scale is not None:
        return number_words(fit.scale)
    if fit.trend is Trend.WORSENS:
        return "from nothing"
    low = fit.scale_interval.low if fit.scale_interval is not None else None
    if fit.trend is Trend.NONE_SEEN and low is not None:
        return f"at least {number_words(low)}"
    return UNKNOWN


def has_scale(fit: Scaling) -> bool:
    """Something is known of where the figure is twice as bad."""
    return fit.trend is Trend.WORSENS or fit.scale_interval is not None


def scale_interval_words(interval: Interval | None) -> str:
    """The interval of a scale that has a number."""
    if interval is None or (interval.low is None and interval.high is None):
        return ""
    if interval.high is None:
        return f"{number_words(interval.low or 0.0)} or more"
    return f"{number_words(interval.low or 0.0)}–{number_words(interval.high)}"


def scale_title(figure: str) -> str:
    """What a scale means for this figure."""
    return "half of what it is at zero" if more_is_better(figure) else "twice what it is at zero"


def slope_words(fit: Scaling) -> str:
    """What each further unit of the axis costs."""
    if fit.slope is None:
        return UNKNOWN
    return ("+" if fit.slope > 0 else "") + measured_words(fit.figure, fit.slope)


def slope_interval_words(fit: Scaling) -> str:
    """The interval of a slope."""
    interval = fit.slope_interval
    if interval is None or interval.low is None or interval.high is None:
        return ""
    return f"{measured_words(fit.figure, interval.low)} to {measured_words(fit.figure, interval.high)}"
