"""Bringing a stack up, step by step; each step can be done again, and those that need doing once are remembered.

The order is what the services demand of one another: Keystone must know the services' users before Nova's scheduler and
conductor start, and hosts are only found by the scheduler after `discover_hosts`. Where two steps do not depend on one
another they go on at the same time.
"""

import asyncio
import getpass
import grp
import os
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Final, Protocol

from kilonode.base.clock import NANOSECONDS_PER_SECOND, Clock
from kilonode.base.errors import InputError, OperationError
from kilonode.base.processes import is_alive
from kilonode.clients.http import HttpTransport
from kilonode.clients.openstack.connection import Connection
from kilonode.stack import content, daemons
from kilonode.stack.clock_library import build_clock_library
from kilonode.stack.commands import run_command
from kilonode.stack.configuration import glance, keystone, neutron, nova, placement
from kilonode.stack.configuration.site import ADDRESS, ADMIN, REGION, Sections, Site, digest, render
from kilonode.stack.folder import ServiceRecord
from kilonode.stack.plan import ComputePlan
from kilonode.stack.running import MARK, start, until_ready
from kilonode.stack.services import Service, agents, apis, compute, workers

SYNC_TIMEOUT_S: Final = 600.0
READY_TIMEOUT_S: Final = 180.0
COMPUTE_TIMEOUT_S: Final = 30.0
"""How long each compute service has to show its nodes, beside READY_TIMEOUT_S for all: they start side by side."""
STARTS_AT_ONCE: Final = 4
"""How many compute services start at the same time: each is two seconds of a processor's work before it does any."""
CELL_IS_THERE: Final = 2
"""The exit status of `nova-manage cell_v2 create_cell` for a cell that an `up` made before it was stopped."""
DATABASES: Final = (
    keystone.DATABASE, placement.DATABASE, glance.DATABASE, neutron.DATABASE,
    nova.API_DATABASE, nova.CELL_DATABASE, nova.CELL0_DATABASE,
)  # fmt: skip


class Progress(Protocol):
    """Somebody who watches a stack come up."""

    def begin(self, step: str) -> None:
        """A step begins."""
        ...

    def end(self, step: str, took_s: float, note: str) -> None:
        """A step is done; `note` may say more."""
        ...

    def say(self, line: str) -> None:
        """Something worth a line."""
        ...


