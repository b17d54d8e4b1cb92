"""No address is ever given twice, whoever gives it: property tests of plugging, in two processes over one store."""

import asyncio
from ipaddress import ip_address, ip_network

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from kilonode.base.clock import SimulatedClock
from kilonode.base.simulation import run_simulated
from kilonode.cloud.context import Cloud, CloudSettings
from kilonode.cloud.openstack.network.addressing import default_gateway, default_pools, mac_address
from kilonode.cloud.openstack.network.model import (
    ADDRESS,
    NETWORK,
    PORT,
    SUBNET,
    Network,
    Pool,
    Port,
    Subnet,
    address_key,
)
from kilonode.cloud.openstack.network.plugging import WantedAddress, new_port, remove_port
from kilonode.cloud.openstack.network.ports import (
    WantedInterface,
    ports_for_server,
    rebind_ports,
    release_ports,
    server_ports,
)
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore
from kilonode.store.protocol import ConflictError

CIDR = "10.0.0.0/28"
SUBNETS = {
    "four": ("10.0.0.0/28", 13),
    "six": ("fd00::/124", 14),
}
"""Range, and how many addresses can be given."""


class Action(msgspec.Struct, frozen=True):
    role: int
    kind: str
    number: int


ACTIONS = st.lists(
    st.builds(
        Action,
        st.integers(min_value=0, max_value=1),
        st.sampled_from(["create", "create", "ask", "delete", "server", "release"]),
        st.integers(min_value=0, max_value=15),
    ),
    max_size=60,
)


async def cloud_of(store: MemoryStore, clock: SimulatedClock, role: str) -> Cloud:
    return await Cloud.open(store, clock, CloudSettings(stages="instant", seed=3), role, ())


def network_documents() -> list[Put]:
    network = Network(id="net", project_id="p", subnet_ids=tuple(SUBNETS))
    documents: list[Put] = [Put(NETWORK, network, "net")]
    for name, (cidr, _) in SUBNETS.items():
        gateway = default_gateway(cidr)
        subnet = Subnet(
            id=name,
            project_id="p",
            network_id="net",
            ip_version=ip_network(cidr).version,
            cidr=cidr,
            gateway_ip=gateway,
            allocation_pools=default_pools(cidr, gateway),
        )
        documents.append(Put(SUBNET, subnet, name))
    return documents


async def act(cloud: Cloud, action: Action) -> None:
    """Do it as a handler does: decide, commit, after a conflict once more from the beginning."""
    mirror = cloud.mirror
    for _ in range(50):
        network = mirror.all(NETWORK)["net"].value
        port = Port(id=cloud.new_id(), project_id="p", network_id="net", mac_address="")
        try:
            if action.kind == "create":
                await mirror.commit(new_port(cloud, network, port, addresses=None)[1])
            elif action.kind == "ask":
                wanted = [WantedAddress("four", str(ip_network(CIDR)[action.number]))]
                await mirror.commit(new_port(cloud, network, port, addresses=wanted)[1])
            elif action.kind == "server":
                interface = WantedInterface(network_id="net")
                changes = ports_for_server(cloud, "p", [interface], f"server-{action.number}", "node-1")
                await mirror.commit(changes)
            elif action.kind == "release":
                changes = release_ports(cloud, f"server-{action.number}")
                await mirror.commit(changes)
            elif mirror.all(PORT):
                found = list(mirror.all(PORT).values())
                await mirror.commit(remove_port(cloud, found[action.number % len(found)].value))
        except ConflictError:
            continue
        except Fault as fault:
            if fault.status not in (400, 409):
                raise
        return
    raise AssertionError("it conflicts for ever")


def check(cloud: Cloud) -> None:
    ports = [entry.value for entry in cloud.mirror.all(PORT).values()]
    given_out = [fixed for port in ports for fixed in port.fixed_ips]
    assert len(set(given_out)) == len(given_out)
    documents = {key: entry.value.port_id for key, entry in cloud.mirror.all(ADDRESS).items()}
    assert documents == {
        address_key(fixed.subnet_id, fixed.ip_address): port.id for port in ports for fixed in port.fixed_ips
    }
    macs = [port.mac_address for port in ports]
    assert len(set(macs)) == len(macs)
    for fixed in given_out:
        assert ip_address(fixed.ip_address) in ip_network(SUBNETS[fixed.subnet_id][0])


