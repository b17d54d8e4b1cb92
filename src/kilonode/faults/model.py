"""What a sentence about faults says, as records: which action on which target, how many of them, how, for how long.

A `Sentence` is a row of `Part`s, one after the other; a part is one `Fault`, perhaps during others. The records know
neither words nor drivers: `parsing` makes them of words, `printing` makes words of them (one canonical sentence for
each value), `rules` says which of them make sense, drivers carry them out. Durations are seconds as
`kilonode.base.units.Duration`, percents are of 100, bandwidths are bits per second.
"""

from enum import StrEnum

import msgspec

from kilonode.base.units import Duration


class Action(StrEnum):
    """What is done."""

    START = "start"
    TERMINATE = "terminate"
    """End it as its operator would: it may finish what it does."""
    RESTART = "restart"
    KILL = "kill"
    """End it at once: nothing is finished."""
    FREEZE = "freeze"
    """It stays, holds its connections, and does nothing."""
    UNFREEZE = "unfreeze"
    PLUG = "plug"
    UNPLUG = "unplug"
    """Its ports are cut off the network."""
    REBOOT = "reboot"
    """A restart that the system makes itself, in good order."""
    RESET = "reset"
    """A restart by the power switch."""
    POWEROFF = "poweroff"
    POWERON = "poweron"
    SHUTDOWN = "shutdown"
    STRESS = "stress"
    CONNECT = "connect"
    DISCONNECT = "disconnect"
    DEGRADE = "degrade"
    """Traffic is delayed, lost or slowed down."""
    PARTITION = "partition"
    """Sets of members no longer reach one another."""
    FILL = "fill"
    SKEW = "skew"
    ABORT = "abort"
    """Requests are answered with an error, or their connection is reset, in front of a service."""
    DELAY = "delay"
    """Requests are held back in front of a service."""


class Kind(StrEnum):
    """What sort of thing a target is."""

    SERVICE = "service"
    """A named part of the cloud, whatever it runs as; what is meant when no kind is said."""
    ROLE = "role"
    """A role of an emulated cloud."""
    CONTAINER = "container"
    PROCESS = "process"
    """One process with its children, by its name."""
    NODE = "node"
    SITE = "site"
    NETWORK = "network"
    ENDPOINT = "endpoint"
    """Where requests of a service arrive."""
    DISK = "disk"
    CLOCK = "clock"


class Pick(StrEnum):
    """How many of what was found are meant."""

    NAMED = "named"
    """What the names name: all of a service; of processes, nodes and sites exactly one for each name."""
    ALL = "all"
    NUMBER = "number"
    PERCENT = "percent"
    """Rounded up: 1 % of three is one."""
    MINORITY = "minority"
    """The largest number that is less than half: one of three, one of four, two of five."""
    MAJORITY = "majority"
    """The smallest number that is more than half: two of three, three of four."""


class Choice(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How many, and of how many. Which ones is drawn by the seed."""

    pick: Pick = Pick.NAMED
    number: int = 0
    """For NUMBER: how many."""
    of: int = 0
    """For NUMBER: how many there must be, or the fault is refused. Zero: any number."""
    percent: float = 0.0
    """For PERCENT."""


class Nodes(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which nodes."""

    choice: Choice = Choice()
    names: tuple[str, ...] = ()
    """Empty: any node."""
    services: tuple[str, ...] = ()
    """Only nodes with all of these services."""


class Target(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What a fault is done to."""

    kind: Kind = Kind.SERVICE
    names: tuple[str, ...] = ()
    """Of services, containers, processes, sites, networks, endpoints; the path of a disk. Nodes are in `nodes`."""
    choice: Choice = Choice()
    nodes: Nodes | None = None
    """Kind NODE: the nodes themselves. Other kinds: where; None is wherever it is."""


class Link(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What becomes of traffic; None is left as it is."""

    delay: Duration | None = None
    jitter: Duration | None = None
    """The delay varies by as much in both directions."""
    loss_percent: float | None = None
    bandwidth_bits_per_s: int | None = None


class Shape(StrEnum):
    """How a partition divides. The last six divide one set, as Jepsen does."""

    SETS = "sets"
    """The target from the peer."""
    REST = "rest"
    """The target from everything else."""
    HALVES = "halves"
    """The first half, in the order of names, from the second; an odd one goes to the second."""
    RANDOM_HALVES = "random halves"
    ISOLATED_ONE = "isolated one"
    MINORITY_THIRD = "minority third"
    """A third, rounded down but at least one, from the rest."""
    BRIDGE = "bridge"
    """Two halves that see one member in common, but not each other."""
    MAJORITIES_RING = "majorities ring"
    """Each member sees a majority, and no two see the same one."""


class Partition(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """How the target is cut off."""

    shape: Shape
    one_way: bool = False
    """For SETS and REST: what the target sends is lost, what is sent to it arrives."""


class Resource(StrEnum):
    """What of a node is put under stress."""

    CPU = "cpu"
    MEMORY = "memory"
    DISK = "disk"
    KERNEL = "kernel"


class Stress(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """What of a node is used up, and how much."""

    resource: Resource
    percent: float = 100.0


class Requests(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Which requests to an endpoint are met, and what becomes of them."""

    percent: float = 100.0
    method: str = ""
    """Empty: any."""
    path: str = ""
    """Only requests whose path begins so; empty: any."""
    status: int | None = None
    """For ABORT: the answer's status; None: the connection is reset."""
    delay: Duration | None = None
    """For DELAY."""
    jitter: Duration | None = None


class Means(StrEnum):
    """By what a freeze is done; it is the driver's choice when it is not said."""

    SIGNAL = "signal"
    """SIGSTOP: the parent is told of it."""
    CGROUP = "cgroup"
    """The kernel's freezer: nobody is told."""


class Fault(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One action on one target."""

    action: Action
    target: Target
    duration: Duration | None = None
    """None: until it is healed, or for good where the action leaves nothing behind (a restart)."""
    peer: Target | None = None
    """The other side of a partition or of degraded traffic."""
    means: Means | None = None
    link: Link | None = None
    partition: Partition | None = None
    stress: Stress | None = None
    requests: Requests | None = None
    fill_percent: float | None = None
    """How full the disk becomes; None: full."""
    skew_s: float | None = None
    """How far the clock is put forward; negative: back."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One fault, perhaps while others last.

    What it happens during takes effect before it, in the order said, and is healed after it.
    """

    fault: Fault
    during: tuple[Fault, ...] = ()
    after: Duration = Duration(0)
    """A pause before it."""


class Sentence(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Parts one after the other: each begins when the one before has ended.

    A fault with a duration has ended when it is healed. One without has ended, for what follows, when it took effect;
    it is healed when the whole sentence has ended.
    """

    parts: tuple[Part, ...]
