"""`/agents` and what they host: an agent of ports on each node, and on two network hosts agents of DHCP and of routers.

Agents of nodes live as their nodes do; the others live as the service does. Which of them hosts a network or a router
follows from its id, until an administrator says otherwise.
"""

import hashlib
import uuid
from typing import Any, Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.context import timestamp
from kilonode.cloud.kinds import document
from kilonode.cloud.liveness import is_node_up, last_seen_us
from kilonode.cloud.openstack.network.collection import touched
from kilonode.cloud.openstack.network.faults import missing
from kilonode.cloud.openstack.network.model import NETWORK, ROUTER, SUBNET, Network, Router
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.routers import ROUTERS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.cloud.resources import NODE, Node
from kilonode.control.mirror import Entry, Put

AGENT_SETTINGS: Final = "network_agent"
DHCP: Final = "DHCP agent"
L3: Final = "L3 agent"
_HOSTS: Final = ("network-1", "network-2")
_KINDS: Final = {
    DHCP: ("neutron-dhcp-agent", "dhcp_agent"),
    L3: ("neutron-l3-agent", "l3_agent"),
    "Metadata agent": ("neutron-metadata-agent", "N/A"),
    "Metering agent": ("neutron-metering-agent", "metering_agent"),
}


@document(AGENT_SETTINGS)
class AgentSettings(msgspec.Struct, frozen=True, omit_defaults=True):
    """What an administrator set for an agent; its key is the agent's id."""

    admin_state_up: bool = True
    description: str | None = None


async def list_agents(request: Request) -> Response:
    """`GET /agents`: all of them, to administrators; others see none."""
    if not request.caller.is_admin:
        return reply({"agents": []})
    wanted = [(name, text) for name, text in request.query if name in _COMPARED]
    agents = [one for one in _all(request) if all(_matches(one, name, text) for name, text in wanted)]
    fields = request.query.all("fields")
    if fields:
        agents = [{name: one[name] for name in fields if name in one} for one in agents]
    return reply({"agents": agents}, items=len(agents))


async def show_agent(request: Request) -> Response:
    """`GET /agents/{agent_id}`."""
    return reply({"agent": _find(request)})


async def update_agent(request: Request) -> Response:
    """`PUT /agents/{agent_id}`: whether it takes part, and what is said of it."""
    agent = _find(request)
    wanted = request.json_object().get("agent")
    changes: dict[str, Any] = {}
    if isinstance(wanted, dict):
        if isinstance(wanted.get("admin_state_up"), bool):
            changes["admin_state_up"] = wanted["admin_state_up"]
        if "description" in wanted:
            changes["description"] = None if wanted["description"] is None else str(wanted["description"])
    mirror = request.cloud.mirror
    entry = mirror.get(AGENT_SETTINGS, agent["id"])
    settings = replace(AgentSettings() if entry is None else entry.value, **changes)
    await mirror.commit([Put(AGENT_SETTINGS, settings, agent["id"], 0 if entry is None else entry.revision)])
    return reply({"agent": {**agent, **changes}})


async def list_dhcp_agents(request: Request) -> Response:
    """`GET /networks/{id}/dhcp-agents`."""
    network = NETWORKS.find(request, request.params["id"]).value
    hosting = _dhcp_agents(request, network)
    return reply({"agents": [one for one in _hosted(request, DHCP) if one["id"] in hosting]})


async def list_dhcp_networks(request: Request) -> Response:
    """`GET /agents/{agent_id}/dhcp-networks`."""
    agent = _find(request, DHCP)
    networks = [entry.value for entry in request.cloud.mirror.all(NETWORK).values()]
    shown = [NETWORKS.view(request, one) for one in networks if agent["id"] in _dhcp_agents(request, one)]
    return reply({"networks": shown}, items=len(shown))


async def add_dhcp_network(request: Request) -> Response:
    """`POST /agents/{agent_id}/dhcp-networks`."""
    agent = _find(request, DHCP)
    entry = NETWORKS.find(request, str(request.json_object().get("network_id")))
    hosting = _dhcp_agents(request, entry.value)
    if agent["id"] in hosting:
        raise Fault(
            409,
            f"The network {entry.value.id} has been already hosted by the DHCP Agent {agent['id']}.",
            type="NetworkHostedByDHCPAgent",
        )
    await _write(request, NETWORK, entry, dhcp_agents=(*hosting, agent["id"]))
    return reply(None, 201)


