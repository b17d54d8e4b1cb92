"""The controller loop: actual follows wanted, failures come back later, conflicts at once, and it never just stops."""

import asyncio
import logging

import pytest

from kilonode.base.clock import SimulatedClock
from kilonode.control.controller import CONFLICTS_TRIED_AT_ONCE, Controller, Reconcile, Requeue
from kilonode.control.mirror import Put
from kilonode.control.queue import WorkQueue
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import ConflictError
from tests.control.records import Server, mirror_of


async def ran(reconcile: Reconcile, keys: list[str], *, seconds: float = 1000, workers: int = 4) -> Controller:
    """A controller that was given some keys and then ran for some virtual seconds."""
    queue = WorkQueue(SimulatedClock(asyncio.get_running_loop()))
    controller = Controller("test", queue, reconcile, workers=workers)
    for key in keys:
        queue.add(key)
    task = asyncio.create_task(controller.run())
    await asyncio.sleep(seconds)
    assert not task.done()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return controller


async def test_as_many_keys_as_there_are_workers_are_worked_on_at_once() -> None:
    active, most = 0, 0

    async def reconcile(_key: str) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(1)
        active -= 1

    controller = await ran(reconcile, [str(number) for number in range(10)], workers=3)
    assert (most, controller.counts.reconciled) == (3, 10)


async def test_a_key_comes_again_after_the_time_it_asks_for() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    instants_s: list[float] = []

    async def reconcile(_key: str) -> Requeue | None:
        instants_s.append(clock.now_ns() / 1e9)
        return Requeue(10) if len(instants_s) < 3 else None

    await ran(reconcile, ["a"])
    assert instants_s == [0, 10, 20]


async def test_a_failing_key_is_tried_again_later_and_others_go_on(caplog: pytest.LogCaptureFixture) -> None:
    tries = {"bad": 0, "good": 0}

    async def reconcile(key: str) -> None:
        tries[key] += 1
        if key == "bad" and tries[key] < 4:
            raise ValueError("not yet")

    with caplog.at_level(logging.ERROR):
        controller = await ran(reconcile, ["bad", "good"])
    assert tries == {"bad": 4, "good": 1}
    assert (controller.counts.failures, controller.counts.reconciled) == (3, 2)
    assert "test: bad failed; tried again in 0.05 s" in caplog.text


async def test_a_conflict_is_tried_again_at_once_and_not_for_ever() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    instants_ns: list[int] = []

    async def reconcile(_key: str) -> None:
        instants_ns.append(clock.now_ns())
        if len(instants_ns) < CONFLICTS_TRIED_AT_ONCE + 3:
            raise ConflictError("someone else wrote first")

    controller = await ran(reconcile, ["a"])
    assert instants_ns[:CONFLICTS_TRIED_AT_ONCE] == [0] * CONFLICTS_TRIED_AT_ONCE
    assert instants_ns[CONFLICTS_TRIED_AT_ONCE] > 0
    assert (controller.counts.failures, controller.counts.reconciled) == (1, 1)


async def test_writers_that_race_for_the_same_documents_lose_no_update() -> None:
    store = MemoryStore()
    mirrors = [mirror_of(store) for _ in range(3)]
    for mirror in mirrors:
        await mirror.start()
    await mirrors[0].commit([Put("server", Server("0"), "count", 0)])
    queues = []
    tasks = []
    for mirror in mirrors:

        async def reconcile(_key: str, mirror=mirror) -> None:  # type: ignore[no-untyped-def]
            entry = mirror.get("server", "count")
            await asyncio.sleep(0)
            await mirror.commit([Put("server", Server(str(int(entry.value.name) + 1)), "count", entry.revision)])

        queue = WorkQueue(SimulatedClock(asyncio.get_running_loop()))
        for number in range(20):
            queue.add(str(number))
        queues.append(queue)
        tasks.append(asyncio.create_task(Controller("count", queue, reconcile).run()))
    await asyncio.sleep(10_000)
    entry = mirrors[0].get("server", "count")
    assert entry is not None
    assert entry.value.name == "60"
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for mirror in mirrors:
        await mirror.stop()