class BringingUp:
    """Brings up one stack whose folder, environment and settings are there."""

    def __init__(self, site: Site, clock: Clock, progress: Progress) -> None:
        self._site = site
        self._clock = clock
        self._progress = progress
        self._transport = HttpTransport(clock)

    async def run(self) -> None:
        """All steps, in order. Raises InputError for the first that fails; what was started stays."""
        site = self._site
        for each in (site, *map(site.of_release, sorted({*site.releases.values()}))):
            write_configuration(each)
        await build_clock_library(site)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._mariadb())
                group.create_task(self._rabbitmq())
                group.create_task(self._memcached())
            await self._prepare()
            async with self._step("Keystone"):
                await self._start_api("keystone")
            connection = await self._connect()
            async with self._step("users and catalog"):
                await content.make_catalog(site, connection)
            async with self._step("Placement, Glance, Neutron, Nova"):
                await self._start_services(connection)
            connection = await self._connect()
            await self._computes(connection)
            await self._agents(connection)
            async with self._step("flavors, image, network"):
                await content.make_content(site, connection)
        except* OperationError as group_of_errors:
            error = _first(group_of_errors)
            raise InputError(
                f"a service refused while the stack came up: {error}",
                where=str(site.folder.path),
                hint=f"look at the logs in {site.folder.logs}; the same command again goes on from here",
            ) from error
        except* InputError as group_of_errors:
            raise _first(group_of_errors) from None
        finally:
            await self._transport.close()

    async def _mariadb(self) -> None:
        site = self._site
        async with self._step("MariaDB"):
            await self._once("mariadb tables", lambda: daemons.prepare_mariadb(site))
            command = tuple(daemons.mariadb_command(site))
            record = start(site.folder, Service("mariadb", command, port=site.ports.mariadb))

            async def missing() -> str:
                try:
                    await daemons.query(site, "SELECT 1;")
                except InputError as error:
                    return error.problem.got
                return ""

            await until_ready(site.folder, [record], self._clock, READY_TIMEOUT_S, missing)
            statements = daemons.database_statements(site, DATABASES)
            await self._once("databases", lambda: daemons.query(site, statements))

    async def _rabbitmq(self) -> None:
        site = self._site
        async with self._step("RabbitMQ"):
            daemons.prepare_rabbitmq(site)
            mapper = start(site.folder, Service("epmd", tuple(daemons.epmd_command(site)), port=site.ports.epmd))
            await self._until_listening(mapper, site.ports.epmd)
            variables = daemons.rabbitmq_variables(site)
            service = Service("rabbitmq", tuple(daemons.rabbitmq_command()), variables=variables)
            record = start(site.folder, service)
            await self._until_listening(record, site.ports.rabbitmq)

    async def _memcached(self) -> None:
        async with self._step("memcached"):
            service = Service("memcached", tuple(daemons.memcached_command(self._site)))
            await self._until_listening(start(self._site.folder, service), self._site.ports.memcached)

    async def _prepare(self) -> None:
        """The schemas of all databases, side by side, and Keystone's first administrator."""
        site = self._site
        async with asyncio.TaskGroup() as group:
            for name, commands in _schema_commands(site).items():
                group.create_task(self._schema(name, commands))

    async def _schema(self, name: str, commands: Sequence[Sequence[str]]) -> None:
        site = self._site
        if f"{name} schema" in site.folder.done():
            return

        async def sync() -> None:
            for command in commands:
                await run_command(
                    [site.environment.program(command[0]), *command[1:]],
                    site.folder.commands_log,
                    timeout_s=SYNC_TIMEOUT_S,
                    variables=command_variables(site),
                    accepted=(0, CELL_IS_THERE) if "create_cell" in command else (0,),
                    what=f"the database of {name} cannot be made",
                )

        async with self._step(f"database of {name}"):
            await self._once(f"{name} schema", sync)

    async def _start_services(self, connection: Connection) -> None:
        site = self._site
        async with asyncio.TaskGroup() as group:
            for name in ("placement", "glance", "neutron", "nova"):
                group.create_task(self._start_api(name))
        wanted = workers(site)
        records = [start(site.folder, service) for service in wanted.values()]
        reporting = ("nova-conductor", "nova-scheduler")

        async def missing() -> str:
            try:
                up = await content.services_up(connection)
            except OperationError as error:
                return str(error)
            return ", ".join(f"{name} has not reported" for name in reporting if not up.get(name))

        connection = await self._connect()
        await until_ready(site.folder, records, self._clock, READY_TIMEOUT_S, missing)

    async def _computes(self, connection: Connection) -> None:
        site = self._site
        plans = site.settings.computes
        async with self._step(f"{site.settings.nodes} nodes on {len(plans)} compute services") as note:
            hosts = "".join(f"{plan.host}\n" for plan in plans)
            site.folder.write_private(site.data("neutron", "hosts"), hosts)
            waiting = list(reversed(plans))
            records: list[ServiceRecord] = []
            timeout_s = READY_TIMEOUT_S + COMPUTE_TIMEOUT_S * len(plans)
            async with asyncio.TaskGroup() as group:
                for _ in range(min(STARTS_AT_ONCE, len(plans))):
                    group.create_task(self._start_computes(connection, waiting, records, timeout_s))

            async def missing() -> str:
                shown = await content.nodes_up(site, connection)
                return "" if shown >= site.settings.nodes else f"{shown} of {site.settings.nodes} nodes are up"

            await until_ready(site.folder, records, self._clock, timeout_s, missing)
            # They are counted before the API knows in which cell they are, and nothing can be booted there.
            await self._discover()
            note.append(f"{site.settings.nodes} hypervisors up")

    async def _start_computes(
        self, connection: Connection, waiting: list[ComputePlan], records: list[ServiceRecord], timeout_s: float
    ) -> None:
        """Start compute services one after the other, each when the one before has reported."""
        while waiting:
            plan = waiting.pop()
            write_compute(self._site.of_process(plan.host), plan)
            since = self._clock.utc()
            running = {known.process for known in self._site.folder.services() if is_alive(known.identity)}
            record = start(self._site.folder, compute(self._site, plan))
            records.append(record)
            if plan.host in running:
                continue

            async def missing(host: str = plan.host, since: datetime = since) -> str:
                return "" if await content.reported(connection, host, since) else f"{host} has not reported"

            await until_ready(self._site.folder, [record], self._clock, timeout_s, missing)

    async def _discover(self) -> None:
        """Have the API know hosts that are new to it."""
        site = self._site
        await run_command(
            [site.environment.program("nova-manage"), "--config-file", site.directory("nova") / "nova.conf",
             "cell_v2", "discover_hosts"],
            site.folder.commands_log,
            timeout_s=SYNC_TIMEOUT_S,
            variables=command_variables(site),
            what="Nova cannot discover its hosts",
        )  # fmt: skip

    async def _agents(self, connection: Connection) -> None:
        site = self._site
        if not site.settings.network:
            return
        wanted = len(site.settings.computes)
        async with self._step(f"{wanted} network agents, reported only"):
            record = start(site.folder, agents(site))

            async def missing() -> str:
                alive = await content.agents_alive(connection)
                return "" if alive >= wanted else f"{alive} of {wanted} agents are alive"

            await until_ready(site.folder, [record], self._clock, READY_TIMEOUT_S, missing)

    async def _start_api(self, name: str) -> None:
        service = apis(self._site)[name]
        record = start(self._site.folder, service)
        url = f"{self._site.url(name)}/"

        async def missing() -> str:
            try:
                response = await self._transport.request("GET", url, timeout_s=READY_TIMEOUT_S)
            except OperationError as error:
                return str(error)
            return "" if response.status < 500 else f"{url} answers {response.status}"

        await until_ready(self._site.folder, [record], self._clock, READY_TIMEOUT_S, missing)

    async def _until_listening(self, record: ServiceRecord, port: int) -> None:
        async def missing() -> str:
            try:
                _, writer = await asyncio.open_connection(ADDRESS, port)
            except OSError as error:
                return f"port {port}: {error.strerror}"
            writer.close()
            return ""

        await until_ready(self._site.folder, [record], self._clock, READY_TIMEOUT_S, missing)

    async def _connect(self) -> Connection:
        connection = Connection(content.admin_access(self._site), self._transport, self._clock)
        await connection.connect()
        return connection

    async def _once(self, step: str, do: Callable[[], Awaitable[object]]) -> None:
        """Do it unless it was done before; then remember that it is done."""
        if step in self._site.folder.done():
            return
        await do()
        self._site.folder.write_done(self._site.folder.done() | {step})

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[list[str]]:
        began_ns = self._clock.now_ns()
        self._progress.begin(name)
        note: list[str] = []
        yield note
        took_s = (self._clock.now_ns() - began_ns) / NANOSECONDS_PER_SECOND
        self._progress.end(name, took_s, "; ".join(note))


