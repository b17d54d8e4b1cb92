"""What carries faults out: the protocol of drivers, and the records they speak.

A fault passes through a driver in four steps, and the caller (`injecting`) keeps the order:

    find     which things a target names, as they are now; nothing is touched
    plan     what will be done to those that were chosen of them, each with what heals it; nothing is touched
    inject   done, and seen to be done; the instant at which it took effect
    heal     undone, and seen to be undone

Each step is in the journal of undo, on disk, before `inject` begins, so it must say all that `heal` needs, in another
process, after a crash, and perhaps after half an injection or a heal before it: `heal` is safe to call twice. A driver
that learns more on the way (a child process that was not there before) calls `keep` with the fuller step before it
touches more. Choosing among what was found, waiting and writing down are not a driver's business. Instants are of the
clock that the driver is given, in nanoseconds.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Protocol, TypeVar

import msgspec

from kilonode.base.encoding import decode_json, encode_json
from kilonode.base.processes import ProcessIdentity
from kilonode.base.randomness import Randomness
from kilonode.faults.model import Action, Fault, Kind, Target

Memory = TypeVar("Memory", bound=msgspec.Struct)


class Found(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a target names, as it is now."""

    kind: Kind
    name: str
    """Its own: `api-1`, `compute-0001`."""
    groups: tuple[str, ...] = ()
    """What else it is meant by: the services that it is an instance of."""
    node: str = ""
    """The node it is on, or is. Empty: this machine, or none."""
    identity: ProcessIdentity | None = None
    """Of a process of this machine."""
    words: str = ""
    """More for people: `pid 4711 and 2 children`."""


class Step(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing to do, and all that is needed to undo it."""

    driver: str
    action: Action
    name: str
    """Of what it is done to."""
    words: str
    """What will be done, for people: `SIGSTOP to api (pid 4711 and 2 children)`."""
    heals: str = ""
    """What will heal it, for people. Empty: it leaves nothing to heal, and `heal` is not called."""
    memory: str = "{}"
    """The driver's own record as JSON: what `inject` and `heal` need. Never a secret: it is written to disk."""
    node: str = ""
    """The node of what it is done to. With `identity` written by whoever asked for the plan, to tell things of one name
    apart."""
    identity: ProcessIdentity | None = None


class Effect(msgspec.Struct, frozen=True, omit_defaults=True):
    """A step took effect, or was healed, and was seen to be."""

    at_ns: int
    """When: the true instant lies in the `resolution_ns` before it."""
    words: str
    """What was seen, for people: `pid 4711 is stopped`."""
    resolution_ns: int = 0


class State(StrEnum):
    """Whether a driver can work here."""

    WORKS = "works"
    PARTLY = "partly"
    MISSING = "missing"


class Capability(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a driver can or cannot do here, for `kilonode doctor` and for skipped tests."""

    driver: str
    name: str
    """`SIGSTOP`, `cgroup freezer`, `netem`."""
    state: State
    why: str = ""
    """What is missing, and how to get it."""


Keep = Callable[[Step], None]
"""Write the fuller version of a step down; it is on disk when this returns."""


class Driver(Protocol):
    """Carries out faults on one sort of thing."""

    @property
    def name(self) -> str:
        """One word, the same in every process: journals name it."""
        ...

    def handles(self, fault: Fault) -> bool:
        """Whether this driver is one for such a fault; the first that says so gets it."""
        ...

    async def find(self, target: Target) -> Sequence[Found]:
        """Everything the target's kind and names mean, before any choice and wherever it is.

        A target without names means all of its kind. Names that mean nothing are left out.
        """
        ...

    def plan(
        self, fault: Fault, found: Sequence[Found], peers: Sequence[Found], randomness: Randomness
    ) -> Sequence[Step]:
        """What will be done. Raises InputError when the fault cannot be done to these.

        `found` are the chosen members of the target, `peers` of the other side (empty where there is none). What is
        left to chance (who is the isolated one) is drawn from `randomness`.
        """
        ...

    async def inject(self, step: Step, keep: Keep) -> Effect:
        """Do it and see it done. Raises FaultError when it could not be done or seen; then it is healed."""
        ...

    async def heal(self, step: Step) -> Effect:
        """Undo it and see it undone; also half of it, also again. Raises FaultError when it could not be."""
        ...

    async def capabilities(self) -> Sequence[Capability]:
        """What it can do on this machine, and what is missing."""
        ...


def remember(memory: msgspec.Struct) -> str:
    """A driver's record for `Step.memory`."""
    return encode_json(memory).decode()


def recall(step: Step, kind: type[Memory]) -> Memory:
    """The driver's record of a step. Raises msgspec.DecodeError when another wrote it."""
    return decode_json(step.memory, kind)
