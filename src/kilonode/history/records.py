"""The two records a history is made of.

All instants are nanoseconds since the run's zero, the instant at which the load begins; setup happens at negative
instants. Records are flat and small: a run has millions of them.
"""

from enum import StrEnum
from typing import Final

import msgspec

STILL_IN_EFFECT: Final = "still in effect when the run was killed"
"""What the error of a disruption begins with that nobody healed in the run, because there was nobody any more. Its
*finished* is when another process healed it, or with the outcome `wrong_state` the last that is known of the run."""


class OpKind(StrEnum):
    """What part of a run an Op belongs to."""

    ITERATION = "iteration"
    """One whole iteration of a workload; `step` is empty. Rates, drops and error rates of a workload count these."""
    STEP = "step"
    """One named step inside an iteration; nested steps have dotted names: `boot`, `boot.accepted`."""
    SETUP = "setup"
    """One action before the load; `workload` names the stage, `step` the action."""
    CLEANUP = "cleanup"
    """One action after the load, named as in setup."""
    PHASE = "phase"
    """A phase of the run as a whole: `step` is `idle`, `setup`, `load`, `drain`, `settle` or `cleanup`; no workload."""
    DISRUPTION = "disruption"
    """A fault or upgrade: *started* when it was seen to have taken effect, or, where that takes its time, when it was
    begun; *finished* when it was healed."""
    DEATH = "death"
    """A process of the cloud ended that nobody meant to end: `step` is the process, *started* the last look at which it
    was there, *finished* the first at which it was gone; no workload."""


class Op(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One operation, in the order in which it matters: when it was due, when it started, when it finished.

    Latency is finished minus due, service time finished minus started. The first step of an iteration is due when the
    iteration is due, so a late generator counts against it; every later step is due when it starts.
    """

    kind: str
    """A value of `OpKind`."""
    workload: str
    step: str
    """Dotted path of the step; empty for the iteration itself."""
    iteration: int
    """Number of the iteration in its workload, the same whatever the number of worker processes."""
    due_ns: int
    started_ns: int
    finished_ns: int
    outcome: str
    """A value of `kilonode.base.outcomes.Outcome`."""
    error: str = ""
    """The message of a failure, trimmed, without secrets; empty when all went well."""
    resolution_ns: int = 0
    """For an operation whose end was found by polling: the time between the last poll that did not see the end and the
    one that did. The true end lies in the last `resolution_ns` before *finished*. Zero: the end was seen as it came."""
    worker: int = 0
    """Which worker process of the generator did it."""


class Sample(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One measured value at one instant: the generator's own health, or what a service of the cloud uses."""

    source: str
    """Who was measured: `generator-0`, `conductor`, `api`, …"""
    metric: str
    """What was measured, unit last: `cpu_fraction`, `loop_lag_s`, `lateness_s_max`, `open_files`, `memory_bytes`."""
    at_ns: int
    value: float
