"""A calibration as a stage profile in YAML, with comments that say where each number comes from and how good it is."""

from collections.abc import Sequence
from typing import Final

from kilonode.base.units import Duration, format_seconds
from kilonode.check.calibration import Calibration, FittedOperation, FittedStage
from kilonode.check.fitting import EMPIRICAL, FIXED, Fitted
from kilonode.check.results import Interval
from kilonode.report.words import range_words

_DIGITS: Final = 4
_ROOM_ABOVE: Final = 1.5
_WIDTH: Final = 118


def calibration_yaml(calibration: Calibration, source: Sequence[str]) -> str:
    """The profile. `source` says in lines what it was fitted to."""
    lines = [f"# {line}" for line in source]
    lines += [
        "# Fitted by maximum likelihood; ends that polling found count as intervals. The family has the least Schwarz",
        "# criterion (BIC); D is Kolmogorov's distance to the nearest distribution that the intervals allow.",
        "# It holds at the load that it was fitted at: a real service under another load takes other times.",
        f"# Taken off each operation for the way there and back and the twin's own work: {calibration.overhead_s:g} s.",
        "extends: instant",
    ]
    delays = [stage for stage in calibration.stages if stage.fitted is not None]
    if calibration.stages:
        lines.append("delays:" if delays else "delays: {}")
    for stage in calibration.stages:
        lines += _stage_lines(stage)
    coupled = [stage for stage in calibration.stages if stage.coupled is not None]
    if coupled:
        lines.append("couplings:   # slow together, as normal scores")
    for stage in coupled:
        assert stage.coupled is not None  # noqa: S101 - chosen above
        ends = _ends(stage.coupled.interval)
        coupling = f"{{stage: {stage.coupled.stage}, correlation: {stage.coupled.correlation:.3g}}}"
        lines.append(f"  {stage.stage}: {coupling}   # 95 %: {ends}")
    for check in calibration.sums:
        measured, fitted = (", ".join(format_seconds(one) for one in pair) for pair in (check.measured, check.fitted))
        lines.append(f"# Their sum in {check.step}: median and p95 measured {measured}; of these stages {fitted}.")
    failing = [stage for stage in calibration.stages if stage.failing is not None]
    if failing:
        lines.append("failures:")
    for stage in failing:
        assert stage.failing is not None  # noqa: S101 - chosen above
        found = stage.failing
        lines.append(
            f"  # {found.failed} of {found.finished}, 95 % {_ends(found.interval)}; in which stage is not known"
        )
        odds = found.failed / found.finished
        lines.append(f"  {stage.stage}: {{odds: {odds:.4g}, message: {_quoted(found.message)}}}")
    timed = [one for one in calibration.operations if not _takes_no_time(one)]
    lines.append("services:" if any(one.fitted for one in timed) else "services: {}")
    for operation in calibration.operations:
        lines += _operation_lines(operation)
    if calibration.unused:
        lines.append(f"# Not used: {', '.join(calibration.unused)}.")
    return "\n".join(_wrapped(lines)) + "\n"


def distribution_words(fitted: Fitted) -> str:
    """The distribution as it stands in a profile: `{distribution: log-normal, p50: 1.2s, …}`."""
    if fitted.family == EMPIRICAL:
        listed = ", ".join(_duration(value) for value in _rising(fitted.quantiles))
        return f"{{distribution: {EMPIRICAL}, quantiles: [{listed}]}}"
    values = fitted.parameters
    if fitted.family == "mixture":
        share = round(values["share"], 3)
        parts = [
            f"{{share: {part:.3f}, {_log_normal_words(middle, high, fitted.longest_s)}}}"
            for part, middle, high in (
                (share, values["first p50"], values["first p95"]),
                (1 - share, values["second p50"], values["second p95"]),
            )
        ]
        return f"{{distribution: mixture, parts: [{', '.join(parts)}]}}"
    if fitted.family == "log-normal":
        least = values.get("min", 0.0)
        words = _log_normal_words(values["p50"], values["p95"], fitted.longest_s, least)
        return f"{{distribution: log-normal, {words}}}"
    listed = ", ".join(f"{name}: {_duration(value)}" for name, value in values.items())
    return f"{{distribution: {fitted.family}, {listed}}}"


