"""Virtual time: an asyncio event loop that never waits and never touches the operating system.

When nothing is ready, the loop jumps to the instant of the next timer. So `asyncio.sleep`, timeouts and queues behave
as ever, an hour passes in as long as its callbacks take, and the order of callbacks is the same each time. The
simulation has no sockets, no threads and no subprocesses: work handed to an executor runs at once, in place.
A simulation in which every task waits and no timer is set can never go on; it fails at once instead of hanging.
"""

import asyncio
import concurrent.futures
import math
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar, TypeVarTuple

from kilonode.base.clock import SimulatedClock
from kilonode.base.errors import LabError

Result = TypeVar("Result")
Arguments = TypeVarTuple("Arguments")


class _TimeTravel:
    """Stands where an event loop has its selector: instead of waiting, it moves the loop's time forward."""

    def __init__(self, loop: "SimulatedEventLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise LabError(
                "the simulation stalled: every task waits for something that nothing will do",
                hint="a task waits for real input or output, or two tasks wait for each other",
            )
        if timeout > 0:
            self._loop.advance_to_next_timer()
        return []

    def close(self) -> None:
        pass


class SimulatedEventLoop(asyncio.BaseEventLoop):
    """An event loop on virtual time, beginning at zero seconds."""

    def __init__(self) -> None:
        super().__init__()
        self._now_s = 0.0
        self._selector = _TimeTravel(self)
        # asyncio runs the timers before now plus this: one step of the float, so that virtual instants stay exact.
        self._clock_resolution = math.ulp(self._now_s)

    def time(self) -> float:
        """Virtual seconds since the simulation began."""
        return self._now_s

    def advance_to_next_timer(self) -> None:
        """Jump to the instant of the earliest timer."""
        timers: list[asyncio.TimerHandle] = self._scheduled  # type: ignore[attr-defined]
        self._now_s = max(self._now_s, timers[0].when())
        self._clock_resolution = math.ulp(self._now_s)

    def run_in_executor(
        self,
        executor: concurrent.futures.Executor | None,
        func: Callable[[*Arguments], Result],
        *args: *Arguments,
    ) -> asyncio.Future[Result]:
        """Run `func` here and now: threads would make the order of things depend on the machine."""
        future: asyncio.Future[Result] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass


def run_simulated(main: Callable[[SimulatedClock], Awaitable[Result]]) -> Result:
    """Run `main`, given the simulated clock, to its end on virtual time, and return what it returns."""

    async def start() -> Result:
        return await main(SimulatedClock(asyncio.get_running_loop()))

    return run_coroutine_simulated(start())


def run_coroutine_simulated(coroutine: Coroutine[Any, Any, Result]) -> Result:
    """Run one coroutine to its end on virtual time; tasks it left behind are cancelled."""
    with asyncio.Runner(loop_factory=SimulatedEventLoop) as runner:
        return runner.run(coroutine)
