"""The conductor's own journal: setup, cleanup, phases, and what services use, beside the journals of the workers.

Setup comes before the run's zero is known, so the journal counts from the instant at which the run was begun until
`move_zero` names the start of the load. It is flushed in the background every flush interval; a killed run loses
at most that much of it.
"""

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.history.journal import SUFFIX, JournalHeader, JournalWriter
from kilonode.history.payloads import NO_WORKER
from kilonode.history.records import Op, Sample

FLUSH_INTERVAL_S: Final = 1.0
NAME: Final = "conductor"
CONDUCTOR_JOURNAL: Final = f"{NAME}{SUFFIX}"


class Recording:
    """Writes the conductor's journal."""

    def __init__(self, folder: Path, run_id: str, clock: Clock, pid: int) -> None:
        self._clock = clock
        self._origin_ns = clock.now_ns()
        header = JournalHeader(
            run_id=run_id,
            name=NAME,
            worker=NO_WORKER,
            zero_ns=self._origin_ns,
            zero_utc=clock.utc(),
            flush_interval_s=FLUSH_INTERVAL_S,
            pid=0 if clock.simulated else pid,
        )
        self._journal = JournalWriter(folder / CONDUCTOR_JOURNAL, header)
        self._flusher = asyncio.create_task(self._flush_regularly(), name="conductor journal")

    def record(self, op: Op) -> None:
        """Record an Op whose instants are the clock's own."""
        self._journal.add_op(
            msgspec.structs.replace(
                op,
                due_ns=op.due_ns - self._origin_ns,
                started_ns=op.started_ns - self._origin_ns,
                finished_ns=op.finished_ns - self._origin_ns,
            )
        )

    def sample(self, source: str, metric: str, value: float, at_ns: int) -> None:
        """Record a value that was measured at this instant of the clock."""
        self._journal.add_sample(Sample(source, metric, at_ns - self._origin_ns, value))

    def move_zero(self, zero_ns: int) -> None:
        """The load begins at the clock's instant `zero_ns`: from there the run counts."""
        self._journal.move_zero(zero_ns)
        self._journal.flush()

    async def close(self) -> None:
        """Write the rest and say that the journal is complete."""
        self._flusher.cancel()
        await asyncio.gather(self._flusher, return_exceptions=True)
        self._journal.close()

    async def _flush_regularly(self) -> None:
        while True:
            await self._clock.sleep(FLUSH_INTERVAL_S)
            self._journal.flush()
