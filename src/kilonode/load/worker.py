"""A worker: runs its segment of all workloads from one zero, keeps the journal, and reports its progress.

The same code is a process of its own in a real run (`kilonode.load.worker_process`) and a task in a simulated one.
`prepare` does everything that takes time and is not to be measured: loads scenarios, opens connections, logs in. `run`
is given the zero, the instant on the clock at which all workers begin, and lasts until the last workload has ended and
drained. Once a second what was recorded is encoded, health is read and progress is reported; bytes are written by
another thread, so that a slow disk does not delay an iteration.
"""

import asyncio
import os
from collections.abc import Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.encoding import from_plain
from kilonode.base.errors import InputError
from kilonode.base.outcomes import Outcome
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.connections import Connections, OpenTransport
from kilonode.history.blocks import block_of_flat
from kilonode.history.journal import JournalHeader, JournalWriter
from kilonode.history.records import OpKind
from kilonode.load.asking import AskedNotebook
from kilonode.load.closed_loop import ClosedLoop
from kilonode.load.fairness import TimeSlice
from kilonode.load.health import LagProbe, ProcessReader
from kilonode.load.iterating import Work
from kilonode.load.loop import Loop, Surroundings
from kilonode.load.models import OpenModel
from kilonode.load.open_loop import OpenLoop
from kilonode.load.pacers import open_pacer
from kilonode.load.plan import WorkerPlan, WorkloadPlan
from kilonode.load.progress import Progress, ProgressCounter
from kilonode.load.reporting import Reporter
from kilonode.load.segments import Segment
from kilonode.load.virtual_users import VuPlan
from kilonode.scenarios.declaration import Scenario
from kilonode.scenarios.iteration import WorkloadContext
from kilonode.scenarios.probe import NEW, PROBE
from kilonode.scenarios.registry import find, load_file

PROGRESS_INTERVAL_S: Final = 1.0


