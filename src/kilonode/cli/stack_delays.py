"""The delays of a stack's nodes from a profile of stages, as the quantiles that the driver of the nodes draws from."""

from typing import Final

from kilonode.base.errors import InputError
from kilonode.cloud.profiles import load_profile
from kilonode.cloud.stages import Stage, find_by_name
from kilonode.stack.plan import Delays

QUANTILES: Final = 501
"""Even steps of a five-hundredth: closer than a run can tell delays apart."""
_EDGE: Final = 0.0005
"""Distributions without an end are cut here, at both ends."""


def delays_of(profile: str) -> Delays:
    """How long nodes take to spawn and to destroy by this profile's stages `spawn` and `delete`. Raises InputError."""
    stages = {stage.name: stage for stage in load_profile(profile).stages}
    return Delays(spawn_s=_quantiles(stages, "spawn", profile), destroy_s=_quantiles(stages, "delete", profile))


def _quantiles(stages: dict[str, Stage], name: str, profile: str) -> tuple[float, ...]:
    stage = find_by_name(name, stages)
    fractions = (min(max(place / (QUANTILES - 1), _EDGE), 1 - _EDGE) for place in range(QUANTILES))
    found = tuple(stage.delay.quantile_s(fraction) for fraction in fractions)
    if any(value < 0 for value in found):
        raise InputError("a delay is negative", where=f"{profile}: {name}")
    return () if not any(found) else found
