"""Whether stages of one life are slow together, and what that makes of their sum.

A stage of a busy cloud is slow because the cloud is busy, so the next one is slow too; drawn independently, the sum of
both would spread too little. The measure is the correlation of normal scores of ranks, which is the parameter of a
Gaussian copula: it leaves each distribution as it is. Its interval is by Fisher's transformation.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from kilonode.check.families import normal_scores, shares_of
from kilonode.check.fitting import Fitted
from kilonode.check.results import Interval
from kilonode.check.statistics import Floats
from kilonode.check.waits import Waiting

LEAST_LIVES: Final = 30
WEAKEST: Final = 0.1
"""Weaker correlations change no percentile of a sum by as much as polling does."""
_STRONGEST: Final = 0.95
_DRAWS: Final = 20_000
_SEED: Final = 20260101
_Z: Final = 1.959963984540054


class Coupled(msgspec.Struct, frozen=True, kw_only=True):
    """A stage whose delay goes with that of another."""

    stage: str
    """The other stage."""
    correlation: float
    interval: Interval


def couple(middles: Mapping[str, Floats], waitings: Sequence[Waiting]) -> dict[str, Coupled]:
    """Each stage with the one that varies most, where they are correlated beyond doubt.

    An instant between two neighbouring stages that polling blurs makes one longer and the other shorter: that
    correlation, which is not the cloud's, is added back.
    """
    names = [stage for stage, values in middles.items() if len(values) >= LEAST_LIVES and float(values.std()) > 0]
    if len(names) < 2:
        return {}
    root = max(names, key=lambda stage: float(middles[stage].std()))
    resolution_s = np.concatenate([waiting.operations.resolution_s for waiting in waitings])
    blur = float(np.mean(resolution_s**2)) / 12
    found = {}
    for stage in names:
        if stage == root:
            continue
        first, second = middles[root], middles[stage]
        correlation = float(np.corrcoef(normal_scores(first), normal_scores(second))[0, 1])
        if abs(names.index(stage) - names.index(root)) == 1:
            correlation += blur / float(first.std() * second.std())
        correlation = min(max(correlation, -_STRONGEST), _STRONGEST)
        width = _Z / math.sqrt(len(first) - 3)
        low, high = math.tanh(math.atanh(correlation) - width), math.tanh(math.atanh(correlation) + width)
        if abs(correlation) >= WEAKEST and low * high > 0:
            found[stage] = Coupled(stage=root, correlation=correlation, interval=Interval(low=low, high=high))
    return found


def draw_sum(fits: Mapping[str, Fitted], couplings: Mapping[str, Coupled]) -> Floats:
    """Draws of the sum of all stages, each with its distribution, coupled as they are."""
    generator = np.random.default_rng(_SEED)
    scores = {stage: generator.standard_normal(_DRAWS) for stage in fits}
    total = np.zeros(_DRAWS)
    for stage, fitted in fits.items():
        score = scores[stage]
        coupled = couplings.get(stage)
        if coupled is not None:
            rho = coupled.correlation
            score = rho * scores[coupled.stage] + math.sqrt(1 - rho * rho) * score
        total += fitted.quantile(shares_of(score))
    return total
