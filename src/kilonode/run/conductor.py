"""The conductor leads one run: connect, setup, load, cleanup.

It is given everything that depends on the outside (`Surroundings`): a clock, a way to log in, a way to make load, and
somebody who watches. It never sends load itself; workers do. Whatever happens, what was recorded stays readable, and
what the run made is removed; unless the user asked to stop at once: then `kilonode cleanup` finishes.
It writes no numbers: those come from the history, by `kilonode.run.evaluation`.
"""

import asyncio
import contextlib
from datetime import timedelta
from functools import partial
from typing import Any, Final

import msgspec

from kilonode.base.clock import NANOSECONDS_PER_SECOND
from kilonode.base.errors import AbortError, InputError, LabError, OperationError, trim
from kilonode.base.units import format_seconds
from kilonode.check.live_criteria import LiveCriteria
from kilonode.clients.openstack.access import Access
from kilonode.faults.healing import LeftBehind
from kilonode.run.census import Census
from kilonode.run.cleanup import CleanupReport, clean
from kilonode.run.consistency import settle_s_of, take_stock
from kilonode.run.costs import CostSampler
from kilonode.run.deaths import DeathWatch, Deliberate
from kilonode.run.disrupting import Disruptor, JournalHead
from kilonode.run.disruption_plans import load_end_s, plan_disruptions
from kilonode.run.experiment import Experiment
from kilonode.run.facts import criterion_rules, workload_facts
from kilonode.run.folder import RunFolder, RunRecord, RunState
from kilonode.run.interruption import Interruption
from kilonode.run.live import Glances, live_report
from kilonode.run.loading import worker_plans
from kilonode.run.phases import Phases, RunPhase
from kilonode.run.recording import Recording
from kilonode.run.references import resolve_references
from kilonode.run.setup import Prepared, prepare
from kilonode.run.surroundings import Generator, Surroundings

ZERO_LEAD_S: Final = 0.3
"""How long after all workers are ready the load begins: time for the word to reach every worker."""
OVERDUE_S: Final = 30.0
"""How long after the end of the drain workers may take before they are ended: one that hangs must not hold up a run."""


