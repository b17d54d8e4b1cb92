"""Deciding in batches: nothing lost, nothing twice, whoever else writes."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.batches import BatchController, Decision
from kilonode.cloud.kinds import records
from kilonode.cloud.ledger import Claim
from kilonode.cloud.resources import NODE_USAGE, NodeUsage, Resources
from kilonode.control.mirror import Mirror, Put
from kilonode.control.queue import WorkQueue
from kilonode.store.memory import MemoryStore


class Task(msgspec.Struct, frozen=True):
    """Something to be done once."""

    done_by: str = ""


ONE = Resources(1, 10, 100)


async def _mirror(store: MemoryStore) -> Mirror:
    mirror = Mirror(store, {"task": Task, **records(NODE_USAGE)})
    await mirror.start()
    return mirror


def _controller(name: str, mirror: Mirror, *, limit: int = 64) -> BatchController:
    def decide(key: str) -> Decision | None:
        entry = mirror.get("task", key)
        if entry is None or entry.value.done_by or not key.startswith(name[0]):
            return None
        return Decision((Put("task", Task(name), key, entry.revision),), (Claim("node", ONE),))

    clock = SimulatedClock(asyncio.get_running_loop())
    controller = BatchController(name, WorkQueue(clock), mirror, decide, limit=limit)
    mirror.subscribe(lambda kind, key: controller.queue.add(key) if kind == "task" else None)
    return controller


async def _until(condition: Callable[[], bool], sleep: Callable[[float], Awaitable[None]]) -> None:
    for _ in range(10_000):
        if condition():
            return
        await sleep(0.01)
    raise AssertionError("it never came to be")


async def test_writers_of_one_node_never_lose_each_others_claims() -> None:
    store = MemoryStore()
    author = await _mirror(store)
    controllers = [_controller(name, await _mirror(store)) for name in ("a", "b", "c")]
    tasks = [asyncio.create_task(controller.run()) for controller in controllers]
    # One commit wakes all three in the same turn, so all decide on the same usage of the same node.
    for round_number in range(10):
        await author.commit([Put("task", Task(), f"{name}{round_number}-{n}") for name in "abc" for n in range(7)])
    await _until(lambda: all(entry.value.done_by for entry in author.all("task").values()), asyncio.sleep)
    usage = author.get(NODE_USAGE, "node")
    assert usage is not None
    assert usage.value == NodeUsage(Resources(210, 2100, 21_000), 210)
    assert sum(controller.counts.conflicts for controller in controllers) > 0
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_keys_that_become_ready_together_are_written_together() -> None:
    store = MemoryStore()
    mirror = await _mirror(store)
    controller = _controller("a", mirror, limit=50)
    task = asyncio.create_task(controller.run())
    await mirror.commit([Put("task", Task(), f"a{number}") for number in range(200)])
    await _until(lambda: controller.counts.decided == 200, asyncio.sleep)
    assert controller.counts.commits == 4
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_key_whose_decision_breaks_does_not_stop_the_others() -> None:
    store = MemoryStore()
    mirror = await _mirror(store)
    broken = {"a3"}

    def decide(key: str) -> Decision | None:
        if key in broken:
            raise ValueError("no")
        entry = mirror.get("task", key)
        if entry is None or entry.value.done_by:
            return None
        return Decision((Put("task", Task("a"), key, entry.revision),))

    controller = BatchController("a", WorkQueue(SimulatedClock(asyncio.get_running_loop())), mirror, decide)
    mirror.subscribe(lambda kind, key: controller.queue.add(key))
    task = asyncio.create_task(controller.run())
    await mirror.commit([Put("task", Task(), f"a{number}") for number in range(6)])
    await _until(lambda: sum(bool(entry.value.done_by) for entry in mirror.all("task").values()) == 5, asyncio.sleep)
    broken.clear()
    await _until(lambda: all(entry.value.done_by for entry in mirror.all("task").values()), asyncio.sleep)
    assert controller.counts.failures >= 1
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_two_keys_that_change_one_document_are_committed_one_after_the_other() -> None:
    store = MemoryStore()
    mirror = await _mirror(store)

    def decide(key: str) -> Decision | None:
        task, total = mirror.get("task", key), mirror.get("task", "total")
        if task is None or task.value.done_by or key == "total":
            return None
        count = int(total.value.done_by) if total is not None else 0
        return Decision(
            (
                Put("task", Task("a"), key, task.revision),
                Put("task", Task(str(count + 1)), "total", total.revision if total is not None else 0),
            )
        )

    controller = BatchController("a", WorkQueue(SimulatedClock(asyncio.get_running_loop())), mirror, decide)
    mirror.subscribe(lambda kind, key: controller.queue.add(key))
    running = asyncio.create_task(controller.run())
    await mirror.commit([Put("task", Task(), f"a{number}") for number in range(20)])
    await _until(
        lambda: (total := mirror.get("task", "total")) is not None and total.value.done_by == "20", asyncio.sleep
    )
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
