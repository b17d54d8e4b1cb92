import asyncio
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilonode.base.clock import SIMULATED_EPOCH, Clock, RealClock, SimulatedClock
from kilonode.base.errors import LabError
from kilonode.base.simulation import run_simulated


def test_an_hour_of_sleep_passes_in_no_time() -> None:
    async def main(clock: Clock) -> tuple[int, float]:
        await clock.sleep(3600)
        return clock.now_ns(), (clock.utc() - SIMULATED_EPOCH).total_seconds()

    began = time.monotonic()
    assert run_simulated(main) == (3600 * 10**9, 3600.0)
    assert time.monotonic() - began < 3600


def test_timeouts_happen_at_their_virtual_instant() -> None:
    async def main(clock: Clock) -> int:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2.5):
                await asyncio.Event().wait()
        return clock.now_ns()

    assert run_simulated(main) == 2_500_000_000


@given(st.lists(st.floats(min_value=0, max_value=100), min_size=1, max_size=20))
def test_sleepers_wake_in_the_order_of_their_instants(delays_s: list[float]) -> None:
    async def main(clock: Clock) -> list[float]:
        woken: list[float] = []

        async def sleeper(delay_s: float) -> None:
            await clock.sleep(delay_s)
            assert clock.now_ns() == round(delay_s * 1e9)
            woken.append(delay_s)

        await asyncio.gather(*(sleeper(delay_s) for delay_s in delays_s))
        return woken

    assert run_simulated(main) == sorted(delays_s)


def test_a_simulation_in_which_everything_waits_fails_at_once() -> None:
    async def main(clock: Clock) -> None:
        await asyncio.Event().wait()

    with pytest.raises(LabError, match="stalled"):
        run_simulated(main)


def test_work_for_an_executor_runs_in_place_and_its_error_comes_back() -> None:
    async def main(clock: Clock) -> int:
        loop = asyncio.get_running_loop()
        with pytest.raises(ZeroDivisionError):
            await loop.run_in_executor(None, lambda: 1 // 0)
        return await loop.run_in_executor(None, max, 3, 7)

    assert run_simulated(main) == 7


async def test_async_tests_themselves_run_on_virtual_time() -> None:
    clock = SimulatedClock(asyncio.get_running_loop())
    await clock.sleep(1_000_000)
    assert clock.now_ns() == 10**15


@pytest.mark.real_loop
async def test_the_real_clock_is_monotonic_and_says_so() -> None:
    clock = RealClock()
    first = clock.now_ns()
    await clock.sleep(0)
    assert clock.now_ns() >= first
    assert not clock.simulated
