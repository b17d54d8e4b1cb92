"""Whole runs on virtual time, by the same wiring as `kilonode run --simulated`."""

import contextlib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kilonode.base.clock import Clock
from kilonode.base.errors import OperationError
from kilonode.base.simulation import run_simulated
from kilonode.check.live import LiveReport
from kilonode.check.results import Results, StepResults, WorkloadResults
from kilonode.cli.generators import open_generator
from kilonode.cli.target import target_of
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.openstack.connections import Connections
from kilonode.run.conductor import Conductor
from kilonode.run.evaluation import evaluate_run
from kilonode.run.folder import RunFolder, RunRecord, RunState, create_run_folder
from kilonode.run.interruption import Interruption
from kilonode.run.leftovers import find_leftovers
from kilonode.run.reading import read_text
from kilonode.run.surroundings import Surroundings

RUN_ID = "00c0ffee"
LOOKS = 50
"""How often a cloud that fails now and then is asked what there is."""


class Watcher:
    """Remembers what it is shown, and can interrupt at a stage or at an instant of the load."""

    def __init__(self, interruption: Interruption, at_stage: str = "", at_s: float = 0.0, times: int = 1) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []
        self._interruption = interruption
        self._at_stage, self._at_s, self._times = at_stage, at_s, times

    def stage(self, name: str) -> None:
        self.stages.append(name)
        if name == self._at_stage:
            self._interrupt()

    def note(self, text: str) -> None:
        self.notes.append(text)

    def progress(self, report: LiveReport) -> None:
        if self._at_s and report.at_s >= self._at_s:
            self._at_s = 0.0
            self._interrupt()

    def _interrupt(self) -> None:
        for _ in range(self._times):
            self._interruption.request("the test")


@dataclass
class Run:
    """One run that has ended."""

    folder: RunFolder
    record: RunRecord
    watcher: Watcher
    left: int
    """How many resources of the run were on the cloud at the end."""

    @property
    def results(self) -> Results:
        return evaluate_run(self.folder)

    def workload(self, name: str) -> WorkloadResults:
        return next(one for one in self.results.workloads if one.facts.name == name)

    def step(self, workload: str, step: str = "") -> StepResults:
        return next(one for one in self.workload(workload).steps if one.step == step)


async def _count_leftovers(connection: Connection) -> int:
    """Of the run; a cloud with a bad version is asked until it has answered every question of one look."""
    for _ in range(LOOKS):
        with contextlib.suppress(OperationError):
            return len((await find_leftovers(connection, RUN_ID)).leftovers)
    raise AssertionError("the cloud never answered")


def do_run(
    text: str,
    runs: Path,
    *,
    file: Path | None = None,
    sets: tuple[str, ...] = (),
    seed: int = 7,
    workers: int = 1,
    interrupt_at_stage: str = "",
    interrupt_at_s: float = 0.0,
    times: int = 1,
) -> Run:
    """Do the experiment in `text`, which is that of `file` if it is given, on virtual time."""
    point = read_text(text, file or runs / "experiment.yaml", sets).points[0].with_seed(seed)
    experiment = point.experiment
    folder = create_run_folder(runs, experiment.name, datetime(2030, 1, 1, tzinfo=UTC))
    folder.experiment_file.write_text(point.text)
    first = RunRecord(
        run_id=RUN_ID,
        name=experiment.name,
        state=RunState.PREPARING,
        pid=0,
        created_utc=datetime(2030, 1, 1, tzinfo=UTC),
        seed=experiment.seed or 0,
        simulated=True,
        workers=workers,
    )

    async def conduct(clock: Clock) -> Run:
        interruption = Interruption()
        watcher = Watcher(interruption, interrupt_at_stage, interrupt_at_s, times)
        async with (
            target_of(experiment, RUN_ID, first.seed, clock, interruption, note=watcher.note) as target,
            Connections(clock, target.open_transport) as connections,
        ):
            generator = open_generator(clock, target.open_transport)
            around = Surroundings(
                clock,
                target.access,
                connections.connect,
                generator,
                watcher,
                0,
                drivers=target.drivers,
                upgradable=target.upgradable,
            )
            record = await Conductor(experiment, folder, first, around, interruption).run()
            left = 0
            if target.access is not None:
                left = await _count_leftovers(await connections.connect(target.access))
        return Run(folder, record, watcher, left)

    return run_simulated(conduct)
