"""From a history to a twin: how long each API operation and each stage of a life took, as distributions. Pure.

What a client measures is the cloud's own time and a little that is not (the way there and back, its own work): the
`overhead`, which is taken off every operation, because the twin will have one of its own. Durations are seconds.

A stage is seen through polling. A phase that a poll showed ended in the last `resolution` before it was seen to have;
one that no poll showed was over within the gap between two polls. Both are intervals, and that is how they are fitted.
Phases that were seen too seldom to be fitted are counted to their neighbour, and it is said.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.coupling import Coupled, couple, draw_sum
from kilonode.check.fitting import LEAST_SAMPLES, Fitted, Intervals, fit
from kilonode.check.operations import CENSORED, Operations, OperationTable
from kilonode.check.polling import PollGap, answer_times
from kilonode.check.results import Interval
from kilonode.check.statistics import wilson_interval
from kilonode.check.step_meanings import Wait, operation_of, wait_of
from kilonode.check.waits import Waiting, durations_by_stage, kept_stages
from kilonode.history.columns import History
from kilonode.history.records import OpKind

_QUANTILES: Final = (0.5, 0.95)


class FittedOperation(msgspec.Struct, frozen=True, kw_only=True):
    """How long an API operation took."""

    operation: str
    """As in a stage profile: `compute.create_server`."""
    steps: tuple[str, ...]
    """The steps it was measured in."""
    samples: int
    fitted: Fitted | None
    """None: too few samples."""
    failed: int
    """Failures; a profile cannot make operations fail."""
    note: str = ""


class Failing(msgspec.Struct, frozen=True, kw_only=True):
    """How often a life ended in an error."""

    failed: int
    finished: int
    interval: Interval
    message: str
    """The most frequent one."""


class FittedStage(msgspec.Struct, frozen=True, kw_only=True):
    """How long a stage of a life took."""

    stage: str
    step: str
    """The step that waited for it."""
    samples: int
    seen: int
    """How often a poll showed it; equal to `samples` where it is the whole of the wait."""
    fitted: Fitted | None
    """None: it was not seen, or too seldom: the profile gives it no time of its own."""
    failing: Failing | None = None
    coupled: Coupled | None = None
    note: str = ""


class SumCheck(msgspec.Struct, frozen=True, kw_only=True):
    """A wait of several stages: their sum as it was fitted, beside what was measured."""

    step: str
    measured: tuple[float, float]
    """Median and 95th percentile, from the middles of the intervals."""
    fitted: tuple[float, float]


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that a stage profile of the measured cloud needs."""

    operations: tuple[FittedOperation, ...]
    stages: tuple[FittedStage, ...]
    sums: tuple[SumCheck, ...]
    unused: tuple[str, ...]
    """Steps that say nothing about stages or operations: wholes of what is fitted, and those of other scenarios."""
    overhead_s: float

    @property
    def fitted(self) -> int:
        """How many stages and operations have a distribution."""
        return sum(one.fitted is not None for one in self.stages) + sum(
            one.fitted is not None for one in self.operations
        )


def calibrate(history: History, overhead_s: float, gap: PollGap) -> Calibration:
    """Fit everything that the history tells of; `gap` is how the client polled."""
    table = OperationTable(history.columns)
    by_operation: dict[str, list[tuple[str, Operations]]] = {}
    by_wait: dict[str, tuple[Wait, list[Waiting]]] = {}
    unused: list[str] = []
    for workload in history.columns.workload_names:
        for path in table.steps_of(workload):
            found = wait_of(path)
            operation = operation_of(path)
            if found is not None:
                name, wait = found
                waiting = Waiting(path, table.of(OpKind.STEP, workload, path), _phases(table, workload, path, wait))
                by_wait.setdefault(name, (wait, []))[1].append(waiting)
            elif operation is not None:
                by_operation.setdefault(operation, []).append((path, table.of(OpKind.STEP, workload, path)))
            elif not _is_phase(path):
                unused.append(f"{workload}.{path}")
    operations = [_fit_operation(name, found, overhead_s) for name, found in sorted(by_operation.items())]
    operations += _fit_polls(by_wait, {one.operation for one in operations if one.fitted}, overhead_s, gap)
    answer_s = {one.operation: one.fitted for one in operations}
    stages: list[FittedStage] = []
    sums: list[SumCheck] = []
    for name, (wait, waitings) in by_wait.items():
        polled = answer_s.get(wait.polled)
        typical_s = overhead_s + (0.0 if polled is None else float(polled.quantile(np.array([0.5]))[0]))
        fitted, check = _fit_wait(name, wait, waitings, typical_s)
        stages.extend(fitted)
        if check is not None:
            sums.append(check)
    return Calibration(
        operations=tuple(operations),
        stages=tuple(stages),
        sums=tuple(sums),
        unused=tuple(unused),
        overhead_s=overhead_s,
    )


def _phases(table: OperationTable, workload: str, path: str, wait: Wait) -> dict[str, Operations]:
    return {word: table.of(OpKind.STEP, workload, f"{path}.{word}") for word in wait.phases if word}