def _stage_lines(stage: FittedStage) -> list[str]:
    if stage.fitted is None:
        return [f"  # {stage.stage}: {stage.note}"]
    seen = "" if stage.seen == stage.samples else f", seen by polling in {stage.seen}"
    return [
        f"  # {stage.stage}: {stage.samples} samples of {stage.step}{seen}; {_quality(stage.fitted)}",
        f"  {stage.stage}: {distribution_words(stage.fitted)}",
    ]


def _operation_lines(operation: FittedOperation) -> list[str]:
    where = f" of {', '.join(operation.steps)}" if operation.steps else ""
    failed = f"; {operation.failed} failed, which a profile cannot say" if operation.failed else ""
    note = f"; {operation.note}" if operation.note else ""
    if operation.fitted is None:
        return [f"  # {operation.operation}: {operation.note}"]
    if _takes_no_time(operation):
        return [f"  # {operation.operation}: {operation.samples} samples{where}: no time beyond the overhead{failed}"]
    return [
        f"  # {operation.operation}: {operation.samples} samples{where}{failed}{note}; {_quality(operation.fitted)}",
        f"  {operation.operation}: {{before: {distribution_words(operation.fitted)}}}",
    ]


def _takes_no_time(operation: FittedOperation) -> bool:
    fitted = operation.fitted
    return fitted is not None and fitted.family == FIXED and fitted.parameters["value"] < 1e-5


def _quality(fitted: Fitted) -> str:
    parts = []
    if fitted.censored:
        parts.append(f"{fitted.censored} of them cut off")
    if fitted.fitted < fitted.samples:
        parts.append(f"{fitted.fitted} of them taken evenly by rank")
    if fitted.family == EMPIRICAL:
        parts.append("no family comes near: as it was measured")
    if len(fitted.log_likelihoods) > 1:
        listed = ", ".join(f"{name} {value:.1f}" for name, value in fitted.log_likelihoods.items())
        parts.append(f"log L: {listed}")
    if fitted.intervals:
        listed = ", ".join(f"{name} {_interval_words(name, one)}" for name, one in fitted.intervals.items())
        parts.append(f"95 %: {listed}")
    parts.append(f"D {fitted.distance:.3f}")
    return "; ".join(parts)


def _interval_words(name: str, interval: Interval) -> str:
    return _ends(interval) if name == "share" else range_words(interval.low, interval.high)


def _ends(interval: Interval) -> str:
    return " to ".join("…" if end is None else f"{end:.3g}" for end in (interval.low, interval.high))


def _log_normal_words(middle: float, high: float, longest: float, least: float = 0.0) -> str:
    """Cut off somewhat above the longest that was measured: a tail that nobody saw is the family's, not the cloud's."""
    most = max(longest, high) * _ROOM_ABOVE
    words = f"p50: {_duration(middle)}, p95: {_duration(high)}, max: {_duration(most)}"
    return f"min: {_duration(least)}, {words}" if least > 0 else words


def _duration(seconds: float) -> str:
    """With four digits, in the unit that fits."""
    if seconds <= 0:
        return "0s"
    unit, scale = ("s", 1.0) if seconds >= 1 else ("ms", 1e3) if seconds >= 1e-3 else ("us", 1e6)
    return str(Duration.parse(f"{float(f'{seconds * scale:.{_DIGITS}g}')!r}{unit}"))


def _rising(values: Sequence[float]) -> list[float]:
    """Never falling, also after rounding."""
    return sorted(float(f"{value:.{_DIGITS}g}") for value in values)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _wrapped(lines: Sequence[str]) -> list[str]:
    """Long comments go on in the next line."""
    found: list[str] = []
    for line in lines:
        rest = line
        indent = line[: len(line) - len(line.lstrip())]
        while (
            rest.lstrip().startswith("#")
            and len(rest) > _WIDTH
            and (cut := rest.rfind(" ", len(indent) + 3, _WIDTH)) > 0
        ):
            found.append(rest[:cut])
            rest = f"{indent}#   {rest[cut + 1 :]}"
        found.append(rest)
    return found
