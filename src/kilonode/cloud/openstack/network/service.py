"""The network service as data: its routes."""

from typing import Final

from kilonode.cloud.openstack.network import (
    floating_ips,
    networks,
    port_routes,
    quota_routes,
    routers,
    security_groups,
    subnets,
    surroundings,
    tags,
)
from kilonode.cloud.openstack.network.collection import PREFIX
from kilonode.cloud.openstack.network.faults import network_fault_format
from kilonode.cloud.openstack.web.service import ServiceApp

NETWORK_SERVICE: Final = ServiceApp(
    name="network",
    prefix=PREFIX,
    root="/network",
    fault_format=network_fault_format,
    discovery=surroundings.DISCOVERY,
    routes=(
        *networks.ROUTES,
        *subnets.ROUTES,
        *port_routes.ROUTES,
        *routers.ROUTES,
        *floating_ips.ROUTES,
        *security_groups.ROUTES,
        *quota_routes.ROUTES,
        *surroundings.ROUTES,
        *tags.ROUTES,
    ),
)
