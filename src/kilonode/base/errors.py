"""Every error Kilonode raises on purpose.

    KilonodeError           what is wrong, where, expected, got, hint; and the exit code of the command line
    ├── InputError          2   bad file, argument, missing cloud or tool; carries every Problem found
    ├── FaultError          3   a fault could not be done, healed, or seen to be either
    ├── AbortError          4   the user or an abort criterion ended it; what was measured is kept
    ├── LabError            5   Kilonode itself failed: a bug
    └── OperationError      -   one operation against a cloud failed; it becomes an Op's outcome and never ends a run

Messages are for people: no traceback, no secret, the place first, then what was expected and what stands there.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

from kilonode.base.outcomes import Outcome

MESSAGE_LIMIT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with some input. Empty strings and zeros mean: not known, or does not apply."""

    what: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: str = ""
    expected: str = ""
    got: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = self.file
        if self.line:
            place += f":{self.line}"
            if self.column:
                place += f":{self.column}"
        head = ": ".join(part for part in (place, self.path, self.what) if part)
        lines = [head]
        if self.expected:
            lines.append(f"  expected: {self.expected}")
        if self.got:
            lines.append(f"  got: {self.got}")
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class KilonodeError(Exception):
    """The root of the tree."""

    exit_code: ClassVar[int] = 5

    def __init__(self, what: str, *, where: str = "", expected: str = "", got: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.problem = Problem(what, path=where, expected=expected, got=got, hint=hint)

    def __str__(self) -> str:
        return str(self.problem)


class InputError(KilonodeError):
    """Something the user gave, or something the machine lacks, has to be changed first."""

    exit_code = 2

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        expected: str = "",
        got: str = "",
        hint: str = "",
        problems: Sequence[Problem] = (),
    ) -> None:
        super().__init__(what, where=where, expected=expected, got=got, hint=hint)
        self.problems: tuple[Problem, ...] = tuple(problems) or (self.problem,)

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


class FaultError(KilonodeError):
    """A fault could not be done, healed, or seen to be either: what is the case is not known."""

    exit_code = 3


class AbortError(KilonodeError):
    """The run was ended early on purpose."""

    exit_code = 4


class LabError(KilonodeError):
    """Kilonode broke one of its own rules."""

    exit_code = 5


class OperationError(KilonodeError):
    """One operation against a cloud failed. `outcome` is its class, `message` the service's own words, trimmed."""

    exit_code = 1

    def __init__(self, outcome: Outcome, message: str, *, status: int = 0) -> None:
        super().__init__(trim(message))
        self.outcome = outcome
        self.message = trim(message)
        self.status = status
        """The HTTP status, or zero where no answer came."""
        self.resent = False
        """It was sent twice: what became of it the first time is not known, whatever the class says of the second."""


def trim(message: str) -> str:
    """One line of at most `MESSAGE_LIMIT_CHARACTERS` characters, cut with an ellipsis."""
    line = " ".join(message.split())
    return line if len(line) <= MESSAGE_LIMIT_CHARACTERS else line[: MESSAGE_LIMIT_CHARACTERS - 1] + "…"


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the known word closest to `name`, or an empty string when nothing is close."""
    close = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""
