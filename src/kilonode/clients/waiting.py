"""Waiting for something that can only be found out by asking again and again, and how sharply its end is known.

The interval between two polls grows with the time already waited, so that the resolution stays a small fraction of what
is measured. The resolution goes with the number wherever it is shown. Retries no failure: an error of the probe ends
the wait.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Generic, TypeVar

import msgspec
from msgspec import Meta

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import OperationError
from kilonode.base.outcomes import Outcome
from kilonode.base.units import format_seconds

Value = TypeVar("Value")


class PollInterval(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long to wait between two polls: `fraction` of the time waited so far, within `least_s` and `most_s`."""

    fraction: Annotated[float, Meta(ge=0, le=1)] = 0.05
    least_s: Annotated[float, Meta(ge=0.001)] = 0.05
    most_s: Annotated[float, Meta(gt=0)] = 2.0

    def after_s(self, waited_s: float) -> float:
        """How long to wait before the next poll when `waited_s` have passed."""
        return max(self.least_s, min(self.most_s, self.fraction * waited_s))


DEFAULT_INTERVAL = PollInterval()


class Waited(msgspec.Struct, Generic[Value], frozen=True):
    """What the wait was for, and how sharply its instant is known."""

    value: Value
    resolution_ns: int
    """The end lies within this time before the answer that showed it: from when the last poll that did not see it was
    sent (the begin of the wait when there was none) to when that answer was here."""
    polls: int
    """How many times the probe was asked."""


async def wait_until(
    clock: Clock,
    probe: Callable[[], Awaitable[Value | None]],
    *,
    timeout_s: float,
    interval: PollInterval = DEFAULT_INTERVAL,
    waiting_for: str = "the wanted state",
) -> Waited[Value]:
    """Ask `probe`, at once and then at intervals, until it gives something else than None.

    Raises OperationError (timeout) when that did not happen within `timeout_s` (a poll under way is cancelled), and
    whatever the probe raises. `waiting_for` names the goal in the error.
    """
    began_ns = unseen_ns = clock.now_ns()
    polls = 0
    deadline = asyncio.timeout(timeout_s)
    try:
        async with deadline:
            while True:
                sent_ns = clock.now_ns()
                polls += 1
                value = await probe()
                now_ns = clock.now_ns()
                if value is not None:
                    return Waited(value, now_ns - unseen_ns, polls)
                unseen_ns = sent_ns
                await clock.sleep(interval.after_s((now_ns - began_ns) / NANOSECONDS_PER_SECOND))
    except TimeoutError:
        if not deadline.expired():
            raise  # the probe's own
        raise OperationError(
            Outcome.TIMEOUT, f"{waiting_for}: not seen within {format_seconds(timeout_s)}, asked {polls} times"
        ) from None
