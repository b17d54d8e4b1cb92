"""Projects, users and quotas made for a run, and the tenants they become.

A tenant is a user in a project, with the networks, routers and security group of that project. Passwords are made from
the operating system's randomness (in simulated time from the seed, where they guard nothing) and live in memory only.
"""

import secrets
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Final

import msgspec

from kilonode.base.clock import Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.randomness import Randomness
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.run.actions import Actions
from kilonode.run.experiment import ComputeQuotas, NetworkQuotas, Quotas, Setup, VolumeQuotas
from kilonode.run.leftovers import has_service
from kilonode.run.naming import resource_name
from kilonode.run.networking import ProjectNetworks, make_project_networks, shared_networks, visible_networks
from kilonode.scenarios.tenant import Tenant

Connect = Callable[[Access], Awaitable[Connection]]
"""Gives a connection that is logged in with this access."""

FORBIDDEN: Final = 403
PASSWORD_BYTES: Final = 24
UNLIMITED: Final = -1
QUOTA_PLACES: Final = {
    "compute": ("quota_set", "/os-quota-sets"),
    "network": ("quota", "/quotas"),
    "volume": ("quota_set", "/os-quota-sets"),
}
"""Service to the key of its quota document, and to the path that the project's id is appended to."""
QUOTA_RECORDS: Final = {"compute": ComputeQuotas, "network": NetworkQuotas, "volume": VolumeQuotas}
WantedQuotas = dict[str, dict[str, int]]
"""Service to quota to value."""


class _User(msgspec.Struct, frozen=True):
    id: str
    access: Access


class _Project(msgspec.Struct, frozen=True):
    id: str
    users: tuple[_User, ...]
    networks: ProjectNetworks


async def own_tenant(
    access: Access, connection: Connection, setup: Setup, run_id: str, actions: Actions, external: str
) -> Tenant:
    """The cloud's own user and project as the one tenant, with networks made for it if the setup wants some."""
    made = await make_project_networks(connection, setup, run_id, 0, actions, external)
    networks = made.networks or await visible_networks(connection)
    return _tenant(access, connection.project_id, connection.user_id, made, networks, external)


async def make_tenants(
    access: Access, connect: Connect, setup: Setup, run_id: str, actions: Actions, external: str
) -> tuple[Tenant, ...]:
    """Every user of every project as a tenant: first one user of each project, then the second of each, …

    Raises InputError when the user of `access` may not make projects.
    """
    admin = await connect(access)
    roles = await _role_ids(admin, setup.roles)
    quotas = await _wanted_quotas(admin, setup)
    maker = _Maker(access, admin, connect, setup, run_id, actions, external, roles)
    projects = await actions.each([partial(maker.project, number, quotas) for number in range(setup.projects)])
    # Not the administrator's own: users of other projects cannot be put on those.
    shared = () if setup.networks_per_project else await shared_networks(admin)
    return tuple(
        _tenant(user.access, project.id, user.id, project.networks, project.networks.networks or shared, external)
        for turn in range(setup.users_per_project)
        for project in projects
        for user in project.users[turn : turn + 1]
    )


def _tenant(
    access: Access, project_id: str, user_id: str, made: ProjectNetworks, networks: tuple[str, ...], external: str
) -> Tenant:
    return Tenant(
        access=access,
        project_id=project_id,
        user_id=user_id,
        networks=networks,
        subnets=made.subnets,
        routers=made.routers,
        security_groups=made.security_groups,
        external_network=external,
    )


async def _role_ids(admin: Connection, names: tuple[str, ...]) -> tuple[str, ...]:
    try:
        known = {role["name"]: role["id"] for role in await admin.identity.list_all("/roles", "roles")}
    except OperationError as error:
        raise _not_an_administrator("see roles", error) from error
    for name in names:
        if name not in known:
            raise InputError(f"the cloud has no role {name!r}", where="setup.roles", expected=", ".join(sorted(known)))
    return tuple(known[name] for name in names)


