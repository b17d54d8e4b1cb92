import asyncio

import pytest

from kilonode.base.clock import RealClock, SimulatedClock
from kilonode.load.alarm import KernelAlarm, open_alarm


async def test_a_simulated_alarm_rings_at_its_instant() -> None:
    loop = asyncio.get_running_loop()
    clock = SimulatedClock(loop)
    rung: list[int] = []
    alarm = open_alarm(loop, clock, lambda: rung.append(clock.now_ns()))
    alarm.set(5_000_000_001)
    alarm.set(2_000_000_001)
    await asyncio.sleep(10)
    assert rung == [2_000_000_001]
    alarm.set(1)  # has passed: at once
    await asyncio.sleep(0.001)
    assert rung == [2_000_000_001, 10_000_000_000]
    alarm.set(11_000_000_000)
    alarm.close()
    await asyncio.sleep(10)
    assert len(rung) == 2


@pytest.mark.real_loop
async def test_the_kernels_alarm_never_rings_early_and_rings_once() -> None:
    loop, clock = asyncio.get_running_loop(), RealClock()
    rung: list[int] = []
    bell = asyncio.Event()

    def ring() -> None:
        rung.append(clock.now_ns())
        bell.set()

    alarm = open_alarm(loop, clock, ring)
    if not isinstance(alarm, KernelAlarm):
        pytest.skip("this system has no timerfd")
    for ahead_ns in (3_300_000, 0, 700_000, -5):
        bell.clear()
        at_ns = clock.now_ns() + ahead_ns
        alarm.set(at_ns + 1_000_000_000)
        alarm.set(at_ns)
        await bell.wait()
        assert rung[-1] >= at_ns
    alarm.close()
    alarm.close()
    assert len(rung) == 4
