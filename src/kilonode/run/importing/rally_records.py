"""What a Rally result file says, whatever its layout: loads, their iterations and hooks.

Instants are seconds since 1970 UTC as Rally wrote them, durations seconds. Nothing is derived here.
"""

import msgspec


class RallyAction(msgspec.Struct, frozen=True, gc=False):
    """An atomic action of an iteration."""

    path: tuple[str, ...]
    """Its name as Rally has it, after the names of those it is inside of."""
    started_s: float | None
    """None: the file has only how long it took."""
    duration_s: float | None
    """None: it failed, and the file does not say how long it took."""
    failed: bool = False


class RallyIteration(msgspec.Struct, frozen=True):
    """One iteration."""

    started_s: float
    duration_s: float
    """Without what Rally itself slept."""
    idle_s: float
    """How long Rally itself slept within it."""
    error: tuple[str, str] | None
    """The kind of the exception and its message; None: it went well."""
    actions: tuple[RallyAction, ...] = ()


class RallyHook(msgspec.Struct, frozen=True):
    """Something that was done to the cloud meanwhile."""

    name: str
    """The plug-in: `fault_injection`, `sys_call`, …"""
    action: str
    """What it did, in its own words: `restart keystone service on one node`."""
    started_s: float
    finished_s: float
    error: str = ""
    """Why it failed; empty: it did not."""


class RallyLoad(msgspec.Struct, frozen=True):
    """One load: in Rally's words a workload of a task. Repeats of one are several of these."""

    scenario: str
    arguments: str
    """The scenario's arguments as JSON with sorted keys."""
    runner: str
    """The kind of runner: `constant`, `constant_for_duration`, `rps`, …"""
    settings: str
    """The runner's settings as JSON with sorted keys."""
    concurrency: int
    """How many iterations ran at once; zero: the runner does not say."""
    load_s: float
    """How long the load lasted, by Rally."""
    iterations: tuple[RallyIteration, ...]
    hooks: tuple[RallyHook, ...]
