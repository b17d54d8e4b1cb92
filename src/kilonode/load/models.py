"""The load models of an experiment: k6's names and meaning, plus `poisson-arrival-rate` and `step`.

Open models (arrival rates, step) start an iteration when it is due, whatever the cloud does. Closed models (VUs) start
the next iteration of a virtual user when the one before has ended and the think time has passed.
"""

from typing import Annotated

import msgspec
from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.units import Duration, Rate

DEFAULT_MAX_VUS = 10_000

Vus = Annotated[int, Meta(ge=1, le=1_000_000)]
MaxVus = Annotated[int, Meta(ge=1, le=1_000_000)]
Iterations = Annotated[int, Meta(ge=1, le=1_000_000_000)]
SomeTime = Annotated[Duration, MORE_THAN_ZERO]
SomeRate = Annotated[Rate, MORE_THAN_ZERO]


class ThinkTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a virtual user waits between two iterations: uniformly between `min` and `max`, seeded."""

    min: Duration
    """The shortest pause."""
    max: Duration
    """The longest pause."""


class VuStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Go to `to` virtual users, linearly over `over`."""

    to: Annotated[int, Meta(ge=0, le=1_000_000)]
    """How many virtual users at the end of the stage."""
    over: Duration
    """How long the stage takes; zero jumps."""


class RateStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Go to the rate `to`, linearly over `over`."""

    to: Rate
    """The rate at the end of the stage."""
    over: Duration
    """How long the stage takes; zero jumps."""


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, tag_field="model"):
    pass


class SharedIterations(_Model, frozen=True, tag="shared-iterations"):
    """`iterations` in all, shared by `vus` virtual users, ended at `max_duration` at the latest."""

    vus: Vus
    """How many virtual users."""
    iterations: Iterations
    """How many iterations in all."""
    max_duration: SomeTime = Duration(600)
    """When this has passed, no iteration starts any more."""
    think_time: ThinkTime | None = None
    """The pause of a virtual user between two iterations; none without it."""


class PerVuIterations(_Model, frozen=True, tag="per-vu-iterations"):
    """`iterations` by each of `vus` virtual users, ended at `max_duration` at the latest."""

    vus: Vus
    """How many virtual users."""
    iterations: Iterations
    """How many iterations of each virtual user."""
    max_duration: SomeTime = Duration(600)
    """When this has passed, no iteration starts any more."""
    think_time: ThinkTime | None = None
    """The pause of a virtual user between two iterations; none without it."""


class ConstantVus(_Model, frozen=True, tag="constant-vus"):
    """`vus` virtual users iterate for `duration`."""

    vus: Vus
    """How many virtual users."""
    duration: SomeTime
    """How long iterations start."""
    think_time: ThinkTime | None = None
    """The pause of a virtual user between two iterations; none without it."""


class RampingVus(_Model, frozen=True, tag="ramping-vus"):
    """The number of virtual users goes from `start` through `stages`."""

    stages: Annotated[tuple[VuStage, ...], Meta(min_length=1)]
    """The stages, one after the other."""
    start: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    """How many virtual users at the beginning."""
    think_time: ThinkTime | None = None
    """The pause of a virtual user between two iterations; none without it."""


class ConstantArrivalRate(_Model, frozen=True, tag="constant-arrival-rate"):
    """Iterations are due evenly at `rate` for `duration`; at most `max_vus` run at once, the rest is dropped."""

    rate: SomeRate
    """How many iterations start in a unit of time."""
    duration: SomeTime
    """How long iterations start."""
    max_vus: MaxVus = DEFAULT_MAX_VUS
    """How many iterations may run at once; one more that is due is dropped, and counted."""


class RampingArrivalRate(_Model, frozen=True, tag="ramping-arrival-rate"):
    """The rate goes from `start` through `stages`, linearly within each."""

    stages: Annotated[tuple[RateStage, ...], Meta(min_length=1)]
    """The stages, one after the other."""
    start: Rate = Rate(0)
    """The rate at the beginning."""
    max_vus: MaxVus = DEFAULT_MAX_VUS
    """How many iterations may run at once; one more that is due is dropped, and counted."""


class PoissonArrivalRate(_Model, frozen=True, tag="poisson-arrival-rate"):
    """Iterations are due at the instants of a Poisson process of `rate`, seeded: as independent users come."""

    rate: SomeRate
    """The mean rate."""
    duration: SomeTime
    """How long iterations start."""
    max_vus: MaxVus = DEFAULT_MAX_VUS
    """How many iterations may run at once; one more that is due is dropped, and counted."""


class Step(_Model, frozen=True, tag="step"):
    """The rate stands at `start`, then goes up by `step` every `every`, `steps` times: where is the knee?"""

    start: Rate
    """The rate of the first step."""
    step: SomeRate
    """How much the rate goes up each time."""
    every: SomeTime
    """How long each step lasts."""
    steps: Annotated[int, Meta(ge=1, le=1_000)]
    """How many times the rate goes up."""
    max_vus: MaxVus = DEFAULT_MAX_VUS
    """How many iterations may run at once; one more that is due is dropped, and counted."""


OpenModel = ConstantArrivalRate | RampingArrivalRate | PoissonArrivalRate | Step
ClosedModel = SharedIterations | PerVuIterations | ConstantVus | RampingVus
LoadModel = OpenModel | ClosedModel
