"""A whole compute service in simulated time: all roles over a store in memory, called without a socket.

The token is the name of who calls: `admin`, or `role:project`, such as `member:p1`.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.context import Cloud, CloudSettings, NodeShape
from kilonode.cloud.fleet import run_nodes
from kilonode.cloud.openstack.compute import lifecycle, node_life, placing
from kilonode.cloud.openstack.compute.model import FLAVOR, SERVER, Flavor, Server, claims
from kilonode.cloud.openstack.compute.routes import COMPUTE
from kilonode.cloud.openstack.image.model import IMAGE, Image
from kilonode.cloud.openstack.network import reconcile as network
from kilonode.cloud.openstack.network.service import NETWORK_SERVICE
from kilonode.cloud.openstack.placement.routes import PLACEMENT
from kilonode.cloud.openstack.volume import reconcile as volumes
from kilonode.cloud.openstack.volume.model import VOLUME_TYPE, VolumeType
from kilonode.cloud.openstack.volume.service import VOLUME_SERVICE
from kilonode.cloud.openstack.web.access import Caller, access_of
from kilonode.cloud.openstack.web.application import Application
from kilonode.cloud.resources import NODE, NODE_USAGE, NodeUsage, Resources
from kilonode.cloud.role_counts import RoleCounts, names_of
from kilonode.control.mirror import Put
from kilonode.store.memory import MemoryStore

SMALL = NodeShape(vcpus=4, memory_mb=4096, disk_gb=40, cpu_allocation_ratio=1.0, reserved_memory_mb=0)
SERVICES = (COMPUTE, PLACEMENT, NETWORK_SERVICE, VOLUME_SERVICE)
OTHER_SERVICES = ("/placement", "/network", "/volume")
FLAVORS = (
    Flavor("1", "tiny", 1, 512, 1),
    Flavor("2", "small", 2, 1024, 10),
    Flavor("3", "large", 4, 4096, 40),
    Flavor("9", "huge", 64, 512, 1),
)


class Answer:
    """What the service answered."""

    def __init__(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body: Any = json.loads(body) if body else None


class Compute:
    """The service and its roles."""

    def __init__(self, store: MemoryStore, settings: CloudSettings) -> None:
        self.store = store
        self.settings = settings
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.tasks: dict[str, asyncio.Task[None]] = {}
        self.cloud: Cloud
        self._application: Application

    async def start(self) -> None:
        self.cloud = await Cloud.open(self.store, self.clock, self.settings, "api", ())
        missing = [flavor for flavor in FLAVORS if self.cloud.mirror.get(FLAVOR, flavor.id) is None]
        if missing:
            await self.cloud.mirror.commit([Put(FLAVOR, flavor, flavor.id) for flavor in missing])
            images = [
                Image(key, "admin-project", 0, 0, status="active", visibility="public", size_bytes=20_000_000)
                for key in ("some-image", "i", "other")
            ]
            await self.cloud.mirror.commit([Put(IMAGE, image, image.id) for image in images])
            await self.cloud.mirror.commit([Put(VOLUME_TYPE, VolumeType("type-1", "lvmdriver-1"), "type-1")])
        self._application = Application(self.cloud, SERVICES, _caller)
        schedulers = self.settings.roles.scheduler
        for number in range(schedulers):
            await self.start_scheduler(names_of("scheduler", schedulers)[number])
        for number in range(self.settings.roles.fleet):
            await self.start_fleet(number)
        self.tasks["volumes"] = asyncio.create_task(volumes.run_volumes(self.cloud))
        await self.start_network()
        while len(self.cloud.mirror.all(NODE)) < self.settings.nodes:
            await self.clock.sleep(0.01)

    async def start_scheduler(self, role: str = "scheduler") -> None:
        cloud = await Cloud.open(self.store, self.clock, self.settings, role, placing.KINDS)
        self.tasks[role] = asyncio.create_task(placing.schedule(cloud))

    async def start_fleet(self, number: int = 0) -> None:
        role = names_of("fleet", self.settings.roles.fleet)[number]
        cloud = await Cloud.open(self.store, self.clock, self.settings, role, lifecycle.KINDS)
        self.tasks[role] = asyncio.create_task(
            run_nodes(cloud, role, [lifecycle.run_servers, node_life.run_node_lives])
        )

    async def start_network(self) -> None:
        cloud = await Cloud.open(self.store, self.clock, self.settings, "network", network.KINDS)
        self.tasks["network"] = asyncio.create_task(network.run_network(cloud))

    async def kill(self, role: str) -> None:
        task = self.tasks.pop(role)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    async def stop(self) -> None:
        for role in list(self.tasks):
            assert not self.tasks[role].done(), self.tasks[role].exception()
            await self.kill(role)
        await self.cloud.close()

    async def call(
        self, method: str, path: str, body: Any = None, *, as_: str = "member:p1", version: str = ""
    ) -> Answer:
        place, _, query = path.partition("?")
        place = place if place.startswith(("/compute", *OTHER_SERVICES)) else f"/compute/v2.1{place}"
        service = place.split("/")[1]
        headers = [(b"x-auth-token", as_.encode())]
        if version:
            headers.append((b"openstack-api-version", f"{service} {version}".encode()))
        data = json.dumps(body).encode() if body is not None else b""
        if data:
            headers.append((b"content-type", b"application/json"))
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.request", "body": data}

        async def send(message: Any) -> None:
            sent.append(message)

        scope = {
            "type": "http", "method": method, "path": place, "query_string": query.encode(), "headers": headers
        }  # fmt: skip
        await self._application(scope, receive, send)
        found = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
        return Answer(sent[0]["status"], found, b"".join(part.get("body", b"") for part in sent[1:]))

    async def ok(self, method: str, path: str, body: Any = None, *, as_: str = "member:p1", version: str = "") -> Any:
        answer = await self.call(method, path, body, as_=as_, version=version)
        assert answer.status < 400, (answer.status, answer.body)
        return answer.body

    async def boot(self, name: str = "one", flavor: str = "1", *, as_: str = "member:p1", **more: Any) -> str:
        version = more.pop("version", "2.74")
        server = {"name": name, "flavorRef": flavor, "imageRef": "some-image", "networks": "none", **more}
        return str((await self.ok("POST", "/servers", {"server": server}, as_=as_, version=version))["server"]["id"])

    async def act(self, server_id: str, action: str, arguments: Any = None, *, as_: str = "member:p1") -> Answer:
        return await self.call("POST", f"/servers/{server_id}/action", {action: arguments}, as_=as_, version="2.74")

    def server(self, server_id: str) -> Server | None:
        entry = self.cloud.mirror.get(SERVER, server_id)
        return entry.value if entry is not None else None

    async def rest(self, server_id: str, timeout_s: float = 300.0) -> Server | None:
        """Wait until nothing more happens to the server."""
        deadline_ns = self.clock.now_ns() + int(timeout_s * 1e9)
        while self.clock.now_ns() < deadline_ns:
            server = self.server(server_id)
            if server is None or server.task is None:
                return server
            await self.clock.sleep(0.05)
        raise AssertionError(f"{server_id} does not come to rest: {self.server(server_id)}")

    def usage(self, node: str) -> NodeUsage:
        entry = self.cloud.mirror.get(NODE_USAGE, node)
        return entry.value if entry is not None else NodeUsage()

    def check_books(self) -> None:
        """What is taken of each node is the sum of what its servers took, and never more than there is."""
        sums: dict[str, Resources] = {}
        for entry in self.cloud.mirror.all(SERVER).values():
            for claim in claims(entry.value):
                sums[claim.node] = sums.get(claim.node, Resources()) + claim.amount
        for name, entry in self.cloud.mirror.all(NODE).items():
            used = self.usage(name).used
            assert used == sums.get(name, Resources()), name
            assert self.usage(name).taken.fits(entry.value.capacity()), name


def _caller(token: str) -> Caller:
    role, _, project = token.partition(":")
    project = project or "admin-project"
    return Caller(f"user-of-{project}", "default", project, roles=(role,), access=access_of((role,)))


@asynccontextmanager
async def running(
    nodes: int = 3,
    *,
    stages: str = "instant",
    shape: NodeShape = SMALL,
    seed: int = 1,
    schedulers: int = 1,
    fleets: int = 1,
    zones: tuple[str, ...] = ("nova",),
    **more: Any,
) -> AsyncIterator[Compute]:
    """A cloud of small nodes with all roles running."""
    settings = CloudSettings(
        nodes=nodes,
        stages=stages,
        node_shape=shape,
        seed=seed,
        roles=RoleCounts(fleet=fleets, scheduler=schedulers),
        zones=zones,
        name="test",
        **more,
    )
    compute = Compute(MemoryStore(), settings)
    await compute.start()
    try:
        yield compute
    finally:
        await compute.stop()
