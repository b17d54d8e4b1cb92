"""What our own measuring costs in processor time: within the event loop, and in the programs that it starts.

A thread's processor time is read around each stretch that a coroutine runs without waiting, so what others do in the
loop meanwhile is not counted. Programs are known by the time of children that ended: what grew while something was
measured is taken for its programs, unless it is more than they could have used, for then another child ended there
(a worker of the generator, at the end of the load).
"""

import resource
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock

Value = TypeVar("Value")


def ended_children_s() -> float:
    """The processor time of all children of this process that ended, and were waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


class Programs:
    """The processor time of programs that ended while something was measured; measurements may overlap."""

    def __init__(self, clock: Clock, processors: int, children_s: Callable[[], float] = ended_children_s) -> None:
        self._clock, self._processors, self._children_s = clock, processors, children_s
        self._measurements = 0
        self._seen_s = 0.0
        self._seen_ns = 0

    def begin(self) -> None:
        """A measurement begins."""
        if self._measurements == 0:
            self._seen_s, self._seen_ns = self._children_s(), self._clock.now_ns()
        self._measurements += 1

    def end(self) -> float:
        """It ended; what programs used since anybody asked last."""
        self._measurements -= 1
        now_s, now_ns = self._children_s(), self._clock.now_ns()
        grown_s, passed_s = now_s - self._seen_s, (now_ns - self._seen_ns) / NANOSECONDS_PER_SECOND
        self._seen_s, self._seen_ns = now_s, now_ns
        return grown_s if grown_s <= passed_s * self._processors else 0.0


class Accounted(Generic[Value]):
    """Awaits a coroutine and counts the processor time between its waits: what it cost our own event loop."""

    def __init__(self, coroutine: Coroutine[Any, Any, Value], processor_time_s: Callable[[], float]) -> None:
        self._coroutine, self._processor_time_s = coroutine, processor_time_s
        self.cpu_s = 0.0

    def __await__(self) -> Generator[Any, Any, Value]:
        resume: Callable[[Any], Any] = self._coroutine.send
        given: Any = None
        while True:
            before_s = self._processor_time_s()
            try:
                awaited = resume(given)
            except StopIteration as end:
                value: Value = end.value
                return value
            finally:
                self.cpu_s += self._processor_time_s() - before_s
            try:
                given = yield awaited
                resume = self._coroutine.send
            except BaseException as error:  # also a cancellation: it is the coroutine's to handle
                given = error
                resume = self._coroutine.throw
