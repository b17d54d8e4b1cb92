"""A cloud that answers by a script: for what an emulated cloud does not do by itself, such as failing half way."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from kilonode.base.clock import SimulatedClock
from kilonode.clients.openstack.access import Access
from kilonode.clients.openstack.connection import Connection
from kilonode.clients.transport import BodyStream, HeaderPairs, Response
from kilonode.scenarios.tenant import Tenant
from tests.scenarios.recording import Recorder

ANSWER_S: Final = 0.01
"""How long each answer takes."""
SERVICES: Final = {
    "identity": "/identity/v3",
    "compute": "/compute/v2.1",
    "network": "/network/v2.0",
    "image": "/image/v2",
    "block-storage": "/volume/v3/%(project_id)s",
    "placement": "/placement",
}
TOKEN_TEXT: Final = "the-token"
TOKEN: Final[dict[str, Any]] = {
    "project": {"id": "p1"},
    "user": {"id": "u1"},
    "issued_at": "2030-01-01T00:00:00.000000Z",
    "expires_at": "2030-01-02T00:00:00.000000Z",
    "catalog": [
        {"type": kind, "endpoints": [{"interface": "public", "url": f"http://cloud{path % {'project_id': 'p1'}}"}]}
        for kind, path in SERVICES.items()
    ],
}
Answer = tuple[int, Any]


@dataclass
class Asked:
    """One request that came."""

    call: str
    query: str
    headers: HeaderPairs
    json: Any
    body_bytes: int


@dataclass
class ScriptedTransport:
    """Answers each `METHOD /path` with the next of its answers; the last one stays. No script: 404."""

    script: dict[str, list[Answer]]
    asked: list[Asked] = field(default_factory=list)

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: HeaderPairs = (),
        body: bytes | BodyStream = b"",
        timeout_s: float = 60.0,
        receive: Callable[[bytes], object] | None = None,
    ) -> Response:
        await asyncio.sleep(ANSWER_S)
        address = urlsplit(url)
        call = f"{method} {address.path}"
        if call == "POST /identity/v3/auth/tokens":
            return Response(201, (("x-subject-token", TOKEN_TEXT),), msgspec.json.encode({"token": TOKEN}))
        if isinstance(body, BodyStream):
            pieces = [piece async for piece in body.open()]
            content = b"".join(pieces)
            document = None
        else:
            content = body
            document = msgspec.json.decode(body) if body else None
        self.asked.append(Asked(call, address.query, headers, document, len(content)))
        answers = self.script.get(call, [(404, None)])
        status, answer = answers.pop(0) if len(answers) > 1 else answers[0]
        return Response(status, (), b"" if answer is None else msgspec.json.encode(answer))

    async def close(self) -> None:
        pass

    def calls(self, *methods: str) -> list[str]:
        """What was asked by these methods, in order."""
        return [asked.call for asked in self.asked if asked.call.split()[0] in methods]

    def sent(self, call: str) -> Any:
        """The JSON of the first such request."""
        return next(asked.json for asked in self.asked if asked.call == call)


async def scripted(script: dict[str, list[Answer]], **tenant: Any) -> tuple[Recorder, ScriptedTransport]:
    """A recorder of iterations on a cloud that follows the script, as a tenant with these fields."""
    transport = ScriptedTransport(script)
    clock = SimulatedClock(asyncio.get_running_loop())
    access = Access(auth_url="http://cloud/identity/v3", username="u", password="the-password", project_name="p")
    connection = Connection(access, transport, clock)
    await connection.connect()
    connection.tokens.close()
    transport.asked.clear()
    recorder = Recorder(clock, transport, connection, Tenant(access, "p1", "u1", **tenant))
    return recorder, transport


def server(status: str, task_state: str | None = None, host: str = "h1", fault: str = "") -> Answer:
    """A server as Nova shows it."""
    shown = {"id": "s1", "status": status, "OS-EXT-STS:task_state": task_state, "hostId": host}
    return 200, {"server": shown | ({"fault": {"code": 500, "message": fault}} if fault else {})}


def volume(status: str) -> Answer:
    """A volume as Cinder shows it."""
    return 200, {"volume": {"id": "v1", "status": status}}
