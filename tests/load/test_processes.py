"""Real worker processes: started, told to begin, stopped, killed."""

import asyncio
import contextlib
import os
import signal
from pathlib import Path

import psutil
import pytest

from kilonode.base.clock import RealClock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import Duration, Rate
from kilonode.clients.openstack.access import Access
from kilonode.history.archive import compact, read_history
from kilonode.load.models import ConstantArrivalRate, LoadModel, PerVuIterations
from kilonode.load.plan import WorkerPlan, WorkloadPlan
from kilonode.load.processes import WorkerProcesses
from kilonode.load.progress import Progress
from kilonode.scenarios.tenant import Tenant

pytestmark = [pytest.mark.real_loop, pytest.mark.processes]

SCENARIOS = """
from kilonode.scenarios.registry import scenario

@scenario("mine.sleep")
async def sleep(it, *, seconds: float = 0.01) -> None:
    '''Sleep.

    Arguments:
        seconds: How long.
    '''
    print("a scenario prints")
    await it.clock.sleep(seconds)

@scenario("mine.die")
async def die(it) -> None:
    '''Take the whole process along.'''
    import os
    print("the last words", flush=True)
    os.kill(os.getpid(), 9)

@scenario("mine.stubborn")
async def stubborn(it) -> None:
    '''Do not let it be cancelled.'''
    import asyncio
    while True:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            pass
"""


def plans(
    folder: Path, load: LoadModel, scenario: str = "noop", workers: int = 2, **fields: object
) -> list[WorkerPlan]:
    (folder / "journal").mkdir()
    (folder / "mine.py").write_text(SCENARIOS)
    arguments = fields.pop("args", {})
    plan = WorkerPlan(
        run_id="0badcafe",
        seed=1,
        workers=workers,
        workloads=(WorkloadPlan(name="load", scenario=scenario, load=load, args=arguments),),  # type: ignore[arg-type]
        scenario_files=(str(folder / "mine.py"),),
        journal="",
        **fields,  # type: ignore[arg-type]
    )
    return [plan.for_worker(number, str(folder / "journal" / f"{number}.journal")) for number in range(workers)]


async def begin(generator: WorkerProcesses, wanted: list[WorkerPlan]) -> None:
    await generator.prepare(wanted)
    generator.begin(RealClock().now_ns() + 100_000_000)


