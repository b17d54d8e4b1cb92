"""From an experiment, and what stands ready for it, to the plans of the generator's workers."""

import math
from typing import Final

from kilonode.history.journal import SUFFIX
from kilonode.load.plan import WorkerPlan, WorkloadPlan
from kilonode.run.consistency import settle_s_of
from kilonode.run.environment import usable_processors
from kilonode.run.experiment import Experiment
from kilonode.run.folder import RunFolder
from kilonode.run.recording import FLUSH_INTERVAL_S
from kilonode.run.setup import Prepared

MOST_AUTOMATIC_WORKERS: Final = 16
GLANCE_INTERVAL_S: Final = 0.1
"""How often workers say what has ended where a disruption waits for that."""


def choose_workers(experiment: Experiment, *, simulated: bool) -> int:
    """How many worker processes. Automatic: every processor; half of them beside a cloud on this machine."""
    if simulated:
        return 1
    if experiment.workers != "auto":
        return experiment.workers
    processors = usable_processors()
    if experiment.cloud is not None and experiment.cloud.openstack is None:
        processors /= 2
    return max(1, min(MOST_AUTOMATIC_WORKERS, math.floor(processors)))


def worker_plans(
    experiment: Experiment, folder: RunFolder, run_id: str, seed: int, prepared: Prepared, workers: int
) -> tuple[WorkerPlan, ...]:
    """One plan for each worker. `prepared` holds the tenants and the workloads' arguments with ids for names."""
    plan = WorkerPlan(
        run_id=run_id,
        seed=seed,
        workers=workers,
        workloads=tuple(
            WorkloadPlan(
                name=name,
                scenario=workload.scenario,
                args=prepared.arguments.get(name, workload.args),
                load=workload.load,
                start_s=float(workload.start),
                iteration_timeout_s=float(workload.iteration_timeout),
            )
            for name, workload in experiment.workloads.items()
        ),
        tenants=prepared.tenants,
        scenario_files=experiment.scenarios,
        journal="",
        asked=settle_s_of(experiment) is not None,
        drain_s=float(experiment.drain),
        flush_interval_s=FLUSH_INTERVAL_S,
        glance_interval_s=GLANCE_INTERVAL_S if _waits(experiment) else None,
    )
    return tuple(
        plan.for_worker(number, str(folder.journal_folder / f"worker-{number}{SUFFIX}")) for number in range(workers)
    )


def _waits(experiment: Experiment) -> bool:
    """Whether a disruption waits for something that is known only while the load runs."""
    return any(one.when or one.at_iteration for one in experiment.disruptions)
