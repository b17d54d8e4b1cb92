"""Waiting by polling: when it ends, how sharply that is known, and when it is given up."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.simulation import run_simulated
from kilonode.clients.waiting import PollInterval, Waited, wait_until


def clock_of_test() -> SimulatedClock:
    return SimulatedClock(asyncio.get_running_loop())


@given(
    st.floats(0, 500),
    st.floats(0, 3),
    st.builds(
        PollInterval,
        fraction=st.floats(0, 0.5),
        least_s=st.floats(0.01, 1),
        most_s=st.floats(0.02, 30),
    ),
)
def test_the_end_lies_within_the_resolution_before_it_was_seen(
    ends_after_s: float, answering_s: float, interval: PollInterval
) -> None:
    async def main(clock: SimulatedClock) -> None:
        async def probe() -> int | None:
            # The service looks in the middle of its answering time.
            await clock.sleep(answering_s / 2)
            seen_ns = clock.now_ns()
            await clock.sleep(answering_s / 2)
            return seen_ns if seen_ns >= ends_after_s * 1e9 else None

        waited = await wait_until(clock, probe, timeout_s=10_000, interval=interval)
        finished_ns = clock.now_ns()
        assert finished_ns - waited.resolution_ns - 1 <= ends_after_s * 1e9 <= finished_ns + 1
        least_s = max(interval.least_s, min(interval.most_s, interval.fraction * finished_ns / 1e9))
        assert waited.resolution_ns <= (least_s + 2 * answering_s) * 1e9 + 10

    run_simulated(main)


async def test_what_is_there_already_is_seen_at_once() -> None:
    async def probe() -> str:
        return "there"

    assert await wait_until(clock_of_test(), probe, timeout_s=1) == Waited("there", 0, 1)


async def test_the_default_resolution_is_a_twentieth_of_what_is_measured_or_fifty_milliseconds() -> None:
    clock = clock_of_test()
    for ends_after_s in (0.01, 0.3, 5.0, 30.0, 300.0):
        began_ns = clock.now_ns()

        async def probe(began_ns: int = began_ns, ends_after_s: float = ends_after_s) -> bool | None:
            return True if clock.now_ns() - began_ns >= ends_after_s * 1e9 else None

        waited = await wait_until(clock, probe, timeout_s=1000)
        waited_ns = clock.now_ns() - began_ns
        assert waited.resolution_ns <= max(0.05 * waited_ns, 50_000_000) + 10
        assert waited.resolution_ns <= 2_000_000_000 + 10


async def test_waiting_is_given_up_at_its_timeout_even_within_a_poll() -> None:
    clock = clock_of_test()

    async def silent() -> None:
        await clock.sleep(3600)

    with pytest.raises(OperationError, match=r"ACTIVE: not seen within 2\.00 s, asked 1 times") as caught:
        await wait_until(clock, silent, timeout_s=2, waiting_for="the server to be ACTIVE")
    assert caught.value.outcome == Outcome.TIMEOUT
    assert clock.now_ns() == 2_000_000_000


async def test_errors_of_the_probe_end_the_waiting_as_they_are() -> None:
    async def failing() -> None:
        raise OperationError(Outcome.WRONG_STATE, "the server is in ERROR")

    async def late() -> None:
        raise TimeoutError("of its own")

    with pytest.raises(OperationError, match="ERROR"):
        await wait_until(clock_of_test(), failing, timeout_s=2)
    with pytest.raises(TimeoutError, match="of its own"):
        await wait_until(clock_of_test(), late, timeout_s=2)


async def test_false_and_zero_are_values_to_wait_for() -> None:
    async def zero() -> int:
        return 0

    assert (await wait_until(clock_of_test(), zero, timeout_s=1)).value == 0
