"""Ports whose network is gone: one made at the very instant at which its network was deleted has nowhere to be.

Making a port does not write its network, so that thousands can be made on one side by side (decision 0170). What slips
through is removed here, as if somebody had deleted it, by the network role: it sees every commit in its order, so a
port without its network in its mirror has none.
"""

from typing import Final

from msgspec.structs import replace

from kilonode.cloud.context import Changes, Cloud
from kilonode.cloud.openstack.network.model import (
    FLOATING_IP,
    FLOATING_IP_OWNER,
    NETWORK,
    PORT,
    ROUTER,
    Port,
    ports_by_network,
)
from kilonode.cloud.openstack.network.plugging import remove_port
from kilonode.control.controller import Controller
from kilonode.control.mirror import Delete, Put
from kilonode.control.queue import WorkQueue

KINDS: Final = (PORT, NETWORK, FLOATING_IP, ROUTER)
"""What it looks at."""


class Strays:
    """Removes them. Keys in the queue are those of ports."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._on_network = ports_by_network(cloud.mirror)
        self.controller = Controller("strays", WorkQueue(cloud.clock), self.reconcile, workers=1)
        cloud.mirror.subscribe(self._on_change, known=(PORT,))

    async def reconcile(self, key: str) -> None:
        """Remove a port that has no network, with what stands on it."""
        mirror = self._cloud.mirror
        entry = mirror.get(PORT, key)
        if entry is not None and mirror.get(NETWORK, entry.value.network_id) is None:
            await mirror.commit([*remove_port(self._cloud, entry.value), *self._of_device(entry.value)])

    def _of_device(self, port: Port) -> Changes:
        """A floating IP goes with the port that holds its address; a router only loses its gateway."""
        mirror = self._cloud.mirror
        if port.device_owner == FLOATING_IP_OWNER:
            floating_ip = mirror.get(FLOATING_IP, port.device_id)
            return [Delete(FLOATING_IP, port.device_id, floating_ip.revision)] if floating_ip is not None else []
        router = mirror.get(ROUTER, port.device_id)
        if router is None or router.value.gateway_port_id != port.id:
            return []
        without = replace(
            router.value,
            gateway_network_id="",
            gateway_port_id="",
            updated_us=self._cloud.now_us(),
            version=router.value.version + 1,
        )
        return [Put(ROUTER, without, port.device_id, router.revision)]

    def _on_change(self, kind: str, key: str) -> None:
        mirror = self._cloud.mirror
        if kind == PORT:
            entry = mirror.get(PORT, key)
            if entry is not None and mirror.get(NETWORK, entry.value.network_id) is None:
                self.controller.queue.add(key)
        elif kind == NETWORK and mirror.get(NETWORK, key) is None:
            for port in self._on_network.keys(key):
                self.controller.queue.add(port)