def children() -> list[psutil.Process]:
    """Workers alone: what another test of this process left behind must not be taken for one."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):
            if any("worker_process" in word for word in child.cmdline()):
                found.append(child)
    return found


async def test_workers_share_the_schedule_and_begin_together(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    before = len(children())
    reports: list[Progress] = []
    try:
        await begin(generator, plans(tmp_path, ConstantArrivalRate(rate=Rate(500), duration=Duration(1.2))))
        reports = [report async for report in generator.progress()]
    finally:
        await generator.close()
    assert generator.problems() == []
    assert [sorted(report.worker for report in reports if report.last)] == [[0, 1]]
    columns = compact(tmp_path).columns
    assert columns.iteration.tolist() == list(range(600))
    assert set(columns.worker.tolist()) == {0, 1}
    assert columns.due_ns.tolist() == [number * 2_000_000 for number in range(600)]
    assert bool((columns.started_ns >= columns.due_ns).all())
    assert not read_history(tmp_path).torn
    assert len(children()) == before


async def test_a_stop_ends_the_load_early_and_whole(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    load = ConstantArrivalRate(rate=Rate(100), duration=Duration(600))
    try:
        await begin(generator, plans(tmp_path, load, "mine.sleep", workers=1))
        async for report in generator.progress():
            if not report.last:
                generator.stop()
    finally:
        await generator.close()
    history = read_history(tmp_path)
    columns = history.columns
    assert not history.torn
    assert 50 < len(columns) < 10_000
    assert sorted(columns.iteration.tolist()) == list(range(len(columns))), "all that was due is told of"
    dropped = [name == Outcome.DROPPED for name in columns.outcome_names]
    begun = [number for number, outcome in zip(columns.iteration, columns.outcome, strict=True) if not dropped[outcome]]
    # On a busy machine some are due when it is stopped, and wait to begin: they never do.
    assert set(columns.outcome_names) <= {Outcome.OK, Outcome.DROPPED}
    assert sorted(begun) == list(range(len(begun)))


async def test_closing_ends_workers_at_once_and_says_what_was_cut_off(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    load = ConstantArrivalRate(rate=Rate(100), duration=Duration(600))
    try:
        await begin(generator, plans(tmp_path, load, "mine.sleep", workers=1, args={"seconds": 1000.0}))
        async for _ in generator.progress():
            break
    finally:
        await generator.close()
    history = read_history(tmp_path)
    assert not history.torn
    assert history.columns.outcome_names == (Outcome.CANCELLED,)
    assert generator.problems() == []


async def test_a_worker_that_dies_is_named_and_the_others_go_on(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    wanted = plans(tmp_path, ConstantArrivalRate(rate=Rate(100), duration=Duration(5)))
    try:
        await generator.prepare(wanted)
        victim = children()[-1].pid
        generator.begin(RealClock().now_ns())
        last: list[int] = []
        async for report in generator.progress():
            if not last and not report.last:
                os.kill(victim, signal.SIGKILL)
            last.append(report.worker)
    finally:
        await generator.close()
    assert [problem for problem in generator.problems() if "died (signal 9)" in problem]
    history = read_history(tmp_path)
    assert history.torn
    assert history.lost_at_most_s == 1.0
    assert 250 <= len(history.columns) < 500  # all of one worker, a part of the other


async def test_a_worker_that_dies_takes_its_last_words_along(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    try:
        await begin(generator, plans(tmp_path, PerVuIterations(vus=1, iterations=1), "mine.die", workers=1))
        assert [report async for report in generator.progress()] == []
    finally:
        await generator.close()
    assert generator.problems() == ["worker 0 died (signal 9): the last words"]


async def test_a_scenario_that_refuses_to_stop_does_not_keep_the_worker_alive(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    load = PerVuIterations(vus=1, iterations=1, max_duration=Duration(0.1))
    try:
        await begin(generator, plans(tmp_path, load, "mine.stubborn", workers=1, drain_s=0.1))
        reports = [report async for report in generator.progress()]
    finally:
        await generator.close()
    assert reports[-1].last
    assert read_history(tmp_path).columns.outcome_names == (Outcome.CANCELLED,)


async def test_what_a_worker_cannot_do_is_told_before_the_load(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    try:
        with pytest.raises(InputError, match=r"there is no scenario 'mine\.slep'") as caught:
            await generator.prepare(plans(tmp_path, PerVuIterations(vus=1, iterations=1), "mine.slep"))
    finally:
        await generator.close()
    assert "did you mean 'mine.sleep'?" in str(caught.value)


async def test_a_cloud_that_cannot_be_reached_is_told_as_such(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    access = Access(auth_url="http://127.0.0.1:1/v3", username="someone", password="of-no-use", project_name="p")
    tenant = Tenant(access, "p", "u")
    wanted = plans(tmp_path, PerVuIterations(vus=1, iterations=1), "identity.issue_token", workers=1, tenants=(tenant,))
    try:
        with pytest.raises(OperationError) as caught:
            await generator.prepare(wanted)
    finally:
        await generator.close()
    assert caught.value.outcome == Outcome.REFUSED
    assert "of-no-use" not in str(caught.value)


async def test_a_worker_does_not_outlive_who_started_it(tmp_path: Path) -> None:
    generator = WorkerProcesses()
    try:
        await begin(generator, plans(tmp_path, ConstantArrivalRate(rate=Rate(10), duration=Duration(600)), workers=1))
        process = children()[-1]
        generator._workers[0]._process.stdin.close()  # type: ignore[union-attr]
        await asyncio.to_thread(process.wait, 20)
        assert not process.is_running()
    finally:
        await generator.close()
