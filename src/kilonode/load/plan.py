"""What a worker of the generator is told: everything it needs, as one serialisable value.

A plan travels to a worker process as JSON on its standard input, since it holds the tenants' secrets. The plans of the
workers of one run differ in `worker` and `journal` alone; each worker computes the whole schedule and takes its own
segment of it. Durations are float seconds.
"""

from typing import Any

import msgspec

from kilonode.load.models import LoadModel
from kilonode.scenarios.tenant import Tenant


class WorkloadPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One workload: what its iterations do, and when they start."""

    name: str
    scenario: str
    """The scenario's name in the registry."""
    args: dict[str, Any] = {}
    """The scenario's arguments, references (flavors, images, networks, …) already turned into ids."""
    load: LoadModel
    start_s: float = 0.0
    """How long after the run's zero the workload starts."""
    iteration_timeout_s: float = 600.0
    """An iteration that takes longer than this from its start is cancelled and has the outcome `timeout`."""


class WorkerPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The load of one worker."""

    run_id: str
    seed: int
    worker: int = 0
    """Which worker this is, from zero."""
    workers: int = 1
    """How many there are."""
    workloads: tuple[WorkloadPlan, ...]
    tenants: tuple[Tenant, ...] = ()
    """Iteration n of each workload runs as tenant n modulo their number; none without a cloud."""
    scenario_files: tuple[str, ...] = ()
    """Python files with scenarios of the user's own."""
    journal: str
    """The path of the journal file to create."""
    asked: bool = False
    """Note every request that would change something on the cloud, in a file beside the journal."""
    drain_s: float = 30.0
    """How long iterations that still run when a workload has ended may take to finish; then they are cut off."""
    flush_interval_s: float = 1.0
    """How often the journal is flushed: what is lost at most, about, when the worker is killed."""
    glance_interval_s: float | None = None
    """How often to say between two reports what has ended since; None: nobody waits for that."""

    def for_worker(self, worker: int, journal: str) -> "WorkerPlan":
        """The same load, another segment of it, another journal."""
        return msgspec.structs.replace(self, worker=worker, journal=journal)
