"""The sampler on virtual time, with services and meters that are made up."""

import asyncio
import sys
from collections.abc import Mapping

import pytest

from kilonode.base.clock import Clock, SimulatedClock
from kilonode.base.errors import InputError
from kilonode.base.outcomes import Outcome
from kilonode.base.processes import ProcessIdentity
from kilonode.base.simulation import SimulatedEventLoop
from kilonode.base.usage import ProcessUsage
from kilonode.history.records import Op
from kilonode.run.accounting import Accounted, Programs, ended_children_s
from kilonode.run.census import Census, Heads
from kilonode.run.costs import METER_TIMEOUT_S, CostSampler, Meter
from kilonode.run.phases import Phases, RunPhase

API = ProcessIdentity(7, 1, "boot")


class Services:
    """One service; its list can break."""

    def __init__(self, fails: bool = False) -> None:
        self.fails = fails

    def services(self) -> Heads:
        if self.fails:
            raise InputError("processes.json is gone")
        return {"api": (API,)}


class Queue:
    """A meter that answers after a while, or fails."""

    def __init__(self, clock: Clock, takes_s: float = 0.0, failures: int = 0) -> None:
        self.name = "rabbitmq"
        self._clock, self._takes_s, self._failures = clock, takes_s, failures
        self.asked = 0

    async def read(self) -> Mapping[str, float]:
        self.asked += 1
        await self._clock.sleep(self._takes_s)
        if self.asked <= self._failures:
            raise ConnectionRefusedError("connection refused")
        return {"messages_ready": float(self.asked)}


class Desk:
    """What was recorded and said."""

    def __init__(self) -> None:
        self.samples: list[tuple[str, str, float, float]] = []
        self.notes: list[str] = []

    def record(self, source: str, metric: str, value: float, at_ns: int) -> None:
        self.samples.append((source, metric, value, at_ns / 1e9))

    def times(self, source: str, metric: str) -> list[float]:
        return [at_s for one, name, _, at_s in self.samples if (one, name) == (source, metric)]

    def values(self, source: str, metric: str) -> list[float]:
        return [value for one, name, value, _ in self.samples if (one, name) == (source, metric)]


def census(services: Services) -> Census:
    usage = ProcessUsage(cpu_s=1.0, memory_bytes=5, threads=1, descriptors=1, connections=0)
    return Census(services, find=lambda heads: heads, read=lambda some: dict.fromkeys(some, usage), began_ticks=0)


def sampler(
    desk: Desk, clock: Clock, *meters: Meter, services: Services | None = None, every_s: float = 1.0
) -> CostSampler:
    spent = iter(range(10**6))
    return CostSampler(
        census(services or Services()), meters, desk.record, desk.notes.append, clock, every_s,
        processor_time_s=lambda: next(spent) / 1000,
    )  # fmt: skip


def virtual() -> SimulatedClock:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, SimulatedEventLoop)
    return SimulatedClock(loop)


async def test_everything_is_read_at_once_and_then_each_interval_and_at_the_end() -> None:
    clock = virtual()
    desk = Desk()
    sampling = sampler(desk, clock, Queue(clock), every_s=2.0)
    await clock.sleep(5.0)
    await sampling.close()
    assert desk.times("api", "memory_bytes") == [0.0, 2.0, 4.0, 5.0]
    assert desk.times("rabbitmq", "messages_ready") == [0.0, 2.0, 4.0, 5.0]
    assert desk.times("sampler", "duration_s") == [0.0, 2.0, 4.0, 5.0]


async def test_where_a_phase_begins_is_read_too_and_the_rhythm_stays() -> None:
    clock = virtual()
    desk = Desk()
    sampling = sampler(desk, clock, every_s=2.0)
    await clock.sleep(2.5)
    sampling.also_at(clock.now_ns())
    sampling.also_at(clock.now_ns() + 300_000_000)
    await clock.sleep(2.0)
    await sampling.close()
    assert desk.times("api", "cpu_s_total") == pytest.approx([0.0, 2.0, 2.5, 2.8, 4.0, 4.5])


async def test_a_slow_meter_holds_up_neither_processes_nor_the_end() -> None:
    clock = virtual()
    desk = Desk()
    slow = Queue(clock, takes_s=METER_TIMEOUT_S - 1)
    sampling = sampler(desk, clock, slow)
    await clock.sleep(4.5)
    began_ns = clock.now_ns()
    await sampling.close()
    assert desk.times("api", "memory_bytes") == [0.0, 1.0, 2.0, 3.0, 4.0, 4.5]
    assert slow.asked == 1
    assert clock.now_ns() - began_ns < 3e9


