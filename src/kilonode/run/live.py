"""From a worker's report to what checkers and live views take: buckets become the durations at their upper ends."""

from kilonode.check.live import LiveReport, LiveStep, LiveWorkload
from kilonode.load.progress import BUCKET_RATIO, Histogram, Progress


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
