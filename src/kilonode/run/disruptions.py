"""What is broken on purpose during the load, as the experiment file says it: which fault, and when.

Part of the experiment's format, like `kilonode.run.experiment`. What a sentence means is told by `kilonode.faults`;
rules that join several keys stand in `kilonode.run.disruption_rules`. Instants count from the start of the load.
"""

from typing import Annotated, Final

import msgspec
from msgspec import Meta

from kilonode.base.encoding import MORE_THAN_ZERO
from kilonode.base.expectations import NAME_PATTERN
from kilonode.base.units import Duration
from kilonode.run.upgrades import Upgrade

MOST_TIMES: Final = 1_000
TIMINGS: Final = ("at", "at_iteration", "every", "random", "when")
"""The keys that say when; a disruption has exactly one of them."""


class _Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    pass


class RandomTimes(_Record, frozen=True, kw_only=True):
    """Instants drawn by the run's seed, each as likely as any other."""

    times: Annotated[int, Meta(ge=1, le=MOST_TIMES)] = 1
    """How many."""
    between: str
    """From when to when: `10s..50s`."""


class Expectation(_Record, frozen=True, kw_only=True):
    """What the sentence has to match, or the run is refused before its load."""

    found: Annotated[int, Meta(ge=1)]
    """To how many things it is done, all of them together."""


class Disruption(_Record, frozen=True, kw_only=True):
    """A fault or an upgrade during the load, and exactly one of `at`, `at_iteration`, `every`, `random` and `when`."""

    fault: str = ""
    """What is done, in the language of faults: `kill one scheduler`, `freeze api for 10s`. Without a duration, what can
    be healed lasts until the end of the load."""
    upgrade: Upgrade | None = None
    """Instead of a fault: another version is put in the place of what runs."""
    name: Annotated[str, Meta(pattern=rf"^$|{NAME_PATTERN}", max_length=30)] = ""
    """What it is called in the report, beside its sentence."""
    at: Duration | None = None
    """How long after the start of the load."""
    at_iteration: Annotated[str, Meta(pattern=r"^\s*\S+\s+\d+\s*$")] = ""
    """When the iteration with this number, from zero, of a workload is due: `boots 500`. Of a closed model, where that
    is not known beforehand, it is seen up to 0.1 s late."""
    every: Annotated[Duration, MORE_THAN_ZERO] | None = None
    """Again and again, so much time from one beginning to the next."""
    start: Duration | None = None
    """Of `every`, when it is done first. Without it: after so much time as `every` says."""
    times: Annotated[int, Meta(ge=1, le=MOST_TIMES)] | None = None
    """Of `every`, how often. Without it: until the end of the load."""
    random: RandomTimes | None = None
    """At instants drawn by the run's seed."""
    when: str = ""
    """As soon as this holds of what is measured live, in the form of criteria: `boots count > 100`. Counts are since
    the start of the load, everything else is over the last ten seconds. Once."""
    lasts: Annotated[Duration, MORE_THAN_ZERO] | None = msgspec.field(name="for", default=None)
    """How long it lasts, where the sentence does not say."""
    expect: Expectation | None = None
    """What the sentence has to match, or the run is refused before its load."""
