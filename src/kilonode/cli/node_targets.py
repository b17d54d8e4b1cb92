"""The nodes of emulated clouds, as faults turn them off and on: of clouds of processes, and of simulated ones."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from kilonode.base.errors import InputError
from kilonode.cloud import powering
from kilonode.cloud.context import Cloud
from kilonode.cloud.folder import StateFolder
from kilonode.cloud.powering import NodePower
from kilonode.faults.powered_nodes import Button, PoweredNode

if TYPE_CHECKING:  # it is the whole emulator, which no command about processes needs
    from kilonode.cloud.simulated import SimulatedCloud

_OF_SITE = "."


class NodesOfCloud:
    """The nodes of an emulated cloud of processes. Those of several sites have the region before their name."""

    def __init__(self, folder: StateFolder) -> None:
        self._folder = folder
        self.cloud = folder.name

    async def nodes(self) -> Sequence[PoweredNode]:
        """All of them now."""
        record = self._folder.read_record()
        if record is None:
            raise InputError(f"there is no emulated cloud {self.cloud!r}", hint="see: kilonode cloud status")
        found = []
        for region in [site.region for site in record.settings.sites] or [""]:
            found += _powered(await powering.power_of(self._folder, region), region)
        return found

    async def press(self, name: str, button: Button) -> None:
        """Press a button of a node."""
        region, _, node = name.rpartition(_OF_SITE)
        await powering.set_power(self._folder, [node], button, region)


class NodesOfSimulatedCloud:
    """The nodes of a simulated cloud whose roles run apart."""

    cloud = "simulated"

    def __init__(self, cloud: "SimulatedCloud") -> None:
        self._cloud = cloud

    async def nodes(self) -> Sequence[PoweredNode]:
        """All of them now."""
        return [node for region, view in await self._views() for node in _powered(powering.powers_in(view), region)]

    async def press(self, name: str, button: Button) -> None:
        """Press a button of a node."""
        region, _, node = name.rpartition(_OF_SITE)
        view = dict(await self._views())[region]
        await powering.change_power(view, [node], button)

    async def _views(self) -> Iterable[tuple[str, Cloud]]:
        return [(region, await self._cloud.view(region)) for region in self._cloud.regions]


def _powered(found: Iterable[NodePower], region: str) -> list[PoweredNode]:
    site = f"{region}{_OF_SITE}" if region else ""
    return [PoweredNode(f"{site}{each.name}", each.state == "running", each.task is not None) for each in found]
