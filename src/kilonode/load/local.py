"""The generator inside this process: workers as tasks of the running event loop, for simulated time and for tests.

It is used as `kilonode.load.processes.WorkerProcesses` is. Several workers in one event loop make the same schedule as
several processes do.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence

from kilonode.base.clock import Clock
from kilonode.clients.openstack.connections import OpenTransport
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.load.worker import Worker, WorkerSummary


class LocalWorkers:
    """The workers of one run in one event loop."""

    def __init__(self, clock: Clock, open_transport: OpenTransport) -> None:
        self._clock = clock
        self._open_transport = open_transport
        self._workers: list[Worker] = []
        self._runs: list[asyncio.Task[WorkerSummary]] = []
        self._reports: asyncio.Queue[Progress | None] = asyncio.Queue()
        """Bounded by time: each worker puts one a second; `None` says that all have ended."""

    async def prepare(self, plans: Sequence[WorkerPlan]) -> None:
        """Get all workers ready. Raises InputError, OperationError."""
        self._workers = [Worker(plan, self._clock, self._open_transport) for plan in plans]
        for worker in self._workers:
            await worker.prepare()

    def begin(self, zero_ns: int) -> None:
        """The load begins at this instant of the clock."""
        self._runs = [
            asyncio.create_task(worker.run(zero_ns, self._reports.put_nowait), name="worker")
            for worker in self._workers
        ]
        for run in self._runs:
            run.add_done_callback(self._run_ended)

    async def progress(self) -> AsyncIterator[Progress]:
        """What the workers report, until all have ended. Raises what a worker failed with."""
        while (report := await self._reports.get()) is not None:
            yield report
        for run in self._runs:
            run.result()

    def stop(self) -> None:
        """Start nothing more; what runs may finish within the drain time."""
        for worker in self._workers:
            worker.stop()

    async def close(self) -> None:
        """End what still runs, at once, and close all connections."""
        for worker in self._workers:
            worker.kill()
        await asyncio.gather(*self._runs, return_exceptions=True)
        for worker in self._workers:
            await worker.close()

    def problems(self) -> list[str]:
        """Nothing happens to tasks that happens to processes."""
        return []

    def _run_ended(self, _: asyncio.Task[WorkerSummary]) -> None:
        if all(run.done() for run in self._runs):
            self._reports.put_nowait(None)
