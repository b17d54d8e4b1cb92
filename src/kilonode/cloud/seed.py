"""The first contents of a cloud: who may log in, the catalog, flavors, an image, networks, a volume type.

Written in one commit together with a mark that it was done, so it is there whole or not at all, several processes may
try at once, and what a user deletes later does not come back. The names are those that a DevStack makes.
"""

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
from kilonode.cloud.openstack.identity.passwords import hash_password
from kilonode.cloud.openstack.image.first import first_image
from kilonode.cloud.openstack.network.first import first_networks
from kilonode.cloud.openstack.volume.model import DEFAULT_TYPE_NAME, VOLUME_TYPE, VolumeType
from kilonode.control.mirror import Delete, Put
from kilonode.store.protocol import ConflictError

SEED: Final = "seed"
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
FLAVORS: Final = (
    Flavor("1", "m1.tiny", 1, 512, 1),
    Flavor("2", "m1.small", 1, 2_048, 20),
    Flavor("3", "m1.medium", 2, 4_096, 40),
    Flavor("4", "m1.large", 4, 8_192, 80),
    Flavor("5", "m1.xlarge", 8, 16_384, 160),
    Flavor("42", "m1.nano", 1, 192, 1),
    Flavor("84", "m1.micro", 1, 256, 1),
)


@document(SEED)
class Seed(msgspec.Struct, frozen=True):
    """The mark that the first contents were written."""

    at_us: int


async def seed(cloud: Cloud) -> None:
    """Give a cloud its first contents, unless it had them before. Raises InputError without a password."""
    await cloud.mirror.catch_up()
    if cloud.mirror.get(SEED, _DONE) is not None:
        return
    if not cloud.settings.secrets.admin_password:
        raise InputError("the cloud was given no password for its administrator")
    projects, changes = _people(cloud)
    changes += _catalog(cloud)
    changes += first_networks(cloud, projects)
    changes.append(first_image(cloud, projects["admin"]))
    changes += [Put(FLAVOR, flavor, flavor.id, 0) for flavor in FLAVORS]
    volume_type = VolumeType(cloud.new_id(), DEFAULT_TYPE_NAME, "The type of volumes that name none")
    changes.append(Put(VOLUME_TYPE, volume_type, volume_type.id, 0))
    try:
        await cloud.mirror.commit([Put(SEED, Seed(cloud.now_us()), _DONE, 0), *changes])
    except ConflictError:
        if cloud.mirror.get(SEED, _DONE) is None:
            raise


def _people(cloud: Cloud) -> tuple[dict[str, str], list[Put | Delete]]:
    """The ids of the projects by name, and the changes that make the domain, projects, users and roles.

    `admin` is administrator of everything, `demo` an ordinary user.
    """
    domain = Domain(DEFAULT_DOMAIN, "Default", "The default domain")
    changes: list[Put | Delete] = [
        Put(DOMAIN, domain, domain.id, 0),
        take_name(DOMAIN, "", domain.name, domain.id),
    ]
    roles = {name: Role(cloud.new_hexadecimal_id(), name) for name in ROLES}
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
    return {name: project.id for name, project in projects.items()}, changes


def _catalog(cloud: Cloud) -> list[Put | Delete]:
    """The region, the services and their endpoints, below whatever the cloud's public address is at the time."""
    region = cloud.settings.region
    changes: list[Put | Delete] = [Put(REGION, Region(region), region, 0)]
    for kind, name, path in CATALOG:
        service = Service(cloud.new_hexadecimal_id(), kind, name)
        changes.append(Put(SERVICE, service, service.id, 0))
        for interface in INTERFACES:
            endpoint = Endpoint(cloud.new_hexadecimal_id(), service.id, interface, region, path)
            changes.append(Put(ENDPOINT, endpoint, endpoint.id, 0))
    return changes
