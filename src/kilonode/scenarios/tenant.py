"""A tenant: the user and project that iterations run as, and what setup made for them."""

import msgspec

from kilonode.clients.openstack.access import Access


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user in a project. Iteration n of every workload runs as tenant n modulo their number.

    All lists are ids. Printing it shows no secret (`Access` sees to that).
    """

    access: Access
    """How to log in as this user."""
    project_id: str
    user_id: str
    networks: tuple[str, ...] = ()
    """Networks that servers may be put on, made for the project or there before."""
    subnets: tuple[str, ...] = ()
    """Subnets made for the project."""
    routers: tuple[str, ...] = ()
    """Routers made for the project."""
    security_groups: tuple[str, ...] = ()
    """Security groups made for the project."""
    external_network: str = ""
    """The network that gateways and floating IPs are on; empty when the cloud has none."""
