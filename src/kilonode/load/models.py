"""The load models of an experiment: k6's names and meaning, plus `poisson-arrival-rate` and `step`.

Open models (arrival rates, step) start an iteration when it is due, whatever the cloud does. Closed models (VUs) start
the next iteration of a virtual user when the one before has ended and the think time has passed.
"""

import msgspec

from kilonode.base.units import Duration, Rate

DEFAULT_MAX_VUS = 10_000


class ThinkTime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a virtual user waits between two iterations: uniformly between `min` and `max`, seeded."""

    min: Duration
    max: Duration


class VuStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Go to `to` virtual users, linearly over `over`."""

    to: int
    over: Duration


class RateStage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Go to the rate `to`, linearly over `over`."""

    to: Rate
    over: Duration


class _Model(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="model"):
    pass


class SharedIterations(_Model, frozen=True, tag="shared-iterations"):
    """`iterations` in all, shared by `vus` virtual users, ended at `max_duration` at the latest."""

    vus: int
    iterations: int
    max_duration: Duration = Duration(600)
    think_time: ThinkTime | None = None


class PerVuIterations(_Model, frozen=True, tag="per-vu-iterations"):
    """`iterations` by each of `vus` virtual users, ended at `max_duration` at the latest."""

    vus: int
    iterations: int
    max_duration: Duration = Duration(600)
    think_time: ThinkTime | None = None


class ConstantVus(_Model, frozen=True, tag="constant-vus"):
    """`vus` virtual users iterate for `duration`."""

    vus: int
    duration: Duration
    think_time: ThinkTime | None = None


class RampingVus(_Model, frozen=True, tag="ramping-vus"):
    """The number of virtual users goes from `start` through `stages`."""

    stages: tuple[VuStage, ...]
    start: int = 0
    think_time: ThinkTime | None = None


class ConstantArrivalRate(_Model, frozen=True, tag="constant-arrival-rate"):
    """Iterations are due evenly at `rate` for `duration`; at most `max_vus` run at once, the rest is dropped."""

    rate: Rate
    duration: Duration
    max_vus: int = DEFAULT_MAX_VUS


class RampingArrivalRate(_Model, frozen=True, tag="ramping-arrival-rate"):
    """The rate goes from `start` through `stages`, linearly within each."""

    stages: tuple[RateStage, ...]
    start: Rate = Rate(0)
    max_vus: int = DEFAULT_MAX_VUS


class PoissonArrivalRate(_Model, frozen=True, tag="poisson-arrival-rate"):
    """Iterations are due at the instants of a Poisson process of `rate`, seeded: as independent users come."""

    rate: Rate
    duration: Duration
    max_vus: int = DEFAULT_MAX_VUS


class Step(_Model, frozen=True, tag="step"):
    """The rate stands at `start`, then goes up by `step` every `every`, `steps` times: where is the knee?"""

    start: Rate
    step: Rate
    every: Duration
    steps: int
    max_vus: int = DEFAULT_MAX_VUS


OpenModel = ConstantArrivalRate | RampingArrivalRate | PoissonArrivalRate | Step
ClosedModel = SharedIterations | PerVuIterations | ConstantVus | RampingVus
LoadModel = OpenModel | ClosedModel
