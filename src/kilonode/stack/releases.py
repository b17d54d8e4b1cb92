"""Which OpenStack releases can be installed, and what makes one of them coherent.

OpenStack publishes lists of library versions that were tested together; they lie on servers a lab machine may not
reach. The package index itself remembers the same thing: what was newest on a day. So a release is installed as the
world was ten to fourteen days after it came out: services of the release, libraries of that day. `newest` has no such
day.
"""

from datetime import date
from typing import Final

import msgspec

from kilonode.base.errors import InputError, nearest

NEWEST: Final = "newest"

SERVICE_PACKAGES: Final = ("keystone", "openstack-placement", "glance", "neutron", "nova")
"""The packages of the services, as the index names them."""
SUPPORT_PACKAGES: Final = ("pymysql", "pymemcache", "python-memcached", "uwsgi")
"""The driver of the database, the clients of the cache (the services' own, and that of the middleware that checks
tokens), and the server that runs the APIs."""


class Release(msgspec.Struct, frozen=True):
    """One coordinated release of OpenStack."""

    name: str
    as_of: date | None
    """Nothing that was published later is installed; None: no such day."""
    nova_major: int | None
    """The major version of Nova that belongs to it, by which it is known; None: whatever is newest."""


RELEASES: Final = (
    Release(NEWEST, None, None),
    Release("2026.1", date(2026, 4, 10), 33),
    Release("2025.2", date(2025, 10, 15), 32),
)
"""The releases that were brought up with this code, newest first."""


def find_release(name: str) -> Release:
    """The release of this name. Raises InputError with the nearest one."""
    names = [release.name for release in RELEASES]
    for release in RELEASES:
        if release.name == name:
            return release
    raise InputError(
        f"there is no release {name!r}",
        where="--release",
        expected=" or ".join([", ".join(names[:-1]), names[-1]]),
        hint=nearest(name, names) or f"{NEWEST} is the newest that the package index has",
    )
