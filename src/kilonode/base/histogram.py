"""Buckets for durations: a histogram at most 1 % wide in each bucket, from one nanosecond to centuries.

The generator counts into these buckets while it runs, the live view and abort criteria read them. Verdicts never do:
they come from the raw history. A bucket's number depends on the duration alone, so histograms of any processes add up.

Bucket numbers: durations below 128 ns have a bucket each; above, every doubling is cut into 128 equal buckets, so a
bucket is at most 1/128 (0.8 %) of its own value wide. Integer arithmetic only, because this runs once per operation.
"""

from collections.abc import Mapping
from typing import Final

BUCKETS_PER_DOUBLING: Final = 128
_SHIFT: Final = 8  # 2^8 numbers hold the 128 buckets of one doubling, whose leading bit is always set


def bucket_of(duration_ns: int) -> int:
    """The number of the bucket that a duration falls into; negative durations count as zero."""
    if duration_ns < BUCKETS_PER_DOUBLING:
        return max(0, duration_ns)
    exponent = duration_ns.bit_length() - _SHIFT
    return duration_ns if exponent <= 0 else exponent * BUCKETS_PER_DOUBLING + (duration_ns >> exponent)


def bucket_bounds_ns(bucket: int) -> tuple[int, int]:
    """The shortest duration of a bucket, and the first that is too long for it."""
    if bucket < 2 * BUCKETS_PER_DOUBLING:
        return bucket, bucket + 1
    exponent = bucket // BUCKETS_PER_DOUBLING - 1
    first = (bucket - exponent * BUCKETS_PER_DOUBLING) << exponent
    return first, first + (1 << exponent)


def bucket_middle_ns(bucket: int) -> float:
    """What a duration in this bucket is taken for: at most 0.4 % off."""
    first, end = bucket_bounds_ns(bucket)
    return (first + end - 1) / 2


def percentile_ns(counts: Mapping[int, int], percent: float) -> float | None:
    """The percentile (nearest rank) of a histogram, at most 0.4 % off; None when it is empty."""
    total = sum(counts.values())
    if total == 0:
        return None
    rank = max(1, -(-total * percent // 100))
    for bucket in sorted(counts):
        rank -= counts[bucket]
        if rank <= 0:
            return bucket_middle_ns(bucket)
    return bucket_middle_ns(max(counts))