def configuration_files(site: Site) -> dict[str, dict[str, Sections]]:
    """Every configuration file that is ours, by service and name."""
    return {
        "keystone": keystone.files(site),
        "placement": placement.files(site),
        "glance": glance.files(site),
        "neutron": neutron.files(site),
        "nova": nova.files(site),
    }


def configuration_digests(site: Site) -> dict[str, str]:
    """For each service, what tells its configuration from another one's."""
    return {service: digest(files, site) for service, files in configuration_files(site).items()}


def write_configuration(site: Site) -> None:
    """Write every configuration file, for the owner alone, and make the folders they name."""
    for service, files in configuration_files(site).items():
        for name, sections in files.items():
            site.folder.write_private(site.directory(service) / name, render(sections))
        site.data(service).mkdir(mode=0o700, exist_ok=True)
    for names in (("keystone", "fernet-keys"), ("keystone", "credential-keys"), ("glance", "images")):
        site.data(*names).mkdir(mode=0o700, parents=True, exist_ok=True)
    paste = site.environment.shared_file("nova", "api-paste.ini").read_text()
    site.folder.write_private(site.directory("nova") / "api-paste.ini", paste)


def write_compute(site: Site, plan: ComputePlan) -> None:
    """Write what one compute service reads."""
    folder = nova.compute_folder(site, plan)
    site.folder.write_private(site.directory("nova") / f"{plan.host}.conf", render(nova.compute_file(site, plan)))
    site.folder.write_private(folder / "nodes.json", nova.compute_description(site, plan))
    # Nova writes one at the first start and refuses a second start without; with many nodes it never writes one.
    identity = uuid.uuid5(uuid.NAMESPACE_DNS, f"{site.folder.name}.{plan.host}")
    site.folder.write_private(folder / "compute_id", f"{identity}\n")


def _schema_commands(site: Site) -> dict[str, list[list[str]]]:
    def manage(program: str, service: str, files: Sequence[str], *commands: str) -> list[list[str]]:
        options = configuration_options(site, service, files)
        return [[program, *options, *command.split()] for command in commands]

    url = site.identity_url + "/"
    me = f"--keystone-user {_me()[0]} --keystone-group {_me()[1]}"
    bootstrap = (
        f"bootstrap --bootstrap-username {ADMIN} --bootstrap-project-name {ADMIN} --bootstrap-role-name admin "
        f"--bootstrap-service-name keystone --bootstrap-region-id {REGION} "
        f"--bootstrap-public-url {url} --bootstrap-internal-url {url} --bootstrap-admin-url {url}"
    )
    return {
        "Keystone": manage(
            "keystone-manage", "keystone", ["keystone.conf"],
            "db_sync", f"fernet_setup {me}", f"credential_setup {me}", bootstrap,
        ),
        "Placement": manage("placement-manage", "placement", ["placement.conf"], "db sync"),
        "Glance": manage("glance-manage", "glance", ["glance-api.conf"], "db_sync"),
        "Neutron": manage("neutron-db-manage", "neutron", ["neutron.conf", "ml2_conf.ini"], "upgrade heads"),
        "Nova": manage(
            "nova-manage", "nova", ["nova.conf"],
            "api_db sync", "cell_v2 map_cell0", "db sync", "cell_v2 create_cell --name cell1",
        ),
    }  # fmt: skip


def configuration_options(site: Site, service: str, files: Sequence[str]) -> list[str]:
    """Which files a command of a service is to read."""
    return [part for name in files for part in ("--config-file", str(site.directory(service) / name))]


def command_variables(site: Site) -> dict[str, str]:
    """The environment of a command; with the mark, since one that outlives a killed `up` must be found."""
    # Placement's tool reads no --config-file at some releases; a password never stands among arguments.
    variables = {
        MARK: str(site.folder.path),
        "OS_BOOTSTRAP_PASSWORD": site.secrets.admin,
        "OS_PLACEMENT_CONFIG_DIR": str(site.directory("placement")),
    }
    return Service("", (), variables=variables).environment()


def _me() -> tuple[str, str]:
    return getpass.getuser(), grp.getgrgid(os.getgid()).gr_name


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
