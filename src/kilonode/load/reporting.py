"""What a worker says of itself while it runs: health into the journal, progress to whoever listens."""

import time
from collections.abc import Sequence
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.clients.openstack.connections import Connections
from kilonode.history.journal import JournalWriter
from kilonode.history.records import Sample
from kilonode.load.health import LagProbe, ProcessReader
from kilonode.load.loop import Loop
from kilonode.load.progress import Progress, ProgressCounter, WorkloadProgress

SOURCE_PREFIX: Final = "generator-"
"""The source of a worker's health samples is this and its number."""


class Reporter:
    """Takes the readings of one worker."""

    def __init__(
        self,
        worker: int,
        clock: Clock,
        zero_ns: int,
        journal: JournalWriter,
        counter: ProgressCounter,
        loops: Sequence[Loop],
        lag: LagProbe,
        connections: Connections,
    ) -> None:
        self._worker = worker
        self._clock = clock
        self._zero_ns = zero_ns
        self._journal = journal
        self._counter = counter
        self._loops = loops
        self._lag = lag
        self._connections = connections
        self._process = None if clock.simulated else ProcessReader()

    def report(self, *, last: bool = False) -> Progress:
        """Encode what was recorded; count it, read the health, put that into the journal too."""
        encoding_ns = time.perf_counter_ns()
        self._journal.encode()
        encoding_ns = time.perf_counter_ns() - encoding_ns
        at_ns = self._clock.now_ns() - self._zero_ns
        health = self._health(encoding_ns)
        source = f"{SOURCE_PREFIX}{self._worker}"
        for metric, value in health.items():
            self._journal.add_sample(Sample(source, metric, at_ns, value))
        return Progress(
            worker=self._worker,
            at_s=at_ns / NANOSECONDS_PER_SECOND,
            steps=self._counter.take_steps(),
            workloads=self._workloads(),
            health=health,
            last=last,
        )

    def glance(self) -> Progress:
        """Encode what was recorded, and count it: a report follows."""
        self._journal.encode()
        at_ns = self._clock.now_ns() - self._zero_ns
        return Progress(
            worker=self._worker,
            at_s=at_ns / NANOSECONDS_PER_SECOND,
            steps=self._counter.take_steps(),
            workloads=self._workloads(),
            glance=True,
        )

    def _workloads(self) -> tuple[WorkloadProgress, ...]:
        return tuple(WorkloadProgress(loop.workload, loop.active, loop.due, loop.dropped) for loop in self._loops)

    def _health(self, encoding_ns: int) -> dict[str, float]:
        lateness = self._counter.take_lateness()
        health = {
            "lateness_s_p99": lateness.p99_s,
            "lateness_s_max": lateness.max_s,
            "active_vus": float(sum(loop.active for loop in self._loops)),
            "dropped": float(sum(loop.dropped for loop in self._loops)),
        }
        if self._process is not None:
            health |= self._process.read()
            health["loop_lag_s_max"] = self._lag.take_s()
            health["flush_s_max"] = encoding_ns / NANOSECONDS_PER_SECOND
            health |= self._connections.counts()
        return health
