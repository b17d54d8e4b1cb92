"""How latency was distributed before a disruption, while its effect lasted, and after that. Pure.

*During* is from the instant at which it took effect, or from what it had lost by then, until the workload had
recovered, or until it was healed if that was later. Samples are operations that went well, by when they were due; the
lost ones are counted beside them.
"""

from typing import Final

import numpy as np

from kilonode.check.recovery.records import Episode, Spread
from kilonode.check.recovery.samples import Probes
from kilonode.check.statistics import rank_of, samples_needed

PERCENTS: Final = (5.0, 25.0, 50.0, 75.0, 95.0, 99.0)


def spreads_of(episode: Episode, baseline: Probes, probes: Probes) -> tuple[Spread, ...]:
    """Before, during and after one disruption of one workload."""
    recovery = episode.recovery_time_s
    until_s = max(episode.effect_s, min(episode.healed_s, episode.observed_s))
    if recovery.at_least:
        until_s = episode.observed_s
    elif recovery.value is not None:
        until_s = max(until_s, episode.effect_s + recovery.value)
    return (
        _spread("before", baseline),
        _spread("during", probes.due_between(_first_met_s(episode, probes), until_s)),
        _spread("after", probes.due_between(until_s, episode.observed_s)),
    )


def _first_met_s(episode: Episode, probes: Probes) -> float:
    """When the first operation was due that met it: a client may be ahead of who looks whether it took effect."""
    lost_s = probes.due_s[probes.lost & (probes.finished_s >= episode.planned_s)]
    return min(episode.effect_s, float(lost_s[0])) if len(lost_s) else episode.effect_s


def _spread(part: str, probes: Probes) -> Spread:
    well = np.sort(probes.latency_s[~probes.lost])
    return Spread(
        part=part,  # type: ignore[arg-type]
        samples=len(well),
        lost=int(probes.lost.sum()),
        percents=PERCENTS,
        values_s=tuple(
            float(well[rank_of(len(well), percent) - 1]) if len(well) >= samples_needed(percent) else None
            for percent in PERCENTS
        ),
        max_s=float(well[-1]) if len(well) else None,
    )
