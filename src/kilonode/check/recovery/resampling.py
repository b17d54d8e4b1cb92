"""Bootstrap intervals: of a mean over repeats, and of a ratio of two means of samples that follow each other closely.

Samples in time are drawn in blocks, so that what hangs together stays together; repeats are drawn whole, each with its
own uncertainty, and the interval is widened for few of them as Student's would be (Hesterberg, "What Teachers Should
Know about the Bootstrap", 2015: the expanded percentile interval). The draws come from a fixed seed: the same history
gives the same numbers.
"""

import math
from collections.abc import Sequence
from typing import Final

import numpy as np

from kilonode.check.regression import student_quantile
from kilonode.check.statistics import CONFIDENCE, Floats

DRAWS: Final = 2_000
MOST_BLOCKS: Final = 200
_SEED: Final = 20_160_928
_TAIL: Final = (1 - CONFIDENCE) / 2 * 100
_BLOCK_TAIL: Final = 1.0
"""Of draws in blocks: a little further out, because intervals from them are known to be a little short."""
_NORMAL: Final = 1.959963984540054


def ratio_interval(above: Floats, below: Floats) -> tuple[float, float]:
    """The 95 % interval of mean(above) / mean(below); each in the order of time, neither empty."""
    generator = np.random.default_rng(_SEED)
    ratios = _block_means(generator, above) / np.maximum(_block_means(generator, below), np.finfo(np.float64).tiny)
    low, high = np.percentile(ratios, [_BLOCK_TAIL, 100 - _BLOCK_TAIL])
    return float(low), float(high)


def mean_interval(values: Sequence[float], spans: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The 95 % interval of the mean over repeats, of which each has a value and an interval of its own."""
    generator = np.random.default_rng(_SEED)
    count = len(values)
    value = np.array(values)
    if count == 1:
        return spans[0]
    low, high = np.array([span[0] for span in spans]), np.array([span[1] for span in spans])
    drawn = generator.integers(0, count, (DRAWS, count))
    where = generator.random((DRAWS, count))
    means = (low[drawn] + where * (high - low)[drawn]).mean(axis=1)
    wider = student_quantile(count - 1) / _NORMAL * math.sqrt(count / (count - 1))
    middle = float(value.mean())
    first, last = np.percentile(means, [_TAIL, 100 - _TAIL])
    return middle - wider * max(0.0, middle - float(first)), middle + wider * max(0.0, float(last) - middle)


def _block_means(generator: np.random.Generator, values: Floats) -> Floats:
    """Means of samples drawn with replacement in blocks, around the end."""
    count = len(values)
    length = max(1, round(count ** (1 / 3)), math.ceil(count / MOST_BLOCKS))
    total = np.concatenate(([0.0], np.cumsum(np.concatenate((values, values[: length - 1])))))
    sums = total[length:] - total[:-length]
    drawn = generator.integers(0, len(sums), (DRAWS, math.ceil(count / length)))
    means: Floats = sums[drawn].mean(axis=1) / length
    return means
