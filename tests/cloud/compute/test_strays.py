"""What is made on a network at the very instant at which it is deleted, in simulated time."""

from typing import Any

import pytest
from msgspec.structs import replace

from kilonode.cloud.openstack.network.model import ADDRESS, FLOATING_IP, NETWORK, PORT, ROUTER, FloatingIp, Port
from kilonode.cloud.openstack.network.plugging import new_port
from kilonode.control.mirror import Put
from tests.cloud.compute.harness import Compute, running
from tests.cloud.compute.test_ports_in_time import network_of


async def decided(compute: Compute, port: Port, network_id: str) -> list[Any]:
    """The changes of somebody who has seen the network, and has yet to commit."""
    _, changes = new_port(compute.cloud, compute.cloud.mirror.all(NETWORK)[network_id].value, port, addresses=None)
    return list(changes)


def port(device_id: str = "", device_owner: str = "") -> Port:
    return Port(
        id="late", project_id="p1", created_us=1, updated_us=1, network_id="", mac_address="", device_id=device_id,
        device_owner=device_owner,
    )  # fmt: skip


@pytest.mark.parametrize("there", [True, False], ids=["the network role sees it happen", "it is begun afterwards"])
async def test_a_port_that_was_made_while_its_network_went_is_removed_with_its_address(there: bool) -> None:
    async with running() as compute:
        network_id = await network_of(compute)
        other = await network_of(compute)
        await compute.ok("POST", "/network/v2.0/ports", {"port": {"network_id": other}})
        if not there:
            await compute.kill("network")
        late = await decided(compute, port(), network_id)
        await compute.ok("DELETE", f"/network/v2.0/networks/{network_id}")
        await compute.cloud.mirror.commit(late)
        if not there:
            assert "late" in compute.cloud.mirror.all(PORT)
            await compute.start_network()
        await compute.clock.sleep(0.1)
        left = [entry.value.network_id for entry in compute.cloud.mirror.all(PORT).values()]
        assert left == [other]  # the port that has a network stays
        assert len(compute.cloud.mirror.all(ADDRESS)) == 1


async def test_a_gateway_on_a_network_that_went_is_none_and_a_floating_ip_there_is_gone() -> None:
    async with running() as compute:
        outside = await network_of(compute)
        router = await compute.ok("POST", "/network/v2.0/routers", {"router": {"name": "r"}})
        entry = compute.cloud.mirror.all(ROUTER)[router["router"]["id"]]
        gateway = port(device_id=entry.value.id, device_owner="network:router_gateway")
        late = await decided(compute, gateway, outside)
        with_gateway = replace(entry.value, gateway_network_id=outside, gateway_port_id=gateway.id)
        late.append(Put(ROUTER, with_gateway, entry.value.id))
        holder = replace(gateway, id="holder", device_id="fip", device_owner="network:floatingip")
        too_late = await decided(compute, holder, outside)
        address = FloatingIp(
            id="fip", project_id="p1", created_us=1, updated_us=1, network_id=outside, address="10.0.0.9",
            own_port_id=holder.id,
        )  # fmt: skip
        await compute.ok("DELETE", f"/network/v2.0/networks/{outside}")
        await compute.cloud.mirror.commit(late)
        await compute.cloud.mirror.commit([*too_late, Put(FLOATING_IP, address, address.id, 0)])
        await compute.clock.sleep(0.1)
        shown = await compute.ok("GET", f"/network/v2.0/routers/{router['router']['id']}")
        assert shown["router"]["external_gateway_info"] is None
        assert not compute.cloud.mirror.all(PORT)
        assert not compute.cloud.mirror.all(FLOATING_IP)
        assert not compute.cloud.mirror.all(ADDRESS)
