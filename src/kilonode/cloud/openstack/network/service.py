"""The network service as data: its routes."""

from typing import Final

from kilonode.cloud.openstack.network import (
    address_groups,
    address_scopes,
    agents,
    availability,
    conntrack_helpers,
    default_rules,
    extra_routes,
    floating_ips,
    metering,
    networks,
    port_bindings,
    port_forwardings,
    port_routes,
    qos,
    quota_routes,
    rbac,
    routers,
    security_groups,
    subnet_pools,
    subnets,
    surroundings,
    tags,
    topology_routes,
    trunks,
)
from kilonode.cloud.openstack.network.collection import PREFIX
from kilonode.cloud.openstack.network.faults import network_fault_format
from kilonode.cloud.openstack.web.service import ServiceApp

NETWORK_SERVICE: Final = ServiceApp(
    name="network",
    prefix=PREFIX,
    root="/network",
    fault_format=network_fault_format,
    refusal="rule:{} is disallowed by policy",
    discovery=surroundings.DISCOVERY,
    routes=(
        *networks.ROUTES,
        *subnets.ROUTES,
        *port_routes.ROUTES,
        *port_bindings.ROUTES,
        *routers.ROUTES,
        *floating_ips.ROUTES,
        *security_groups.ROUTES,
        *default_rules.ROUTES,
        *quota_routes.ROUTES,
        *subnet_pools.ROUTES,
        *address_scopes.ROUTES,
        *address_groups.ROUTES,
        *qos.ROUTES,
        *port_forwardings.ROUTES,
        *conntrack_helpers.ROUTES,
        *extra_routes.ROUTES,
        *rbac.ROUTES,
        *trunks.ROUTES,
        *metering.ROUTES,
        *agents.ROUTES,
        *availability.ROUTES,
        *surroundings.ROUTES,
        *tags.ROUTES,
        *topology_routes.ROUTES,
    ),
)