class Conductor:
    """Leads one run in its folder."""

    def __init__(
        self,
        experiment: Experiment,
        folder: RunFolder,
        record: RunRecord,
        surroundings: Surroundings,
        interruption: Interruption,
    ) -> None:
        self._experiment = experiment
        self._folder = folder
        self._record = record
        self._around = surroundings
        self._clock = surroundings.clock
        self._interruption = interruption
        self._recording: Recording | None = None
        self._sampler: CostSampler | None = None
        self._phases: Phases | None = None
        self._deliberate = Deliberate(self._clock)

    async def run(self) -> RunRecord:
        """Lead the run to its end; return its last record, which is written too.

        Raises InputError when the cloud lacks something, OperationError when it failed before the load: both after
        cleanup. A load that was ended early is no error; the record says so.
        """
        self._recording = Recording(self._folder.journal_folder, self._record.run_id, self._clock, self._around.pid)
        self._phases = Phases(self._recording.record, self._clock)
        self._sampler = self._open_sampler(self._recording)
        state = RunState.FAILED
        try:
            async with self._seeing_deaths(self._recording):
                try:
                    await self._idle()
                    await self._lead()
                    state = RunState.ABORTED if self._interruption.requested else RunState.DONE
                except AbortError:
                    state = RunState.ABORTED
                    self._update(aborted_because=self._interruption.reason)
                finally:
                    await self._clean_up()
        finally:
            self._phases.finish()
            if self._sampler is not None:
                await self._sampler.close()
                self._update(unmeasured=tuple(self._sampler.problems))
            await self._recording.close()
            self._update(state=state, finished_utc=self._clock.utc())
        return self._record

    def _seeing_deaths(self, recording: Recording) -> contextlib.AbstractAsyncContextManager[object]:
        """Look from now on whether a process of the cloud dies, where somebody knows its processes."""
        around = self._around
        if around.processes is None:
            return contextlib.nullcontext()
        return DeathWatch(around.processes, self._deliberate, self._clock, recording.record, around.watcher.note)

    def _open_sampler(self, recording: Recording) -> CostSampler | None:
        """What samples the services from now on; None when nothing is known of them, or nobody wants to know."""
        costs, around = self._experiment.costs, self._around
        if costs == "unmeasured" or (around.services is None and not around.meters):
            return None
        census = None if around.services is None else Census(around.services)
        every_s = float(costs.every)
        return CostSampler(census, around.meters, recording.sample, around.watcher.note, self._clock, every_s)

    async def _idle(self) -> None:
        """Ask nothing of the cloud for a while, so that what its services use by themselves is known."""
        costs = self._experiment.costs
        if self._sampler is None or costs == "unmeasured" or not costs.idle:
            return
        self._around.watcher.stage("idle")
        self._enter_phase(RunPhase.IDLE)
        await self._interruption.unless_requested(self._clock.sleep(float(costs.idle)))

    async def _lead(self) -> None:
        self._enter_phase(RunPhase.SETUP)
        disruptor = await self._interruption.unless_requested(self._plan_disruptions())
        prepared = await self._interruption.unless_requested(self._prepare())
        self._enter(RunState.SETUP, "workers")
        plans = worker_plans(
            self._experiment, self._folder, self._record.run_id, self._record.seed, prepared, self._record.workers
        )
        generator = self._around.generator
        try:
            await self._interruption.unless_requested(generator.prepare(plans))
            zero_ns = self._clock.now_ns() + round(ZERO_LEAD_S * NANOSECONDS_PER_SECOND)
            self._recorder.move_zero(zero_ns)
            self._enter_phase(RunPhase.LOAD, zero_ns)
            lead = timedelta(seconds=ZERO_LEAD_S)
            self._update(state=RunState.LOAD, zero_utc=self._clock.utc() + lead)
            self._around.watcher.stage("load")
            generator.begin(zero_ns)
            end_ns = zero_ns + round(load_end_s(self._experiment) * NANOSECONDS_PER_SECOND)
            async with disruptor.beside(zero_ns, end_ns, self._interruption, self._folder.faults_folder):
                await self._follow(generator, zero_ns, end_ns, disruptor)
        finally:
            await generator.close()
        for problem in generator.problems():
            self._around.watcher.note(problem)
        self._update(problems=tuple(generator.problems()))
        await self._take_stock(prepared)

    async def _plan_disruptions(self) -> Disruptor:
        """Find what will be disrupted, before anything is made. Raises InputError when something is not there."""
        around, run = self._around, self._record
        left = LeftBehind(around.journals, self._clock, run.cloud) if around.journals is not None else None
        steps = left.steps() if left is not None and self._experiment.disruptions else ()
        found = await plan_disruptions(self._experiment, run.seed, around.drivers, cloud=around.upgradable, left=steps)
        if around.upgradable is not None:
            for upgrade in filter(None, (one.upgrade for one in found)):
                await around.upgradable.prepare(upgrade.to, around.watcher.note)
        head = JournalHead(words=f"run {run.run_id}", cloud=run.cloud, announced=around.journals)
        return Disruptor(
            found,
            around.drivers,
            head,
            self._clock,
            self._recorder.record,
            around.watcher.note,
            around.upgradable,
            left,
            self._deliberate,
        )

    async def _take_stock(self, prepared: Prepared) -> None:
        """Look what there is on the cloud now, where somebody wants to know; given up when the user wants no more."""
        settle_s, access = settle_s_of(self._experiment), self._around.access
        if settle_s is None or access is None or self._interruption.at_once:
            return
        self._around.watcher.stage("settle")
        self._enter_phase(RunPhase.SETTLE)
        connect = partial(self._around.connect, access)
        projects = [tenant.project_id for tenant in prepared.tenants]
        looking = take_stock(self._folder, connect, self._record.run_id, projects, self._clock, settle_s)
        await self._interruption.unless_at_once(looking)

    async def _prepare(self) -> Prepared:
        access = self._around.access
        if access is None:
            return Prepared(())
        self._around.watcher.stage("connect")
        connection = await self._around.connect(access)
        self._enter(RunState.SETUP, "setup")
        prepared = await prepare(
            access,
            self._around.connect,
            self._experiment.setup,
            self._record.run_id,
            self._clock,
            self._recorder.record,
        )
        return await resolve_references(connection, self._experiment, prepared)

    async def _follow(self, generator: Generator, zero_ns: int, end_ns: int, disruptor: Disruptor) -> None:
        """Watch the load until all workers have ended or should have, or the user wants it ended at once."""
        facts = [workload_facts(name, workload) for name, workload in self._experiment.workloads.items()]
        watch = LiveCriteria(criterion_rules(self._experiment), facts)
        tasks = [
            asyncio.create_task(self._pass_on(generator, watch, disruptor), name="progress"),
            asyncio.create_task(self._stop_when_asked(generator, zero_ns), name="stop"),
        ]
        overdue = asyncio.create_task(self._wait_until_overdue(end_ns), name="overdue")
        if self._experiment.timeout is not None:
            tasks.append(asyncio.create_task(self._time_out(float(self._experiment.timeout)), name="timeout"))
        at_once = asyncio.create_task(self._interruption.wait_at_once(), name="stop at once")
        try:
            await asyncio.wait([tasks[0], at_once, overdue], return_when=asyncio.FIRST_COMPLETED)
            if tasks[0].done():
                tasks[0].result()
            elif overdue.done():
                self._around.watcher.note("workers that should have ended long ago are ended now")
        finally:
            for task in (*tasks, at_once, overdue):
                task.cancel()
            await asyncio.gather(*tasks, at_once, overdue, return_exceptions=True)

    async def _pass_on(self, generator: Generator, watch: LiveCriteria, disruptor: Disruptor) -> None:
        glances = Glances()
        async for progress in generator.progress():
            disruptor.add(live_report(progress))
            whole = glances.add(progress)
            if whole is None:
                continue
            report = live_report(whole)
            self._around.watcher.progress(report)
            broken = watch.add(report)
            if broken is not None:
                self._interruption.request_gently(broken.reason, broken.criterion)

    async def _stop_when_asked(self, generator: Generator, zero_ns: int) -> None:
        await self._interruption.wait()
        reason, at_s = self._interruption.reason, (self._clock.now_ns() - zero_ns) / NANOSECONDS_PER_SECOND
        self._update(aborted_because=reason, aborted_by=self._interruption.criterion, aborted_s=at_s)
        self._around.watcher.note(f"ending the load early, at {format_seconds(max(0.0, at_s))}: {reason}")
        self._around.watcher.stage("drain")
        generator.stop()

    async def _wait_until_overdue(self, end_ns: int) -> None:
        """Return when even the slowest worker must have ended. The load ends at `end_ns` or when asked."""
        asked = asyncio.create_task(self._interruption.wait())
        await asyncio.wait([asked], timeout=max(0.0, (end_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND))
        asked.cancel()
        self._enter_phase(RunPhase.DRAIN)
        await self._clock.sleep(float(self._experiment.drain) + OVERDUE_S)

    async def _time_out(self, timeout_s: float) -> None:
        await self._clock.sleep(timeout_s)
        self._interruption.request_gently(f"the experiment's timeout of {timeout_s:g} s is over")

    async def _clean_up(self) -> None:
        """Remove what the run made. Never raises for what the cloud does: the report of the run must still come."""
        if self._around.access is None:
            return
        if self._interruption.at_once:
            self._leave_behind("stopped by the user")
            return
        self._enter(RunState.CLEANUP, "cleanup")
        self._enter_phase(RunPhase.CLEANUP)
        try:
            report = await self._interruption.unless_at_once(self._clean(self._around.access))
        except (OperationError, InputError) as error:
            self._leave_behind(trim(str(error)))
            return
        if report is None:
            self._leave_behind("stopped by the user")
        elif not report.complete:
            self._leave_behind("; ".join(report.problems) or f"{len(report.remaining)} resources remain")

    async def _clean(self, access: Access) -> CleanupReport:
        connection = await self._around.connect(access)
        concurrency = self._experiment.setup.concurrency
        return await clean(connection, self._record.run_id, self._clock, self._recorder.record, concurrency=concurrency)

    def _leave_behind(self, why: str) -> None:
        self._update(left_behind=True)
        self._around.watcher.note(f"cleanup is not finished: {why}")
        if self._record.emulated:
            self._around.watcher.note("the run's own cloud goes now, with everything in it")
        else:
            self._around.watcher.note(f"finish it with: kilonode cleanup {self._record.run_id}")

    def _enter_phase(self, phase: RunPhase, at_ns: int | None = None) -> None:
        if self._phases is None:
            raise LabError("the conductor was not started")
        began_ns = self._phases.enter(phase, at_ns)
        if self._sampler is not None:
            self._sampler.also_at(began_ns)

    def _enter(self, state: RunState, stage: str) -> None:
        self._update(state=state)
        self._around.watcher.stage(stage)

    def _update(self, **changes: Any) -> None:
        self._record = msgspec.structs.replace(self._record, **changes)
        self._folder.write_record(self._record)

    @property
    def _recorder(self) -> Recording:
        if self._recording is None:
            raise LabError("the conductor was not started")
        return self._recording
