"""The generator's worker processes: started together, told one zero, listened to, ended; none is left behind.

Workers are ready before anybody chooses the zero, so none begins late because a login took long. One that dies is
noticed, is named with the last it said, and does not stop the others: the run's checkers make of it what it means.
Closing always ends every process, by force where it must. Durations are seconds.
"""

import asyncio
import os
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from typing import Final

from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.errors import InputError, KilonodeError, LabError, trim
from kilonode.base.units import format_seconds
from kilonode.load.messages import Begin, Command, Ended, Failed, Halt, Ready, Report, Reported, line_of
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.load.worker_process import LONGEST_LINE_BYTES

READY_TIMEOUT_S: Final = 600.0
"""How long getting ready may take: a thousand logins against a slow cloud."""
END_TIMEOUT_S: Final = 5.0
"""How long a worker that was told to end at once may take before it is killed."""
SINGLE_THREADED: Final = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
"""A worker has one thread for its work: numpy's pool would only stand beside it and spin."""
_MOST_REPORTS: Final = 10_000
_KEPT_LINES: Final = 20


class WorkerProcesses:
    """The worker processes of one run. `prepare`, `begin`, follow `progress`, always `close`."""

    def __init__(self, ready_timeout_s: float = READY_TIMEOUT_S) -> None:
        self._ready_timeout_s = ready_timeout_s
        self._workers: list[_Process] = []
        self._reports: asyncio.Queue[Progress | None] = asyncio.Queue(_MOST_REPORTS)
        self._left = 0

    async def prepare(self, plans: Sequence[WorkerPlan]) -> None:
        """Start one process for each plan and wait until all are ready.

        Raises InputError or OperationError when one cannot be; the processes are to be closed then, too.
        """
        for plan in plans:
            self._workers.append(await _Process.start(plan, self))
        self._left = len(self._workers)
        try:
            async with asyncio.timeout(self._ready_timeout_s), asyncio.TaskGroup() as group:
                for worker in self._workers:
                    group.create_task(worker.wait_until_ready())
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from None
        except TimeoutError:
            late = [str(worker.number) for worker in self._workers if not worker.is_ready]
            raise InputError(
                f"workers {', '.join(late)} were not ready to make load after {format_seconds(self._ready_timeout_s)}",
                hint="is the cloud's identity service slow? fewer projects and users need fewer logins",
            ) from None

    def begin(self, zero_ns: int) -> None:
        """The load begins at this instant of the machine's monotonic clock."""
        self._tell(Begin(zero_ns))

    async def progress(self) -> AsyncIterator[Progress]:
        """What the workers report, until all have ended. Raises what a worker failed with."""
        while (report := await self._reports.get()) is not None:
            yield report
        for worker in self._workers:
            if worker.failure is not None:
                raise worker.failure

    def stop(self) -> None:
        """Start nothing more; what runs may finish within the drain time."""
        self._tell(Halt())

    async def close(self) -> None:
        """End every process, at once."""
        self._tell(Halt(at_once=True))
        await asyncio.gather(*(worker.end() for worker in self._workers))

    def problems(self) -> list[str]:
        """What went wrong with workers, for people."""
        return [worker.problem for worker in self._workers if worker.problem]

    async def report(self, progress: Progress) -> None:
        """A worker reports."""
        await self._reports.put(progress)

    async def has_ended(self) -> None:
        """A worker will report no more."""
        self._left -= 1
        if self._left == 0:
            await self._reports.put(None)

    def _tell(self, command: Command) -> None:
        for worker in self._workers:
            worker.tell(command)


class _Process:
    """One worker process, and what is known of it."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, owner: WorkerProcesses) -> None:
        self.number = number
        self.problem = ""
        """What went wrong, for people; empty when nothing did."""
        self.failure: KilonodeError | None = None
        """Why it could not go on while the load ran."""
        self.is_ready = False
        self._process = process
        self._owner = owner
        self._ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._ended = False
        self._closing = False
        self._last_lines: deque[str] = deque(maxlen=_KEPT_LINES)
        self._tasks = [
            asyncio.create_task(self._follow(), name=f"worker {number}"),
            asyncio.create_task(self._read_errors(), name=f"errors of worker {number}"),
        ]

    @classmethod
    async def start(cls, plan: WorkerPlan, owner: WorkerProcesses) -> "_Process":
        """Start the process and give it its plan."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-P",  # or a folder called kilonode where the user stands would be run instead
            "-m",
            "kilonode.load.worker_process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=LONGEST_LINE_BYTES,
            env=os.environ | SINGLE_THREADED,
        )
        worker = cls(plan.worker, process, owner)
        worker._write(encode_json(plan) + b"\n")
        return worker

    def tell(self, command: Command) -> None:
        """Send a command; a process that has ended does not hear it."""
        self._closing = self._closing or (isinstance(command, Halt) and command.at_once)
        self._write(line_of(command))

    async def wait_until_ready(self) -> None:
        """Wait for it to be ready. Raises why it cannot be."""
        await self._ready
        self.is_ready = True

    async def end(self) -> None:
        """Wait for its end, then force it."""
        try:
            async with asyncio.timeout(END_TIMEOUT_S):
                await self._process.wait()
        except TimeoutError:
            self.problem = f"worker {self.number} did not end when it was told to, and was killed"
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if not self._ready.done():
            self._ready.cancel()

    async def _follow(self) -> None:
        """Listen until it says no more, then tell the owner."""
        try:
            while line := await _pipe(self._process.stdout).readline():
                await self._hear(decode_json(line, Report))
            code = await self._process.wait()
            if not self._ended and not self._closing:
                await asyncio.wait([self._tasks[1]], timeout=1)
                self.problem = f"worker {self.number} died ({_ending(code)}){self._last_words()}"
                self._settle(LabError(self.problem))
        finally:
            await self._owner.has_ended()

    async def _hear(self, report: Report) -> None:
        match report:
            case Ready():
                self._settle(None)
            case Reported(progress):
                await self._owner.report(progress)
            case Ended(summary):
                self._ended = True
                if summary.late_s > 0:
                    late = format_seconds(summary.late_s)
                    self.problem = f"worker {self.number} was ready {late} after the load began"
            case Failed() as failed:
                self._ended = True
                self.failure = failed.error()
                self._settle(self.failure)

    def _settle(self, error: KilonodeError | None) -> None:
        if self._ready.done():
            return
        if error is None:
            self._ready.set_result(None)
        else:
            self._ready.set_exception(error)
            self._ready.exception()  # looked at here, for nobody may be waiting

    def _last_words(self) -> str:
        words = [line for line in self._last_lines if line.strip()]
        return f": {trim(words[-1])}" if words else ""

    async def _read_errors(self) -> None:
        while piece := await _pipe(self._process.stderr).read(65_536):
            self._last_lines.extend(piece.decode(errors="replace").splitlines())

    def _write(self, data: bytes) -> None:
        pipe = self._process.stdin
        if pipe is not None and not pipe.is_closing():
            pipe.write(data)


def _pipe(reader: asyncio.StreamReader | None) -> asyncio.StreamReader:
    if reader is None:
        raise LabError("a worker process without a pipe")
    return reader


def _ending(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"
