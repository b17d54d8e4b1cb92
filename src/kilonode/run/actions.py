"""Doing many things to a cloud before and after the load: bounded, timed, each one an Op.

Setup and cleanup share this. When one action fails, no further one is begun, those under way come to their end, and
all that failed is raised as one error: so nothing is cut off in the middle, and what was made is findable.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Final, TypeVar

from kilonode.base.clock import Clock
from kilonode.base.errors import OperationError, trim
from kilonode.base.outcomes import Outcome
from kilonode.history.records import Op, OpKind
from kilonode.run.setbacks import joined

Record = Callable[[Op], None]
"""Takes each Op as it ends. Its instants are the clock's own; who keeps the history moves them to the run's zero."""

Result = TypeVar("Result")
FAILURE_OUTCOME: Final = Outcome.SCENARIO
"""For an error that is not the cloud's."""


class Actions:
    """Runs actions of one kind, at most `concurrency` at once in each `each`."""

    def __init__(self, clock: Clock, record: Record, kind: OpKind, concurrency: int) -> None:
        self.clock = clock
        self.concurrency = concurrency
        self._record = record
        self._kind = kind

    async def do(self, stage: str, step: str, number: int, action: Awaitable[Result]) -> Result:
        """Await `action` and record it as `step` of `stage`, whatever its outcome, which is then raised or returned."""
        started = self.clock.now_ns()
        outcome, message = Outcome.OK, ""
        try:
            return await action
        except OperationError as error:
            outcome, message = error.outcome, error.message
            raise
        except asyncio.CancelledError:
            outcome = Outcome.CANCELLED
            raise
        except Exception as error:
            outcome, message = FAILURE_OUTCOME, trim(f"{type(error).__name__}: {error}")
            raise
        finally:
            ended = self.clock.now_ns()
            self._record(Op(self._kind.value, stage, step, number, started, started, ended, outcome.value, message))

    async def each(self, jobs: Iterable[Callable[[], Awaitable[Result]]]) -> list[Result]:
        """Run every job, at most `concurrency` at once; their results in the jobs' order.

        Raises what failed: see `joined`.
        """
        results: dict[int, Result] = {}
        failures: dict[int, Exception] = {}
        waiting = enumerate(jobs)
        workers = [self._work(waiting, results, failures) for _ in range(self.concurrency)]
        async with asyncio.TaskGroup() as group:
            for worker in workers:
                group.create_task(worker)
        if failures:
            raise joined([failures[number] for number in sorted(failures)])
        return [results[number] for number in sorted(results)]

    async def _work(
        self,
        waiting: Iterator[tuple[int, Callable[[], Awaitable[Result]]]],
        results: dict[int, Result],
        failures: dict[int, Exception],
    ) -> None:
        for number, job in waiting:
            try:
                results[number] = await job()
            except Exception as error:
                failures[number] = error
            if failures:
                return
