"""The names of what iterations make: `kn-<run_id>-<workload>-<number>-<noun>`.

Cleanup finds what a run made by the prefix `kn-<run_id>-` alone. Names are unique in a run: a noun holds no digits, so
workload, number and noun can be told apart even when a workload's name looks like a part of the pattern. They have at
most 60 characters, since some services and tools take no more; a workload's name that is too long for that is cut and
told apart from its like by six digits of its hash.
"""

import hashlib
import re
from typing import Final

from kilonode.base.errors import InputError

LONGEST_NAME: Final = 60
_NOUN: Final = re.compile(r"[a-z]+(-[a-z]+)*")
_DIGITS: Final = 6
_SHORTEST_WORKLOAD: Final = 4


def run_prefix(run_id: str) -> str:
    """What the names of everything a run makes begin with."""
    return f"kn-{run_id}-"


def resource_name(run_id: str, workload: str, number: int, noun: str, count: int = 1) -> str:
    """The name of the `count`-th thing that iteration `number` calls `noun`. Raises InputError for a bad noun."""
    if not _NOUN.fullmatch(noun):
        raise InputError("not a noun for a name", expected="lowercase words joined by dashes", got=repr(noun))
    prefix = run_prefix(run_id)
    end = f"-{number}-{noun}{count if count > 1 else ''}"
    room = LONGEST_NAME - len(prefix) - len(end)
    if len(workload) > room:
        kept = room - _DIGITS
        if kept < _SHORTEST_WORKLOAD:
            raise InputError("too long a noun for a name", expected=f"names of {LONGEST_NAME} characters", got=noun)
        workload = workload[:kept] + hashlib.blake2b(workload.encode()).hexdigest()[:_DIGITS]
    return f"{prefix}{workload}{end}"
