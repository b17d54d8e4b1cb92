"""What a worker process and the one who started it say to each other: one JSON document in each line.

The worker's standard input: its plan, then `Begin`, `Halt`. Its standard output: `Ready` or `Failed`, then `Progress`
every second, at the end `Ended` or `Failed`. Its standard error is for whatever goes wrong beyond that.
"""

import msgspec

from kilonode.base.encoding import encode_json
from kilonode.base.errors import InputError, KilonodeError, OperationError, Problem
from kilonode.base.outcomes import Outcome
from kilonode.load.progress import Progress
from kilonode.load.worker import WorkerSummary


class Begin(msgspec.Struct, frozen=True, tag="begin"):
    """All workers begin at this instant of the machine's monotonic clock."""

    zero_ns: int


class Halt(msgspec.Struct, frozen=True, tag="halt"):
    """Start nothing more; `at_once`: cut off what runs, too."""

    at_once: bool = False


class Ready(msgspec.Struct, frozen=True, tag="ready"):
    """Everything is prepared: the load can begin."""


class Reported(msgspec.Struct, frozen=True, tag="progress"):
    """What happened since the last report."""

    progress: Progress


class Ended(msgspec.Struct, frozen=True, tag="ended"):
    """The load has ended and drained."""

    summary: WorkerSummary


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The worker cannot go on, for a reason that a person or the cloud has to mend."""

    problems: tuple[Problem, ...]
    outcome: Outcome | None = None
    """How an operation against the cloud failed; None: it was the input."""

    @classmethod
    def of(cls, error: KilonodeError) -> "Failed":
        """The message for an error."""
        if isinstance(error, OperationError):
            return cls((error.problem,), error.outcome)
        return cls(error.problems if isinstance(error, InputError) else (error.problem,))

    def error(self) -> KilonodeError:
        """The error again, on the other side."""
        if self.outcome is not None:
            return OperationError(self.outcome, self.problems[0].what)
        return InputError(self.problems[0].what, problems=self.problems)


Command = Begin | Halt
Report = Ready | Reported | Ended | Failed


def line_of(message: Command | Report) -> bytes:
    """A message as it is sent."""
    return encode_json(message) + b"\n"
