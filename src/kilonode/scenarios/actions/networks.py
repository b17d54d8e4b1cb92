"""What can be done with the resources of the network service: create, delete, list.

All of them are made and gone when the service answers, so each action is one step, called after what it does:
create_network, delete_subnet, list_ports. Names begin with the run's prefix; a floating IP has it in its description.
"""

from typing import Any, Final

from kilonode.base.errors import InputError
from kilonode.scenarios.actions.answers import delete_if_there, identity_in
from kilonode.scenarios.actions.servers import choose_network
from kilonode.scenarios.iteration import Iteration

PATHS: Final = {
    "network": "/networks",
    "subnet": "/subnets",
    "port": "/ports",
    "router": "/routers",
    "security_group": "/security-groups",
    "security_group_rule": "/security-group-rules",
    "floating_ip": "/floatingips",
}
"""Noun to path. The step is called after the noun."""
_KEYS: Final = {"floating_ip": "floatingip"}
_FIRST_PORT: Final = 10_000


async def create_network(it: Iteration) -> str:
    """Create a network; gives its id. Step: create_network."""
    return await _create(it, "network", {"name": it.name("network")})


async def create_subnet(it: Iteration, network: str) -> str:
    """Create a subnet of 254 addresses; gives its id. Step: create_subnet."""
    number = it.number
    addresses = f"10.{number // 256 % 256}.{number % 256}.0/24"  # may overlap with others: on other networks
    body = {"name": it.name("subnet"), "network_id": network, "ip_version": 4, "cidr": addresses}
    return await _create(it, "subnet", body)


async def create_port(it: Iteration, network: str = "") -> str:
    """Create a port on the network, else on one of the tenant's, in turn; gives its id. Step: create_port."""
    chosen = choose_network(it, network)
    if not chosen:
        hint = "add setup: {networks_per_project: 1}, or name a network in the arguments"
        raise InputError("the tenant has no network for a port", where=f"workloads.{it.workload}", hint=hint)
    return await _create(it, "port", {"name": it.name("port"), "network_id": chosen})


async def create_router(it: Iteration) -> str:
    """Create a router without a gateway; gives its id. Step: create_router."""
    return await _create(it, "router", {"name": it.name("router")})


async def add_interface(it: Iteration, router: str, subnet: str) -> None:
    """Put a router on a subnet. Step: add_interface."""
    with it.step("add_interface"):
        await it.cloud.network.put(f"/routers/{router}/add_router_interface", json={"subnet_id": subnet})
    it.made("interface", router, lambda: _remove_interface(it, router, subnet))


async def remove_interface(it: Iteration, router: str, subnet: str) -> None:
    """Take a router off a subnet. Step: remove_interface."""
    with it.step("remove_interface"):
        await it.cloud.network.put(f"/routers/{router}/remove_router_interface", json={"subnet_id": subnet})
    it.unmade("interface", router)


async def create_security_group(it: Iteration, *, rules: int) -> str:
    """Create a group and so many rules, each letting in one TCP port; gives the group's id.

    Steps: create_security_group; create_security_group_rule for each rule.
    """
    body = {"name": it.name("group"), "description": f"Made by Kilonode run {it.run_id}"}
    group = await _create(it, "security_group", body)
    for index in range(rules):
        port = _FIRST_PORT + index
        rule = {"security_group_id": group, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
        with it.step("create_security_group_rule"):
            ports = {"port_range_min": port, "port_range_max": port}
            await it.cloud.network.post(PATHS["security_group_rule"], json={"security_group_rule": rule | ports})
    return group


async def create_floating_ip(it: Iteration, network: str = "") -> str:
    """Take an address of the external network; gives its id. Step: create_floating_ip."""
    external = network or (it.tenant.external_network if it.tenant is not None else "")
    if not external:
        hint = "name an external network in the arguments, or in setup: {external_network: …}"
        raise InputError("the cloud shows no external network", where=f"workloads.{it.workload}", hint=hint)
    return await _create(it, "floating_ip", {"floating_network_id": external, "description": it.name("floating-ip")})


async def delete(it: Iteration, noun: str, identity: str) -> None:
    """Delete one resource by its noun (see `PATHS`) and id. Step: delete_<noun>."""
    with it.step(f"delete_{noun}"):
        await it.cloud.network.delete(f"{PATHS[noun]}/{identity}")
    it.unmade(noun, identity)


async def list_all(it: Iteration, noun: str) -> int:
    """List all resources of a kind that the user can see, page by page; gives how many. Step: list_<noun>s."""
    with it.step(f"list_{noun}s"):
        collection = f"{_KEYS.get(noun, noun)}s"
        return len(await it.cloud.network.list_all(PATHS[noun], collection))


async def _create(it: Iteration, noun: str, body: dict[str, Any]) -> str:
    key = _KEYS.get(noun, noun)
    with it.step(f"create_{noun}"):
        identity = identity_in(await it.cloud.network.post(PATHS[noun], json={key: body}), key)
    it.made(noun, identity, lambda: delete_if_there(it.cloud.network, f"{PATHS[noun]}/{identity}"))
    return identity


async def _remove_interface(it: Iteration, router: str, subnet: str) -> None:
    path = f"/routers/{router}/remove_router_interface"
    await it.cloud.network.request("PUT", path, json={"subnet_id": subnet}, expect=(200, 404))
