"""Seeing that something is so: looking again and again until it is, and when it was."""

from collections.abc import Awaitable, Callable
from typing import Final

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import FaultError
from kilonode.faults.driver import Effect

LOOK_EVERY_S: Final = 0.002


async def see(words: str, so: Callable[[], bool], clock: Clock, timeout_s: float) -> Effect:
    """Look until `so` holds. The effect's instant lies between the last look that did not see it and the one that did.

    Raises FaultError when it does not hold in time.
    """

    async def ask() -> bool:
        return so()

    return await see_asked(words, ask, clock, timeout_s, clock.now_ns(), LOOK_EVERY_S)


async def see_asked(
    words: str, ask: Callable[[], Awaitable[bool]], clock: Clock, timeout_s: float, began_ns: int, every_s: float
) -> Effect:
    """The same of what has to be asked for, every `every_s`; it was begun at `began_ns`. Raises FaultError."""
    before_ns = began_ns
    while not await ask():
        before_ns = clock.now_ns()
        if before_ns - began_ns > timeout_s * NANOSECONDS_PER_SECOND:
            raise FaultError("it was done, but is not to be seen", expected=words, got=f"not so after {timeout_s:g} s")
        await clock.sleep(every_s)
    now_ns = clock.now_ns()
    return Effect(now_ns, words, now_ns - before_ns)
