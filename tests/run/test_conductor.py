"""The conductor and a generator that does not do as it is told; on virtual time."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from kilonode.base.clock import Clock
from kilonode.base.simulation import run_simulated
from kilonode.check.live import LiveReport
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.run.conductor import OVERDUE_S, Conductor, Surroundings
from kilonode.run.folder import RunRecord, RunState, create_run_folder
from kilonode.run.interruption import Interruption
from kilonode.run.reading import read_text

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
