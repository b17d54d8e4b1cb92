"""A generator of load inside the conductor's own event loop: for simulated time, and for tests.

Real runs have worker processes (`kilonode.load.processes`), which do the same thing with the same workers.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from kilonode.base.clock import Clock
from kilonode.load.connections import TransportFactory
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.load.worker import Worker, WorkerSummary

QUEUE_LIMIT: Final = 10_000


class InProcessGenerator:
    """Workers as tasks. See `kilonode.run.conductor.Generator` for what each method means."""

    def __init__(self, clock: Clock, open_transport: TransportFactory) -> None:
        self._clock = clock
        self._open_transport = open_transport
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[WorkerSummary]] = []
        self._reports: asyncio.Queue[Progress | None] = asyncio.Queue(QUEUE_LIMIT)

    async def prepare(self, plans: Sequence[WorkerPlan]) -> None:
        """Make every worker ready, one after the other."""
        for plan in plans:
            worker = Worker(plan, self._clock, self._open_transport)
            self._workers.append(worker)
            await worker.prepare()

    def begin(self, zero_ns: int) -> None:
        """Let every worker run."""
        for number, worker in enumerate(self._workers):
            run = worker.run(zero_ns, self._reports.put_nowait)
            self._tasks.append(asyncio.create_task(run, name=f"worker-{number}"))
            self._tasks[-1].add_done_callback(lambda task: self._reports.put_nowait(None))

    async def progress(self) -> AsyncIterator[Progress]:
        """Reports as they come, until every worker has ended; then raises what ended one of them, if anything did."""
        running = len(self._tasks)
        while running:
            report = await self._reports.get()
            if report is None:
                running -= 1
            else:
                yield report
        for task in self._tasks:
            task.result()

    def stop(self) -> None:
        """Start nothing new."""
        for worker in self._workers:
            worker.stop()

    async def close(self) -> None:
        """End what still runs and close connections."""
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for worker in self._workers:
            await worker.close()

    def problems(self) -> list[str]:
        """None: a worker in this process that fails ends the run."""
        return []
