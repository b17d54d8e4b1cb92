"""The first contents of a cloud: who may log in, the catalog, flavors, an image, networks, a volume type.

Three steps: people and services, once for all sites; where the services of this site are; and what this site has. Each
is written in one commit together with a mark that it was done, so it is there whole or not at all, several processes
may try at once, and what a user deletes later does not come back. The names are those that a DevStack makes.
"""

from collections.abc import Callable
from typing import Final

import msgspec

from kilonode.base.errors import InputError
from kilonode.cloud.context import Cloud
from kilonode.cloud.kinds import document
from kilonode.cloud.openstack.compute.model import FLAVOR, Flavor
from kilonode.cloud.openstack.identity.model import (
    ASSIGNMENT,
    DEFAULT_DOMAIN,
    DOMAIN,
    ENDPOINT,
    INTERFACES,
    PROJECT,
    REGION,
    ROLE,
    ROLE_INFERENCE,
    SERVICE,
    SYSTEM,
    USER,
    Assignment,
    Domain,
    Endpoint,
    Project,
    Region,
    Role,
    RoleInference,
    Service,
    User,
    take_name,
)
from kilonode.cloud.openstack.identity.options import IMMUTABLE
from kilonode.cloud.openstack.identity.passwords import hash_password
from kilonode.cloud.openstack.image.first import first_image
from kilonode.cloud.openstack.network.first import first_networks
from kilonode.cloud.openstack.volume.model import DEFAULT_TYPE_NAME, VOLUME_TYPE, VolumeType
from kilonode.control.mirror import Delete, Put
from kilonode.store.protocol import ConflictError

SEED: Final = "seed"
SHARED_SEED: Final = "shared-seed"
_DONE: Final = "done"

ROLES: Final = ("admin", "manager", "member", "reader", "service")
IMPLIED: Final = (("admin", "manager"), ("manager", "member"), ("member", "reader"))
"""Who has the first role has the second one too, as a Keystone sets it up."""
CATALOG: Final = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("placement", "placement", "/placement"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("block-storage", "cinder", "/volume/v3/$(project_id)s"),
    ("volumev3", "cinderv3", "/volume/v3/$(project_id)s"),
)
"""Type, name and place of each service. Old clients look for `volumev3`, new ones for `block-storage`."""
SECOND_IMAGE_ENDPOINT: Final = ("image_remote", "glance-remote", "/image-remote")
FLAVORS: Final = (
    Flavor("1", "m1.tiny", 1, 512, 1),
    Flavor("2", "m1.small", 1, 2_048, 20),
    Flavor("3", "m1.medium", 2, 4_096, 40),
    Flavor("4", "m1.large", 4, 8_192, 80),
    Flavor("5", "m1.xlarge", 8, 16_384, 160),
    Flavor("42", "m1.nano", 1, 192, 1),
    Flavor("84", "m1.micro", 1, 256, 1),
)


@document(SHARED_SEED, shared=True)
@document(SEED)
class Seed(msgspec.Struct, frozen=True):
    """The mark that first contents were written."""

    at_us: int


async def seed(cloud: Cloud) -> None:
    """Give a cloud its first contents, unless it had them before. Raises InputError without a password."""
    await cloud.mirror.catch_up()
    if cloud.mirror.get(SEED, _DONE) is not None:
        return
    if not cloud.settings.secrets.admin_password:
        raise InputError("the cloud was given no password for its administrator")
    await _once(cloud, SHARED_SEED, _DONE, lambda: [*_people(cloud), *_services(cloud)])
    await _once(cloud, SHARED_SEED, cloud.settings.region, lambda: _endpoints(cloud))
    await _once(cloud, SEED, _DONE, lambda: _contents(cloud))


async def _once(cloud: Cloud, kind: str, key: str, make: Callable[[], list[Put | Delete]]) -> None:
    """Make these changes together with the mark `key`, unless the mark is there."""
    if cloud.mirror.get(kind, key) is not None:
        return
    try:
        await cloud.mirror.commit([Put(kind, Seed(cloud.now_us()), key, 0), *make()])
    except ConflictError:
        if cloud.mirror.get(kind, key) is None:
            raise