async def test_a_meter_that_fails_is_named_once_and_tried_again() -> None:
    clock = virtual()
    desk = Desk()
    sampling = sampler(desk, clock, Queue(clock, failures=3))
    await clock.sleep(5.5)
    await sampling.close()
    assert sampling.problems == ["cannot measure rabbitmq: connection refused"]
    assert desk.notes == sampling.problems
    assert desk.times("rabbitmq", "messages_ready") == [3.0, 4.0, 5.0, 5.5]
    assert len(desk.times("api", "memory_bytes")) == 7


async def test_a_meter_that_never_answers_is_given_up_each_time() -> None:
    clock = virtual()
    desk = Desk()
    sampling = sampler(desk, clock, Queue(clock, takes_s=1e6))
    await clock.sleep(3 * METER_TIMEOUT_S)
    await sampling.close()
    assert sampling.problems == ["cannot measure rabbitmq: it did not answer in time"]


async def test_services_that_cannot_be_told_are_named_once_and_asked_again() -> None:
    clock = virtual()
    desk, services = Desk(), Services(fails=True)
    sampling = sampler(desk, clock, services=services)
    await clock.sleep(2.5)
    services.fails = False
    await clock.sleep(1.0)
    await sampling.close()
    assert desk.times("api", "memory_bytes") == [3.0, 3.5]
    assert len(desk.notes) == 1
    assert "processes.json is gone" in desk.notes[0]


async def test_the_sampler_counts_its_own_processor_time() -> None:
    clock = virtual()
    desk = Desk()
    sampling = sampler(desk, clock, Queue(clock, takes_s=0.1))
    await clock.sleep(3.5)
    await sampling.close()
    spent = desk.values("sampler", "cpu_s_total")
    assert spent == sorted(spent)
    # The counter goes on by a millisecond at each look; a reading of processes has one stretch of it, a meter's two.
    assert spent[-1] - spent[0] == pytest.approx(4 * 0.001 + 4 * 0.002, abs=0.0021)


async def test_time_is_counted_between_waits_and_failures_pass() -> None:
    clock = virtual()
    spent = iter(range(100))

    async def fail() -> None:
        await clock.sleep(1.0)
        raise ValueError("no")

    work = Accounted(fail(), lambda: float(next(spent)))
    with pytest.raises(ValueError, match="no"):
        await work
    assert work.cpu_s == 2.0


async def test_programs_of_measurements_that_overlap_are_counted_once() -> None:
    clock, ended_s = virtual(), [10.0]
    programs = Programs(clock, 2, lambda: ended_s[0])
    programs.begin()
    await clock.sleep(1.0)
    programs.begin()
    ended_s[0] += 0.5
    await clock.sleep(1.0)
    assert programs.end() == pytest.approx(0.5)
    ended_s[0] += 0.25
    await clock.sleep(1.0)
    assert programs.end() == pytest.approx(0.25)
    ended_s[0] += 0.125
    programs.begin()
    await clock.sleep(1.0)
    assert programs.end() == 0.0, "what ended while nothing was measured is somebody else's"


async def test_a_worker_that_ends_while_something_is_measured_is_not_taken_for_its_program() -> None:
    clock, ended_s = virtual(), [0.0]
    programs = Programs(clock, 2, lambda: ended_s[0])
    programs.begin()
    await clock.sleep(0.1)
    ended_s[0] += 60.0
    assert programs.end() == 0.0


@pytest.mark.real_loop
async def test_a_program_that_ended_has_used_some_time() -> None:
    before_s = ended_children_s()
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", "sum(range(10**6))")
    assert await process.wait() == 0
    assert ended_children_s() > before_s


async def test_phases_follow_each_other_without_a_gap() -> None:
    clock = virtual()
    ops: list[Op] = []
    phases = Phases(ops.append, clock)
    phases.enter(RunPhase.IDLE)
    await clock.sleep(3.0)
    phases.enter(RunPhase.SETUP)
    await clock.sleep(2.0)
    phases.enter(RunPhase.LOAD, clock.now_ns() + 300_000_000)
    phases.enter(RunPhase.CLEANUP)  # ended at once: before the load began
    await clock.sleep(1.0)
    phases.finish()
    phases.finish()
    assert [(op.step, op.started_ns / 1e9, op.finished_ns / 1e9) for op in ops] == [
        ("idle", 0.0, 3.0), ("setup", 3.0, 5.3), ("load", 5.3, 5.3), ("cleanup", 5.3, 6.0),
    ]  # fmt: skip
    assert {(op.kind, op.workload, op.outcome) for op in ops} == {("phase", "", Outcome.OK)}