async def remove_dhcp_network(request: Request) -> Response:
    """`DELETE /agents/{agent_id}/dhcp-networks/{id}`."""
    agent = _find(request, DHCP)
    entry = NETWORKS.find(request, request.params["id"])
    hosting = _dhcp_agents(request, entry.value)
    if agent["id"] not in hosting:
        raise Fault(
            409,
            f"The network {entry.value.id} is not hosted by the DHCP agent {agent['id']}.",
            type="NetworkNotHostedByDhcpAgent",
        )
    await _write(request, NETWORK, entry, dhcp_agents=tuple(one for one in hosting if one != agent["id"]))
    return reply(None, 204)


async def list_l3_agents(request: Request) -> Response:
    """`GET /routers/{id}/l3-agents`."""
    router = ROUTERS.find(request, request.params["id"]).value
    hosting = _l3_agents(router)
    return reply({"agents": [one for one in _hosted(request, L3) if one["id"] in hosting]})


async def list_l3_routers(request: Request) -> Response:
    """`GET /agents/{agent_id}/l3-routers`."""
    agent = _find(request, L3)
    routers = [entry.value for entry in request.cloud.mirror.all(ROUTER).values()]
    shown = [ROUTERS.view(request, one) for one in routers if agent["id"] in _l3_agents(one)]
    return reply({"routers": shown}, items=len(shown))


async def add_l3_router(request: Request) -> Response:
    """`POST /agents/{agent_id}/l3-routers`: a router has one agent."""
    agent = _find(request, L3)
    entry = ROUTERS.find(request, str(request.json_object().get("router_id")))
    hosting = _l3_agents(entry.value)
    if hosting and agent["id"] not in hosting:
        raise Fault(
            409,
            f"The router {entry.value.id} has been already hosted by the L3 Agent {hosting[0]}.",
            type="RouterHostedByL3Agent",
        )
    await _write(request, ROUTER, entry, l3_agents=(agent["id"],))
    return reply(None, 201)


async def remove_l3_router(request: Request) -> Response:
    """`DELETE /agents/{agent_id}/l3-routers/{id}`."""
    agent = _find(request, L3)
    entry = ROUTERS.find(request, request.params["id"])
    hosting = _l3_agents(entry.value)
    if agent["id"] not in hosting:
        raise Fault(
            409,
            f"The router {entry.value.id} is not hosted by L3 agent {agent['id']}.",
            type="RouterNotHostedByL3Agent",
        )
    await _write(request, ROUTER, entry, l3_agents=tuple(one for one in hosting if one != agent["id"]))
    return reply(None, 204)


def _dhcp_agents(request: Request, network: Network) -> tuple[str, ...]:
    """The agents that host a network: none while no subnet of it has DHCP."""
    if network.dhcp_agents is not None:
        return network.dhcp_agents
    subnets = [request.cloud.mirror.get(SUBNET, key) for key in network.subnet_ids]
    if not any(subnet is not None and subnet.value.enable_dhcp for subnet in subnets):
        return ()
    return (_agent_id(f"{DHCP}/{_chosen_host(network.id)}"),)


def _l3_agents(router: Router) -> tuple[str, ...]:
    if router.l3_agents is not None:
        return router.l3_agents
    return (_agent_id(f"{L3}/{_chosen_host(router.id)}"),)


def _chosen_host(key: str) -> str:
    return _HOSTS[hashlib.blake2b(key.encode(), digest_size=1).digest()[0] % len(_HOSTS)]


def _find(request: Request, agent_type: str = "") -> dict[str, Any]:
    """The agent that the path names, of this type if one is asked for. Raises Fault 404."""
    key = request.params["agent_id"]
    for agent in _all(request) if not agent_type else _hosted(request, agent_type):
        if agent["id"] == key:
            return agent
    raise missing("Agent", "Agent", key)


_COMPARED: Final = frozenset(
    {"id", "agent_type", "binary", "topic", "host", "admin_state_up", "alive", "availability_zone", "description"}
)


