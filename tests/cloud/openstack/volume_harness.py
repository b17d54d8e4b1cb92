"""The volume service of a whole emulated cloud in simulated time, as the user `demo` sees it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from tests.cloud.openstack.harness import Answer, OpenStack, openstack


class Volumes:
    """The volume service as the user `demo` sees it; `admin` in the same project where it is asked for."""

    def __init__(self, cloud: OpenStack, project_id: str) -> None:
        self.cloud = cloud
        self.place = f"/volume/v3/{project_id}"

    async def good(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        options.setdefault("token", self.cloud.demo)
        return await self.cloud.good(method, self.place + path, body, **options)

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        options.setdefault("token", self.cloud.demo)
        return await self.cloud.ask(method, self.place + path, body, **options)

    async def make(self, **wanted: Any) -> str:
        made = await self.good("POST", "/volumes", {"volume": {"size": 1, **wanted}})
        return str(made["volume"]["id"])

    async def status(self, volume_id: str) -> str:
        return str((await self.good("GET", f"/volumes/{volume_id}"))["volume"]["status"])

    async def rest(self) -> None:
        """Let everything that ends by itself come to its end."""
        await self.cloud.clock.sleep(10)


@asynccontextmanager
async def volumes(*, stages: str = "fast") -> AsyncIterator[Volumes]:
    async with openstack(stages=stages) as cloud:
        projects = (await cloud.good("GET", "/identity/v3/projects?name=demo"))["projects"]
        yield Volumes(cloud, projects[0]["id"])
