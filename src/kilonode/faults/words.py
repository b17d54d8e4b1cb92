"""The words of the language: verbs, kinds, counts, and which words a name must be quoted to be.

Words are read without regard to case. Each meaning has one canonical word, the one that is printed; the others are read
as well. What may stand where is `parsing`'s business.
"""

from typing import Final

from kilonode.faults.model import Action, Choice, Kind, Pick, Resource, Shape

VERBS: Final[dict[str, Action]] = {
    **{action.value: action for action in Action},
    "stop": Action.TERMINATE,
    "pause": Action.FREEZE,
    "thaw": Action.UNFREEZE,
    "resume": Action.UNFREEZE,
}
"""One word to its action; what takes two words is in `TWO_WORDS`."""
TWO_WORDS: Final[dict[tuple[str, str], Action]] = {
    ("power", "off"): Action.POWEROFF,
    ("power", "on"): Action.POWERON,
    ("shut", "down"): Action.SHUTDOWN,
}
ISOLATE: Final = "isolate"
"""`isolate X` is `partition X from the rest`."""

ONE: Final = ("one", "random", "single", "some", "any")
ALL: Final = ("all", "every", "each")
NUMBERS: Final = {word: number for number, word in enumerate(("two", "three", "four", "five", "six", "seven"), 2)}
MEMBERS: Final[dict[Kind, tuple[str, str]]] = {
    Kind.SERVICE: ("service", "services"),
    Kind.ROLE: ("role", "roles"),
    Kind.CONTAINER: ("container", "containers"),
    Kind.PROCESS: ("process", "processes"),
    Kind.SITE: ("site", "sites"),
}
"""What has members that are named: one, several."""
NODES: Final = ("node", "nodes")
LINK: Final = ("delay", "jitter", "loss", "bandwidth")
METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
RESOURCES: Final = {resource.value: resource for resource in Resource}
SHAPES: Final = {
    tuple(shape.value.split()): shape
    for shape in Shape
    if shape not in (Shape.SETS, Shape.REST)
}  # fmt: skip

RUNNABLE: Final = frozenset({Kind.SERVICE, Kind.ROLE, Kind.CONTAINER, Kind.PROCESS})
"""What can be stopped, killed, frozen."""
STARTABLE: Final = frozenset({Kind.SERVICE, Kind.ROLE, Kind.CONTAINER})
KINDS: Final[dict[Action, frozenset[Kind]]] = {
    Action.START: STARTABLE,
    Action.TERMINATE: RUNNABLE,
    Action.RESTART: STARTABLE,
    Action.KILL: RUNNABLE,
    Action.FREEZE: RUNNABLE,
    Action.UNFREEZE: RUNNABLE,
    Action.PLUG: STARTABLE,
    Action.UNPLUG: STARTABLE,
    Action.SKEW: frozenset({Kind.SERVICE, Kind.ROLE, Kind.PROCESS}),
    Action.DEGRADE: frozenset({*RUNNABLE, Kind.SITE}),
    Action.PARTITION: frozenset({*RUNNABLE, Kind.SITE}),
}
"""Actions whose targets have members, and which kinds those may be."""
POWER: Final = frozenset({Action.REBOOT, Action.RESET, Action.POWEROFF, Action.POWERON, Action.SHUTDOWN})
"""Actions on nodes as a whole."""
PASSING: Final = frozenset(
    {
        Action.START,
        Action.RESTART,
        Action.UNFREEZE,
        Action.PLUG,
        Action.REBOOT,
        Action.RESET,
        Action.POWERON,
        Action.CONNECT,
    }
)
"""Actions that leave nothing to heal, so `for` makes no sense."""

RESERVED: Final = frozenset(
    {
        *ONE, *NUMBERS, *ALL, "of", "percent", "minority", "majority", "the", "an", "both",
        "few", "many", "most", "no", "none", "other", "others", "several", "this", "that",
        *(word for both in MEMBERS.values() for word in both), *NODES,
        "on", "for", "by", "with", "at", "to", "from", "into", "under", "and", "then", "while", "after",
    }
)  # fmt: skip
"""What is never a name unless it is quoted: words of the language, and those that count in ways it does not know."""
QUOTED: Final = RESERVED | {
    *VERBS, *(word for both in TWO_WORDS for word in both), ISOLATE, *LINK, *(method.lower() for method in METHODS),
    *RESOURCES, *(word for shape in SHAPES for word in shape), "network", "networks", "traffic", "requests", "request",
    "disk", "clock", "status", "rest", "way",
}  # fmt: skip
"""What is printed in quotes when it is a name: more than must be, so that nobody has to wonder."""


def is_one(choice: Choice, names: int) -> bool:
    """Whether what is chosen, of so many names, is one thing and not several: `node`, not `nodes`."""
    if choice.pick is Pick.NUMBER:
        return choice.number == 1 and not choice.of and names < 2
    return choice.pick is Pick.NAMED and names < 2