def _is_phase(path: str) -> bool:
    return wait_of(path.rpartition(".")[0]) is not None


def _fit_operation(name: str, found: Sequence[tuple[str, Operations]], overhead_s: float) -> FittedOperation:
    low, high, failed = [], [], 0
    for _, operations in found:
        good = operations.with_outcome(Outcome.OK).service_s
        cut = operations.where(operations.ended(CENSORED)).service_s
        low.append(np.maximum(np.concatenate([good, cut]) - overhead_s, 0.0))
        high.append(np.concatenate([np.maximum(good - overhead_s, 0.0), np.full(len(cut), np.inf)]))
        failed += len(operations) - len(good) - len(cut)
    observed = Intervals(np.concatenate(low), np.concatenate(high))
    fitted = fit(observed)
    return FittedOperation(
        operation=name,
        steps=tuple(path for path, _ in found),
        samples=len(observed),
        fitted=fitted,
        failed=failed,
        note="" if fitted is not None else _too_few(len(observed) - observed.censored),
    )


def _fit_polls(
    waits: Mapping[str, tuple[Wait, list[Waiting]]], measured: set[str], overhead_s: float, gap: PollGap
) -> list[FittedOperation]:
    """The operations that polls ask for, where no step measured them, from what a resolution has beyond its gap."""
    times: dict[str, list[float]] = {}
    for wait, waitings in waits.values():
        for waiting in waitings:
            good = waiting.operations.with_outcome(Outcome.OK)
            times.setdefault(wait.polled, []).extend(answer_times(good.service_s, good.resolution_s, gap).tolist())
    found = []
    for operation, seconds in sorted(times.items()):
        if operation in measured:
            continue
        values = np.maximum(np.array(seconds) - overhead_s, 0.0)
        fitted = fit(Intervals(values, values))
        note = "from the gaps between polls, each the mean of two answers: the median is right, the spread too small"
        found.append(
            FittedOperation(
                operation=operation,
                steps=(),
                samples=len(values),
                fitted=fitted,
                failed=0,
                note=note if fitted is not None else _too_few(len(values)),
            )
        )
    return found


def _fit_wait(
    name: str, wait: Wait, waitings: Sequence[Waiting], typical_s: float
) -> tuple[list[FittedStage], SumCheck | None]:
    kept, seen = kept_stages(wait, waitings)
    observed = durations_by_stage(wait, waitings, kept, typical_s)
    fits = {stage: fit(intervals) for stage, intervals in observed.items()}
    couplings = couple({stage: observed[stage].middle for stage in kept if fits[stage] is not None}, waitings)
    last = max((place for place, stage in enumerate(wait.stages) if stage in kept), default=len(wait.stages) - 1)
    stages = []
    for place, stage in enumerate(wait.stages):
        fitted = fits.get(stage)
        count = len(observed[stage]) if stage in observed else 0
        note = ""
        if fitted is None:
            note = _too_few(count) if stage in kept else "not told apart from its neighbours: its time is counted there"
        stages.append(
            FittedStage(
                stage=stage,
                step=name,
                samples=count,
                seen=seen[stage],
                fitted=fitted,
                failing=_failing(waitings) if place == last else None,
                coupled=couplings.get(stage),
                note=note,
            )
        )
    chosen = {stage: one for stage, one in fits.items() if one is not None}
    return stages, _check_sum(name, waitings, chosen, couplings) if len(chosen) > 1 else None


def _check_sum(
    name: str, waitings: Sequence[Waiting], fits: Mapping[str, Fitted], couplings: Mapping[str, Coupled]
) -> SumCheck:
    """Many draws of the sum from evenly spread fractions, coupled as the profile will be."""
    ends = [waiting.operations.with_outcome(Outcome.OK) for waiting in waitings]
    middles = np.concatenate([good.service_s - good.resolution_s / 2 for good in ends])
    drawn = draw_sum(fits, couplings)
    return SumCheck(
        step=name,
        measured=tuple(float(one) for one in np.quantile(middles, _QUANTILES)),  # type: ignore[arg-type]
        fitted=tuple(float(one) for one in np.quantile(drawn, _QUANTILES)),  # type: ignore[arg-type]
    )


def _failing(waitings: Sequence[Waiting]) -> Failing | None:
    """How often the wait ended in a wrong state; None when it never did."""
    messages: Counter[str] = Counter()
    finished = 0
    for waiting in waitings:
        operations = waiting.operations
        wrong = operations.where(operations.ended([Outcome.WRONG_STATE]))
        finished += len(operations.with_outcome(Outcome.OK)) + len(wrong)
        messages.update(wrong.error_names[code] for code in wrong.error.tolist())
    failed = messages.total()
    if not failed:
        return None
    low, high = wilson_interval(failed, finished)
    # The words before the first colon are the client's own: what it waited for.
    message = messages.most_common(1)[0][0]
    message = message.partition(": ")[2] or message
    return Failing(failed=failed, finished=finished, interval=Interval(low=low, high=high), message=message)


def _too_few(count: int) -> str:
    return f"not fitted: {count} samples, at least {LEAST_SAMPLES} are needed"
