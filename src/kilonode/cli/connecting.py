"""How the user names a cloud, and how to log in to it."""

from kilonode.clients.openstack.access import Access, load_access


def real_access(cloud: str | None) -> Access:
    """How to log in to a cloud of `clouds.yaml`, or to what the `OS_*` variables say for `envvars` or None."""
    return load_access(None if cloud == "envvars" else cloud)
