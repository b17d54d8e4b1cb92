"""What a fresh stack is given through its own APIs: users and catalog, then flavors, an image and a network.

Everything is asked for first and made only when it is missing, so this can be done again. The names are those of the
emulated cloud, so that one experiment suits both.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.stack.configuration.site import ADMIN, DOMAIN, REGION, SERVICE_PROJECT, Site
from kilonode.stack.services import COMPUTE

DEMO: Final = "demo"
WITH_STATISTICS: Final = "2.87"
"""The last microversion at which Nova counts its hypervisors."""
SERVICE_TYPES: Final = {"placement": "placement", "glance": "image", "neutron": "network", "nova": "compute"}
SERVICE_PATHS: Final = {"nova": "/v2.1"}
SERVICE_USERS: Final = ("placement", "glance", "neutron", "nova")
FLAVORS: Final = (
    # name, virtual CPUs, memory in MiB, disk in GiB: Nova's own of old. None has a disk of 0, which only
    # administrators may boot.
    ("m1.tiny", 1, 512, 1),
    ("m1.small", 1, 2048, 20),
    ("m1.medium", 2, 4096, 40),
    ("m1.large", 4, 8192, 80),
    ("m1.xlarge", 8, 16384, 160),
    ("m1.nano", 1, 192, 1),
    ("m1.micro", 1, 256, 1),
)
IMAGE: Final = "cirros"
IMAGE_BYTES: Final = 1024
NETWORK: Final = "public"


def admin_access(site: Site) -> Access:
    """How the administrator logs in."""
    return Access(
        auth_url=site.identity_url,
        cloud=site.folder.name,
        username=ADMIN,
        user_domain_name=DOMAIN,
        password=site.secrets.admin,
        project_name=ADMIN,
        project_domain_name=DOMAIN,
        region_name=REGION,
    )


async def make_catalog(site: Site, connection: Connection) -> None:
    """The services' users, with their roles, and the catalog. Raises OperationError."""
    keystone = connection.identity
    roles = {role["name"]: role["id"] for role in await keystone.list_all("/roles", "roles")}
    for name in ("service", "admin", "member", "reader"):
        if name not in roles:
            roles[name] = (await keystone.post("/roles", json={"role": {"name": name}}))["role"]["id"]
    projects = {project["name"]: project["id"] for project in await keystone.list_all("/projects", "projects")}
    for name in (SERVICE_PROJECT, DEMO):
        if name not in projects:
            document = {"project": {"name": name, "domain_id": "default"}}
            projects[name] = (await keystone.post("/projects", json=document))["project"]["id"]
    users = {user["name"]: user["id"] for user in await keystone.list_all("/users", "users")}
    passwords = dict.fromkeys(SERVICE_USERS, site.secrets.services) | {DEMO: site.secrets.demo}
    for name, password in passwords.items():
        if name not in users:
            document = {"user": {"name": name, "password": password, "domain_id": "default"}}
            users[name] = (await keystone.post("/users", json=document))["user"]["id"]
    grants = [(SERVICE_PROJECT, name, role) for name in SERVICE_USERS for role in ("admin", "service")]
    for project, user, role in [*grants, (DEMO, DEMO, "member")]:
        await keystone.put(f"/projects/{projects[project]}/users/{users[user]}/roles/{roles[role]}")
    services = {service["name"]: service["id"] for service in await keystone.list_all("/services", "services")}
    endpoints = {(one["service_id"], one["interface"]) for one in await keystone.list_all("/endpoints", "endpoints")}
    for name, kind in SERVICE_TYPES.items():
        if name not in services:
            document = {"service": {"name": name, "type": kind}}
            services[name] = (await keystone.post("/services", json=document))["service"]["id"]
        for interface in ("public", "internal", "admin"):
            if (services[name], interface) in endpoints:
                continue
            endpoint = {
                "service_id": services[name],
                "interface": interface,
                "region_id": REGION,
                "url": site.url(name) + SERVICE_PATHS.get(name, ""),
            }
            await keystone.post("/endpoints", json={"endpoint": endpoint})


async def make_content(site: Site, connection: Connection) -> None:
    """Flavors, an image and, with networks, one for everybody. Raises OperationError."""
    await asyncio.gather(_make_flavors(connection), _make_image(connection))
    if site.settings.network:
        await _make_network(connection)


async def nodes_up(site: Site, connection: Connection) -> int:
    """How many nodes the API knows whose compute service is up.

    Two cheap questions: a list of all hypervisors, with the state of each, takes Nova seconds at a thousand of them.
    """
    document = await connection.compute.get("/os-hypervisors/statistics", microversion=WITH_STATISTICS)
    known = int(document["hypervisor_statistics"]["count"])
    hosts = {service["host"] for service in await _services_up(connection) if service["binary"] == COMPUTE}
    return min(known, sum(plan.count for plan in site.settings.computes if plan.host in hosts))


async def reported(connection: Connection, host: str, since: datetime) -> bool:
    """Whether the compute service of this host has reported since. One that ran before counts as up for a minute."""
    document = await connection.compute.get("/os-services", query={"host": host})
    for service in document["services"]:
        last = service.get("updated_at")
        # The service gives whole seconds of UTC, without a zone.
        if last and datetime.fromisoformat(last).replace(tzinfo=UTC) >= since.replace(microsecond=0):
            return bool(service["state"] == "up")
    return False


async def services_up(connection: Connection) -> dict[str, int]:
    """How many Nova services of each kind have reported lately."""
    return Counter(service["binary"] for service in await _services_up(connection))


async def agents_alive(connection: Connection) -> int:
    """How many network agents are alive in Neutron's eyes."""
    document = await connection.network.get("/agents")
    return sum(1 for agent in document["agents"] if agent["alive"])


async def _services_up(connection: Connection) -> list[dict[str, Any]]:
    document = await connection.compute.get("/os-services")
    return [service for service in document["services"] if service["state"] == "up"]


async def _make_flavors(connection: Connection) -> None:
    known = {flavor["name"] for flavor in await connection.compute.list_all("/flavors", "flavors")}
    for name, vcpus, memory_mib, disk_gib in FLAVORS:
        if name not in known:
            flavor = {"name": name, "vcpus": vcpus, "ram": memory_mib, "disk": disk_gib}
            await connection.compute.post("/flavors", json={"flavor": flavor})


async def _make_image(connection: Connection) -> None:
    images = await connection.image.list_all("/images", "images", [("name", IMAGE)])
    active = [image for image in images if image["status"] == "active"]
    if active:
        return
    for image in images:  # left by a bringing up that was stopped half way
        await connection.image.delete(f"/images/{image['id']}")
    wanted = {"name": IMAGE, "disk_format": "raw", "container_format": "bare", "visibility": "public"}
    image = await connection.image.post("/images", json=wanted)
    await connection.image.request(
        "PUT",
        f"/images/{image['id']}/file",
        body=bytes(IMAGE_BYTES),
        headers=(("Content-Type", "application/octet-stream"),),
    )


async def _make_network(connection: Connection) -> None:
    networks: Sequence[dict[str, Any]] = await connection.network.list_all("/networks", "networks", [("name", NETWORK)])
    if networks:
        network = networks[0]
    else:
        wanted = {"network": {"name": NETWORK, "shared": True}}
        network = (await connection.network.post("/networks", json=wanted))["network"]
    if not network["subnets"]:
        subnet = {
            "network_id": network["id"],
            "name": f"{NETWORK}-subnet",
            "ip_version": 4,
            "cidr": "10.128.0.0/14",
            "enable_dhcp": False,
        }
        await connection.network.post("/subnets", json={"subnet": subnet})
