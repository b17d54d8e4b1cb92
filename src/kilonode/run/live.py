"""From a worker's report to what checkers and live views take: buckets become the durations at their upper ends."""

import msgspec

from kilonode.check.live import LiveReport, LiveStep, LiveWorkload
from kilonode.load.progress import BUCKET_RATIO, Histogram, Progress, merge_steps


class Glances:
    """What was said between reports, kept until the next report of the same worker, which it is part of."""

    def __init__(self) -> None:
        self._kept: dict[int, list[Progress]] = {}

    def add(self, progress: Progress) -> Progress | None:
        """Take what a worker says; a whole report, with what came before it, or None while there is none."""
        kept = self._kept.setdefault(progress.worker, [])
        kept.append(progress)
        if progress.glance:
            return None
        self._kept[progress.worker] = []
        if len(kept) == 1:
            return progress
        steps = merge_steps(kept)
        return msgspec.structs.replace(progress, steps=tuple(steps[key] for key in sorted(steps)))


def live_report(progress: Progress) -> LiveReport:
    """The same report in the checkers' words."""
    return LiveReport(
        worker=progress.worker,
        at_s=progress.at_s,
        steps=tuple(
            LiveStep(
                workload=step.workload,
                step=step.step,
                outcomes=step.outcomes,
                latency=_durations(step.latency),
                service=_durations(step.service_time),
                failed_latency=_durations(step.failed_latency),
                last_error=step.last_error,
            )
            for step in progress.steps
        ),
        workloads=tuple(
            LiveWorkload(workload=one.workload, active=one.active_vus, due=one.due, dropped=one.dropped)
            for one in progress.workloads
        ),
        health=progress.health,
    )


def _durations(histogram: Histogram) -> dict[float, int]:
    return {BUCKET_RATIO**bucket / 1e9: count for bucket, count in histogram.counts.items()}
