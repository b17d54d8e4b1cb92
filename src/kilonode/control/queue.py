"""The work queue of a controller: keys to look at, each at most once, now or later.

A key that is added again before it is taken is still one entry; added while it is being worked on, it comes again when
that work is done, so no two workers ever hold the same key and no change is missed. A delayed key that is added with an
earlier instant comes at the earlier one. Keys that are ready come first in, first out. Failed keys come back after a
delay that doubles with each failure. The queue is as long as there are distinct keys, and no longer. Delays in seconds.
"""

import asyncio
import heapq
import itertools
from collections import deque

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock

DEFAULT_BACKOFF_FIRST_S = 0.05
DEFAULT_BACKOFF_LIMIT_S = 30.0


class WorkQueue:
    """Keys that wait for a worker. See the module for the rules."""

    def __init__(
        self,
        clock: Clock,
        *,
        backoff_first_s: float = DEFAULT_BACKOFF_FIRST_S,
        backoff_limit_s: float = DEFAULT_BACKOFF_LIMIT_S,
    ) -> None:
        self._clock = clock
        self._backoff_first_s = backoff_first_s
        self._backoff_limit_s = backoff_limit_s
        self._ready: dict[str, None] = {}
        self._in_work: set[str] = set()
        self._again: set[str] = set()
        self._due: dict[str, tuple[int, int]] = {}
        """For each delayed key its instant in nanoseconds, and the number of the heap entry that stands for it."""
        self._delayed: list[tuple[int, int, str]] = []
        self._turns = itertools.count()
        self._failures: dict[str, int] = {}
        self._takers: deque[asyncio.Future[None]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns = 0

    def __len__(self) -> int:
        """How many keys wait, delayed ones included; keys in work are not counted."""
        return len(self._ready) + len(self._due)

    @property
    def ready(self) -> int:
        """How many keys wait for a worker now."""
        return len(self._ready)

    @property
    def in_work(self) -> int:
        """How many keys workers hold now."""
        return len(self._in_work)

    def add(self, key: str, delay_s: float = 0.0) -> None:
        """Have `key` looked at once, after `delay_s` at the latest."""
        if delay_s > 0:
            self._add_delayed(key, self._clock.now_ns() + max(1, round(delay_s * NANOSECONDS_PER_SECOND)))
        else:
            self._add_ready(key)

    async def take(self) -> str:
        """Wait for a key and hold it until `done`."""
        while not self._ready:
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                if taker.done() and not taker.cancelled():
                    self._wake_one()  # the wake-up was for this worker, which will not use it
                raise
        key = next(iter(self._ready))
        del self._ready[key]
        self._in_work.add(key)
        return key

    def done(self, key: str) -> None:
        """Let go of a key; it comes again at once when it was added in the meantime."""
        self._in_work.discard(key)
        if key in self._again:
            self._again.discard(key)
            self._add_ready(key)

    def failed(self, key: str) -> float:
        """Count one more failure in a row of a key, and add it after the delay that is returned."""
        failures = self._failures.get(key, 0)
        self._failures[key] = failures + 1
        delay_s = min(self._backoff_first_s * 2.0 ** min(failures, 60), self._backoff_limit_s)
        self.add(key, delay_s)
        return delay_s

    def succeeded(self, key: str) -> None:
        """Forget the failures of a key."""
        self._failures.pop(key, None)

    def close(self) -> None:
        """Cancel the timer; nothing comes any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _add_ready(self, key: str) -> None:
        if self._due:
            self._due.pop(key, None)
        if key in self._in_work:
            self._again.add(key)
        elif key not in self._ready:
            self._ready[key] = None
            self._wake_one()

    def _wake_one(self) -> None:
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _add_delayed(self, key: str, due_ns: int) -> None:
        known = self._due.get(key)
        if key in self._ready or key in self._again or (known is not None and known[0] <= due_ns):
            return
        turn = next(self._turns)
        self._due[key] = (due_ns, turn)
        heapq.heappush(self._delayed, (due_ns, turn, key))
        if len(self._delayed) > 2 * len(self._due) + 64:
            # Overtaken entries leave the heap only at their instant; do not let them pile up until then.
            self._delayed = [(due_ns, turn, key) for key, (due_ns, turn) in self._due.items()]
            heapq.heapify(self._delayed)
        if self._timer is None or due_ns < self._timer_ns:
            self._set_timer(due_ns)

    def _set_timer(self, due_ns: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_ns = due_ns
        delay_s = max(0, due_ns - self._clock.now_ns()) / NANOSECONDS_PER_SECOND
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        now_ns = self._clock.now_ns()
        while self._delayed:
            due_ns, turn, key = self._delayed[0]
            # An entry that was overtaken by an earlier instant, or by an addition without delay, stands for nothing.
            stands = self._due.get(key) == (due_ns, turn)
            if stands and due_ns > now_ns:
                self._set_timer(due_ns)
                return
            heapq.heappop(self._delayed)
            if stands:
                self._add_ready(key)
