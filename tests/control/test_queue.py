"""The work queue: each key once, never two workers on one key, nothing missed, delays kept to the nanosecond."""

import asyncio

from hypothesis import given, strategies

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_coroutine_simulated
from kilonode.control.queue import WorkQueue

SECOND_NS = 1_000_000_000


def new_queue() -> tuple[WorkQueue, SimulatedClock]:
    clock = SimulatedClock(asyncio.get_running_loop())
    return WorkQueue(clock, backoff_first_s=1, backoff_limit_s=5), clock


async def test_keys_come_first_in_first_out_and_each_once() -> None:
    queue, _ = new_queue()
    for key in ("b", "a", "b", "c", "a"):
        queue.add(key)
    assert len(queue) == queue.ready == 3
    assert [await queue.take() for _ in range(3)] == ["b", "a", "c"]
    assert (len(queue), queue.in_work) == (0, 3)


async def test_a_key_added_while_in_work_comes_again_when_it_is_done() -> None:
    queue, _ = new_queue()
    queue.add("a")
    assert await queue.take() == "a"
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.take() == "a"
    queue.done("a")
    assert len(queue) == 0


async def test_a_delayed_key_comes_at_its_instant_and_an_earlier_one_wins() -> None:
    queue, clock = new_queue()
    queue.add("a", 10)
    queue.add("b", 3)
    queue.add("a", 2)
    queue.add("a", 7)
    came = [(await queue.take(), clock.now_ns()) for _ in range(2)]
    assert came == [("a", 2 * SECOND_NS), ("b", 3 * SECOND_NS)]
    queue.add("c", 5)
    queue.add("c")
    assert (await queue.take(), clock.now_ns()) == ("c", 3 * SECOND_NS)
    assert len(queue) == 0


async def test_failures_in_a_row_double_the_delay_up_to_the_limit() -> None:
    queue, clock = new_queue()
    assert [queue.failed("a") for _ in range(5)] == [1, 2, 4, 5, 5]
    queue.succeeded("a")
    assert queue.failed("a") == 1
    assert (await queue.take(), clock.now_ns()) == ("a", 1 * SECOND_NS)


async def test_a_worker_that_is_cancelled_while_waiting_takes_no_key_with_it() -> None:
    queue, _ = new_queue()
    first, second = asyncio.create_task(queue.take()), asyncio.create_task(queue.take())
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await second == "a"
    await asyncio.gather(first, return_exceptions=True)


async def test_overtaken_delays_do_not_pile_up() -> None:
    queue, _ = new_queue()
    for _ in range(10_000):
        queue.add("a", 100)
        queue.add("a")
        await queue.take()
        queue.done("a")
    assert len(queue._delayed) < 200
    queue.close()


actions = strategies.lists(
    strategies.tuples(
        strategies.sampled_from(["add", "work", "wait"]),
        strategies.sampled_from("abc"),
        strategies.sampled_from([0.0, 0.0, 0.25, 0.1, 1.5]),
    ),
    max_size=40,
)


@given(actions, strategies.integers(min_value=1, max_value=3))
def test_every_key_is_worked_on_after_its_last_add_and_never_by_two_at_once(
    wanted: list[tuple[str, str, float]], workers: int
) -> None:
    async def play() -> None:
        queue, clock = new_queue()
        added_ns: dict[str, int] = {}
        began_ns: dict[str, int] = {}
        in_work: set[str] = set()

        async def work() -> None:
            while True:
                key = await queue.take()
                assert key not in in_work
                in_work.add(key)
                began_ns[key] = clock.now_ns()
                await asyncio.sleep(0.3)
                in_work.discard(key)
                queue.done(key)

        tasks = [asyncio.create_task(work()) for _ in range(workers)]
        for action, key, seconds in wanted:
            if action == "add":
                queue.add(key, seconds)
                added_ns[key] = clock.now_ns()
            else:
                await asyncio.sleep(seconds)
        await asyncio.sleep(100)
        assert len(queue) == queue.in_work == 0
        for key, instant_ns in added_ns.items():
            assert began_ns[key] >= instant_ns
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    run_coroutine_simulated(play())
