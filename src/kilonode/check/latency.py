"""From operations to the numbers of one step: outcomes, rates, distributions of latency and of service time."""

import numpy as np

from kilonode.base.outcomes import Outcome
from kilonode.check.operations import Operations, finished_and_failed
from kilonode.check.results import Interval, Latency, Percentile, Resolution, StepResults
from kilonode.check.statistics import Sorted, interval_ranks, rank_of, samples_needed, wilson_interval

PERCENTS = (5.0, 25.0, 50.0, 75.0, 90.0, 95.0, 99.0, 99.9)


def percentile_of(ordered: Sorted, percent: float) -> Percentile:
    """One percentile with its interval, or how many samples it would take."""
    needed = samples_needed(percent)
    if len(ordered) < needed:
        return Percentile(percent=percent, value_s=None, needed=needed)
    rank = rank_of(len(ordered), percent)
    low, high = interval_ranks(len(ordered), percent)
    return Percentile(
        percent=percent,
        value_s=ordered.at_rank(rank),
        interval_s=Interval(
            low=None if low is None else ordered.at_rank(low),
            # The upper end of an interval has to be a value that the truth does not exceed.
            high=ordered.at_rank(high) if high is not None and ordered.exact_at(high) else None,
        ),
        at_least=not ordered.exact_at(rank),
        needed=needed,
    )


def summarise(ordered: Sorted) -> Latency:
    """The distribution of some durations."""
    count = len(ordered)
    return Latency(
        samples=count,
        censored=ordered.censored,
        # Instants are whole nanoseconds: what lies below a picosecond is noise of the sum.
        mean_s=round(float(ordered.values.mean()), 12) if count else None,
        standard_deviation_s=float(ordered.values.std(ddof=1)) if count > 1 and not ordered.censored else None,
        min_s=ordered.at_rank(1) if count else None,
        max_s=ordered.at_rank(count) if count else None,
        open_ended=ordered.censored > 0,
        min_at_least=count > 0 and not ordered.exact_at(1),
        percentiles=tuple(percentile_of(ordered, percent) for percent in PERCENTS),
    )


def throughput_per_s(operations: Operations, start_s: float, end_s: float) -> float | None:
    """Operations that finished well between the two instants, per second; None when there is no time between them."""
    if end_s <= start_s:
        return None
    finished_s = operations.with_outcome(Outcome.OK).finished_s
    return float(np.count_nonzero((finished_s >= start_s) & (finished_s <= end_s)) / (end_s - start_s))


def error_share(finished: int, failed: int) -> tuple[float | None, Interval | None]:
    """Failures among what finished, and the interval of that share; None when nothing finished."""
    if finished == 0:
        return None, None
    low, high = wilson_interval(failed, finished)
    return failed / finished, Interval(low=low, high=high)


def summarise_step(step: str, operations: Operations, start_s: float, end_s: float) -> StepResults:
    """The numbers of one step, or of whole iterations; rates are taken over the time between the two instants."""
    outcomes = operations.counts()
    finished, failed = finished_and_failed(outcomes)
    error_rate, error_rate_interval = error_share(finished, failed)
    return StepResults(
        step=step,
        outcomes=outcomes,
        finished=finished,
        failed=failed,
        error_rate=error_rate,
        error_rate_interval=error_rate_interval,
        throughput_per_s=throughput_per_s(operations, start_s, end_s),
        latency=summarise(operations.sorted_latency()),
        service=summarise(operations.sorted_service()),
        resolution=_resolution(operations),
    )


def _resolution(operations: Operations) -> Resolution | None:
    polled_s = operations.with_outcome(Outcome.OK).resolution_s
    polled_s = np.sort(polled_s[polled_s > 0])
    if len(polled_s) == 0:
        return None
    return Resolution(
        polled=len(polled_s), median_s=float(polled_s[rank_of(len(polled_s), 50.0) - 1]), max_s=float(polled_s[-1])
    )
