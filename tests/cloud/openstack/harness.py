"""A whole emulated cloud in simulated time, spoken to as a client would: by token, path and JSON body."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any

from kilonode.base.clock import SimulatedClock
from kilonode.cloud.context import CloudSettings
from kilonode.cloud.service_settings import ServiceSettings
from kilonode.cloud.simulated import SimulatedCloud
from kilonode.store.memory import MemoryStore

Asgi = Callable[[MutableMapping[str, Any], Any, Any], Awaitable[None]]


class Answer:
    """What the cloud answered."""

    def __init__(self, status: int, headers: list[tuple[bytes, bytes]], raw: bytes) -> None:
        self.status = status
        self.all_headers = [(name.decode(), value.decode()) for name, value in headers]
        self.headers = dict(self.all_headers)
        self.raw = raw

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    def __repr__(self) -> str:
        return f"<{self.status} {self.raw[:300]!r}>"


async def ask(
    application: Asgi,
    method: str,
    path: str,
    body: Any = None,
    *,
    token: str = "",
    headers: Iterable[tuple[str, str]] = (),
    parts: list[bytes] | None = None,
) -> Answer:
    """One request. `parts` is a body in parts; an end of it without `more_body` False is a client that went away."""
    place, _, query = path.partition("?")
    given = [(name.encode(), value.encode()) for name, value in headers]
    if token:
        given.append((b"x-auth-token", token.encode()))
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    if all(name != b"content-type" for name, _ in given):
        given += _content_type(method, place, body if parts is None else b"")
    waiting = [data] if parts is None else list(parts)
    sent: list[Any] = []

    async def receive() -> Any:
        await asyncio.sleep(0)
        if not waiting:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": waiting.pop(0), "more_body": parts is not None or bool(waiting)}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "method": method, "path": place, "raw_path": place.encode(), "query_string": query.encode(),
        "headers": given,
    }  # fmt: skip
    await application(scope, receive, send)
    if not sent:
        return Answer(0, [], b"")
    raw = b"".join(message.get("body", b"") for message in sent[1:])
    return Answer(sent[0]["status"], sent[0]["headers"], raw)


def _content_type(method: str, path: str, body: Any) -> list[tuple[bytes, bytes]]:
    """What clients say of a body unless they have a reason to say something else."""
    if body is None:
        return []
    kind = b"application/octet-stream" if isinstance(body, bytes) else b"application/json"
    if method == "PATCH" and path.startswith("/image/v2/images/"):
        kind = b"application/openstack-images-v2.1-json-patch"
    return [(b"content-type", kind)]


class OpenStack:
    """The cloud and who speaks to it. Without a token, calls are the administrator's."""

    def __init__(self, cloud: SimulatedCloud) -> None:
        self.cloud = cloud
        self.settings = cloud.settings
        self.clock = SimulatedClock(asyncio.get_running_loop())
        self.admin = ""
        self.demo = ""

    @property
    def store(self) -> MemoryStore:
        return self.cloud.store

    async def ask(self, method: str, path: str, body: Any = None, **options: Any) -> Answer:
        if "token" not in options:
            options["token"] = self.admin
        return await ask(self.cloud.application, method, path, body, **options)

    async def good(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """The decoded body of an answer that must be a good one."""
        answer = await self.ask(method, path, body, **options)
        assert 200 <= answer.status < 300, answer
        return answer.body if answer.raw else None

    async def log_in(
        self, user: str, password: str | None = None, scope: Any = "own", *, domain: str = "Default"
    ) -> Answer:
        """Log in with a password; the scope is the project of the user's name unless another is given."""
        named = {"name": user, "domain": {"name": domain}, "password": password or self.password}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": named}}}
        if scope == "own":
            auth["scope"] = {"project": {"name": user, "domain": {"name": domain}}}
        elif scope is not None:
            auth["scope"] = scope
        return await self.ask("POST", "/identity/v3/auth/tokens", {"auth": auth}, token="")

    async def token(self, user: str, password: str | None = None, scope: Any = "own") -> str:
        answer = await self.log_in(user, password, scope)
        assert answer.status == 201, answer
        return answer.headers["x-subject-token"]

    @property
    def password(self) -> str:
        return self.settings.secrets.admin_password

    async def new_project(self, name: str, role: str = "member") -> tuple[str, str]:
        """A project with a user of the same name; gives the project's id and the user's token."""
        project = (await self.good("POST", "/identity/v3/projects", {"project": {"name": name}}))["project"]
        user = (await self.good("POST", "/identity/v3/users", {"user": {"name": name, "password": "secret"}}))["user"]
        roles = (await self.good("GET", f"/identity/v3/roles?name={role}"))["roles"]
        await self.good("PUT", f"/identity/v3/projects/{project['id']}/users/{user['id']}/roles/{roles[0]['id']}")
        return project["id"], await self.token(name, "secret")


@asynccontextmanager
async def openstack(
    *, nodes: int = 1, stages: str = "instant", services: ServiceSettings | None = None
) -> AsyncIterator[OpenStack]:
    """A running cloud with tokens for `admin` and `demo`."""
    loop = asyncio.get_running_loop()
    settings = CloudSettings(
        nodes=nodes, stages=stages, seed=7, public_url="http://cloud.test", services=services or ServiceSettings()
    )
    async with SimulatedCloud(settings, SimulatedClock(loop)) as cloud:
        found = OpenStack(cloud)
        found.admin = await found.token("admin")
        found.demo = await found.token("demo")
        yield found
