"""A calibration from a run's folder, with the words that say what it was fitted to."""

from importlib.metadata import version

from kilonode.base.errors import InputError
from kilonode.base.units import Duration
from kilonode.check.calibration import Calibration, calibrate
from kilonode.check.polling import PollGap
from kilonode.cli.reporting import metadata_of
from kilonode.clients.waiting import DEFAULT_INTERVAL
from kilonode.run.evaluation import evaluate_history
from kilonode.run.folder import RunFolder


def calibrate_run(folder: RunFolder, overhead: str) -> tuple[Calibration, list[str]]:
    """The calibration, and lines about its source. Raises InputError when there is nothing to fit."""
    results, history = evaluate_history(folder)
    gap = PollGap(DEFAULT_INTERVAL.fraction, DEFAULT_INTERVAL.least_s, DEFAULT_INTERVAL.most_s)
    found = calibrate(history, float(Duration.parse(overhead)), gap)
    if found.fitted == 0:
        raise InputError(
            "the run has nothing that a profile could be fitted to",
            where=str(folder.path),
            expected="at least 20 good samples of a step of the scenario library, such as boot or list_servers",
            hint="run the experiment for longer, or with experiments/twin.yaml",
        )
    metadata = metadata_of(folder)
    loads = "; ".join(f"{workload.facts.name}: {workload.facts.load}" for workload in results.workloads)
    source = f"run {folder.name}, {metadata.name}, {metadata.created_utc:%Y-%m-%d}"
    return found, [
        f"A twin of the cloud {metadata.cloud or 'of this run'}: stage delays and service times as they were measured.",
        f"Source: {source}; fitted by Kilonode {version('kilonode')}.",
        f"Load: {loads}.",
    ]
