"""Networks, subnets, routers and security groups made for a run, and the ones that are there already.

Everything is made as the tenant itself, so that it belongs to the tenant's project as a user's own would.
"""

from typing import Any, Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.clients.openstack.connection import Connection
from kilonode.run.actions import Actions
from kilonode.run.addresses import subnet_range
from kilonode.run.experiment import Setup
from kilonode.run.naming import resource_name

FIRST_RULE_PORT: Final = 10_000


class ProjectNetworks(msgspec.Struct, frozen=True):
    """What was made in one project: ids."""

    networks: tuple[str, ...] = ()
    subnets: tuple[str, ...] = ()
    routers: tuple[str, ...] = ()
    security_groups: tuple[str, ...] = ()


async def find_external_network(connection: Connection, name: str) -> str:
    """The id of the external network called `name`, or of the first one for an empty name; empty without any.

    Raises InputError when there is none of that name.
    """
    query = (("router:external", "true"),)
    found = await connection.network.list_all("/networks", "networks", query)
    external = {str(network["name"]): str(network["id"]) for network in found if network.get("router:external", True)}
    if name and name not in external:
        expected = f"one of {', '.join(sorted(external))}" if external else "the cloud shows no external network"
        raise InputError(f"there is no external network {name!r}", where="setup.external_network", expected=expected)
    return external[name] if name else next(iter(external.values()), "")


async def visible_networks(connection: Connection) -> tuple[str, ...]:
    """The ids of the networks that servers of this project can be put on: its own and shared ones, not external."""
    return await _networks(connection, connection.project_id)


async def shared_networks(connection: Connection) -> tuple[str, ...]:
    """The ids of the networks that servers of any project can be put on."""
    return await _networks(connection, "")


async def _networks(connection: Connection, project_id: str) -> tuple[str, ...]:
    found = await connection.network.list_all("/networks", "networks")
    return tuple(
        str(network["id"])
        for network in found
        if not network.get("router:external")
        and network.get("subnets")
        and (network.get("shared") or (project_id and network.get("project_id") == project_id))
    )


async def make_project_networks(
    tenant: Connection, setup: Setup, run_id: str, project: int, actions: Actions, external: str
) -> ProjectNetworks:
    """Make what `setup` wants of networks in the project of `tenant`, which is the run's project number `project`."""
    maker = _Maker(tenant, setup, run_id, project, actions)
    networks, subnets = await maker.networks()
    routers = await maker.routers(subnets, external)
    groups = (await maker.security_group(),) if setup.security_group_rules else ()
    return ProjectNetworks(networks, subnets, routers, groups)


class _Maker:
    def __init__(self, tenant: Connection, setup: Setup, run_id: str, project: int, actions: Actions) -> None:
        self.tenant, self.setup, self.run_id, self.project, self.actions = tenant, setup, run_id, project, actions

    async def networks(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Networks and their subnets."""
        networks: list[str] = []
        subnets: list[str] = []
        for index in range(self.setup.networks_per_project):
            number = self.project * self.setup.networks_per_project + index
            name = resource_name(self.run_id, "network", self.project, index)
            network_id = await self._create("networks", "network", number, {"name": name})
            networks.append(network_id)
            parts = range(self.setup.subnets_per_network)
            subnets += [await self._subnet(network_id, index, part) for part in parts]
        return tuple(networks), tuple(subnets)

    async def _subnet(self, network_id: str, index: int, part: int) -> str:
        each = self.setup.networks_per_project * self.setup.subnets_per_network
        number = self.project * each + index * self.setup.subnets_per_network + part
        addresses = subnet_range(number, max(1, self.setup.projects) * each)
        name = resource_name(self.run_id, "subnet", self.project, index, part)
        body = {"name": name, "network_id": network_id, "ip_version": 4, "cidr": str(addresses)}
        return await self._create("subnets", "subnet", number, body)

    async def routers(self, subnets: tuple[str, ...], external: str) -> tuple[str, ...]:
        """Routers, with a gateway where there is an external network; the subnets are dealt out to them in turn."""
        routers: list[str] = []
        for index in range(self.setup.routers_per_project):
            number = self.project * self.setup.routers_per_project + index
            body: dict[str, Any] = {"name": resource_name(self.run_id, "router", self.project, index)}
            if external:
                body["external_gateway_info"] = {"network_id": external}
            router_id = await self._create("routers", "router", number, body)
            routers.append(router_id)
            for subnet_id in subnets[index :: self.setup.routers_per_project]:
                path = f"/routers/{router_id}/add_router_interface"
                action = self.tenant.network.put(path, json={"subnet_id": subnet_id})
                await self.actions.do("routers", "add_interface", number, action)
        return tuple(routers)

    async def security_group(self) -> str:
        """One group whose rules let in one TCP port each."""
        name = resource_name(self.run_id, "group", self.project)
        group_id = await self._create("security_groups", "security_group", self.project, {"name": name})
        for index in range(self.setup.security_group_rules):
            number = self.project * self.setup.security_group_rules + index
            port = FIRST_RULE_PORT + index
            rule = {"security_group_id": group_id, "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"}
            body = {**rule, "port_range_min": port, "port_range_max": port}
            await self._create("security_group_rules", "security_group_rule", number, body, path="security-group-rules")
        return group_id

    async def _create(self, stage: str, noun: str, number: int, body: dict[str, Any], path: str = "") -> str:
        place = path or stage.replace("_", "-")
        action = self.tenant.network.post(f"/{place}", json={noun: body})
        answer = await self.actions.do(stage, "create", number, action)
        return str(answer[noun]["id"])
