"""The schedulers there are, by the name that settings know them by. To add one: a module with its class, and a line."""

from collections.abc import Callable
from typing import Final

from kilonode.base.randomness import Randomness
from kilonode.cloud.context import CloudSettings, Weights
from kilonode.cloud.filter_and_weigh import FilterAndWeigh
from kilonode.cloud.next_fit import NextFit
from kilonode.cloud.scheduling import Scheduler

SCHEDULERS: Final[dict[str, Callable[[Randomness, Weights], Scheduler]]] = {
    "filter-and-weigh": FilterAndWeigh,
    "next-fit": NextFit,
}


def make_scheduler(settings: CloudSettings, role: str) -> Scheduler:
    """The scheduler that the settings ask for, with draws of its own for each role."""
    return SCHEDULERS[settings.scheduler](Randomness(settings.seed, "ties", role), settings.weights)