class WorkerSummary(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker says when it has come to its end."""

    worker: int
    late_s: float = 0.0
    """How long after the zero it was ready to begin; zero when it was in time."""
    dropped: dict[str, int] = {}
    """Workload and how many of its iterations could not be started."""


class Worker:
    """One worker of the generator. `prepare`, then `run`, then `close`."""

    def __init__(self, plan: WorkerPlan, clock: Clock, open_transport: OpenTransport | None = None) -> None:
        self._plan = plan
        self._clock = clock
        self._asked = AskedNotebook()
        self._connections = Connections(clock, open_transport, self._asked if plan.asked else None)
        self._segment = Segment(plan.worker, plan.workers)
        self._work: list[tuple[WorkloadPlan, Work]] = []
        self._loops: list[Loop] = []
        self._stopped = False

    async def prepare(self) -> None:
        """Get ready. Raises InputError for what the plan asks for and is not there, OperationError from the cloud."""
        plan = self._plan
        for file in plan.scenario_files:
            load_file(Path(file))
        scenarios = {workload.name: find(workload.scenario) for workload in plan.workloads}
        needed = sorted({service for scenario in scenarios.values() for service in scenario.services})
        connections = await self._connections.connect_all([tenant.access for tenant in plan.tenants], needed)
        await _warm_up()
        self._work = [
            (workload, self._prepare_work(workload, scenarios[workload.name], connections))
            for workload in plan.workloads
        ]

    async def run(self, zero_ns: int, report: Callable[[Progress], None]) -> WorkerSummary:
        """Make the load. `report` is called once a second and a last time at the end.

        Raises InputError when the history cannot be written.
        """
        late_s = max(0.0, (self._clock.now_ns() - zero_ns) / NANOSECONDS_PER_SECOND)
        plan = self._plan
        counter = ProgressCounter(
            [workload.name for workload in plan.workloads if isinstance(workload.load, OpenModel)]
        )
        journal = JournalWriter(Path(plan.journal), self._header(zero_ns), counter.add, origin_ns=zero_ns)
        if plan.asked:
            self._asked.open(journal.path, plan.run_id, zero_ns)
        lag = LagProbe(asyncio.get_running_loop(), self._clock)
        reporter = Reporter(plan.worker, self._clock, zero_ns, journal, counter, self._loops, lag, self._connections)
        around = Surroundings(
            clock=self._clock,
            zero_ns=zero_ns,
            segment=self._segment,
            drain_s=plan.drain_s,
            slice=TimeSlice(asyncio.get_running_loop(), self._clock),
            journal=journal,
        )
        self._loops += [self._open_loop(workload, work, around) for workload, work in self._work]
        if self._stopped:
            self.stop()
        ticking = asyncio.create_task(self._tick(zero_ns, journal, reporter, report), name="progress")
        working = asyncio.create_task(self._run_loops(), name="workloads")
        try:
            await asyncio.wait([ticking, working], return_when=asyncio.FIRST_COMPLETED)
            if ticking.done():
                ticking.result()  # it never ends but by an error
            working.result()
            await _stop_task(ticking)
            report(reporter.report(last=True))
            journal.close()
            self._asked.close()
        finally:
            await _stop_task(ticking)
            await _stop_task(working)
            lag.close()
            journal.close(complete=False)
            self._asked.close(complete=False)
        return WorkerSummary(
            worker=plan.worker, late_s=late_s, dropped={loop.workload: loop.dropped for loop in self._loops}
        )

    def stop(self) -> None:
        """Start nothing more; what runs may finish within the drain time."""
        self._stopped = True
        for loop in self._loops:
            loop.stop()

    def kill(self) -> None:
        """Start nothing more and cut off what runs."""
        self._stopped = True
        for loop in self._loops:
            loop.kill()

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def _run_loops(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                for loop in self._loops:
                    group.create_task(loop.run(), name=loop.workload)
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None

    async def _tick(
        self, zero_ns: int, journal: JournalWriter, reporter: Reporter, report: Callable[[Progress], None]
    ) -> None:
        """Flush the journal every flush interval, report every second, and glance in between where somebody waits for
        it, all counted from the zero.
        """
        loop = asyncio.get_running_loop()
        report_ns = _ns(PROGRESS_INTERVAL_S)
        flush_ns = min(_ns(self._plan.flush_interval_s), report_ns)
        glance_ns = flush_ns if self._plan.glance_interval_s is None else _ns(self._plan.glance_interval_s)
        next_flush_ns, next_report_ns, next_glance_ns = flush_ns, report_ns, glance_ns
        while True:
            elapsed_ns = self._clock.now_ns() - zero_ns
            left_ns = min(next_flush_ns, next_glance_ns) - elapsed_ns
            if left_ns > 0:
                await self._clock.sleep(left_ns / NANOSECONDS_PER_SECOND)
                continue
            if elapsed_ns >= next_glance_ns:
                next_glance_ns = max(next_glance_ns + glance_ns, elapsed_ns)
            if elapsed_ns < next_flush_ns:
                report(reporter.glance())
                continue
            next_flush_ns = max(next_flush_ns + flush_ns, elapsed_ns)
            if elapsed_ns >= next_report_ns:
                next_report_ns = max(next_report_ns + report_ns, elapsed_ns)
                report(reporter.report())
            else:
                journal.encode()
            self._asked.flush()
            await loop.run_in_executor(None, journal.write)

    def _open_loop(self, workload: WorkloadPlan, work: Work, around: Surroundings) -> Loop:
        model = workload.load
        if isinstance(model, OpenModel):
            pacer = open_pacer(model, self._plan.seed, workload.name)
            return OpenLoop(work, workload.start_s, pacer, model.max_vus, around)
        return ClosedLoop(work, workload.start_s, VuPlan(model), self._plan.seed, around)

    def _prepare_work(self, workload: WorkloadPlan, scenario: Scenario, connections: Sequence[Connection]) -> Work:
        plan = self._plan
        try:
            arguments = from_plain(workload.args, scenario.arguments)
        except msgspec.ValidationError as error:
            raise InputError(
                f"bad arguments for {scenario.name}", where=f"workloads.{workload.name}.args", got=str(error)
            ) from error
        access = plan.tenants[0].access if plan.tenants else None
        transport = self._connections.transport(access)
        if scenario.name == PROBE:  # what it sees must not depend on what other workloads do to their connections
            transport = self._connections.own_transport(access, reuse=workload.args.get("connections") != NEW)
        return Work(
            workload=workload.name,
            scenario=scenario.function,
            arguments={field: getattr(arguments, field) for field in scenario.arguments.__struct_fields__},
            context=WorkloadContext(workload.name, plan.run_id, plan.seed, self._clock, transport),
            tenants=plan.tenants,
            connections=connections,
            iteration_timeout_ns=round(workload.iteration_timeout_s * NANOSECONDS_PER_SECOND),
        )

    def _header(self, zero_ns: int) -> JournalHeader:
        ahead_s = (zero_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND
        return JournalHeader(
            run_id=self._plan.run_id,
            name=f"worker-{self._plan.worker}",
            worker=self._plan.worker,
            zero_ns=zero_ns,
            zero_utc=self._clock.utc() + timedelta(seconds=ahead_s),
            flush_interval_s=self._plan.flush_interval_s,
            pid=0 if self._clock.simulated else os.getpid(),
        )


def _ns(seconds: float) -> int:
    return round(seconds * NANOSECONDS_PER_SECOND)


async def _warm_up() -> None:
    """Do once what the load will do every second: first times are slow, by tens of milliseconds (imports, threads)."""
    counter = ProgressCounter(["warm-up"])
    counter.add(block_of_flat((OpKind.ITERATION.value, "warm-up", "", 0, 0, 0, 1, Outcome.OK.value, "", 0)))
    counter.take_lateness()
    ProcessReader().read()
    await asyncio.get_running_loop().run_in_executor(None, counter.take_steps)


async def _stop_task(task: asyncio.Task[None]) -> None:
    """Cancel a task and wait for its end; what it raised has been looked at elsewhere."""
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