async def _wanted_quotas(admin: Connection, setup: Setup) -> WantedQuotas:
    """What to set, for each service that the cloud has. Unlimited: all the quotas that the service itself names."""
    services = [service for service in QUOTA_PLACES if has_service(admin, service)]
    if isinstance(setup.quotas, Quotas):
        wanted: WantedQuotas = msgspec.to_builtins(setup.quotas)
        return {service: wanted[service] for service in services if wanted.get(service)}
    if setup.quotas == "unchanged":
        return {}
    return {service: dict.fromkeys(await _known_quotas(admin, service), UNLIMITED) for service in services}


async def _known_quotas(admin: Connection, service: str) -> tuple[str, ...]:
    """The quotas that the service has, out of those that Kilonode knows: not every cloud has all of them."""
    known = QUOTA_RECORDS[service].__struct_fields__
    key, path = QUOTA_PLACES[service]
    document = await admin.service(service).get(f"{path}/{admin.project_id}")
    return tuple(name for name in known if name in document[key])


class _Maker:
    """Makes one project with everything in it."""

    def __init__(
        self,
        access: Access,
        admin: Connection,
        connect: Connect,
        setup: Setup,
        run_id: str,
        actions: Actions,
        external: str,
        roles: tuple[str, ...],
    ) -> None:
        self.access, self.admin, self.connect, self.setup = access, admin, connect, setup
        self.run_id, self.actions, self.external, self.roles = run_id, actions, external, roles

    async def project(self, number: int, quotas: WantedQuotas) -> _Project:
        name = resource_name(self.run_id, "project", number)
        body = {"project": {"name": name, "description": f"Made by Kilonode run {self.run_id}", "enabled": True}}
        try:
            answer = await self.actions.do(
                "projects", "create", number, self.admin.identity.post("/projects", json=body)
            )
        except OperationError as error:
            raise _not_an_administrator("make projects", error) from error
        project_id = str(answer["project"]["id"])
        await self._quotas(project_id, number, quotas)
        users = [await self._user(project_id, number, index) for index in range(self.setup.users_per_project)]
        tenant = await self.connect(users[0].access)
        networks = await make_project_networks(tenant, self.setup, self.run_id, number, self.actions, self.external)
        return _Project(project_id, tuple(users), networks)

    async def _user(self, project_id: str, number: int, index: int) -> _User:
        password = self._password(number, index)
        name = resource_name(self.run_id, "user", number, index)
        count = number * self.setup.users_per_project + index
        body = {
            "user": {"name": name, "password": password, "default_project_id": project_id, "enabled": True},
        }
        answer = await self.actions.do("users", "create", count, self.admin.identity.post("/users", json=body))
        user_id = str(answer["user"]["id"])
        for role in self.roles:
            path = f"/projects/{project_id}/users/{user_id}/roles/{role}"
            await self.actions.do("users", "assign_role", count, self.admin.identity.put(path))
        return _User(user_id, self.access.as_user(user_id=user_id, password=password, project_id=project_id))

    async def _quotas(self, project_id: str, number: int, quotas: WantedQuotas) -> None:
        for service, values in quotas.items():
            key, path = QUOTA_PLACES[service]
            request = self.admin.service(service).put(f"{path}/{project_id}", json={key: values})
            await self.actions.do("quotas", service, number, request)

    def _password(self, number: int, index: int) -> str:
        clock: Clock = self.actions.clock
        if clock.simulated:
            return f"simulated-{Randomness(0, 'password', self.run_id, number, index).integer():016x}"
        return secrets.token_urlsafe(PASSWORD_BYTES)


def _not_an_administrator(what: str, error: OperationError) -> InputError | OperationError:
    if error.status != FORBIDDEN:
        return error
    return InputError(
        f"this user of the cloud may not {what}",
        where="setup.projects",
        expected="an administrator of the identity service",
        got=error.message,
        hint="use an administrator's cloud, or setup: {projects: 0} to run in the project you have",
    )
