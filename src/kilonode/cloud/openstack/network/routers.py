"""`/routers` and their gateways. A gateway is a port of the router; so are `router_interfaces`."""

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from kilonode.cloud.context import Cloud
from kilonode.cloud.openstack.network.collection import Changes, Collection, owner, standard_fields
from kilonode.cloud.openstack.network.faults import disallowed
from kilonode.cloud.openstack.network.model import (
    PORT,
    ROUTER,
    ROUTER_INTERFACE,
    SUBNET,
    HostRoute,
    Network,
    Port,
    Router,
    by_project,
    floating_ips_by_router,
    ports_by_device,
)
from kilonode.cloud.openstack.network.networks import NETWORKS
from kilonode.cloud.openstack.network.plugging import WantedAddress, new_port, remove_port
from kilonode.cloud.openstack.network.topologies import gateway_port
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.faults import Fault
from kilonode.cloud.openstack.web.fields import Fields
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Delete, Put


class WantedGateway(msgspec.Struct, frozen=True):
    """The `external_gateway_info` of a router; without a network it has none."""

    network_id: str | None = None
    enable_snat: bool | None = None
    external_fixed_ips: tuple[WantedAddress, ...] | None = None


class WantedRouter(msgspec.Struct, frozen=True):
    """The `router` of a create or update request."""

    name: str | UnsetType = UNSET
    description: str | UnsetType = UNSET
    admin_state_up: bool | UnsetType = UNSET
    distributed: bool | UnsetType | None = UNSET
    ha: bool | UnsetType | None = UNSET
    routes: tuple[HostRoute, ...] | UnsetType | None = UNSET
    external_gateway_info: WantedGateway | UnsetType | None = UNSET
    availability_zone_hints: tuple[str, ...] = ()
    project_id: str | None = None
    tenant_id: str | None = None
    tags: tuple[str, ...] = ()


def make_router_fields(cloud: Cloud) -> Fields[Router]:
    """The fields of a router."""

    def gateway(router: Router) -> dict[str, Any] | None:
        port = cloud.mirror.get(PORT, router.gateway_port_id)
        if not router.gateway_network_id or port is None:
            return None
        return {
            "network_id": router.gateway_network_id,
            "enable_snat": router.enable_snat,
            "external_fixed_ips": port.value.fixed_ips,
        }

    return Fields(
        {
            "id": lambda router: router.id,
            "name": lambda router: router.name,
            "admin_state_up": lambda router: router.admin_state_up,
            "status": lambda router: "ACTIVE",
            "external_gateway_info": gateway,
            "distributed": lambda router: router.distributed,
            "ha": lambda router: router.ha,
            "routes": lambda router: router.routes,
            "availability_zone_hints": lambda router: router.availability_zone_hints,
            "availability_zones": lambda router: cloud.settings.zones,
            "flavor_id": lambda router: None,
            **standard_fields(),
        }
    )


ROUTERS: Final[Collection[Router]] = Collection(
    kind=ROUTER,
    noun="router",
    plural="routers",
    type_noun="Router",
    title="Router",
    make_fields=make_router_fields,
    indexes=(
        ("project_id", lambda mirror: by_project(mirror, ROUTER)),
        ("tenant_id", lambda mirror: by_project(mirror, ROUTER)),
    ),
    admin_fields=frozenset({"distributed", "ha"}),
)


def interfaces_of(cloud: Cloud, router_id: str) -> list[Port]:
    """The ports by which the router is on its subnets."""
    table = cloud.mirror.all(PORT)
    ports = (table[key].value for key in ports_by_device(cloud.mirror).keys(router_id))
    return [port for port in ports if port.device_owner == ROUTER_INTERFACE]


async def list_routers(request: Request) -> Response:
    """`GET /routers`."""
    return ROUTERS.listing(request)


async def create_router(request: Request) -> Response:
    """`POST /routers`."""
    return await ROUTERS.create(request, WantedRouter, _new_router)


async def show_router(request: Request) -> Response:
    """`GET /routers/{id}`."""
    return ROUTERS.show(request, ROUTERS.find(request, request.params["id"]).value)


async def update_router(request: Request) -> Response:
    """`PUT /routers/{id}`."""
    return await ROUTERS.update(request, WantedRouter, _changed_router)


async def delete_router(request: Request) -> Response:
    """`DELETE /routers/{id}`, with its gateway: not while it has interfaces."""
    entry = ROUTERS.find_own(request, request.params["id"], "delete")
    router, cloud = entry.value, request.cloud
    held = interfaces_of(cloud, router.id)
    if held:
        attached = ",".join(port.id for port in held)
        raise Fault(409, f"Router {router.id} has ports still attached: {attached}", type="RouterInUse")
    _refuse_gateway_change(cloud, router)
    await cloud.mirror.commit([Delete(ROUTER, router.id, entry.revision), *_without_gateway(cloud, router)])
    return reply(None, 204)