@settings(max_examples=60)
@given(ACTIONS)
def test_no_address_and_no_mac_is_ever_given_twice(actions: list[Action]) -> None:
    async def run(clock: SimulatedClock) -> None:
        store = MemoryStore()
        clouds = [await cloud_of(store, clock, role) for role in ("api", "fleet-0")]
        await clouds[0].mirror.commit(network_documents())
        await clouds[1].mirror.catch_up()
        for start in range(0, len(actions), 5):
            # Five at one instant: both processes decide from what they see, and commits overtake one another.
            await asyncio.gather(*(act(clouds[action.role], action) for action in actions[start : start + 5]))
            await clouds[0].mirror.catch_up()
            check(clouds[0])
        for cloud in clouds:
            await cloud.close()

    run_simulated(run)


async def fill(cloud: Cloud) -> int:
    """Create ports until there is no address left; how many there were."""
    network = cloud.mirror.all(NETWORK)["net"].value
    for number in range(100):
        port = Port(id=cloud.new_id(), project_id="p", network_id="net", mac_address="")
        try:
            changes = new_port(cloud, network, port, addresses=[WantedAddress("four")])[1]
        except Fault as fault:
            if fault.type == "IpAddressGenerationFailure":
                return number
            raise
        await cloud.mirror.commit(changes)
    raise AssertionError("there is no end of addresses")


async def test_every_address_can_be_given_and_again_when_it_was_released() -> None:
    for role in ("api", "fleet-0"):
        cloud = await cloud_of(MemoryStore(), SimulatedClock(asyncio.get_running_loop()), role)
        await cloud.mirror.commit(network_documents())
        for _ in range(2):
            assert await fill(cloud) == SUBNETS["four"][1]
            for entry in list(cloud.mirror.all(PORT).values()):
                await cloud.mirror.commit(remove_port(cloud, entry.value))
            assert not cloud.mirror.all(ADDRESS)
        await cloud.close()


async def test_a_servers_ports_move_with_it_and_a_port_that_was_there_before_stays() -> None:
    cloud = await cloud_of(MemoryStore(), SimulatedClock(asyncio.get_running_loop()), "fleet-0")
    await cloud.mirror.commit(network_documents())
    network = cloud.mirror.all(NETWORK)["net"].value
    before = Port(id="before", project_id="p", network_id="net", mac_address="", name="mine")
    await cloud.mirror.commit(new_port(cloud, network, before, addresses=None)[1])
    wanted = [WantedInterface(network_id="net"), WantedInterface(port_id="before")]
    await cloud.mirror.commit(ports_for_server(cloud, "p", wanted, "server", "node-1"))
    assert [port.name for port in server_ports(cloud, "server")] == ["", "mine"]
    assert {port.host for port in server_ports(cloud, "server")} == {"node-1"}
    await cloud.mirror.commit(rebind_ports(cloud, "server", "node-2"))
    assert {port.host for port in server_ports(cloud, "server")} == {"node-2"}
    await cloud.mirror.commit(release_ports(cloud, "server"))
    left = [entry.value for entry in cloud.mirror.all(PORT).values()]
    assert [(port.name, port.device_id, port.host, port.status) for port in left] == [("mine", "", "", "DOWN")]
    await cloud.close()


@given(st.integers(min_value=0, max_value=32), st.integers(min_value=0, max_value=2**32 - 1), st.booleans())
def test_default_pools_hold_every_host_but_the_gateway(prefix: int, base: int, with_gateway: bool) -> None:
    network = ip_network((base, prefix), strict=False)
    gateway = default_gateway(str(network)) if with_gateway else None
    pools = default_pools(str(network), gateway)
    count = sum(int(ip_address(pool.end)) - int(ip_address(pool.start)) + 1 for pool in pools)
    reserved = 0 if prefix >= 31 else 2
    assert count == network.num_addresses - reserved - (gateway is not None)
    assert all(ip_address(pool.start) in network and ip_address(pool.end) in network for pool in pools)
    assert gateway is None or not any(holds(pool, gateway) for pool in pools)


def holds(pool: Pool, address: str) -> bool:
    return int(ip_address(pool.start)) <= int(ip_address(address)) <= int(ip_address(pool.end))


@given(st.integers(min_value=0, max_value=2**24 - 1), st.integers(min_value=0, max_value=2**24 - 1))
def test_two_addresses_of_one_range_never_have_one_mac(first: int, second: int) -> None:
    macs = {mac_address("port", str(ip_address((10 << 24) + low)), 0) for low in (first, second)}
    assert len(macs) == len({first, second})
    assert all(mac.startswith("fa:16:3e:") and len(mac) == 17 for mac in macs)
