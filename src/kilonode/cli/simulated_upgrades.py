"""What can be upgraded of a simulated cloud."""

from collections.abc import Sequence

from kilonode.cli.upgrade_targets import change_to, check_version
from kilonode.cloud import operating
from kilonode.cloud.commands import ProcessChange
from kilonode.cloud.layout import role_of
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.cloud.simulated_processes import SimulatedProcess, restart_together
from kilonode.run.upgrade_serving import Instance, Upgradable
from kilonode.run.upgrades import Version


class SimulatedUpgrades(Upgradable):
    """The processes of a simulated cloud."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self._cloud = cloud

    async def instances(self) -> Sequence[Instance]:
        """See `Upgradable`."""
        return [
            Instance(
                process.name,
                tuple(dict.fromkeys(map(role_of, process.roles))),
                f"{process.name} {life.number}",
                life.version,
                serves=life.awake.is_set(),
                leaving=life is not process.life,
            )
            for process in self._cloud.processes
            for life in (*([process.life] if process.life is not None else []), *process.leaving)
        ]

    async def check(self, names: Sequence[str], to: Version | None, *, together: bool = False) -> None:
        """See `Upgradable`."""
        check_version(await self.instances(), names, to, together=together)

    async def replace(self, name: str, to: Version | None) -> None:
        """See `Upgradable`."""
        await self._process(name).restart(_checked(to))

    async def replace_together(self, names: Sequence[str], to: Version | None) -> None:
        """See `Upgradable`."""
        await restart_together([self._process(name) for name in names], _checked(to))

    async def take_back(self, name: str) -> None:
        """See `Upgradable`."""
        await self._process(name).restart(ProcessChange(back=True))

    def _process(self, name: str) -> SimulatedProcess:
        return next(process for process in self._cloud.processes if process.name == name)


def _checked(to: Version | None) -> ProcessChange:
    """Of a simulated cloud, which has nobody else to look at the stage profile."""
    change = change_to(to)
    if change.stages is not None:
        operating.check_stages(change.stages)
    return change
