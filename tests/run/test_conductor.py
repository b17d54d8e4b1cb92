"""The conductor and a generator that does not do as it is told; on virtual time."""

import os
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.clock import Clock
from kilonode.base.processes import ProcessIdentity, identify
from kilonode.base.simulation import run_simulated
from kilonode.check.live import LiveReport
from kilonode.check.results import Verdict
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.history.archive import read_history
from kilonode.history.columns import History
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.run.conductor import OVERDUE_S, Conductor
from kilonode.run.deaths import LOOK_EVERY_S, Standing
from kilonode.run.evaluation import evaluate_run
from kilonode.run.folder import RunRecord, RunState, create_run_folder
from kilonode.run.interruption import Interruption
from kilonode.run.reading import read_text
from kilonode.run.surroundings import Surroundings

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
LOAD_S, DRAIN_S = 60.0, 5.0
TEXT = """
name: noop
drain: 5s
workloads:
  a: {scenario: noop, load: {model: constant-vus, vus: 1, duration: 60s}}
"""


class HangingWorkers:
    """They get ready, begin, and are never heard of again."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.closed_at_s: float | None = None
        self._zero_ns = 0

    async def prepare(self, plans: Sequence[WorkerPlan]) -> None:
        """Ready."""

    def begin(self, zero_ns: int) -> None:
        self._zero_ns = zero_ns

    async def progress(self) -> AsyncIterator[Progress]:
        await self._clock.sleep(1e6)
        yield Progress(worker=0, at_s=1e6, steps=(), workloads=())

    def stop(self) -> None:
        """Not heard."""

    async def close(self) -> None:
        self.closed_at_s = (self._clock.now_ns() - self._zero_ns) / 1e9

    def problems(self) -> list[str]:
        return ["worker 0 did not end"]


class Watcher:
    """Asks for the end of the load as often as wanted when the load begins."""

    def __init__(self, interruption: Interruption, requests: int) -> None:
        self._interruption, self._requests = interruption, requests

    def stage(self, name: str) -> None:
        for _ in range(self._requests if name == "load" else 0):
            self._interruption.request("the test")

    def note(self, text: str) -> None:
        """Not looked at."""

    def progress(self, report: LiveReport) -> None:
        """There is none."""


async def _no_cloud(access: Access) -> Connection:
    raise AssertionError("this experiment has no cloud")


@pytest.mark.parametrize(
    ("requests", "closed_at_s", "state"),
    [
        (0, LOAD_S + DRAIN_S + OVERDUE_S, RunState.DONE),
        (1, DRAIN_S + OVERDUE_S, RunState.ABORTED),
        (2, 0.0, RunState.ABORTED),
    ],
)
def test_workers_that_hang_do_not_hold_up_the_run_for_ever(
    requests: int, closed_at_s: float, state: RunState, tmp_path: Path
) -> None:
    experiment = read_text(TEXT, tmp_path / "experiment.yaml").points[0].experiment
    folder = create_run_folder(tmp_path, experiment.name, NOON)
    record = RunRecord("0badcafe", experiment.name, RunState.PREPARING, 0, NOON, simulated=True)

    async def conduct(clock: Clock) -> tuple[RunRecord, float | None]:
        workers, interruption = HangingWorkers(clock), Interruption()
        around = Surroundings(clock, None, _no_cloud, workers, Watcher(interruption, requests), 0)
        last = await Conductor(experiment, folder, record, around, interruption).run()
        return last, workers.closed_at_s

    last, closed = run_simulated(conduct)
    assert closed == pytest.approx(closed_at_s, abs=1.0)
    assert last.state is state
    assert last.problems == ("worker 0 did not end",)
    assert folder.record() == last


def test_who_asks_first_and_who_asks_last_is_told_apart() -> None:
    interruption = Interruption()
    interruption.request_gently("a p(99) < 1s is broken", "a p(99) < 1s")
    interruption.request_gently("the timeout is over")
    assert (interruption.reason, interruption.by_user) == ("a p(99) < 1s is broken", False)
    assert (interruption.requested, interruption.at_once) == (True, False)
    interruption.request("the user (Ctrl-C)")
    assert (interruption.at_once, interruption.by_user, interruption.criterion) == (True, True, "a p(99) < 1s")


class Roles:
    """Two services: one that runs, and one that is down."""

    def services(self) -> dict[str, tuple[ProcessIdentity, ...]]:
        own = identify(os.getpid())
        return {"api": (own,) if own is not None else (), "scheduler": ()}


class Broken:
    """A meter that is never there."""

    name = "rabbitmq"

    async def read(self) -> dict[str, float]:
        raise ConnectionRefusedError("connection refused")


class Listener(Watcher):
    """Keeps what is noted."""

    def __init__(self, interruption: Interruption, notes: list[str]) -> None:
        super().__init__(interruption, 0)
        self._notes = notes

    def note(self, text: str) -> None:
        self._notes.append(text)


def conducted(tmp_path: Path, text: str) -> tuple[RunRecord, History, list[str]]:
    """A run beside services, on virtual time with workers that hang."""
    experiment = read_text(text, tmp_path / "experiment.yaml").points[0].experiment
    folder = create_run_folder(tmp_path, experiment.name, NOON)
    record = RunRecord("0badcafe", experiment.name, RunState.PREPARING, 0, NOON, simulated=True)
    notes: list[str] = []

    async def conduct(clock: Clock) -> RunRecord:
        interruption = Interruption()
        watcher = Listener(interruption, notes)
        around = Surroundings(clock, None, _no_cloud, HangingWorkers(clock), watcher, 0, Roles(), (Broken(),))
        return await Conductor(experiment, folder, record, around, interruption).run()

    return run_simulated(conduct), read_history(folder.path), notes


def phases_of(history: History) -> dict[str, tuple[float, float]]:
    return {op.step: (op.started_ns / 1e9, op.finished_ns / 1e9) for op in history.columns.ops() if op.kind == "phase"}


def test_services_are_sampled_from_an_idle_phase_before_setup_to_the_end(tmp_path: Path) -> None:
    record, history, notes = conducted(tmp_path, f"{TEXT}costs: {{every: 2s, idle: 5s}}\n")
    phases = phases_of(history)
    assert phases["idle"] == pytest.approx((-5.3, -0.3))
    assert phases["setup"] == pytest.approx((-0.3, 0.0))
    assert phases["load"] == pytest.approx((0.0, LOAD_S))
    assert phases["drain"] == pytest.approx((LOAD_S, LOAD_S + DRAIN_S + OVERDUE_S))
    assert "cleanup" not in phases, "without a cloud there is nothing to clean"
    assert history.samples.source_names == ("api", "sampler", "scheduler")
    at_ns, memory = history.samples.of("api", "memory_bytes")
    assert at_ns[0] / 1e9 == pytest.approx(-5.3)
    assert at_ns[-1] / 1e9 == pytest.approx(LOAD_S + DRAIN_S + OVERDUE_S)
    assert {-0.3, 0.0, LOAD_S} <= {round(at / 1e9, 6) for at in at_ns.tolist()}, "read where phases begin"
    assert memory.min() > 2**20
    assert set(history.samples.of("scheduler", "processes")[1].tolist()) == {0.0}
    assert record.unmeasured == ("cannot measure rabbitmq: connection refused",)
    assert [note for note in notes if "rabbitmq" in note] == list(record.unmeasured)
    assert record.problems == ("worker 0 did not end",)


class Dying:
    """A cloud of one process, which dies after so many looks."""

    def __init__(self, looks: int) -> None:
        self._looks = looks

    def standings(self) -> list[Standing]:
        self._looks -= 1
        alive = ProcessIdentity(1, 1, "boot") if self._looks > 0 else None
        return [Standing("compute-002", alive, words="" if alive else "nobody starts it again")]


def test_a_process_that_dies_while_the_load_runs_is_told_at_once_and_makes_the_run_invalid(tmp_path: Path) -> None:
    experiment = read_text(TEXT, tmp_path / "experiment.yaml").points[0].experiment
    folder = create_run_folder(tmp_path, experiment.name, NOON)
    record = RunRecord("0badcafe", experiment.name, RunState.PREPARING, 0, NOON, simulated=True)
    folder.experiment_file.write_text(TEXT)
    notes: list[str] = []

    async def conduct(clock: Clock) -> RunRecord:
        interruption = Interruption()
        watcher = Listener(interruption, notes)
        around = Surroundings(clock, None, _no_cloud, HangingWorkers(clock), watcher, 0, processes=Dying(8))
        return await Conductor(experiment, folder, record, around, interruption).run()

    run_simulated(conduct)
    assert [note for note in notes if "compute-002 ended" in note]
    results = evaluate_run(folder)
    [death] = results.deaths
    assert 0 < death.seen_s < LOAD_S
    assert death.resolution_s == pytest.approx(LOOK_EVERY_S)
    assert (results.verdict, results.reasons[0].about) == (Verdict.INVALID, "death")


def test_who_does_not_want_to_know_has_no_samples_and_no_idle_phase(tmp_path: Path) -> None:
    record, history, notes = conducted(tmp_path, f"{TEXT}costs: unmeasured\n")
    assert len(history.samples) == 0
    assert set(phases_of(history)) == {"setup", "load", "drain"}
    assert record.unmeasured == ()
    assert not any("rabbitmq" in note for note in notes)


def test_without_an_idle_phase_setup_begins_at_once(tmp_path: Path) -> None:
    _, history, _ = conducted(tmp_path, f"{TEXT}costs: {{idle: 0s}}\n")
    assert set(phases_of(history)) == {"setup", "load", "drain"}
    assert history.samples.source_names == ("api", "sampler", "scheduler")