def _new_router(request: Request, wanted: WantedRouter) -> tuple[Router, Changes]:
    cloud = request.cloud
    now_us = cloud.now_us()
    router = Router(
        id=cloud.new_id(),
        project_id=owner(request, wanted.project_id or wanted.tenant_id),
        created_us=now_us,
        updated_us=now_us,
        availability_zone_hints=wanted.availability_zone_hints,
        tags=wanted.tags,
    )
    router = _with_wishes(request, router, wanted)
    changes: Changes = []
    if isinstance(wanted.external_gateway_info, WantedGateway) and wanted.external_gateway_info.network_id:
        router, changes = _with_gateway(request, router, wanted.external_gateway_info)
    return router, [*changes, Put(ROUTER, router, router.id, 0)]


def _changed_router(request: Request, router: Router, wanted: WantedRouter) -> tuple[Router, Changes]:
    changed = _with_wishes(request, router, wanted)
    if wanted.routes is not UNSET:
        _check_routes(request.cloud, changed)
    info = wanted.external_gateway_info
    if info is UNSET:
        return changed, []
    if info is None or not info.network_id:
        _refuse_gateway_change(request.cloud, router)
        gone = _without_gateway(request.cloud, router)
        return msgspec.structs.replace(changed, gateway_network_id="", gateway_port_id=""), gone
    if info.network_id == router.gateway_network_id and info.external_fixed_ips is None:
        snat = router.enable_snat if info.enable_snat is None else info.enable_snat
        return msgspec.structs.replace(changed, enable_snat=snat), []
    _refuse_gateway_change(request.cloud, router)
    gone = _without_gateway(request.cloud, router)
    changed, changes = _with_gateway(request, changed, info)
    return changed, [*gone, *changes]


def _check_routes(cloud: Cloud, router: Router) -> None:
    """Raises Fault 400 for a way over a place that the router does not reach."""
    gateway = cloud.mirror.get(PORT, router.gateway_port_id)
    ports = [*interfaces_of(cloud, router.id), *([gateway.value] if gateway is not None else [])]
    subnets = [cloud.mirror.get(SUBNET, fixed.subnet_id) for port in ports for fixed in port.fixed_ips]
    reached = [ip_network(subnet.value.cidr) for subnet in subnets if subnet is not None]
    if any(not any(ip_address(route.nexthop) in one for one in reached) for route in router.routes):
        routes = [{"destination": route.destination, "nexthop": route.nexthop} for route in router.routes]
        words = f"Invalid format for routes: {routes}, the nexthop is not connected with router"
        raise Fault(400, words, type="InvalidRoutes")


def _with_wishes(request: Request, router: Router, wanted: WantedRouter) -> Router:
    if not request.caller.is_admin and (wanted.distributed not in (UNSET, None) or wanted.ha not in (UNSET, None)):
        raise disallowed("create_router:distributed" if wanted.distributed not in (UNSET, None) else "create_router:ha")
    names = ("name", "description", "admin_state_up")
    wishes: dict[str, Any] = {name: getattr(wanted, name) for name in names if getattr(wanted, name) is not UNSET}
    if wanted.routes is not UNSET:
        wishes["routes"] = tuple(dict.fromkeys(wanted.routes or ()))
    for name in ("distributed", "ha"):
        if getattr(wanted, name) not in (UNSET, None):
            wishes[name] = getattr(wanted, name)
    return msgspec.structs.replace(router, **wishes)


def _with_gateway(request: Request, router: Router, info: WantedGateway) -> tuple[Router, Changes]:
    """The router with a gateway port on an external network."""
    if info.enable_snat is not None and not request.caller.is_admin:
        raise disallowed("create_router:external_gateway_info:enable_snat")
    network: Network = NETWORKS.find(request, info.network_id or "").value
    if not network.external:
        raise Fault(400, f"Bad router request: Network {network.id} is not an external network.", type="BadRequest")
    port = gateway_port(router.id, network, request.cloud.new_id())
    port, changes = new_port(request.cloud, network, port, addresses=_gateway_addresses(info))
    snat = True if info.enable_snat is None else info.enable_snat
    with_gateway = msgspec.structs.replace(
        router, gateway_network_id=network.id, gateway_port_id=port.id, enable_snat=snat
    )
    return with_gateway, changes


def _gateway_addresses(info: WantedGateway) -> Sequence[WantedAddress] | None:
    return info.external_fixed_ips or None


def _without_gateway(cloud: Cloud, router: Router) -> Changes:
    entry = cloud.mirror.get(PORT, router.gateway_port_id)
    return remove_port(cloud, entry.value) if entry is not None else []


def _refuse_gateway_change(cloud: Cloud, router: Router) -> None:
    if router.gateway_network_id and floating_ips_by_router(cloud.mirror).count(router.id):
        raise Fault(
            409,
            f"Gateway cannot be updated for router {router.id}, since a gateway to external network "
            f"{router.gateway_network_id} is required by one or more floating IPs.",
            type="RouterExternalGatewayInUseByFloatingIp",
        )


ROUTES: Final = (
    Route("GET", "/routers", list_routers, Access.READER),
    Route("POST", "/routers", create_router, Access.MEMBER),
    Route("GET", "/routers/{id}", show_router, Access.READER),
    Route("PUT", "/routers/{id}", update_router, Access.MEMBER),
    Route("DELETE", "/routers/{id}", delete_router, Access.MEMBER),
)
