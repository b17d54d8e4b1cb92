"""`/routers/{id}/add_extraroutes` and `remove_extraroutes`: some of a router's routes, without saying all of them."""

from collections.abc import Callable
from ipaddress import ip_address, ip_network
from typing import Final

import msgspec
from msgspec.structs import replace

from kilonode.cloud.openstack.network.collection import touched
from kilonode.cloud.openstack.network.faults import invalid
from kilonode.cloud.openstack.network.model import ROUTER, HostRoute, Router
from kilonode.cloud.openstack.network.routers import ROUTERS
from kilonode.cloud.openstack.web.access import Access
from kilonode.cloud.openstack.web.request import Request
from kilonode.cloud.openstack.web.response import Response, reply
from kilonode.cloud.openstack.web.service import Route
from kilonode.control.mirror import Put


class WantedRoutes(msgspec.Struct, frozen=True):
    """The `router` of a request."""

    routes: tuple[HostRoute, ...]


class RoutesBody(msgspec.Struct, frozen=True):
    """The body of a request."""

    router: WantedRoutes


async def add_extra_routes(request: Request) -> Response:
    """`PUT /routers/{id}/add_extraroutes`: those that are there already stay as they are."""
    wanted = _wanted(request)
    return await _change(request, lambda known: tuple(dict.fromkeys((*known, *wanted))))


async def remove_extra_routes(request: Request) -> Response:
    """`PUT /routers/{id}/remove_extraroutes`: those that are not there are gone already."""
    wanted = frozenset(_wanted(request))
    return await _change(request, lambda known: tuple(route for route in known if route not in wanted))


def _wanted(request: Request) -> tuple[HostRoute, ...]:
    routes = request.json(RoutesBody).router.routes
    for route in routes:
        try:
            ip_network(route.destination)
            ip_address(route.nexthop)
        except ValueError as error:
            raise invalid(f"Invalid input for routes. Reason: {error}.") from error
    return routes


async def _change(request: Request, change: Callable[[tuple[HostRoute, ...]], tuple[HostRoute, ...]]) -> Response:
    entry = ROUTERS.find_own(request, request.params["id"], "update")
    router: Router = touched(request.cloud, replace(entry.value, routes=change(entry.value.routes)))
    await request.cloud.mirror.commit([Put(ROUTER, router, router.id, entry.revision)])
    shown = {"id": router.id, "name": router.name, "routes": router.routes}
    return reply({"router": {**shown, "tenant_id": router.project_id, "project_id": router.project_id}})


ROUTES: Final = (
    Route("PUT", "/routers/{id}/add_extraroutes", add_extra_routes, Access.MEMBER),
    Route("PUT", "/routers/{id}/remove_extraroutes", remove_extra_routes, Access.MEMBER),
)