def _contents(cloud: Cloud) -> list[Put | Delete]:
    """What belongs to this site alone."""
    projects = {
        entry.value.name: entry.value.id
        for entry in cloud.mirror.all(PROJECT).values()
        if entry.value.domain_id == DEFAULT_DOMAIN
    }
    volume_type = VolumeType(cloud.new_id(), DEFAULT_TYPE_NAME, "The type of volumes that name none")
    return [
        *first_networks(cloud, projects),
        *([first_image(cloud, projects["admin"])] if "admin" in projects else ()),
        *(Put(FLAVOR, flavor, flavor.id, 0) for flavor in FLAVORS),
        Put(VOLUME_TYPE, volume_type, volume_type.id, 0),
    ]


def _people(cloud: Cloud) -> list[Put | Delete]:
    """The domain, projects, users and roles.

    `admin` is administrator of everything, `demo` an ordinary user.
    """
    domain = Domain(DEFAULT_DOMAIN, "Default", "The default domain")
    changes: list[Put | Delete] = [
        Put(DOMAIN, domain, domain.id, 0),
        take_name(DOMAIN, "", domain.name, domain.id),
    ]
    roles = {name: Role(cloud.new_hexadecimal_id(), name, options={IMMUTABLE: True}) for name in ROLES}
    for role in roles.values():
        changes += [Put(ROLE, role, role.id, 0), take_name(ROLE, "", role.name, role.id)]
    for prior, implied in IMPLIED:
        inference = RoleInference(roles[prior].id, roles[implied].id)
        changes.append(Put(ROLE_INFERENCE, inference, inference.key, 0))
    projects = {
        name: Project(cloud.new_hexadecimal_id(), name, domain.id, description)
        for name, description in (
            ("admin", "The project of the administrator"),
            ("demo", "The project of the user demo"),
            ("service", "The project of the services"),
        )
    }
    for project in projects.values():
        changes += [Put(PROJECT, project, project.id, 0), take_name(PROJECT, domain.id, project.name, project.id)]
    password = cloud.settings.secrets.admin_password
    users = {
        name: User(
            cloud.new_hexadecimal_id(),
            name,
            domain.id,
            hash_password(password, cloud.new_hexadecimal_id()),
            default_project_id=projects[name].id,
        )
        for name in ("admin", "demo")
    }
    for user in users.values():
        changes += [Put(USER, user, user.id, 0), take_name(USER, domain.id, user.name, user.id)]
    admin, demo = users["admin"].id, users["demo"].id
    assignments = (
        Assignment(admin, "project", projects["admin"].id, roles["admin"].id),
        Assignment(admin, "project", projects["demo"].id, roles["admin"].id),
        Assignment(admin, "domain", domain.id, roles["admin"].id),
        Assignment(admin, "system", SYSTEM, roles["admin"].id),
        Assignment(demo, "project", projects["demo"].id, roles["member"].id),
    )
    changes += [Put(ASSIGNMENT, assignment, assignment.key, 0) for assignment in assignments]
    return changes


def _catalog(cloud: Cloud) -> tuple[tuple[str, str, str], ...]:
    return (*CATALOG, SECOND_IMAGE_ENDPOINT) if cloud.settings.services.image.second_endpoint else CATALOG


def _services(cloud: Cloud) -> list[Put | Delete]:
    services = [Service(cloud.new_hexadecimal_id(), kind, name) for kind, name, _ in _catalog(cloud)]
    return [Put(SERVICE, service, service.id, 0) for service in services]


def _endpoints(cloud: Cloud) -> list[Put | Delete]:
    """The region, and its endpoints below whatever its public address is at the time."""
    region = cloud.settings.region
    changes: list[Put | Delete] = [Put(REGION, Region(region), region, 0)]
    services = {entry.value.type: entry.value.id for entry in cloud.mirror.all(SERVICE).values()}
    for kind, _, path in _catalog(cloud):
        if kind not in services:
            continue  # a site that came later, and the operator had removed the service
        for interface in INTERFACES:
            endpoint = Endpoint(cloud.new_hexadecimal_id(), services[kind], interface, region, path)
            changes.append(Put(ENDPOINT, endpoint, endpoint.id, 0))
    return changes
