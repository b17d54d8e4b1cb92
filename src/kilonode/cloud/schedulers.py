"""The schedulers there are, by the name that settings know them by. To add one: a module with its class, and a line."""

from collections.abc import Callable
from typing import Final
from zlib import crc32

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import CloudSettings, Weights
from kilonode.cloud.filter_and_weigh import FilterAndWeigh
from kilonode.cloud.next_fit import NextFit
from kilonode.cloud.role_counts import names_of
from kilonode.cloud.scheduling import Scheduler

SCHEDULERS: Final[dict[str, Callable[[Randomness, Weights, Callable[[str], bool]], Scheduler]]] = {
    "filter-and-weigh": FilterAndWeigh,
    "next-fit": NextFit,
}


def make_scheduler(settings: CloudSettings, role: str) -> Scheduler:
    """The scheduler that the settings ask for, with draws and a part of the nodes of its own for each role."""
    roles = names_of("scheduler", settings.roles.scheduler)

    def is_own(node: str) -> bool:
        return len(roles) > 1 and roles[crc32(node.encode()) % len(roles)] == role

    return SCHEDULERS[settings.scheduler](Randomness(settings.seed, "ties", role), settings.weights, is_own)
