"""Logging in for setup and cleanup, as the user names the cloud."""

from kilonode.clients.openstack.access import Access, load_access
from kilonode.clients.openstack.connections import Connections, OpenTransport

__all__ = ["Connections", "OpenTransport", "real_access"]


def real_access(cloud: str | None) -> Access:
    """How to log in to a cloud of `clouds.yaml`, or to what the `OS_*` variables say for `envvars` or None."""
    return load_access(None if cloud == "envvars" else cloud)
