"""What a run is given: everything that depends on the outside. So one conductor leads real and simulated runs.

Who watches and who makes load are protocols here; the command line has both, and so have tests.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from kilonode.base.clock import Clock
from kilonode.check.live import LiveReport
from kilonode.clients.openstack.access import Access
from kilonode.faults.registry import Drivers
from kilonode.load.plan import WorkerPlan
from kilonode.load.progress import Progress
from kilonode.run.census import ServiceSource
from kilonode.run.costs import Meter
from kilonode.run.deaths import ProcessSource
from kilonode.run.tenants import Connect
from kilonode.run.upgrade_serving import Upgradable


class Watcher(Protocol):
    """Somebody who watches a run: the live view."""

    def stage(self, name: str) -> None:
        """The run enters a stage: `idle`, `connect`, `setup`, `load`, `drain`, `settle`, `cleanup`."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def progress(self, report: LiveReport) -> None:
        """What one worker did since it last said so."""
        ...


class Generator(Protocol):
    """Makes the load of one run, by any number of workers."""

    async def prepare(self, plans: Sequence[WorkerPlan]) -> None:
        """Start the workers and wait until each has logged in and is ready."""
        ...

    def begin(self, zero_ns: int) -> None:
        """The load begins at this instant of the clock."""
        ...

    def progress(self) -> AsyncIterator[Progress]:
        """What the workers report, until all of them have ended."""
        ...

    def stop(self) -> None:
        """Start nothing new; let what runs finish within the drain."""
        ...

    async def close(self) -> None:
        """End what still runs, at once."""
        ...

    def problems(self) -> list[str]:
        """What went wrong with workers, for people: one that died, one that was not ready in time."""
        ...


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a run is given."""

    clock: Clock
    access: Access | None
    """The cloud's own login; None: the experiment has no cloud."""
    connect: Connect
    """Logs in."""
    generator: Generator
    watcher: Watcher
    pid: int
    services: ServiceSource | None = None
    """Which processes the cloud's services are, where they run on this machine; None: not known, or virtual time."""
    meters: tuple[Meter, ...] = ()
    """What servers of the cloud say of themselves."""
    drivers: Drivers | None = None
    """What can break the cloud; None: nothing can."""
    journals: Path | None = None
    """Where `kilonode fault heal` looks for what runs left broken; None: this run's journal is not announced."""
    upgradable: Upgradable | None = None
    """Whose processes can be replaced by others; None: nobody's."""
    processes: ProcessSource | None = None
    """Which processes the cloud should have, where they run on this machine; None: nobody looks whether one dies."""
