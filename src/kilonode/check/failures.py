"""Failures of a workload in groups: messages that differ by ids, addresses and numbers at most are one."""

import re
from typing import Final

import numpy as np

from kilonode.base.outcomes import FAILURES, Outcome
from kilonode.check.operations import Operations
from kilonode.check.results import ErrorGroup

MOST_GROUPS: Final = 20
_VARIABLE: Final = re.compile(
    r"kn-[0-9a-f]{8}-[\w-]+"  # names of what a run made
    r"|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|\b[0-9a-f]{12,}\b"
    r"|\d+(?:[.:]\d+)*",
    re.IGNORECASE,
)


def group_failures(operations: Operations) -> tuple[tuple[ErrorGroup, ...], int]:
    """The most frequent groups of failures, and how many groups there are in all."""
    failed = operations.with_outcome(*FAILURES, Outcome.CANCELLED, Outcome.EXHAUSTED)
    if len(failed) == 0:
        return (), 0
    codes, outcomes, finished_s = failed.error, failed.outcome, failed.finished_s
    used = np.unique(codes)
    shapes = [without_variables(failed.error_names[code]) for code in used.tolist()]
    place = {shape: number for number, shape in enumerate(dict.fromkeys(shapes))}
    shape_of_code = np.zeros(len(failed.error_names), dtype=np.int64)
    shape_of_code[used] = [place[shape] for shape in shapes]
    group = shape_of_code[codes] * len(failed.outcome_names) + outcomes
    numbers, first, counts = np.unique(group, return_index=True, return_counts=True)
    # The most frequent first; among equals the one that came first.
    order = np.lexsort((first, -counts))
    groups = []
    for position in order[:MOST_GROUPS].tolist():
        inside_s = finished_s[group == numbers[position]]
        example = int(first[position])
        groups.append(
            ErrorGroup(
                outcome=failed.outcome_names[outcomes[example]],
                message=failed.error_names[codes[example]],
                count=int(counts[position]),
                first_at_s=float(inside_s.min()),
                last_at_s=float(inside_s.max()),
            )
        )
    return tuple(groups), len(numbers)


def without_variables(message: str) -> str:
    """The message with ids and numbers replaced, so that messages of one kind are equal."""
    return _VARIABLE.sub("#", message)