def _matches(agent: dict[str, Any], name: str, text: str) -> bool:
    # Without regard to case, as the databases of real clouds compare.
    return str(agent[name]).lower() == text.lower()


def _all(request: Request) -> list[dict[str, Any]]:
    nodes = [_of_node(request, entry.value) for entry in request.cloud.mirror.all(NODE).values()]
    return [*nodes, *(agent for kind in _KINDS for agent in _hosted(request, kind))]


def _hosted(request: Request, kind: str) -> list[dict[str, Any]]:
    """The agents of a kind on the network hosts."""
    binary, topic = _KINDS[kind]
    now = timestamp(request.cloud.now_us())
    zone = request.cloud.settings.zones[0]
    return [
        _with_settings(
            request,
            {
                "id": _agent_id(f"{kind}/{host}"),
                "agent_type": kind,
                "binary": binary,
                "topic": topic,
                "host": host,
                "admin_state_up": True,
                "alive": True,
                "availability_zone": zone if kind in (DHCP, L3) else None,
                "created_at": now,
                "started_at": now,
                "heartbeat_timestamp": now,
                "description": None,
                "configurations": {},
                "resources_synced": None,
            },
        )
        for host in _HOSTS
    ]


def _of_node(request: Request, node: Node) -> dict[str, Any]:
    cloud = request.cloud
    return _with_settings(
        request,
        {
            "id": _id_from_node(node),
            "agent_type": "Open vSwitch agent",
            "binary": "neutron-openvswitch-agent",
            "topic": "N/A",
            "host": node.name,
            "admin_state_up": True,
            "alive": is_node_up(cloud, node),
            "availability_zone": None,
            "created_at": timestamp(node.registered_us),
            "started_at": timestamp(node.registered_us),
            "heartbeat_timestamp": timestamp(last_seen_us(cloud, node)),
            "description": None,
            "configurations": {},
            "resources_synced": None,
        },
    )


def _with_settings(request: Request, agent: dict[str, Any]) -> dict[str, Any]:
    entry: Entry[AgentSettings] | None = request.cloud.mirror.get(AGENT_SETTINGS, agent["id"])
    if entry is not None:
        agent |= {"admin_state_up": entry.value.admin_state_up, "description": entry.value.description}
    return agent


def _agent_id(name: str) -> str:
    digest = hashlib.blake2b(name.encode(), digest_size=16, person=b"network-agent").digest()
    return str(uuid.UUID(bytes=digest, version=4))


def _id_from_node(node: Node) -> str:
    """An id of its own that follows from the node's: the same digits from the other end."""
    digits = node.uuid.replace("-", "")
    turned = digits[16:] + digits[:16]
    return f"{turned[:8]}-{turned[8:12]}-4{turned[13:16]}-a{turned[17:20]}-{turned[20:]}"


async def _write(request: Request, kind: str, entry: Entry[Any], **changes: Any) -> None:
    record = touched(request.cloud, replace(entry.value, **changes))
    await request.cloud.mirror.commit([Put(kind, record, record.id, entry.revision)])


_AGENT: Final = "/agents/{agent_id}"
ROUTES: Final = (
    Route("GET", "/agents", list_agents, Access.READER),
    Route("GET", _AGENT, show_agent, Access.ADMIN),
    Route("PUT", _AGENT, update_agent, Access.ADMIN),
    Route("GET", f"{_AGENT}/dhcp-networks", list_dhcp_networks, Access.ADMIN),
    Route("POST", f"{_AGENT}/dhcp-networks", add_dhcp_network, Access.ADMIN),
    Route("DELETE", f"{_AGENT}/dhcp-networks/{{id}}", remove_dhcp_network, Access.ADMIN),
    Route("GET", f"{_AGENT}/l3-routers", list_l3_routers, Access.ADMIN),
    Route("POST", f"{_AGENT}/l3-routers", add_l3_router, Access.ADMIN),
    Route("DELETE", f"{_AGENT}/l3-routers/{{id}}", remove_l3_router, Access.ADMIN),
    Route("GET", "/networks/{id}/dhcp-agents", list_dhcp_agents, Access.ADMIN),
    Route("GET", "/routers/{id}/l3-agents", list_l3_agents, Access.ADMIN),
)
