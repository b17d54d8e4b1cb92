"""The library's scenarios on the network service: for each kind of resource create, list, create and delete."""

from typing import Annotated

from msgspec import Meta

from kilonode.scenarios.actions import networks
from kilonode.scenarios.declaration import scenario
from kilonode.scenarios.iteration import Iteration
from kilonode.scenarios.references import NetworkName

Rules = Annotated[
    int,
    Meta(ge=0, le=1_000, description="How many rules the group gets, each letting in one TCP port; one request each."),
]
ExternalName = Annotated[
    NetworkName,
    Meta(description="The external network, by name or id. Without it, the one that setup chose."),
]


@scenario("network.create_network")
async def create_network(it: Iteration) -> None:
    """Create a network and leave it there until the end of the run.

    Steps: create_network.
    """
    await networks.create_network(it)


@scenario("network.create_and_delete_network")
async def create_and_delete_network(it: Iteration) -> None:
    """Create a network and delete it.

    Steps: create_network, delete_network.
    """
    network = await networks.create_network(it)
    await networks.delete(it, "network", network)


@scenario("network.list_networks")
async def list_networks(it: Iteration) -> None:
    """List all networks that the user can see, page by page.

    Steps: list_networks.
    """
    await networks.list_all(it, "network")


@scenario("network.create_subnet")
async def create_subnet(it: Iteration) -> None:
    """Create a network with a subnet and leave them there until the end of the run.

    Steps: create_network, create_subnet.
    """
    network = await networks.create_network(it)
    await networks.create_subnet(it, network)


@scenario("network.create_and_delete_subnet")
async def create_and_delete_subnet(it: Iteration) -> None:
    """Create a network with a subnet and delete them.

    Steps: create_network, create_subnet, delete_subnet, delete_network.
    """
    network = await networks.create_network(it)
    subnet = await networks.create_subnet(it, network)
    await networks.delete(it, "subnet", subnet)
    await networks.delete(it, "network", network)


@scenario("network.list_subnets")
async def list_subnets(it: Iteration) -> None:
    """List all subnets that the user can see, page by page.

    Steps: list_subnets.
    """
    await networks.list_all(it, "subnet")


@scenario("network.create_port")
async def create_port(it: Iteration, *, network: NetworkName = "") -> None:
    """Create a port on a network of the tenant and leave it there until the end of the run.

    Steps: create_port.
    """
    await networks.create_port(it, network)


@scenario("network.create_and_delete_port")
async def create_and_delete_port(it: Iteration, *, network: NetworkName = "") -> None:
    """Create a port on a network of the tenant and delete it.

    Steps: create_port, delete_port.
    """
    port = await networks.create_port(it, network)
    await networks.delete(it, "port", port)


@scenario("network.list_ports")
async def list_ports(it: Iteration) -> None:
    """List all ports that the user can see, page by page.

    Steps: list_ports.
    """
    await networks.list_all(it, "port")


@scenario("network.create_router")
async def create_router(it: Iteration) -> None:
    """Create a router and leave it there until the end of the run.

    Steps: create_router.
    """
    await networks.create_router(it)


@scenario("network.create_and_delete_router")
async def create_and_delete_router(it: Iteration) -> None:
    """Create a network with a subnet and a router with an interface on it, and delete all that.

    Steps: create_network, create_subnet, create_router, add_interface, remove_interface, delete_router, delete_subnet,
    delete_network.
    """
    network = await networks.create_network(it)
    subnet = await networks.create_subnet(it, network)
    router = await networks.create_router(it)
    await networks.add_interface(it, router, subnet)
    await networks.remove_interface(it, router, subnet)
    for noun, identity in (("router", router), ("subnet", subnet), ("network", network)):
        await networks.delete(it, noun, identity)


@scenario("network.list_routers")
async def list_routers(it: Iteration) -> None:
    """List all routers that the user can see, page by page.

    Steps: list_routers.
    """
    await networks.list_all(it, "router")


@scenario("network.create_security_group")
async def create_security_group(it: Iteration, *, rules: Rules = 10) -> None:
    """Create a security group with rules and leave it there until the end of the run.

    Each rule is one step `create_security_group_rule`.

    Steps: create_security_group, create_security_group_rule.
    """
    await networks.create_security_group(it, rules=rules)


@scenario("network.create_and_delete_security_group")
async def create_and_delete_security_group(it: Iteration, *, rules: Rules = 10) -> None:
    """Create a security group with rules and delete it.

    Each rule is one step `create_security_group_rule`; all rules go with the group.

    Steps: create_security_group, create_security_group_rule, delete_security_group.
    """
    group = await networks.create_security_group(it, rules=rules)
    await networks.delete(it, "security_group", group)


@scenario("network.list_security_groups")
async def list_security_groups(it: Iteration) -> None:
    """List all security groups that the user can see, with their rules, page by page.

    Steps: list_security_groups.
    """
    await networks.list_all(it, "security_group")


@scenario("network.create_floating_ip")
async def create_floating_ip(it: Iteration, *, network: ExternalName = "") -> None:
    """Take a floating IP and keep it until the end of the run.

    Steps: create_floating_ip.
    """
    await networks.create_floating_ip(it, network)


@scenario("network.create_and_delete_floating_ip")
async def create_and_delete_floating_ip(it: Iteration, *, network: ExternalName = "") -> None:
    """Take a floating IP and give it back.

    Steps: create_floating_ip, delete_floating_ip.
    """
    floating_ip = await networks.create_floating_ip(it, network)
    await networks.delete(it, "floating_ip", floating_ip)


@scenario("network.list_floating_ips")
async def list_floating_ips(it: Iteration) -> None:
    """List all floating IPs that the user can see, page by page.

    Steps: list_floating_ips.
    """
    await networks.list_all(it, "floating_ip")
