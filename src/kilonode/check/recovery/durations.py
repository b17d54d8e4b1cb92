"""From samples of a state to how long it lasted, with bounds that hold for certain.

Operations that are due look at the cloud at their instants; between two of them nobody looked. A run of marked ones
lasted at least from the first to the last of them, and at most from the one before to the one behind. The value is half
way. What none of them met may still have lasted as long as the largest gap between two. Assumed: between two neighbours
the state changed once at most.
"""

from dataclasses import dataclass

import numpy as np

from kilonode.check.statistics import Booleans, Floats


@dataclass(frozen=True, slots=True)
class Lasted:
    """How long a state lasted in all, and in one piece."""

    total_s: float
    total_low_s: float
    total_high_s: float
    longest_s: float
    longest_low_s: float
    longest_high_s: float
    open_ended: bool
    """The last sample of all was marked."""


def lasted(due_s: Floats, marked: Booleans, start_s: float, end_s: float) -> Lasted:
    """How long what is marked lasted between two instants; the samples are those due there, in order."""
    edges = np.diff(np.concatenate(([0], marked.astype(np.int8), [0])))
    first, behind = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1)
    instants = np.concatenate(
        ([min(start_s, due_s[0]) if len(due_s) else start_s], due_s, [max([end_s, *due_s[-1:].tolist()])])
    )
    if len(first) == 0:
        gap_s = float(np.diff(instants).max())
        return Lasted(0.0, 0.0, gap_s, 0.0, 0.0, gap_s, open_ended=False)
    # Sample i stands at instants[i + 1].
    low_s = instants[behind] - instants[first + 1]
    high_s = instants[behind + 1] - instants[first]
    middle_s = (low_s + high_s) / 2
    return Lasted(
        float(middle_s.sum()),
        float(low_s.sum()),
        float(high_s.sum()),
        float(middle_s.max()),
        float(low_s.max()),
        float(high_s.max()),
        open_ended=bool(marked[-1]),
    )


def share_of_time(due_s: Floats, marked: Booleans) -> float | None:
    """The share of time in which it was so, each sample for the time around it; None with fewer than two."""
    if len(due_s) < 2:
        return None
    middles = (due_s[1:] + due_s[:-1]) / 2
    width = np.diff(np.concatenate(([due_s[0]], middles, [due_s[-1]])))
    return float(width[marked].sum() / width.sum()) if width.sum() > 0 else None
