"""What polling tells of itself: how long its own answers took.

The time between the last look that did not see the end and the answer that did is two answers and the pause between
them; the pause is known from how the client polls. Seconds.
"""

import msgspec
import numpy as np

from kilonode.check.statistics import Floats


class PollGap(msgspec.Struct, frozen=True):
    """The pause between two polls: `fraction` of the time waited so far, at least `least_s`, at most `most_s`."""

    fraction: float
    least_s: float
    most_s: float


def answer_times(waited_s: Floats, resolution_s: Floats, gap: PollGap) -> Floats:
    """An estimate for each wait that was polled for: the mean of the last two answers, or the only answer.

    A wait that is as long as its resolution had one poll or two; where the pause could fit in, nobody knows which, and
    it tells nothing.
    """
    whole = resolution_s >= waited_s * (1 - 1e-9)
    telling = (resolution_s > 0) & ~(whole & (waited_s > gap.least_s))
    waited, resolution = waited_s[telling], resolution_s[telling]
    only = whole[telling]
    before = np.maximum(waited - resolution, 0.0)
    # resolution = 2 answers + pause, and the pause follows from the time waited when it began: before + one answer.
    short = (resolution - gap.least_s) / 2
    growing = (resolution - gap.fraction * before) / (2 + gap.fraction)
    long = (resolution - gap.most_s) / 2
    pause = gap.fraction * (before + growing)
    answer = np.where(pause < gap.least_s, short, np.where(pause > gap.most_s, long, growing))
    found = np.where(only, resolution, answer)
    return np.asarray(found[found > 0])
